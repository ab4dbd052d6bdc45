// src/mp4.ts
function timescale(init) {
  const mdhd = find(init, ["moov", "trak", "mdia", "mdhd"]);
  if (!mdhd) return void 0;
  return view(mdhd).getUint32(mdhd[0] === 1 ? 20 : 12);
}
function decodeTime(fragment2) {
  const tfdt = find(fragment2, ["moof", "traf", "tfdt"]);
  if (!tfdt) return void 0;
  return tfdt[0] === 1 ? Number(view(tfdt).getBigUint64(4)) : view(tfdt).getUint32(4);
}
function view(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
function find(bytes, way) {
  let inside = bytes;
  for (const name of way) {
    if (!inside) return void 0;
    inside = box(inside, name);
  }
  return inside;
}
function box(bytes, name) {
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = view(bytes).getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (size < 8) return void 0;
    if (type === name) return bytes.subarray(at + 8, at + size);
    at += size;
  }
  return void 0;
}

// src/playlist.ts
function attributes(line) {
  const found = {};
  for (const [, name = "", quoted, bare] of line.matchAll(/([A-Z0-9-]+)=(?:"([^"]*)"|([^,]*))/g)) found[name] = quoted ?? bare ?? "";
  return found;
}
function number(text) {
  const value = Number(text);
  return text !== void 0 && text !== "" && Number.isFinite(value) ? value : void 0;
}
function variants(text, base) {
  const lines = text.split(/\r?\n/);
  const sounds = /* @__PURE__ */ new Map();
  const found = [];
  lines.forEach((line, at) => {
    const [tag = "", rest = ""] = split(line);
    const named = attributes(rest);
    if (tag === "#EXT-X-MEDIA" && named.TYPE === "AUDIO" && named.URI) {
      sounds.set(named["GROUP-ID"] ?? "", new URL(named.URI, base).href);
    }
    if (tag !== "#EXT-X-STREAM-INF") return;
    const uri = lines.slice(at + 1).find((next2) => next2 && !next2.startsWith("#"));
    if (!uri) return;
    found.push({
      uri: new URL(uri, base).href,
      codecs: (named.CODECS ?? "").split(",").map((codec) => codec.trim()).filter(Boolean),
      audio: named.AUDIO === void 0 ? void 0 : sounds.get(named.AUDIO)
    });
  });
  return found;
}
function media(text, base) {
  const playlist = { partTarget: void 0, holdBack: 3, canBlock: false, ended: false, segments: [] };
  const url = (uri) => new URL(uri, base).href;
  let msn = 0;
  let map = "";
  let growing;
  let duration = 0;
  let date;
  const segment = () => growing ??= { msn, map, date, parts: [], whole: void 0 };
  for (const line of text.split(/\r?\n/)) {
    const [tag = "", rest = ""] = split(line);
    const named = attributes(rest);
    switch (tag) {
      case "#EXT-X-SERVER-CONTROL":
        playlist.canBlock = named["CAN-BLOCK-RELOAD"] === "YES";
        playlist.holdBack = number(named["PART-HOLD-BACK"]) ?? number(named["HOLD-BACK"]) ?? playlist.holdBack;
        break;
      case "#EXT-X-PART-INF":
        playlist.partTarget = number(named["PART-TARGET"]);
        break;
      case "#EXT-X-MEDIA-SEQUENCE":
        msn = number(rest) ?? 0;
        break;
      case "#EXT-X-MAP":
        map = url(named.URI ?? "");
        break;
      case "#EXT-X-PROGRAM-DATE-TIME":
        date = Date.parse(rest) || void 0;
        break;
      case "#EXT-X-PART":
        segment().parts.push({ uri: url(named.URI ?? ""), duration: number(named.DURATION) ?? 0, independent: named.INDEPENDENT === "YES" });
        break;
      case "#EXTINF":
        duration = number(rest.split(",")[0]) ?? 0;
        break;
      case "#EXT-X-ENDLIST":
        playlist.ended = true;
        break;
      default: {
        if (!line || line.startsWith("#")) break;
        const whole = segment();
        whole.whole = { uri: url(line), duration, independent: true };
        playlist.segments.push(whole);
        growing = void 0;
        if (date !== void 0) date += duration * 1e3;
        msn += 1;
      }
    }
  }
  if (growing) playlist.segments.push(growing);
  return playlist;
}
function split(line) {
  const at = line.indexOf(":");
  return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
}
function beginning(playlist) {
  let behind = 0;
  let best;
  for (const { msn, parts, whole } of [...playlist.segments].reverse()) {
    for (const [part, { duration, independent }] of [...parts.entries()].reverse()) {
      behind += duration;
      if (!independent) continue;
      best = { msn, part };
      if (behind >= playlist.holdBack) return best;
    }
    if (parts.length > 0) continue;
    behind += whole?.duration ?? 0;
    best = { msn, part: 0 };
    if (behind >= playlist.holdBack) return best;
  }
  return best ?? { msn: 0, part: 0 };
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
          quality.loss = number2(stat.fractionLost);
          quality.jitter = scaled(stat.jitter, 1e3);
          quality.rtt ??= scaled(stat.roundTripTime, 1e3);
          break;
        case "candidate-pair": {
          if (stat.nominated !== true || stat.state !== "succeeded") break;
          quality.rtt = scaled(stat.currentRoundTripTime, 1e3) ?? quality.rtt;
          quality.available = number2(stat.availableOutgoingBitrate);
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
    quality.width = number2(stat.frameWidth) ?? quality.width;
    quality.height = number2(stat.frameHeight) ?? quality.height;
    quality.frames = number2(out ? stat.framesEncoded : stat.framesDecoded);
    const frames2 = this.#delta(stat, out ? "framesEncoded" : "framesDecoded");
    quality.fps = frames2 && frames2.difference / frames2.seconds;
    quality.limitedBy = typeof stat.qualityLimitationReason === "string" ? stat.qualityLimitationReason : void 0;
    const codec = all.get(String(stat.codecId))?.mimeType;
    quality.codec = typeof codec === "string" ? codec.replace(/^video\//, "") : void 0;
    if (out) return;
    quality.jitter = scaled(stat.jitter, 1e3);
    const playout = number2(stat.estimatedPlayoutTimestamp);
    if (playout !== void 0 && playout > NTP_TO_UNIX_MS) quality.latency = plausible(Date.now() - (playout - NTP_TO_UNIX_MS));
  }
  #delta(stat, name) {
    const before = this.#last.get(stat.id);
    const [then, now] = [number2(before?.[name]), number2(stat[name])];
    if (before === void 0 || then === void 0 || now === void 0 || stat.timestamp <= before.timestamp) return void 0;
    return { difference: now - then, seconds: (stat.timestamp - before.timestamp) / 1e3 };
  }
};
function plausible(ms) {
  return ms > -250 && ms < 6e4 ? Math.max(0, ms) : void 0;
}
function number2(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : void 0;
}
function scaled(value, by) {
  const found = number2(value);
  return found === void 0 ? void 0 : found * by;
}

// src/hls-player.ts
var WAIT_MS = 15e3;
var KEPT = 10;
var JUMP = 2;
var CAUTION = 0.15;
var MOST_CAUTION = 1.5;
function supported() {
  return "MediaSource" in globalThis && !appleNative();
}
function native(video) {
  return (appleNative() || !("MediaSource" in globalThis)) && video.canPlayType("application/vnd.apple.mpegurl") !== "";
}
function appleNative() {
  return navigator.vendor.startsWith("Apple");
}
var HlsPlayer = class {
  constructor(url, headers, video) {
    this.url = url;
    this.headers = headers;
    this.video = video;
  }
  url;
  headers;
  video;
  #stop = new AbortController();
  #source = new MediaSource();
  #caution = 0;
  #holdBack = 1;
  /** Where media time 0 is in milliseconds since 1970, by the newest segment. */
  #epoch;
  #bytes = 0;
  #buffers = [];
  /** Media bytes fetched so far. */
  get bytes() {
    return this.#bytes;
  }
  /** Milliseconds from the capture of what is shown until now. */
  get latency() {
    return this.#epoch === void 0 ? void 0 : plausible(Date.now() - this.#epoch - this.video.currentTime * 1e3);
  }
  stop() {
    this.#stop.abort();
  }
  /** Plays until it is stopped or the stream has ended. */
  async run() {
    const { video } = this;
    const object = URL.createObjectURL(this.#source);
    const opened = new Promise((resolve) => this.#source.addEventListener("sourceopen", resolve, { once: true }));
    video.src = object;
    const pace = setInterval(() => this.#pace(), 100);
    const waiting = () => {
      if (video.currentTime > 0) this.#caution = Math.min(this.#caution + CAUTION, MOST_CAUTION);
    };
    video.addEventListener("waiting", waiting);
    try {
      const variant = playable(variants(await this.#text(this.url), this.url));
      await Promise.race([opened, this.#stopped()]);
      if (this.#stop.signal.aborted) return;
      const [pictures, sound] = split2(variant.codecs);
      const renditions = [{ url: variant.uri, type: `video/mp4; codecs="${pictures}"`, leads: true }];
      if (variant.audio && sound) renditions.push({ url: variant.audio, type: `audio/mp4; codecs="${sound}"`, leads: false });
      this.#buffers = renditions.map(({ type }) => new Buffer(this.#source.addSourceBuffer(type)));
      await Promise.all(renditions.map(({ url, leads }, at) => this.#follow(url, this.#buffers[at], leads)));
    } finally {
      this.#stop.abort();
      clearInterval(pace);
      video.removeEventListener("waiting", waiting);
      URL.revokeObjectURL(object);
    }
  }
  /** Fetches one rendition part by part. */
  async #follow(url, buffer, leads) {
    const stopped = this.#stop.signal;
    let playlist = media(await this.#text(url), url);
    let at = beginning(playlist);
    let map = "";
    let scale;
    let dated = -1;
    if (leads) this.#holdBack = playlist.holdBack;
    while (!stopped.aborted) {
      const step = next(playlist, at);
      if (step === "gone") {
        at = beginning(playlist);
        continue;
      }
      if (step === "wait") {
        if (playlist.ended) return;
        playlist = await this.#reload(url, playlist, at);
        continue;
      }
      const { segment, part, after } = step;
      at = after;
      if (segment.map !== map) {
        const init = await this.#bytesOf(segment.map);
        if (init) {
          scale = timescale(init) ?? scale;
          await buffer.append(init);
          map = segment.map;
        }
      }
      const bytes = await this.#bytesOf(part.uri);
      if (!bytes) {
        playlist = media(await this.#text(url), url);
        at = beginning(playlist);
        continue;
      }
      if (leads && segment.msn !== dated && segment.date !== void 0 && (segment.parts[0] === part || segment.whole === part)) {
        const time = decodeTime(bytes);
        if (time !== void 0 && scale) this.#epoch = segment.date - time / scale * 1e3;
        dated = segment.msn;
      }
      await buffer.append(bytes);
      await buffer.forget(this.video.currentTime - KEPT);
    }
  }
  async #reload(url, playlist, at) {
    const wanted = new URL(url);
    if (playlist.canBlock) {
      wanted.searchParams.set("_HLS_msn", String(at.msn));
      if (playlist.partTarget !== void 0) wanted.searchParams.set("_HLS_part", String(at.part));
    } else {
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    return media(await this.#text(wanted.href), url);
  }
  /** Keeps the playing at the wished distance from the end. */
  #pace() {
    const { video } = this;
    const { buffered } = video;
    if (buffered.length === 0) return;
    const [start, end] = [buffered.start(buffered.length - 1), buffered.end(buffered.length - 1)];
    const wish = this.#holdBack + this.#caution;
    const behind = end - video.currentTime;
    if (video.currentTime < start || behind > wish + JUMP) {
      video.currentTime = Math.max(start, end - wish);
      video.playbackRate = 1;
    } else {
      video.playbackRate = behind > wish + 0.15 ? 1.1 : behind > wish + 0.05 ? 1.03 : 1;
    }
    if (video.paused) void video.play().catch(() => void 0);
  }
  async #text(url) {
    const response = await this.#fetch(url);
    if (!response.ok) throw new ProblemError(await refusal2(response));
    return response.text();
  }
  /** A media file; undefined when it is not kept any more. */
  async #bytesOf(url) {
    const response = await this.#fetch(url);
    if (response.status === 404) return void 0;
    if (!response.ok) throw new ProblemError(await refusal2(response));
    const bytes = new Uint8Array(await response.arrayBuffer());
    this.#bytes += bytes.length;
    return bytes;
  }
  async #fetch(url) {
    try {
      return await fetch(url, { headers: this.headers, signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(WAIT_MS)]) });
    } catch {
      throw new ProblemError(unreachable());
    }
  }
  #stopped() {
    return new Promise((resolve) => this.#stop.signal.addEventListener("abort", () => resolve(), { once: true }));
  }
};
async function refusal2(response) {
  const body = await response.json().catch(() => ({}));
  const seconds = Number(response.headers.get("Retry-After"));
  return ofStatus(response.status, body.error ?? "", "watch", seconds > 0 ? { retryAfter: seconds * 1e3 } : {});
}
function playable(all) {
  const good = all.find(({ codecs }) => {
    const [pictures, sound] = split2(codecs);
    return pictures !== "" && MediaSource.isTypeSupported(`video/mp4; codecs="${pictures}"`) && (sound === "" || MediaSource.isTypeSupported(`audio/mp4; codecs="${sound}"`));
  });
  if (good) return good;
  const offered = all.flatMap(({ codecs }) => codecs).join(", ") || "nothing yet";
  throw new ProblemError(problem("no-codec", "This browser cannot play the stream", `It is sent as ${offered}. Try Chrome, Edge, Firefox or Safari.`, all.length > 0));
}
function split2(codecs) {
  const sounds = /^(opus|mp4a|ac-3|ec-3|flac)/i;
  return [codecs.find((codec) => !sounds.test(codec)) ?? "", codecs.find((codec) => sounds.test(codec)) ?? ""];
}
function next(playlist, at) {
  const [first] = playlist.segments;
  if (!first) return "wait";
  if (at.msn < first.msn) return "gone";
  const segment = playlist.segments[at.msn - first.msn];
  if (!segment) return "wait";
  const part = segment.parts[at.part];
  if (part) {
    const last = segment.whole !== void 0 && at.part + 1 >= segment.parts.length;
    return { segment, part, after: last ? { msn: at.msn + 1, part: 0 } : { msn: at.msn, part: at.part + 1 } };
  }
  if (!segment.whole) return "wait";
  if (at.part > 0 && segment.parts.length > 0) return next(playlist, { msn: at.msn + 1, part: 0 });
  return at.part > 0 ? "gone" : { segment, part: segment.whole, after: { msn: at.msn + 1, part: 0 } };
}
var Buffer = class {
  constructor(buffer) {
    this.buffer = buffer;
  }
  buffer;
  async append(bytes) {
    await this.#done(() => this.buffer.appendBuffer(bytes));
  }
  /** Lets go of what lies before a time, now and then. */
  async forget(before) {
    const { buffered } = this.buffer;
    if (buffered.length === 0 || before - buffered.start(0) < KEPT) return;
    await this.#done(() => this.buffer.remove(buffered.start(0), before));
  }
  #done(act) {
    return new Promise((resolve, reject) => {
      const done = (event) => {
        this.buffer.removeEventListener("updateend", done);
        this.buffer.removeEventListener("error", done);
        if (event.type === "error") reject(new Error("the browser cannot decode what came"));
        else resolve();
      };
      this.buffer.addEventListener("updateend", done);
      this.buffer.addEventListener("error", done);
      act();
    });
  }
};

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

// src/stage.ts
var STILL_MS = 1200;
var FILLING = { position: "absolute", inset: "0", width: "100%", height: "100%", objectFit: "contain" };
var Stage = class {
  constructor(container) {
    this.container = container;
  }
  container;
  #shown;
  #coming;
  #still;
  #last;
  #frames = 0;
  #muted = true;
  /** The element that is seen. */
  get video() {
    return this.#shown;
  }
  /** A new element below the others; it is seen from its first picture on. */
  next() {
    this.#coming?.remove();
    const video = document.createElement("video");
    video.playsInline = true;
    video.autoplay = true;
    video.muted = true;
    Object.assign(video.style, FILLING);
    this.container.prepend(video);
    this.#coming = video;
    frames(video, () => {
      if (video !== this.#shown && video !== this.#coming) return false;
      if (video === this.#coming) this.#show(video);
      this.#last = performance.now();
      return true;
    });
    return video;
  }
  /** Keeps the newest picture as a picture: an element whose connection is closed shows none. */
  hold() {
    const video = this.#shown;
    if (!video || video.videoWidth === 0 || this.#still) return;
    const still = document.createElement("canvas");
    [still.width, still.height] = [video.videoWidth, video.videoHeight];
    still.getContext("2d")?.drawImage(video, 0, 0);
    Object.assign(still.style, FILLING);
    video.after(still);
    this.#still = still;
  }
  #show(video) {
    this.#still?.remove();
    this.#still = void 0;
    const old = this.#shown;
    this.#shown = video;
    this.#coming = void 0;
    video.muted = this.#muted;
    if (!old) return;
    release(old);
    old.remove();
  }
  get muted() {
    return this.#muted;
  }
  set muted(muted) {
    this.#muted = muted;
    if (this.#shown) this.#shown.muted = muted;
  }
  /** What there is to see now. */
  get picture() {
    const count = this.#shown?.getVideoPlaybackQuality?.().totalVideoFrames ?? 0;
    if (count !== this.#frames) this.#last = performance.now();
    this.#frames = count;
    if (!this.#shown || this.#last === void 0) return "none";
    return performance.now() - this.#last > STILL_MS ? "held" : "moving";
  }
  /** Takes everything away. */
  clear() {
    this.#still?.remove();
    this.#still = void 0;
    for (const video of [this.#shown, this.#coming]) {
      if (!video) continue;
      release(video);
      video.remove();
    }
    this.#shown = void 0;
    this.#coming = void 0;
    this.#last = void 0;
  }
};
function release(video) {
  video.pause();
  video.srcObject = null;
  video.removeAttribute("src");
}
function frames(video, each) {
  if (!video.requestVideoFrameCallback) {
    video.addEventListener("timeupdate", () => void each());
    return;
  }
  const again = () => {
    if (each()) video.requestVideoFrameCallback(again);
  };
  video.requestVideoFrameCallback(again);
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
function fragment(offer) {
  const media2 = /^m=.*?\r?$/m.exec(offer)?.[0].trim() ?? "m=audio 9 UDP/TLS/RTP/SAVPF 0";
  return [
    `a=ice-ufrag:${attribute(offer, "ice-ufrag") ?? ""}`,
    `a=ice-pwd:${attribute(offer, "ice-pwd") ?? ""}`,
    media2,
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

// src/weft-reader.ts
var LOOK_MS2 = 250;
var LONGEST_PAUSE_MS2 = 2e3;
var BLOCKED = 2;
var WeftReader = class extends EventTarget {
  constructor(options) {
    super();
    this.options = options;
    this.#stage = new Stage(options.into);
  }
  options;
  #stage;
  #running = new AbortController();
  #mode = "whep";
  #state = { phase: "stopped", sessions: 0 };
  #told = "";
  #stay;
  #hls;
  #quality;
  #timer;
  #location;
  /** Where it stands. */
  get state() {
    return { ...this.#state, mode: this.#mode, picture: this.#stage.picture };
  }
  /** How it reads now. */
  get mode() {
    return this.#mode;
  }
  /** The element that is seen now; another one after each new connection. */
  get video() {
    return this.#stage.video;
  }
  /** The node's URL of the session that counts now; none over HLS. */
  get location() {
    return this.#location;
  }
  /** Silent at first, since browsers let pages make sound only after a click. */
  get muted() {
    return this.#stage.muted;
  }
  set muted(muted) {
    this.#stage.muted = muted;
  }
  /** Connects, and stays connected until `stop`. */
  start() {
    if (this.#timer !== void 0) return;
    this.#running = new AbortController();
    const { mode = "auto" } = this.options;
    this.#mode = mode === "hls" || !("RTCPeerConnection" in globalThis) ? "hls" : "whep";
    this.#timer = setInterval(() => this.#tell(), LOOK_MS2);
    void (this.#mode === "hls" ? this.#byHls() : this.#byWhep());
  }
  /** Ends it; the picture goes away. */
  stop() {
    this.#running.abort();
    clearInterval(this.#timer);
    this.#timer = void 0;
    this.#stay?.stop();
    this.#hls?.stop();
    this.#stage.clear();
    this.#set({ phase: "stopped", sessions: this.#state.sessions });
  }
  /** Figures since the last call; undefined while there is no session. */
  async quality() {
    return this.#quality?.();
  }
  #set(state) {
    this.#state = state;
    this.#tell();
  }
  /** Tells what has changed. */
  #tell() {
    const state = this.state;
    const told = JSON.stringify(state);
    if (told === this.#told) return;
    this.#told = told;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
  async #byWhep() {
    const { url, nodes = [], mode = "auto", iceServers: iceServers2 = [] } = this.options;
    let blocked2 = 0;
    let fallBack = false;
    const streams = /* @__PURE__ */ new WeakMap();
    const stay = new Stay({
      side: "watch",
      endpoints: endpoints(url, nodes, "whep"),
      headers: authorization(this.options),
      iceServers: iceServers2,
      longestPause: LONGEST_PAUSE_MS2,
      prepare: (peer) => {
        const media2 = new MediaStream();
        streams.set(peer, media2);
        peer.addEventListener("track", ({ track }) => media2.addTrack(track));
        for (const kind of ["video", "audio"]) peer.addTransceiver(kind, { direction: "recvonly" });
      },
      state: (state) => {
        if (state.problem?.kind === "blocked") blocked2 += 1;
        if (mode === "auto" && (state.problem?.kind === "refused" || blocked2 >= BLOCKED)) fallBack = true;
        if (!fallBack) this.#set(state);
        else if (state.phase !== "stopped") stay.stop();
      },
      leaving: () => this.#stage.hold(),
      session: (session) => {
        this.#location = session.location;
        const reader = new QualityReader(session.peer);
        this.#quality = () => reader.read();
        this.#stage.next().srcObject = streams.get(session.peer) ?? null;
      }
    });
    this.#stay = stay;
    await stay.run();
    if (!fallBack || this.#running.signal.aborted) return;
    this.#mode = "hls";
    await this.#byHls();
  }
  async #byHls() {
    const url = this.options.hls ?? besides(this.options.url);
    const stopped = this.#running.signal;
    let sessions = 0;
    this.#location = void 0;
    for (let pause = 200; !stopped.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS2)) {
      let failed = closed("stream-ended", "watch");
      this.#set({ ...this.#state, phase: sessions > 0 ? "reconnecting" : "connecting", sessions });
      const began = performance.now();
      try {
        await this.#play(url, () => {
          sessions += 1;
          this.#set({ phase: "live", sessions });
        });
      } catch (error) {
        failed = problemOf(error);
      }
      if (stopped.aborted) return;
      if (failed.final) return this.#set({ phase: "stopped", problem: failed, sessions });
      if (performance.now() - began > 5e3) pause = 200;
      const retryIn = Math.max(pause, failed.retryAfter ?? 0);
      this.#set({ phase: sessions > 0 ? "reconnecting" : "connecting", problem: failed, retryIn, sessions });
      await sleep(retryIn, stopped);
    }
  }
  async #play(url, live) {
    const video = this.#stage.next();
    video.addEventListener("loadeddata", live, { once: true });
    if (!supported() && native(video)) return this.#native(url, video);
    const player = new HlsPlayer(url, authorization(this.options), video);
    this.#hls = player;
    let [bytes, frames2, at] = [0, 0, performance.now()];
    this.#quality = async () => {
      const [now, shown] = [performance.now(), video.getVideoPlaybackQuality().totalVideoFrames];
      const seconds = (now - at) / 1e3;
      const quality = {
        bitrate: (player.bytes - bytes) * 8 / seconds,
        fps: (shown - frames2) / seconds,
        width: video.videoWidth,
        height: video.videoHeight,
        frames: shown,
        latency: player.latency,
        path: "https/tcp"
      };
      [bytes, frames2, at] = [player.bytes, shown, now];
      return quality;
    };
    await player.run();
  }
  /** Leaves it to the browser. */
  async #native(url, video) {
    const { user, token } = this.options;
    if (user || token) throw new ProblemError(ofStatus(401, "this browser takes credentials in the URL only", "watch"));
    await new Promise((resolve, reject) => {
      video.addEventListener("ended", () => resolve(), { once: true });
      video.addEventListener("error", () => reject(new ProblemError(ofStatus(404, "", "watch"))), { once: true });
      this.#running.signal.addEventListener("abort", () => resolve(), { once: true });
      video.src = url;
      void video.play().catch(() => void 0);
    });
  }
};
function besides(endpoint) {
  const url = new URL(endpoint, location.href);
  url.port = "8888";
  url.pathname = url.pathname.replace(/\/whep$/, "/index.m3u8");
  return url.href;
}
export {
  ProblemError,
  WeftReader,
  ofStatus,
  problemOf
};
