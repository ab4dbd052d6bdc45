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
    const said = JSON.parse(text).error;
    if (typeof said === "string") words = said;
  } catch {
  }
  throw new Refused(answer.status, words || `the node answers ${answer.status}`);
}
function loggedIn() {
  return login !== "";
}
function credentials() {
  const [kind, value = ""] = login.split(" ", 2);
  if (kind === "Bearer") return { token: value };
  if (kind !== "Basic") return {};
  const text = new TextDecoder().decode(Uint8Array.from(atob(value), (byte) => byte.charCodeAt(0)));
  const colon = text.indexOf(":");
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
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

// src/stills.ts
var REFUSALS = 2;
var allowed = false;
var refusals = 0;
function forbidden() {
  return !allowed && refusals >= REFUSALS;
}
var Still = class {
  constructor(stream, width) {
    this.stream = stream;
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

// src/focus.ts
import { WeftReader } from "./weft-reader.js";

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

// src/focus.ts
var Focus = class {
  #name = "";
  #reader;
  #still;
  #stills;
  #sound = element("sound");
  constructor(close) {
    element("close").onclick = close;
    this.#sound.onclick = () => {
      if (!this.#reader) return;
      this.#reader.muted = !this.#reader.muted;
      this.#sound.setAttribute("aria-pressed", String(!this.#reader.muted));
    };
  }
  /** Shows a stream; the one that was large before goes. */
  open(name, token) {
    if (name === this.#name) return;
    this.close();
    this.#name = name;
    element("focus").hidden = false;
    say(element("focus-name"), name);
    element("watch").href = withToken(`/${name}/`);
    const still = new Still(name, 960);
    this.#still = still;
    still.image.alt = `Newest picture of ${name}`;
    element("still").replaceChildren(still.image);
    this.#stills = new Stills(() => [still], 500, 1);
    this.#sound.setAttribute("aria-pressed", "false");
    const reader = new WeftReader({
      url: new URL(withToken(`/${name}/whep`), location.href).href,
      into: element("live"),
      ...credentials()
    });
    this.#reader = reader;
    reader.addEventListener("state", (event) => {
      if (reader === this.#reader) this.#plays(still, event.detail);
    });
    reader.start();
    this.state(token);
    element("focus-name").focus();
  }
  #plays(still, { picture, problem, mode }) {
    still.wanted = picture !== "moving";
    element("live").hidden = picture === "none";
    const how = mode === "hls" ? "Live, some seconds behind" : "Live";
    const why = problem ? problem.what : "it begins to play…";
    say(element("focus-words"), picture === "moving" ? how : `Pictures only: ${why}`);
  }
  /** What the stream does. */
  state(token) {
    const { word, kind } = state(token);
    say(element("focus-state"), word);
    element("focus-state").dataset.kind = kind;
  }
  close() {
    const reader = this.#reader;
    this.#reader = void 0;
    reader?.stop();
    this.#stills?.stop();
    this.#still?.drop();
    this.#still = void 0;
    this.#name = "";
    element("focus").hidden = true;
  }
};

// src/wall.ts
var EVERY = 1e3;
var OLD = 6e3;
var wanted = new URLSearchParams(location.search).get("match") ?? "";
var star = wanted.search(/[*?]/);
var prefix = star < 0 ? "" : wanted.slice(0, star);
var list = element("tiles");
var tiles = /* @__PURE__ */ new Map();
var focus = new Focus(() => select(void 0));
var more = 0;
var current = "";
var large = "";
var observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const tile = tiles.get(target.dataset.name ?? "");
    if (tile) tile.seen = isIntersecting;
  }
}, { rootMargin: "80px" });
new Stills(() => [...tiles.values()].filter((tile) => tile.seen && tile.line.name !== large).map(({ still }) => still), EVERY, 8);
function make(line) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "tile";
  button.dataset.name = line.name;
  button.tabIndex = -1;
  const still = new Still(line.name, 320);
  still.due = performance.now() + Math.random() * EVERY;
  const label = document.createElement("span");
  label.className = "label";
  const name = document.createElement("span");
  name.className = "name";
  const rest = line.name.slice(prefix.length);
  name.textContent = rest || line.name;
  const spoken = (text) => {
    const made = document.createElement("span");
    made.className = "spoken";
    made.textContent = text;
    return made;
  };
  const badge = document.createElement("span");
  badge.className = "badge";
  label.append(spoken(rest ? prefix : ""), name, spoken(", "), badge);
  button.append(still.image, label);
  button.onclick = () => select(large === line.name ? void 0 : line.name);
  button.onfocus = () => reach(line.name);
  item.append(button);
  observer.observe(button);
  return { line, item, button, badge, still, seen: false };
}
function reach(name) {
  const former = tiles.get(current);
  if (former) former.button.tabIndex = -1;
  current = name;
  const tile = tiles.get(name);
  if (tile) tile.button.tabIndex = 0;
}
function show(tile) {
  const { word, kind } = state(tile.line.state);
  say(tile.badge, word);
  tile.button.dataset.kind = kind;
  tile.still.wanted = tile.line.state === "live";
  tile.button.setAttribute("aria-pressed", String(tile.line.name === large));
}
function select(name) {
  const former = large;
  large = name ?? "";
  for (const changed of [former, large]) {
    const tile2 = tiles.get(changed);
    if (tile2) show(tile2);
  }
  const tile = tiles.get(large);
  if (tile) focus.open(tile.line.name, tile.line.state);
  else focus.close();
  fit();
  if (!tile && former) tiles.get(former)?.button.focus();
}
function heard(event, data) {
  const told = data;
  const gone = new Set(told.goneStreams);
  if (event === "snapshot") {
    const there = new Set(told.streams.map(({ name }) => name));
    for (const name of tiles.keys()) if (!there.has(name)) gone.add(name);
  }
  for (const name of gone) {
    const tile = tiles.get(name);
    if (!tile) continue;
    observer.unobserve(tile.button);
    tile.still.drop();
    tile.item.remove();
    tiles.delete(name);
  }
  let came = false;
  for (const line2 of told.streams) {
    const tile = tiles.get(line2.name);
    if (tile) Object.assign(tile.line, line2);
    else {
      came = true;
      tiles.set(line2.name, make(line2));
    }
    show(tiles.get(line2.name));
  }
  if (came) {
    const sorted = [...tiles.values()].sort((a, b) => a.line.name < b.line.name ? -1 : 1);
    sorted.forEach((tile, i) => {
      if (list.children[i] !== tile.item) list.insertBefore(tile.item, list.children[i] ?? null);
    });
  }
  if (!tiles.has(current)) reach(tiles.keys().next().value ?? "");
  const line = tiles.get(large)?.line;
  if (large) focus.state(line?.state ?? "offline");
  more = told.more;
  if (came || gone.size > 0) fit();
  counts();
}
function counts() {
  const all = [...tiles.values()];
  const live = all.filter(({ line }) => line.state === "live").length;
  say(element("counts"), all.length ? `${live} of ${all.length} live${more ? `, ${more} more not shown` : ""}` : "");
  element("nothing").hidden = all.length > 0;
  say(element("nothing"), `No stream is called ${wanted} now, or none that you may read. It appears here when it comes.`);
  element("log-out").hidden = !loggedIn();
  const trouble = all.filter(({ line }) => line.state !== "live").map(({ line }) => `${line.name} ${state(line.state).word}`);
  say(element("spoken"), trouble.length ? trouble.slice(0, 5).join(", ") : "");
}
function fit() {
  const [width, height] = [list.clientWidth, innerHeight - list.getBoundingClientRect().top - scrollY - 12];
  const most = Math.max(2, Math.floor(width / 130));
  let columns = Math.min(2, most);
  while (columns < most && Math.ceil(tiles.size / columns) * (width / columns * 9 / 16 + 3) > height) columns += 1;
  list.style.setProperty("--columns", String(columns));
}
addEventListener("resize", fit);
setInterval(() => {
  if (document.hidden) return;
  const now = performance.now();
  for (const { button, still } of tiles.values()) {
    const old = still.shown > 0 && now - still.shown > OLD && button.dataset.name !== large;
    if (old) button.dataset.old = "";
    else delete button.dataset.old;
  }
}, 1e3);
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape" && large) return select(void 0);
  const at = document.activeElement;
  if (!(at instanceof HTMLButtonElement) || !at.classList.contains("tile")) return;
  const all = [...list.querySelectorAll(".tile")];
  const i = all.indexOf(at);
  const columns = all.filter((tile) => tile.offsetTop === all[0].offsetTop).length || 1;
  const steps = {
    ArrowRight: 1,
    ArrowLeft: -1,
    ArrowDown: columns,
    ArrowUp: -columns,
    Home: -i,
    End: all.length - 1 - i
  };
  const step = steps[event.key];
  if (step === void 0) return;
  event.preventDefault();
  all[i + step]?.focus();
});
element("log-out").onclick = () => {
  logOut();
  location.reload();
};
element("match").value = wanted;
if (wanted) {
  document.title = `${wanted} · Weft`;
  void listen(() => `/v3/wall?match=${encodeURIComponent(wanted)}`, {
    heard,
    state(trouble) {
      say(element("connection"), trouble ?? "Live");
      element("connection").dataset.kind = trouble ? "error" : "live";
    }
  }, new AbortController().signal);
} else {
  element("connection").hidden = true;
  say(element("nothing"), "Which streams? Type a pattern such as exam_123_* above: * stands for any text.");
  element("match").focus();
}
