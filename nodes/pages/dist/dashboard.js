// src/board.ts
var Board = class {
  nodes = /* @__PURE__ */ new Map();
  streams = /* @__PURE__ */ new Map();
  /** Server's clock less this browser's, ms. */
  offset = 0;
  /** Seconds for which the node's view of the others is not of now. */
  age = 0;
  /** Takes an event; true when streams or nodes came or went. */
  take(event, data) {
    const told = data;
    const whole = event === "snapshot";
    if (whole) {
      this.nodes.clear();
      this.streams.clear();
    }
    this.offset = told.now - Date.now();
    this.age = told.age;
    const sizes = this.nodes.size + this.streams.size;
    for (const name of told.goneNodes ?? []) this.nodes.delete(name);
    for (const name of told.goneStreams ?? []) this.streams.delete(name);
    merge(this.nodes, told.nodes);
    merge(this.streams, told.streams);
    return whole || this.nodes.size + this.streams.size !== sizes || (told.goneStreams?.length ?? 0) > 0;
  }
  /** Milliseconds since an instant of the server's clock. */
  since(ms) {
    return Math.max(0, Date.now() + this.offset - ms);
  }
};
function merge(all, told) {
  for (const line of told) {
    const known = all.get(line.name);
    if (known) Object.assign(known, line);
    else all.set(line.name, line);
  }
}

// src/dom.ts
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}
function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

// src/console.ts
var KEPT = "weft-login";
var Refused = class extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
  status;
};
var login = sessionStorage.getItem(KEPT) ?? "";
var ours = new URLSearchParams(location.search);
var carried = ["jwt", "token"].flatMap((name) => ours.getAll(name).map((value) => [name, value]));
function withToken(path) {
  if (carried.length === 0) return path;
  return `${path}${path.includes("?") ? "&" : "?"}${new URLSearchParams(carried)}`;
}
async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if (login) headers.set("Authorization", login);
  const answer = await fetch(withToken(path), { credentials: "omit", cache: "no-store", ...options, headers });
  if (answer.ok) return answer;
  const text = await answer.text().catch(() => "");
  let words = text.slice(0, 300);
  try {
    const said2 = JSON.parse(text).error;
    if (typeof said2 === "string") words = said2;
  } catch {
  }
  throw new Refused(answer.status, words || `the node answers ${answer.status}`);
}
function loggedIn() {
  return login !== "";
}
function logOut() {
  login = "";
  sessionStorage.removeItem(KEPT);
}
var asking;
function askForLogin(why) {
  asking ??= new Promise((resolve) => {
    const dialog = element("login");
    const form = element("login-form");
    const [user, password, token] = ["login-user", "login-password", "login-token"].map((id) => element(id));
    say(element("login-why"), why);
    form.onsubmit = (event) => {
      event.preventDefault();
      const bytes = new TextEncoder().encode(`${user.value}:${password.value}`);
      login = token.value ? `Bearer ${token.value.trim()}` : `Basic ${btoa(String.fromCharCode(...bytes))}`;
      sessionStorage.setItem(KEPT, login);
      password.value = "";
      token.value = "";
      asking = void 0;
      dialog.close();
      resolve();
    };
    dialog.oncancel = (event) => event.preventDefault();
    dialog.showModal();
    user.focus();
  });
  return asking;
}
var SILENCE = 6e3;
var HIDDEN = 1e4;
var pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function seen() {
  while (document.hidden) {
    await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  }
}
async function listen(path, listening, again) {
  let wait = 500;
  while (!again.aborted) {
    await seen();
    const began = performance.now();
    try {
      await once(path(), listening, again);
    } catch (error) {
      if (again.aborted) return;
      if (error instanceof Refused && error.status === 401) {
        const before = loggedIn();
        logOut();
        await askForLogin(before ? "That was not right, or it does not allow this." : "This node asks who you are.");
        continue;
      }
      const words = error instanceof Refused ? error.message : "No answer from the node";
      listening.state(`${words}. Trying again…`);
    }
    wait = performance.now() - began > 5e3 ? 250 : Math.min(wait * 2, 8e3);
    await pause(wait * (0.75 + Math.random() / 2));
  }
}
async function once(path, listening, again) {
  const stop = new AbortController();
  const end = () => stop.abort();
  again.addEventListener("abort", end);
  let watch = setTimeout(end, SILENCE);
  let hiding;
  const hidden = () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(end, HIDDEN);
  };
  document.addEventListener("visibilitychange", hidden);
  try {
    const answer = await ask(path, { signal: stop.signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (; ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(end, SILENCE);
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        const [, name = "", data = ""] = /^event: (.*)\ndata: (.*)$/.exec(part) ?? [];
        if (!name) continue;
        listening.state(void 0);
        listening.heard(name, JSON.parse(data));
      }
    }
  } finally {
    clearTimeout(watch);
    clearTimeout(hiding);
    document.removeEventListener("visibilitychange", hidden);
    again.removeEventListener("abort", end);
    stop.abort();
  }
}
function confirmed(question, explained, yes) {
  const dialog = element("confirm");
  say(element("confirm-question"), question);
  say(element("confirm-explained"), explained);
  say(element("confirm-yes"), yes);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// src/words.ts
var STATES = {
  live: { word: "Live", kind: "live" },
  waiting: { word: "Starting", kind: "wait" },
  stalled: { word: "Stalled", kind: "held" },
  held: { word: "Held", kind: "held" },
  offline: { word: "Offline", kind: "error" },
  ready: { word: "Ready", kind: "live" },
  draining: { word: "Draining", kind: "held" },
  silent: { word: "Silent", kind: "error" }
};
function state(token) {
  return STATES[token] ?? { word: token, kind: "wait" };
}
function span(ms) {
  const s = Math.floor(ms / 1e3);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}
function figure(value, digits, unit = "") {
  return value === null ? "–" : `${value.toFixed(digits)}${unit}`;
}
function bits(value) {
  if (value === null) return "–";
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} Gbit/s`;
  return value >= 1e6 ? `${(value / 1e6).toFixed(1)} Mbit/s` : `${Math.round(value / 1e3)} kbit/s`;
}

// src/node-list.ts
var FIGURES = ["Publishers", "Readers", "Streams", "Media", "CPU", "Up"];
var NodeList = class {
  constructor(board2, drain2) {
    this.board = board2;
    this.drain = drain2;
  }
  board;
  drain;
  #list = element("nodes");
  #cards = /* @__PURE__ */ new Map();
  refresh() {
    for (const [name, card] of this.#cards) {
      if (this.board.nodes.has(name)) continue;
      card.card.remove();
      this.#cards.delete(name);
    }
    const nodes2 = [...this.board.nodes.values()].sort((a, b) => a.name < b.name ? -1 : 1);
    nodes2.forEach((node, i) => {
      const card = this.#cards.get(node.name) ?? this.#make(node.name);
      if (this.#list.children[i] !== card.card) this.#list.insertBefore(card.card, this.#list.children[i] ?? null);
      this.#fill(card, node);
    });
  }
  #make(name) {
    const make = (tag, kind = "") => {
      const made2 = document.createElement(tag);
      if (kind) made2.className = kind;
      return made2;
    };
    const card = document.createElement("li");
    card.className = "panel node-card";
    const head = make("div", "row apart");
    const title = make("h3");
    title.textContent = name;
    const badge = make("span", "state");
    head.append(title, badge);
    const about = make("p", "soft small");
    const meter = make("div", "meter");
    const bar = make("div", "bar");
    meter.append(bar);
    const full = make("p", "small");
    const list = make("dl", "figures");
    const figures = {};
    for (const figure2 of FIGURES) {
      const [pair, term, value] = [make("div"), make("dt"), make("dd")];
      term.textContent = figure2;
      pair.append(term, value);
      list.append(pair);
      figures[figure2] = value;
    }
    const problems = make("ul", "problems");
    const drain2 = document.createElement("button");
    drain2.type = "button";
    drain2.className = "danger small";
    drain2.textContent = "Drain";
    drain2.setAttribute("aria-label", `Drain ${name}`);
    drain2.onclick = () => this.drain(name);
    const foot = make("div", "row apart");
    foot.append(full, drain2);
    card.append(head, about, meter, foot, list, problems);
    const made = { card, state: badge, about, full, bar, figures, problems, drain: drain2 };
    this.#cards.set(name, made);
    return made;
  }
  #fill(card, node) {
    const { word, kind } = state(node.state);
    say(card.state, word);
    card.state.dataset.kind = kind;
    say(card.about, `${node.role} · ${node.version}${node.own ? " · this node" : ""}`);
    const full = Math.min(100, node.fullness * 100);
    say(card.full, `${full < 10 ? full.toFixed(1) : full.toFixed(0)} % full`);
    card.bar.style.width = `${full}%`;
    card.bar.dataset.kind = full >= 90 ? "bad" : full >= 70 ? "warn" : "good";
    const of = (now, most) => most ? `${now} / ${most}` : String(now);
    say(card.figures.Publishers, of(node.publishers, node.limits.publishers));
    say(card.figures.Readers, of(node.readers, node.limits.readers));
    say(card.figures.Streams, String(node.streams));
    say(card.figures.Media, bits(node.bits));
    say(card.figures.CPU, node.cpu === null ? "–" : `${node.cpu} %`);
    say(card.figures.Up, span(this.board.since(node.started)));
    const problems = node.problems.join("\n");
    if (card.problems.dataset.said !== problems) {
      card.problems.dataset.said = problems;
      card.problems.replaceChildren(...node.problems.map((problem) => {
        const item = document.createElement("li");
        item.textContent = problem;
        return item;
      }));
    }
    card.problems.hidden = node.problems.length === 0;
    card.drain.disabled = node.state !== "ready";
  }
};

// src/stills.ts
var REFUSALS = 2;
var allowed = false;
var refusals = 0;
function forbidden() {
  return !allowed && refusals >= REFUSALS;
}
var Still = class {
  constructor(stream2, width) {
    this.stream = stream2;
    this.width = width;
    this.image.alt = "";
    this.image.decoding = "async";
    this.image.hidden = true;
  }
  stream;
  width;
  image = document.createElement("img");
  /** When it may be asked for next. */
  due = 0;
  /** When the picture that is shown came; 0: there is none. */
  shown = 0;
  wanted = true;
  /** It is not for whoever is logged in. */
  refused = false;
  #url = "";
  #asking = false;
  get free() {
    return !this.#asking;
  }
  /** Asks for the newest picture; `every` is when to ask again. */
  async refresh(every) {
    this.#asking = true;
    const began = performance.now();
    this.due = began + every;
    try {
      const answer = await ask(`/${this.stream}/snapshot.jpg?width=${this.width}`);
      const blob = await answer.blob();
      if (!blob.type.startsWith("image/")) throw new Error(`${blob.type} is no picture`);
      allowed = true;
      const url = URL.createObjectURL(blob);
      const next = new Image();
      next.src = url;
      await next.decode().catch((error) => {
        URL.revokeObjectURL(url);
        throw error;
      });
      const former = this.#url;
      this.#url = url;
      this.image.src = url;
      if (former) URL.revokeObjectURL(former);
      this.image.hidden = false;
      this.shown = performance.now();
    } catch (error) {
      if (error instanceof Refused && [401, 403].includes(error.status)) {
        refusals += 1;
        this.wanted = false;
        this.refused = true;
      }
      const patience = error instanceof Refused && error.status === 503 ? 2 : 8;
      this.due = performance.now() + Math.max(every, 1e3) * patience;
    } finally {
      this.#asking = false;
    }
  }
  /** Takes the picture away. */
  drop() {
    this.wanted = false;
    this.image.hidden = true;
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = "";
    this.shown = 0;
  }
};
var Stills = class {
  /** `seen` gives the pictures on the screen now. */
  constructor(seen2, every, atOnce) {
    this.seen = seen2;
    this.every = every;
    this.atOnce = atOnce;
    this.#timer = setInterval(() => this.#look(), 50);
  }
  seen;
  every;
  atOnce;
  #asking = 0;
  #timer;
  stop() {
    clearInterval(this.#timer);
  }
  #look() {
    const atOnce = allowed ? this.atOnce : 1;
    if (document.hidden || forbidden() || refusals >= 10 || this.#asking >= atOnce) return;
    const now = performance.now();
    const due = this.seen().filter((still) => still.wanted && !still.refused && still.free && still.due <= now);
    due.sort((a, b) => a.due - b.due);
    for (const still of due.slice(0, atOnce - this.#asking)) {
      this.#asking += 1;
      void still.refresh(this.every).finally(() => this.#asking -= 1);
    }
  }
};

// src/stream-table.ts
var BEYOND = 6;
var KEYS = {
  name: (line) => line.name,
  state: (line) => ["stalled", "held", "offline", "waiting", "live"].indexOf(line.state),
  node: (line) => line.node,
  picture: (line) => line.width * line.height,
  fps: (line) => line.fps ?? -1,
  bits: (line) => line.bits ?? -1,
  loss: (line) => line.loss ?? -1,
  readers: (line) => line.readers,
  since: (line) => line.since === 0 ? Infinity : line.since
};
var StreamTable = class {
  constructor(board2, kick2) {
    this.board = board2;
    this.kick = kick2;
    this.#body.append(this.#above, this.#below);
    new Stills(() => [...this.#rows.values()].map(({ still }) => still), 1e4, 4);
    for (const button of this.#table.querySelectorAll("button[data-by]")) {
      button.onclick = () => this.#sortBy(button.dataset.by);
    }
    element("order").onchange = (event) => {
      const [by, way] = event.target.value.split(" ");
      this.#by = by;
      this.#down = way === "down";
      this.#heads();
      this.refresh();
    };
    this.#search.oninput = () => this.refresh();
    this.#states.onchange = () => this.refresh();
    addEventListener("scroll", () => this.#soon(), { passive: true });
    addEventListener("resize", () => this.#soon());
    this.#heads();
  }
  board;
  kick;
  #table = element("streams");
  #body = this.#table.tBodies[0];
  #above = spacer();
  #below = spacer();
  #rows = /* @__PURE__ */ new Map();
  #order = [];
  #by = "name";
  #down = false;
  #due = false;
  #search = element("search");
  #states = element("states");
  /** Something has changed. */
  refresh() {
    this.#sort();
    this.#soon();
  }
  #sortBy(by) {
    this.#down = this.#by === by ? !this.#down : !["name", "state", "node", "since"].includes(by);
    this.#by = by;
    this.#heads();
    this.refresh();
  }
  #heads() {
    for (const button of this.#table.querySelectorAll("button[data-by]")) {
      const sorted = button.dataset.by === this.#by ? this.#down ? "descending" : "ascending" : "none";
      button.closest("th").setAttribute("aria-sort", sorted);
    }
  }
  #sort() {
    const wanted = this.#search.value.trim().toLowerCase();
    const only = this.#states.value;
    const all = [...this.board.streams.values()];
    const fits = (line) => (only === "" || line.state === only) && (wanted === "" || `${line.name} ${line.node} ${line.user}`.toLowerCase().includes(wanted));
    this.#order = wanted === "" && only === "" ? all : all.filter(fits);
    const key = KEYS[this.#by];
    const way = this.#down ? -1 : 1;
    this.#order.sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      return (x < y ? -1 : x > y ? 1 : 0) * way || (a.name < b.name ? -1 : 1);
    });
    const shown = this.#order.length;
    this.#table.setAttribute("aria-rowcount", String(shown + 1));
    element("nothing").hidden = shown > 0 || this.board.nodes.size === 0;
    say(element("nothing"), all.length === 0 ? "Nobody publishes, and nobody waits for a stream." : "No stream is like that.");
    if (this.board.nodes.size === 0) return;
    say(element("shown"), shown === all.length ? `${all.length} streams` : `${shown} of ${all.length} streams`);
  }
  #soon() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#show();
    });
  }
  /** Makes the rows that are seen and brings them up to date. */
  #show() {
    if (this.#table.closest("[hidden]")) return;
    const height = parseFloat(getComputedStyle(this.#table).getPropertyValue("--row")) || 60;
    const top = this.#table.tHead.getBoundingClientRect().bottom;
    const first = Math.max(0, Math.floor(-top / height) - BEYOND);
    const last = Math.min(this.#order.length, Math.ceil((innerHeight - top) / height) + BEYOND);
    const seen2 = this.#order.slice(first, Math.max(first, last));
    const names = new Set(seen2.map((line) => line.name));
    for (const [name, row2] of this.#rows) {
      if (names.has(name)) continue;
      row2.still.drop();
      row2.row.remove();
      this.#rows.delete(name);
    }
    let before = this.#above;
    seen2.forEach((line, i) => {
      const row2 = this.#rows.get(line.name) ?? this.#make(line);
      if (before.nextElementSibling !== row2.row) before.after(row2.row);
      before = row2.row;
      row2.row.setAttribute("aria-rowindex", String(first + i + 2));
      this.#fill(row2, line);
    });
    this.#above.style.height = `${first * height}px`;
    this.#below.style.height = `${(this.#order.length - Math.max(first, last)) * height}px`;
  }
  #make(line) {
    const row2 = document.createElement("tr");
    row2.setAttribute("role", "row");
    const cell = (kind) => {
      const made2 = row2.insertCell();
      made2.className = kind;
      made2.setAttribute("role", "cell");
      return made2;
    };
    const still = new Still(line.name, 160);
    still.due = performance.now() + Math.random() * 300;
    cell("still").append(still.image);
    const head = document.createElement("th");
    head.scope = "row";
    head.className = "name";
    head.setAttribute("role", "rowheader");
    const link = document.createElement("a");
    link.href = `#/stream/${line.name}`;
    link.textContent = line.name;
    head.append(link);
    row2.append(head);
    const badge = document.createElement("span");
    badge.className = "state";
    cell("state-cell").append(badge);
    const cells = {
      state: badge,
      node: cell("node"),
      picture: cell("picture"),
      fps: cell("fps number"),
      bits: cell("bits number"),
      loss: cell("loss number"),
      readers: cell("readers number"),
      since: cell("since number"),
      kick: document.createElement("button")
    };
    cells.kick.type = "button";
    cells.kick.className = "danger small";
    cells.kick.textContent = "Kick";
    cells.kick.setAttribute("aria-label", `Kick ${line.name}`);
    cells.kick.onclick = () => this.kick(line.name);
    cell("act").append(cells.kick);
    const made = { row: row2, still, cells };
    this.#rows.set(line.name, made);
    return made;
  }
  #fill({ row: row2, still, cells }, line) {
    const { word, kind } = state(line.state);
    say(cells.state, word);
    cells.state.dataset.kind = kind;
    row2.dataset.state = line.state;
    still.wanted = line.state === "live";
    if (line.state === "offline") still.image.hidden = true;
    say(cells.node, line.node || "–");
    say(cells.picture, line.width ? `${line.width}×${line.height} ${line.tracks.join("+")}` : line.tracks.join("+") || "–");
    say(cells.fps, figure(line.fps, 1, " fps"));
    say(cells.bits, bits(line.bits));
    say(cells.loss, figure(line.loss, line.loss !== null && line.loss < 1 ? 2 : 1, " % lost"));
    cells.loss.classList.toggle("bad", (line.loss ?? 0) >= 2);
    say(cells.readers, line.readers === 1 ? "1 reader" : `${line.readers} readers`);
    say(cells.since, line.since && line.state !== "held" ? span(this.board.since(line.since)) : "–");
    cells.kick.disabled = line.session === "";
  }
};
function spacer() {
  const row2 = document.createElement("tr");
  row2.className = "spacer";
  row2.setAttribute("aria-hidden", "true");
  return row2;
}

// src/graph.ts
var SVG = "http://www.w3.org/2000/svg";
var POINTS = 120;
var [WIDTH, HEIGHT] = [240, 60];
var Graph = class {
  constructor(name, words, least) {
    this.words = words;
    this.least = least;
    this.element.className = "graph";
    const caption = document.createElement("figcaption");
    const title = document.createElement("span");
    title.textContent = name;
    this.#value.className = "value";
    caption.append(title, this.#value);
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${name} over the last two minutes`);
    svg.append(this.#area, this.#line);
    this.#most.className = "most soft";
    this.element.append(caption, svg, this.#most);
  }
  words;
  least;
  element = document.createElement("figure");
  #values = [];
  #line = document.createElementNS(SVG, "polyline");
  #area = document.createElementNS(SVG, "polygon");
  #value = document.createElement("span");
  #most = document.createElement("span");
  /** Adds a point; `null` is a hole. */
  add(value) {
    this.#values.push(value);
    if (this.#values.length > POINTS) this.#values.shift();
    const known = this.#values.filter((v) => v !== null);
    const most = Math.max(this.least, ...known);
    const x = (i) => WIDTH - (this.#values.length - 1 - i) * WIDTH / (POINTS - 1);
    const y = (v) => HEIGHT - 2 - v / most * (HEIGHT - 4);
    const points = this.#values.map((v, i) => `${x(i).toFixed(1)},${y(v ?? 0).toFixed(1)}`);
    this.#line.setAttribute("points", points.join(" "));
    this.#area.setAttribute("points", `${x(0).toFixed(1)},${HEIGHT} ${points.join(" ")} ${WIDTH},${HEIGHT}`);
    this.#value.textContent = this.words(value);
    this.#most.textContent = `most ${this.words(known.length ? Math.max(...known) : null)}`;
  }
};

// src/stream-view.ts
var EVENTS = {
  live: "Publisher came",
  stalled: "Publisher fell silent",
  resumed: "Publisher sends again",
  closed: "Publisher ended",
  "reader-joined": "Reader joined",
  "reader-left": "Reader left"
};
var StreamView = class {
  constructor(board2, name) {
    this.board = board2;
    this.name = name;
    this.#still = new Still(name, 640);
    element("still").replaceChildren(this.#still.image);
    this.#still.image.alt = `Newest picture of ${name}`;
    this.#stills = new Stills(() => [this.#still], 1e3, 1);
    element("graphs").replaceChildren(...Object.values(this.#graphs).map((graph) => graph.element));
    say(element("stream-name"), name);
    element("watch").href = withToken(`/${name}/`);
    element("publish").href = withToken(`/${name}/publish`);
    element("happened").replaceChildren();
    element("reading").replaceChildren();
    this.#timer = setInterval(() => void this.#ask(), 5e3);
    this.second();
  }
  board;
  name;
  #still;
  #stills;
  #graphs = {
    bits: new Graph("Bitrate in", bits, 1e5),
    fps: new Graph("Pictures a second", (v) => figure(v, 1), 10),
    loss: new Graph("Loss", (v) => figure(v, 2, " %"), 1),
    readers: new Graph("Readers", (v) => figure(v, 0), 1)
  };
  #known = "";
  #asking = false;
  #timer;
  close() {
    this.#stills.stop();
    this.#still.drop();
    clearInterval(this.#timer);
  }
  /** A second has passed. */
  second() {
    const line = this.board.streams.get(this.name);
    const { word, kind } = state(line?.state ?? "offline");
    say(element("stream-state"), word);
    element("stream-state").dataset.kind = kind;
    this.#graphs.bits.add(line?.bits ?? null);
    this.#graphs.fps.add(line?.fps ?? null);
    this.#graphs.loss.add(line?.loss ?? null);
    this.#graphs.readers.add(line?.readers ?? 0);
    this.#still.wanted = line?.state === "live";
    element("kick").disabled = !line?.session;
    this.#figures(line);
    const rtsp = this.#rtsp(line);
    say(element("rtsp"), rtsp ?? "no node with RTSP is known");
    element("copy").disabled = rtsp === void 0;
    const known = line ? `${line.state} ${line.session} ${line.readers}` : "";
    if (known !== this.#known) {
      this.#known = known;
      void this.#ask();
    }
  }
  #figures(line) {
    const set = (id, text) => say(element(id), text);
    set("f-node", line?.node || "–");
    set("f-tracks", line?.tracks.join(", ") || "–");
    set("f-size", line?.width ? `${line.width}×${line.height}` : "–");
    set("f-up", line?.since ? span(this.board.since(line.since)) : "–");
    set("f-out", bits(line?.bitsOut ?? null));
    set("f-errors", line ? String(line.errors) : "–");
    set("f-user", line?.user || "–");
    set("f-kind", line?.kind.replace(/Session$/, "") || "–");
  }
  /** Where a reader reaches it: a node that has it open, else any that serves readers. */
  #rtsp(line) {
    const nodes2 = [...this.board.nodes.values()].filter((node2) => node2.addresses.rtsp && node2.state === "ready");
    const node = nodes2.find((node2) => line?.open.includes(node2.name)) ?? nodes2.find((node2) => node2.own) ?? nodes2[0];
    return node && `rtsp://${node.addresses.rtsp}/${this.name}`;
  }
  async #ask() {
    if (this.#asking || document.hidden) return;
    this.#asking = true;
    try {
      const events = await (await ask(`/v3/paths/events/${this.name}`)).json();
      this.#happened(events.items.slice(-100).reverse());
      const path = await ask(`/v3/paths/get/${this.name}`).then((answer) => answer.json()).catch(() => void 0);
      this.#reading(path?.readers ?? []);
    } catch {
    } finally {
      this.#asking = false;
    }
  }
  #happened(items) {
    element("no-events").hidden = items.length > 0;
    element("happened").closest(".scroll").hidden = items.length === 0;
    element("happened").replaceChildren(...items.map((item) => row([
      new Date(item.time).toLocaleTimeString(),
      EVENTS[item.event] ?? item.event,
      item.reason.replaceAll("-", " ") || "–",
      item.node,
      item.session.slice(0, 8)
    ])));
  }
  #reading(readers) {
    element("no-readers").hidden = readers.length > 0;
    element("reading").closest(".scroll").hidden = readers.length === 0;
    element("reading").replaceChildren(...readers.slice(0, 200).map((reader) => row([
      reader.type.replace(/Session$/, ""),
      reader.node,
      reader.id.slice(0, 8)
    ])));
  }
};
function row(texts) {
  const made = document.createElement("tr");
  for (const text of texts) made.insertCell().textContent = text;
  return made;
}

// src/dashboard.ts
var board = new Board();
var table = new StreamTable(board, (stream2) => void kick(stream2));
var nodes = new NodeList(board, (node) => void drain(node));
var view;
var stream = "";
function tell(text, bad = false) {
  const notice = element("notice");
  say(notice, text);
  notice.hidden = text === "";
  notice.classList.toggle("bad", bad);
}
async function change(path, done) {
  for (; ; ) {
    try {
      await ask(path, { method: "POST" });
      return tell(done);
    } catch (error) {
      if (!(error instanceof Refused)) return tell("The node did not answer; nothing is known of whether it was done.", true);
      if (error.status !== 401) return tell(error.message, true);
      await askForLogin("This needs a login with the right to use the API.");
    }
  }
}
async function kick(name) {
  const sure = await confirmed(`Kick ${name}?`, "Its publisher is closed and told so; its readers are closed at once.", "Kick");
  if (sure) await change(`/v3/paths/kick/${name}`, `${name} was kicked.`);
}
async function drain(name) {
  const sure = await confirmed(
    `Drain ${name}?`,
    "It takes nobody new, sends its publishers to other nodes, and ends when everybody has left.",
    "Drain"
  );
  if (sure) await change(`/v3/nodes/drain/${name}`, `${name} drains.`);
}
function summary() {
  const states = /* @__PURE__ */ new Map();
  let [readers, input, output] = [0, 0, 0];
  for (const line of board.streams.values()) {
    states.set(line.state, (states.get(line.state) ?? 0) + 1);
    readers += line.readers;
    input += line.bits ?? 0;
    output += line.bitsOut ?? 0;
  }
  for (const name of ["live", "stalled", "held", "offline"]) say(element(`n-${name}`), String(states.get(name) ?? 0));
  say(element("n-nodes"), String(board.nodes.size));
  say(element("n-readers"), String(readers));
  say(element("n-in"), bits(input));
  say(element("n-out"), bits(output));
  const old = board.age > 0 ? `What is shown is ${board.age} s old: this node is cut off from the others.` : "";
  say(element("old"), old);
  element("old").hidden = old === "";
}
function route() {
  const name = /^#\/stream\/(.+)$/.exec(location.hash)?.[1] ?? "";
  const wanted = name ? decodeURI(name) : "";
  if (wanted === stream && view) return;
  view?.close();
  view = void 0;
  const came = stream !== wanted;
  stream = wanted;
  element("all").hidden = wanted !== "";
  element("one").hidden = wanted === "";
  document.title = wanted ? `${wanted} · Weft` : "Weft";
  if (wanted) {
    view = new StreamView(board, wanted);
    scrollTo(0, 0);
    element("stream-name").focus();
  } else {
    table.refresh();
    if (came) element("title").focus();
  }
}
var said = 0;
function heard(name, data) {
  board.take(name, data);
  summary();
  nodes.refresh();
  view?.second();
  if (!view) table.refresh();
  element("loading").hidden = true;
  element("log-out").hidden = !loggedIn();
  element("no-pictures").hidden = !forbidden();
  if (performance.now() - said > 1e4) {
    said = performance.now();
    const live = element("n-live").textContent;
    say(element("spoken"), `${live} of ${board.streams.size} streams live on ${board.nodes.size} nodes`);
  }
}
element("wall").href = withToken("/wall");
element("kick").onclick = () => void kick(stream);
element("copy").onclick = async () => {
  const text = element("rtsp").textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
    tell("The address is copied.");
  } catch {
    getSelection()?.selectAllChildren(element("rtsp"));
    tell("The address is selected: copy it with Ctrl+C.");
  }
};
element("log-out").onclick = () => {
  logOut();
  location.reload();
};
addEventListener("hashchange", route);
route();
void listen(() => "/v3/live", {
  heard,
  state(trouble) {
    const state2 = element("connection");
    say(state2, trouble ?? "Live");
    state2.dataset.kind = trouble ? "error" : "live";
  }
}, new AbortController().signal);
