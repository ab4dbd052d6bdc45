// src/options.ts
function endpoints(url, nodes, end) {
  const first = new URL(url, location.href);
  const others = nodes.filter(Boolean).map((node) => {
    const base = new URL(node, first);
    if (base.pathname.endsWith(`/${end}`)) return base.href;
    return new URL(first.pathname + first.search, base).href;
  });
  return [.../* @__PURE__ */ new Set([first.href, ...others])];
}
function authorization(who) {
  if (who.token) return { Authorization: `Bearer ${who.token}` };
  if (!who.user) return {};
  const bytes = new TextEncoder().encode(`${who.user}:${who.password ?? ""}`);
  return { Authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
}

// src/problem.ts
var ProblemError = class extends Error {
  constructor(problem2) {
    super(`${problem2.what}. ${problem2.todo}`);
    this.problem = problem2;
    this.name = "ProblemError";
  }
  problem;
};
function problem(kind, what, todo, final, more = {}) {
  return { kind, what, todo, final, ...more };
}
function problemOf(error) {
  if (error instanceof ProblemError) return error.problem;
  const words2 = error instanceof Error ? error.message : String(error);
  return problem("internal", `Something unexpected happened: ${words2}`, "Reload the page. If it happens again, tell your administrator these words.", false);
}
async function refusal(response, side) {
  const text = await response.text().catch(() => "");
  let said = "";
  try {
    said = String(JSON.parse(text).error ?? "");
  } catch {
  }
  const seconds = Number(response.headers.get("Retry-After"));
  const more = {
    status: response.status,
    retryAfter: Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) * 1e3 : void 0
  };
  return ofStatus(response.status, said, side, more);
}
function ofStatus(status, said, side, more = {}) {
  const words2 = said ? ` (${said})` : "";
  const all = { status, ...more };
  switch (status) {
    case 401:
    case 403:
      return problem(
        "unauthorised",
        side === "publish" ? "You may not publish here" : "You may not watch this",
        "The link, token or password was not accepted. Open the page from a fresh link, or sign in again.",
        true,
        all
      );
    case 404:
      return side === "publish" ? problem("not-found", "There is no such place to publish to", `Check the address of this page${words2}.`, true, all) : problem("not-found", "Nobody is publishing here at the moment", "The picture appears by itself as soon as somebody does. Check the name in the address if it should be there already.", false, all);
    case 409:
      return problem(
        "conflict",
        "Somebody is already publishing under this name",
        "If that is you, close the other tab or program, then press Start again. Otherwise use another name.",
        true,
        all
      );
    case 410:
      return problem("ended", "This session has ended", "Press Start to begin a new one.", false, all);
    case 429:
      return problem("full", "Too many requests came from your network", "Wait a moment: this page tries again by itself.", false, all);
    case 400:
    case 406:
    case 413:
    case 415:
      return /not configured/.test(said) ? problem("not-found", "This server has no such path", `Check the name in the address of this page${words2}.`, true, all) : problem("refused", "The server cannot use what was offered", `Try a current Chrome, Edge, Firefox or Safari${words2}.`, true, all);
    default:
      return status === 503 || status === 502 || status === 504 ? problem("full", "The server has no room, or is being restarted", `This page tries again by itself${words2}.`, false, all) : problem("internal", `The server answered ${status}`, `This page tries again by itself. If it goes on, tell your administrator${words2}.`, false, all);
  }
}
function unreachable() {
  return problem("unreachable", "The server cannot be reached", "Check your network connection. This page tries again by itself.", false);
}
function lost() {
  return problem("network-lost", "The connection was lost", "This page is connecting again by itself.", false);
}
function closed(reason, side) {
  switch (reason) {
    case "taken-over":
      return problem(
        "taken-over",
        "Another publisher has taken over this name",
        "Perhaps you opened this page a second time. This one stays quiet until you press Start.",
        true
      );
    case "kicked":
      return problem("kicked", "An operator ended this session", "Ask them before you start again.", true);
    case "not-allowed":
      return problem(
        "not-allowed",
        side === "publish" ? "You may no longer publish here" : "You may no longer watch this",
        "Your permission has changed or has run out. Open the page from a fresh link.",
        true
      );
    case "stream-ended":
      return problem("ended", "The stream has ended", "The picture appears again by itself when somebody publishes.", false);
    case "conflict":
      return problem("conflict", "Somebody is already publishing under this name", "Close the other tab or program, then press Start again.", true);
    default:
      return problem("network-lost", `The server closed the connection (${reason})`, "This page is connecting again by itself.", false);
  }
}

// src/quality.ts
var NTP_TO_UNIX_MS = 22089888e5;
var QualityReader = class {
  constructor(peer) {
    this.peer = peer;
  }
  peer;
  #last = /* @__PURE__ */ new Map();
  /** The figures since the last reading. */
  async read() {
    const all = /* @__PURE__ */ new Map();
    (await this.peer.getStats()).forEach((stat) => all.set(stat.id, stat));
    const quality = {};
    let bits = 0;
    let known2 = false;
    let lost2 = 0;
    let sent = 0;
    for (const stat of all.values()) {
      switch (stat.type) {
        case "outbound-rtp":
        case "inbound-rtp": {
          const out = stat.type === "outbound-rtp";
          const rate = this.#delta(stat, out ? "bytesSent" : "bytesReceived");
          if (rate !== void 0) {
            bits += rate.difference * 8 / rate.seconds;
            known2 = true;
          }
          if (!out) {
            lost2 += Math.max(0, this.#delta(stat, "packetsLost")?.difference ?? 0);
            sent += this.#delta(stat, "packetsReceived")?.difference ?? 0;
          }
          if (stat.kind === "video") this.#video(quality, stat, all, out);
          break;
        }
        case "remote-inbound-rtp":
          if (stat.kind !== "video") break;
          quality.loss = number(stat.fractionLost);
          quality.jitter = scaled(stat.jitter, 1e3);
          quality.rtt ??= scaled(stat.roundTripTime, 1e3);
          break;
        case "candidate-pair": {
          if (stat.nominated !== true || stat.state !== "succeeded") break;
          quality.rtt = scaled(stat.currentRoundTripTime, 1e3) ?? quality.rtt;
          quality.available = number(stat.availableOutgoingBitrate);
          const local = all.get(String(stat.localCandidateId));
          if (local) quality.path = `${String(local.candidateType)}/${String(local.relayProtocol ?? local.protocol)}`;
          break;
        }
      }
    }
    if (known2) quality.bitrate = bits;
    if (sent + lost2 > 0) quality.loss = lost2 / (sent + lost2);
    this.#last = all;
    return quality;
  }
  #video(quality, stat, all, out) {
    quality.width = number(stat.frameWidth) ?? quality.width;
    quality.height = number(stat.frameHeight) ?? quality.height;
    quality.frames = number(out ? stat.framesEncoded : stat.framesDecoded);
    const frames = this.#delta(stat, out ? "framesEncoded" : "framesDecoded");
    quality.fps = frames && frames.difference / frames.seconds;
    quality.limitedBy = typeof stat.qualityLimitationReason === "string" ? stat.qualityLimitationReason : void 0;
    const codec = all.get(String(stat.codecId))?.mimeType;
    quality.codec = typeof codec === "string" ? codec.replace(/^video\//, "") : void 0;
    if (out) return;
    quality.jitter = scaled(stat.jitter, 1e3);
    const playout = number(stat.estimatedPlayoutTimestamp);
    if (playout !== void 0 && playout > NTP_TO_UNIX_MS) quality.latency = plausible(Date.now() - (playout - NTP_TO_UNIX_MS));
  }
  #delta(stat, name) {
    const before = this.#last.get(stat.id);
    const [then, now] = [number(before?.[name]), number(stat[name])];
    if (before === void 0 || then === void 0 || now === void 0 || stat.timestamp <= before.timestamp) return void 0;
    return { difference: now - then, seconds: (stat.timestamp - before.timestamp) / 1e3 };
  }
};
function plausible(ms) {
  return ms > -250 && ms < 6e4 ? Math.max(0, ms) : void 0;
}
function number(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : void 0;
}
function scaled(value, by) {
  const found = number(value);
  return found === void 0 ? void 0 : found * by;
}

// src/sdp.ts
var CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
function attribute(sdp, name) {
  return new RegExp(`^a=${name}:(.*?)\\r?$`, "m").exec(sdp)?.[1];
}
function sections(sdp) {
  return sdp.split(/^(?=m=)/m);
}
function askForCaptureTime(offer) {
  const taken = new Set([...offer.matchAll(/^a=extmap:(\d+)/gm)].map(([, id]) => Number(id)));
  const free = Array.from({ length: 14 }, (_, at) => 14 - at).find((id) => !taken.has(id));
  if (free === void 0) return offer;
  return sections(offer).map((section) => {
    if (!/^m=(audio|video)/.test(section) || section.includes(CAPTURE_TIME)) return section;
    return section.replace(/^(a=mid:.*?\r?\n)/m, `$1a=extmap:${free} ${CAPTURE_TIME}\r
`);
  }).join("");
}
function startAt(answer, start, most) {
  return sections(answer).map((section) => section.startsWith("m=video") ? section.replace(/^(a=fmtp:\d+ [^\r\n]*profile-level-id[^\r\n]*)/gm, `$1;x-google-start-bitrate=${start};x-google-max-bitrate=${most}`) : section).join("");
}
function fragment(offer) {
  const media = /^m=.*?\r?$/m.exec(offer)?.[0].trim() ?? "m=audio 9 UDP/TLS/RTP/SAVPF 0";
  return [
    `a=ice-ufrag:${attribute(offer, "ice-ufrag") ?? ""}`,
    `a=ice-pwd:${attribute(offer, "ice-pwd") ?? ""}`,
    media,
    `a=mid:${attribute(offer, "mid") ?? "0"}`,
    ""
  ].join("\r\n");
}
function restarted(answer, reply) {
  const [ufrag, pwd] = [attribute(reply, "ice-ufrag"), attribute(reply, "ice-pwd")];
  if (!ufrag || !pwd) throw new Error("the answer to the ICE restart names no credentials");
  const candidates = [...reply.matchAll(/^a=candidate:.*?\r?$/gm)].map(([line]) => line.trim());
  let first = true;
  return sections(answer).map((section) => {
    let changed = section.replace(/^a=ice-ufrag:.*?\r?$/gm, `a=ice-ufrag:${ufrag}\r`).replace(/^a=ice-pwd:.*?\r?$/gm, `a=ice-pwd:${pwd}\r`);
    if (!section.startsWith("m=") || candidates.length === 0) return changed;
    changed = changed.replace(/^a=(candidate:.*|end-of-candidates)\r?\n/gm, "");
    if (!first) return changed;
    first = false;
    return `${changed}${candidates.join("\r\n")}\r
a=end-of-candidates\r
`;
  }).join("");
}

// src/events.ts
var SILENCE_MS = 25e3;
async function open(url, headers, limit, stop) {
  const timer = new AbortController();
  const timeout = setTimeout(() => timer.abort("timeout"), limit);
  const end = () => timer.abort("stopped");
  stop.addEventListener("abort", end, { once: true });
  try {
    const response = await fetch(url, { headers: { ...headers, Accept: "text/event-stream" }, cache: "no-store", signal: timer.signal });
    if (response.status === 410) {
      const body = await response.json().catch(() => ({}));
      return { kind: "closed", reason: body.reason ?? "peer-lost" };
    }
    if (response.status === 404) return { kind: "gone" };
    if (!response.ok || !response.body) return { kind: "failed" };
    return { kind: "open", words: words(url, response.body, timer) };
  } catch {
    return { kind: timer.signal.reason === "timeout" ? "failed" : "nobody" };
  } finally {
    clearTimeout(timeout);
  }
}
async function* words(base, body, abort) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (; ; ) {
      const silence = setTimeout(() => abort.abort("silence"), SILENCE_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = (blocks.pop() ?? "").slice(-16384);
      for (const block of blocks) {
        const word = parse(block, base);
        if (word) yield word;
      }
    }
  } catch {
  } finally {
    abort.abort("ended");
  }
}
function parse(block, base) {
  const field = (name) => new RegExp(`^${name}: ?(.*)$`, "m").exec(block)?.[1]?.trim();
  try {
    const data = JSON.parse(field("data") ?? "");
    switch (field("event")) {
      case "move":
        return data.url ? { kind: "move", url: new URL(data.url, base).href } : void 0;
      case "closed":
        return { kind: "closed", reason: data.reason ?? "" };
    }
  } catch {
  }
  return void 0;
}

// src/pulse.ts
var LOOK_MS = 200;
async function counts(peer) {
  const found = { received: 0, sent: 0 };
  for (const stat of (await peer.getStats()).values()) {
    if (stat.type !== "candidate-pair") continue;
    found.received += Number(stat.bytesReceived ?? 0) + Number(stat.responsesReceived ?? 0);
    found.sent += Number(stat.bytesSent ?? 0);
  }
  return found;
}
function watch(peer, sends, stop, silent) {
  let last;
  let since = performance.now();
  let looked = since;
  const look = async () => {
    const have = await counts(peer).catch(() => void 0);
    const now = performance.now();
    if (stop.aborted || peer.connectionState === "closed") return;
    if (have && last && have.received <= last.received) {
      if (sends && have.sent === last.sent) since += now - looked;
      silent(now - since);
    } else if (have) {
      since = now;
    }
    last = have ?? last;
    looked = now;
    setTimeout(() => void look(), LOOK_MS);
  };
  void look();
}
async function alive(peer, limit, stop) {
  const before = (await counts(peer)).received;
  for (const end = performance.now() + limit; performance.now() < end && !stop?.aborted; ) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS / 2));
    if (peer.connectionState === "closed" || peer.connectionState === "failed") return false;
    if ((await counts(peer)).received > before) return true;
  }
  return false;
}

// src/links.ts
var EVENTS = "urn:ietf:params:whip:ext:core:server-sent-events";
function links(header) {
  const found = [];
  for (const [, url = "", rest = ""] of (header ?? "").matchAll(/<([^>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:\\.|[^"\\])*"|[^\s;,"]+))*)/g)) {
    const parameters = {};
    for (const [, name = "", quoted, bare] of rest.matchAll(/;\s*([\w-]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s;,"]+))/g)) {
      parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, "$1") ?? bare ?? "";
    }
    found.push({ url, parameters });
  }
  return found;
}
function iceServers(header) {
  return links(header).filter(({ parameters }) => parameters.rel === "ice-server").map(({ url, parameters }) => ({
    urls: url,
    ...parameters.username === void 0 ? {} : { username: parameters.username, credential: parameters.credential ?? "" }
  }));
}
function eventsUrl(header, base) {
  const link = links(header).find(({ parameters }) => parameters.rel === EVENTS || parameters.rel === "events");
  return link && new URL(link.url, base).href;
}

// src/session.ts
var REQUEST_MS = 5e3;
var CONNECT_MS = 1e4;
var known = /* @__PURE__ */ new Map();
var Session = class _Session {
  constructor(peer, endpoint, location2, events, answer, options) {
    this.peer = peer;
    this.endpoint = endpoint;
    this.location = location2;
    this.events = events;
    this.options = options;
    this.#answer = answer;
    this.broken = new Promise((resolve) => {
      peer.addEventListener("connectionstatechange", () => {
        if (peer.connectionState === "failed") resolve("failed");
      });
      const transports = [...peer.getSenders(), ...peer.getReceivers()].map(({ transport }) => transport);
      for (const transport of new Set(transports)) {
        transport?.addEventListener("statechange", () => {
          if (transport.state === "closed" || transport.state === "failed") resolve("goodbye");
        });
      }
    });
  }
  peer;
  endpoint;
  location;
  events;
  options;
  /** Resolves when the server or the network has ended it (the DTLS goodbye, or ICE that failed). */
  broken;
  #closed = false;
  #answer;
  /** Opens a session at an endpoint, or throws a ProblemError. */
  static async open(endpoint, options, query = {}) {
    const servers = known.get(endpoint) ?? await _Session.#ask(endpoint, options);
    const peer = new RTCPeerConnection({ iceServers: [...options.iceServers, ...servers], bundlePolicy: "max-bundle" });
    try {
      await options.prepare(peer);
      const offer = await peer.createOffer();
      const wanted = { type: "offer", sdp: askForCaptureTime(offer.sdp ?? "") };
      await peer.setLocalDescription(wanted).catch(() => peer.setLocalDescription(offer));
      const url = new URL(endpoint);
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      const response = await request(url.href, {
        method: "POST",
        headers: { ...options.headers, "Content-Type": "application/sdp" },
        body: peer.localDescription?.sdp ?? ""
      });
      if (response.status !== 201) throw new ProblemError(await refusal(response, options.side));
      const location2 = new URL(response.headers.get("Location") ?? "", response.url || endpoint).href;
      const link = response.headers.get("Link");
      known.set(endpoint, iceServers(link));
      let answer = await response.text();
      answer = options.answer?.(answer) ?? answer;
      await peer.setRemoteDescription({ type: "answer", sdp: answer });
      return new _Session(peer, endpoint, location2, eventsUrl(link, location2), answer, options);
    } catch (error) {
      peer.close();
      throw error;
    }
  }
  /** The ICE servers that an endpoint names; it says by the way whether we may. */
  static async #ask(endpoint, options) {
    const response = await request(endpoint, { method: "OPTIONS", headers: options.headers });
    if (!response.ok && response.status !== 405) throw new ProblemError(await refusal(response, options.side));
    return iceServers(response.headers.get("Link"));
  }
  /** Resolves when media can flow; throws when that takes too long. */
  async connected() {
    const { peer } = this;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new ProblemError(blocked())), CONNECT_MS);
      const look = () => {
        if (peer.connectionState === "connected") resolve();
        else if (peer.connectionState === "failed") reject(new ProblemError(blocked()));
        else if (peer.connectionState === "closed") reject(new ProblemError(lost()));
        else return;
        clearTimeout(timer);
        peer.removeEventListener("connectionstatechange", look);
      };
      peer.addEventListener("connectionstatechange", look);
      void this.broken.then(() => reject(new ProblemError(lost())));
      look();
    });
  }
  /** Restarts ICE by PATCH, within `limit` ms. False: the server does not have this session any more, or is not there. */
  async restart(limit) {
    const { peer } = this;
    try {
      await peer.setLocalDescription(await peer.createOffer({ iceRestart: true }));
      const response = await request(this.location, {
        method: "PATCH",
        headers: { ...this.options.headers, "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*" },
        body: fragment(peer.localDescription?.sdp ?? "")
      }, limit);
      if (response.status !== 200) return false;
      const answer = restarted(this.#answer, await response.text());
      await peer.setRemoteDescription({ type: "answer", sdp: answer });
      this.#answer = answer;
      return true;
    } catch {
      return false;
    }
  }
  /** Why it is over, as the server tells within `limit` ms; undefined where it does not know, or runs. */
  async reason(limit) {
    const response = await request(this.location, { headers: this.options.headers }, limit).catch(() => void 0);
    if (response?.status !== 410) return void 0;
    const body = await response.json().catch(() => ({}));
    return body.reason;
  }
  /** Whether nobody is there to ask any more; one that is only slow is somebody. */
  async nobody(limit) {
    const asked = fetch(this.location, { cache: "no-store", headers: this.options.headers }).then(() => false, () => true);
    return Promise.race([asked, new Promise((resolve) => setTimeout(() => resolve(false), limit))]);
  }
  /** What names it to another node that it moves to: `{node}.{secret}`. */
  get secret() {
    return new URL(this.location).pathname.split("/").pop() ?? "";
  }
  /** Ends it. With `farewell` the server is told, also while the page is being left. */
  close(farewell) {
    if (this.#closed) return;
    this.#closed = true;
    if (farewell) {
      fetch(this.location, { method: "DELETE", headers: this.options.headers, keepalive: true }).catch(() => void 0);
    }
    this.peer.close();
  }
};
function blocked() {
  return problem(
    "blocked",
    "The server answers, but picture and sound do not get through",
    "A firewall between you and the server may block them: try another network, or ask your administrator to allow UDP or TCP to the media port.",
    false
  );
}
async function request(url, init, limit = REQUEST_MS) {
  try {
    return await fetch(url, { cache: "no-store", ...init, signal: AbortSignal.timeout(limit) });
  } catch {
    throw new ProblemError(unreachable());
  }
}

// src/stay.ts
var FIRST_PAUSE_MS = 200;
var LONGEST_PAUSE_MS = 5e3;
var LONGEST_UNREACHABLE_MS = 1500;
var SETTLED_MS = 5e3;
var SILENCE_MS2 = 1e3;
var LONG_SILENCE_MS = 4e3;
var RESTART_MS = 1e3;
var ALIVE_MS = 1500;
var ASK_MS = 500;
var REOPEN_MS = 1e3;
var OVERLAP_MS = 1e3;
var Stay = class {
  constructor(options) {
    this.options = options;
    this.#endpoints = [...options.endpoints];
  }
  options;
  #running = new AbortController();
  #current;
  #endpoints;
  #next = 0;
  #sessions = 0;
  /** A session that went silent, kept while another one is looked for: a server that hung may come back before that. */
  #hung;
  /** The session that was lost last: the server lets its publisher have the name again. */
  #old;
  /** Connects and stays until `stop`, or until something final happens. */
  async run() {
    let pause = FIRST_PAUSE_MS;
    let failed;
    const stopped = this.#running.signal;
    this.#tell("connecting");
    while (!stopped.aborted) {
      const tried = await this.#come();
      if (stopped.aborted) return;
      if (tried instanceof Session) {
        this.#forget(tried);
        const since = performance.now();
        const end = await this.#live(tried);
        if (stopped.aborted) return;
        if (performance.now() - since >= SETTLED_MS) pause = FIRST_PAUSE_MS;
        failed = end.kind === "closed" ? closed(end.reason, this.options.side) : end.kind === "lost" ? end.problem : lost();
        if (failed.final) return this.#end(failed);
        this.#tell("reconnecting", failed);
        continue;
      }
      failed = tried;
      const own = failed.kind === "conflict" && this.#old !== void 0;
      if (failed.final && !own) return this.#end(failed);
      if (failed.kind === "unreachable") pause = Math.min(pause, LONGEST_UNREACHABLE_MS);
      const wait = Math.max(pause * (0.75 + Math.random() / 2), failed.retryAfter ?? 0);
      pause = Math.min(pause * 2, this.options.longestPause ?? LONGEST_PAUSE_MS);
      this.#tell(this.#sessions ? "reconnecting" : "connecting", failed, wait);
      await Promise.race([sleep(wait, stopped), this.#hung?.back ?? never]);
    }
  }
  /** Ends it for good. */
  stop() {
    if (this.#running.signal.aborted) return;
    this.#running.abort();
    this.#forget();
    this.#current?.close(true);
    this.#current = void 0;
    this.#tell("stopped");
  }
  #end(problem2) {
    this.#running.abort();
    this.#forget();
    this.#current?.close(false);
    this.#current = void 0;
    this.#tell("stopped", problem2);
  }
  #tell(phase, problem2, retryIn) {
    this.options.state({ phase, problem: problem2, retryIn, sessions: this.#sessions });
  }
  /** One round over all endpoints. */
  async #come() {
    let worst;
    for (let tries = 0; tries < this.#endpoints.length && !this.#running.signal.aborted; tries++) {
      if (this.#hung?.isBack) return this.#hung.session;
      const endpoint = this.#endpoints[this.#next++ % this.#endpoints.length] ?? "";
      try {
        return await this.#open(endpoint, this.#old);
      } catch (error) {
        const problem2 = problemOf(error);
        if (problem2.final) return problem2;
        if (!worst || worst.kind === "unreachable") worst = problem2;
      }
    }
    return this.#hung?.isBack ? this.#hung.session : worst ?? lost();
  }
  /** Keeps a session that hangs, in case it comes back before another one is had. */
  #keep(session) {
    const over = new AbortController();
    const back = alive(session.peer, Infinity, over.signal);
    const hung = { session, back, isBack: false, over };
    this.#hung = hung;
    void back.then((isBack) => {
      hung.isBack = isBack;
    });
  }
  /** Another one took its place, or it is itself the one that counts again. */
  #forget(instead) {
    this.#hung?.over.abort();
    if (this.#hung && this.#hung.session !== instead) this.#hung.session.close(true);
    this.#hung = void 0;
  }
  async #open(endpoint, old) {
    const session = await Session.open(endpoint, this.options, old ? { moves: old } : {});
    try {
      await session.connected();
      if (this.#running.signal.aborted) throw new ProblemError(lost());
      return session;
    } catch (error) {
      session.close(true);
      throw error;
    }
  }
  /** Lives in a session, and in those it is moved to, until one ends otherwise. */
  async #live(session) {
    for (; ; ) {
      if (this.#old !== session.secret) {
        this.#sessions += 1;
        this.options.session(session);
      }
      this.#current = session;
      this.#old = void 0;
      this.#tell("live");
      const end = await this.#until(session);
      const moved = end.kind === "move" ? await this.#move(session, end.url) : void 0;
      if (moved) {
        session = moved;
        continue;
      }
      this.#old = session.secret;
      this.#current = void 0;
      this.options.leaving?.();
      if (end.kind === "lost" && end.hung) this.#keep(session);
      else session.close(false);
      return end;
    }
  }
  /** The first of: a word of the server, a goodbye, a silence that an ICE restart does not end. */
  async #until(session) {
    const over = new AbortController();
    const quit = () => over.abort();
    this.#running.signal.addEventListener("abort", quit, { once: true });
    try {
      return await new Promise((resolve) => {
        over.signal.addEventListener("abort", () => resolve({ kind: "lost", problem: lost() }));
        void this.#listen(session, over.signal).then((end) => end && resolve(end));
        void session.broken.then(async (how) => {
          if (over.signal.aborted) return;
          if (how === "failed" && await this.#revive(session)) return;
          resolve(await this.#why(session));
        });
        const answer = session.peer.remoteDescription?.sdp ?? "";
        const feedback = this.options.side === "publish" && answer.includes("transport-cc");
        const limit = feedback ? SILENCE_MS2 : LONG_SILENCE_MS;
        let reviving = false;
        let asked = false;
        watch(session.peer, this.options.side === "publish", over.signal, (ms) => {
          if (ms < SILENCE_MS2) asked = false;
          else if (!asked && limit > SILENCE_MS2) {
            asked = true;
            void session.nobody(ASK_MS).then((nobody) => nobody && resolve({ kind: "lost", problem: lost() }));
          }
          if (ms < limit || reviving) return;
          reviving = true;
          void this.#revive(session).then(async (alive2) => {
            reviving = false;
            if (alive2) return;
            const end = await this.#why(session);
            resolve(end.kind === "lost" ? { ...end, hung: true } : end);
          });
        });
      });
    } finally {
      this.#running.signal.removeEventListener("abort", quit);
      over.abort();
    }
  }
  /** Restarts ICE; true when something came in after it. */
  async #revive(session) {
    this.#tell("reconnecting", lost());
    if (!await session.restart(RESTART_MS)) return false;
    const lives = await alive(session.peer, ALIVE_MS);
    if (lives) this.#tell("live");
    return lives;
  }
  /** Why a session has ended, where the server knows. */
  async #why(session) {
    const reason = await session.reason(ASK_MS);
    return reason ? { kind: "closed", reason } : { kind: "lost", problem: lost() };
  }
  /** Listens to the server's words; undefined when there is no channel, or it is not needed any more. */
  async #listen(session, over) {
    if (!session.events) return void 0;
    const urls = this.#everywhere(session.events);
    for (let pause = 0; !over.aborted; ) {
      if (pause > 0) await sleep(pause, over);
      let heard;
      let anybody = false;
      for (const url of urls) {
        const opened = await open(url, this.options.headers, 2 * ASK_MS, over);
        if (over.aborted) return void 0;
        if (opened.kind === "closed") return opened;
        if (opened.kind === "gone") return { kind: "lost", problem: lost() };
        anybody ||= opened.kind !== "nobody";
        if (opened.kind !== "open") continue;
        heard = performance.now();
        for await (const word of opened.words) return word;
        break;
      }
      if (!anybody) return { kind: "lost", problem: lost() };
      pause = heard !== void 0 && performance.now() - heard > REOPEN_MS ? 0 : REOPEN_MS;
    }
    return void 0;
  }
  /** A session's URL at its own address, then at each other node: every node answers for every session. */
  #everywhere(url) {
    const { pathname, search } = new URL(url);
    return [.../* @__PURE__ */ new Set([url, ...this.#endpoints.map((endpoint) => new URL(pathname + search, endpoint).href)])];
  }
  /** Goes to another node: the new session first, then the old one ends. Undefined: the old one ended before. */
  async #move(old, url) {
    this.#tell("moving");
    const { pathname, search } = new URL(url);
    const bases = [old.endpoint, ...this.#endpoints];
    const places = [.../* @__PURE__ */ new Set([url, ...bases.map((base) => new URL(pathname + search, base).href)])];
    let gone = false;
    void old.broken.then(() => {
      gone = true;
    });
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      for (const place of places) {
        if (this.#running.signal.aborted) return void 0;
        try {
          const session = await this.#open(place, void 0);
          await Promise.race([sleep(OVERLAP_MS, this.#running.signal), old.broken]);
          this.options.leaving?.();
          old.close(true);
          this.#remember(place);
          return session;
        } catch {
        }
      }
      if (gone) return void 0;
      await Promise.race([sleep(pause, this.#running.signal), old.broken]);
    }
  }
  /** An endpoint that we were sent to is one to come back to. */
  #remember(place) {
    const url = new URL(place);
    url.searchParams.delete("moves");
    if (this.#endpoints.every((endpoint) => new URL(endpoint).origin !== url.origin)) this.#endpoints.push(url.href);
    this.#next = this.#endpoints.findIndex((endpoint) => new URL(endpoint).origin === url.origin);
  }
};
var never = new Promise(() => void 0);
function sleep(ms, stop) {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    stop.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

// src/weft-publisher.ts
var MOST_BITS = 8e6;
var FRAME_RATE = 30;
var START_KBITS = 2500;
var WeftPublisher = class extends EventTarget {
  #options;
  #stay;
  #session;
  #reader;
  #state = { phase: "stopped", sessions: 0 };
  constructor(options) {
    super();
    this.#options = options;
  }
  /** Where it stands. */
  get state() {
    return this.#state;
  }
  /** The peer connection that counts now. */
  get peer() {
    return this.#session?.peer;
  }
  /** The node's URL of the session that counts now. */
  get location() {
    return this.#session?.location;
  }
  /** Connects, and stays connected until `stop` or until somebody else takes the name. */
  start() {
    if (this.#state.phase !== "stopped") return;
    const { url, nodes = [], iceServers: iceServers2 = [] } = this.#options;
    this.#stay = new Stay({
      side: "publish",
      endpoints: endpoints(url, nodes, "whip"),
      headers: authorization(this.#options),
      iceServers: iceServers2,
      prepare: (peer) => this.#prepare(peer),
      answer: (sdp) => startAt(sdp, Math.min(START_KBITS, this.#maxBitrate / 1e3), this.#maxBitrate / 1e3),
      state: (state) => {
        this.#state = state;
        this.dispatchEvent(new CustomEvent("state", { detail: state }));
      },
      session: (session) => {
        this.#session = session;
        this.#reader = new QualityReader(session.peer);
      }
    });
    void this.#stay.run();
  }
  /** Ends the session; the server is told. */
  stop() {
    this.#stay?.stop();
    this.#stay = void 0;
    this.#session = void 0;
    this.#reader = void 0;
  }
  /** Sends another camera or screen from now on, without a new connection. */
  async replace(media) {
    this.#options = { ...this.#options, media };
    for (const sender of this.#session?.peer.getSenders() ?? []) {
      const kind = sender.track?.kind;
      const track = media.getTracks().find((candidate) => candidate.kind === kind);
      if (track) await sender.replaceTrack(track);
    }
  }
  /** Figures since the last call; undefined while there is no session. */
  async quality() {
    return this.#reader?.read();
  }
  get #maxBitrate() {
    return this.#options.maxBitrate ?? MOST_BITS;
  }
  async #prepare(peer) {
    const { media, maxFramerate = FRAME_RATE, degradationPreference = "maintain-resolution" } = this.#options;
    const [video] = media.getVideoTracks();
    const [audio] = media.getAudioTracks();
    if (video) {
      const transceiver = peer.addTransceiver(video, {
        direction: "sendonly",
        streams: [media],
        sendEncodings: [{ maxBitrate: this.#maxBitrate, maxFramerate, scaleResolutionDownBy: 1 }]
      });
      preferH264(transceiver);
      captureTime(transceiver);
      await preferred(transceiver.sender, video, degradationPreference);
    }
    if (audio) captureTime(peer.addTransceiver(audio, { direction: "sendonly", streams: [media] }));
  }
  /** A camera with its microphone, or throws a ProblemError with words for the person. */
  static async camera(options = {}) {
    const { width = 1920, height = 1080, frameRate = FRAME_RATE, video = true, audio = true } = options;
    const wish = { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: frameRate } };
    const device = (id) => typeof id === "string" && id ? { deviceId: { exact: id } } : {};
    const media = await captured("camera", () => navigator.mediaDevices.getUserMedia({
      video: video === false ? false : { ...wish, ...device(video) },
      audio: audio === false ? false : { echoCancellation: true, noiseSuppression: true, ...device(audio) }
    }));
    return media;
  }
  /** A screen or window; its sound too where the browser and the person allow it. */
  static async screen(options = {}) {
    const { width = 1920, height = 1080, frameRate = FRAME_RATE, audio = false } = options;
    const media = await captured("screen", () => navigator.mediaDevices.getDisplayMedia({
      video: { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: frameRate } },
      audio: audio !== false
    }));
    for (const track of media.getVideoTracks()) track.contentHint = "detail";
    return media;
  }
};
function preferH264(transceiver) {
  const all = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
  const is = (name) => all.filter(({ mimeType }) => mimeType.toLowerCase() === `video/${name}`);
  const rank = ({ sdpFmtpLine = "" }) => (/packetization-mode=1/.test(sdpFmtpLine) ? 0 : 2) + (/profile-level-id=42e0/i.test(sdpFmtpLine) ? 0 : 1);
  const h264 = is("h264").sort((a, b) => rank(a) - rank(b));
  if (h264.length > 0) transceiver.setCodecPreferences?.([...h264, ...is("rtx")]);
}
async function preferred(sender, track, wish) {
  const parameters = sender.getParameters();
  parameters.degradationPreference = wish;
  await sender.setParameters(parameters).catch(() => void 0);
  const taken = sender.getParameters().degradationPreference === wish;
  if (!taken && wish === "maintain-resolution" && !track.contentHint) track.contentHint = "detail";
}
function captureTime(transceiver) {
  const able = transceiver;
  const extensions = able.getHeaderExtensionsToNegotiate?.();
  for (const extension of extensions ?? []) {
    if (extension.uri.endsWith("/abs-capture-time")) extension.direction = "sendrecv";
  }
  if (extensions) able.setHeaderExtensionsToNegotiate?.(extensions);
}
async function captured(what, ask) {
  if (!globalThis.isSecureContext || !navigator.mediaDevices) {
    throw new ProblemError(problem(
      "insecure",
      "This browser gives camera and screen to secure pages only",
      "Open this page by https://, or on the server's own machine as http://localhost.",
      true
    ));
  }
  try {
    return await ask();
  } catch (error) {
    throw new ProblemError(uncaptured(what, error));
  }
}
function uncaptured(what, error) {
  const name = error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
      return what === "camera" ? problem(
        "denied",
        "The browser was not allowed to use camera and microphone",
        "Allow both by the camera or lock sign in the address bar, then press Start again.",
        true
      ) : problem("denied", "No screen was chosen", "Press Start again and choose what to show.", true);
    case "NotFoundError":
    case "OverconstrainedError":
      return what === "camera" ? problem("no-device", "No camera or microphone was found", 'Plug one in or switch it on, then press Start again. With only one of both, choose "none" for the other.', true) : problem("no-screen", "There is no screen to capture", "Choose the camera instead, or use a computer.", true);
    case "NotReadableError":
    case "AbortError":
      return problem("device-busy", `The ${what} cannot be read`, "Perhaps another program uses it: close that one, then press Start again.", true);
    default:
      return what === "screen" && !("getDisplayMedia" in (navigator.mediaDevices ?? {})) ? problem("no-screen", "This browser cannot capture a screen", "Use a desktop browser, or choose the camera.", true) : problemOf(error);
  }
}
export {
  ProblemError,
  WeftPublisher,
  ofStatus,
  problemOf
};
