// src/dom.ts
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}
function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
function bitrate(bits) {
  if (bits === void 0 || !Number.isFinite(bits)) return "–";
  return bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bits / 1e3)} kbit/s`;
}
function milliseconds(ms) {
  if (ms === void 0 || !Number.isFinite(ms)) return "–";
  return ms >= 1e4 ? `${(ms / 1e3).toFixed(0)} s` : ms >= 1e3 ? `${(ms / 1e3).toFixed(1)} s` : `${Math.round(ms)} ms`;
}
function percent(share) {
  if (share === void 0 || !Number.isFinite(share)) return "–";
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

// src/problem.ts
function problem(kind, what, todo, final, more = {}) {
  return { kind, what, todo, final, ...more };
}
function ofStatus(status, said, side, more = {}) {
  const words = said ? ` (${said})` : "";
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
      return side === "publish" ? problem("not-found", "There is no such place to publish to", `Check the address of this page${words}.`, true, all) : problem("not-found", "Nobody is publishing here at the moment", "The picture appears by itself as soon as somebody does. Check the name in the address if it should be there already.", false, all);
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
      return /not configured/.test(said) ? problem("not-found", "This server has no such path", `Check the name in the address of this page${words}.`, true, all) : problem("refused", "The server cannot use what was offered", `Try a current Chrome, Edge, Firefox or Safari${words}.`, true, all);
    default:
      return status === 503 || status === 502 || status === 504 ? problem("full", "The server has no room, or is being restarted", `This page tries again by itself${words}.`, false, all) : problem("internal", `The server answered ${status}`, `This page tries again by itself. If it goes on, tell your administrator${words}.`, false, all);
  }
}

// src/refused.ts
function refused(side) {
  const content = document.querySelector('meta[name="weft-refused"]')?.content ?? "";
  const [, status, words] = /^(\d{3}) ?(.*)$/.exec(content) ?? [];
  return status ? ofStatus(Number(status), words ?? "", side) : void 0;
}

// src/test-picture.ts
var CLOCK = { columns: 17, rows: 2, bits: 32 };
function testPicture(width, height, frameRate) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const g = canvas.getContext("2d", { alpha: false });
  if (!g) throw new Error("this browser cannot draw");
  let n = 0;
  const draw = () => {
    const now = Date.now();
    g.fillStyle = `hsl(${n % 360} 35% 30%)`;
    g.fillRect(0, 0, width, height);
    clock(g, width, height, now);
    g.fillStyle = "#fff";
    g.font = `${Math.round(height / 12)}px monospace`;
    g.fillText(new Date(now).toISOString().slice(11, 23), width * 0.1, height * 0.55);
    g.fillText(`${width}×${height}  ${n}`, width * 0.1, height * 0.68);
    g.fillRect(n * width / 120 % width, height * 0.85, width / 16, height / 12);
    for (let i = 0; i < 60; i++) {
      g.fillStyle = `hsl(${Math.random() * 360} 50% 50%)`;
      g.fillRect(Math.random() * width, height * (0.72 + Math.random() * 0.1), width / 40, height / 60);
    }
    n += 1;
  };
  draw();
  const timer = setInterval(draw, 1e3 / frameRate);
  const media = canvas.captureStream(frameRate);
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  const out = audio.createMediaStreamDestination();
  volume.gain.value = 0.05;
  tone.connect(volume).connect(out);
  tone.start();
  for (const track of out.stream.getAudioTracks()) media.addTrack(track);
  return {
    media,
    stop() {
      clearInterval(timer);
      for (const track of media.getTracks()) track.stop();
      void audio.close();
    }
  };
}
function clock(g, width, height, now) {
  const [w, h] = [width / CLOCK.columns, height / 8];
  let ones = 0;
  for (let bit = 0; bit < CLOCK.bits; bit++) {
    const on = Math.floor(now / 2 ** (CLOCK.bits - 1 - bit)) % 2 === 1;
    ones += on ? 1 : 0;
    square(g, on, bit % 16 * w, Math.floor(bit / 16) * h, w, h);
  }
  square(g, ones % 2 === 1, 16 * w, 0, w, h);
  square(g, ones % 2 === 0, 16 * w, h, w, h);
}
function square(g, on, x, y, w, h) {
  g.fillStyle = on ? "#fff" : "#000";
  g.fillRect(Math.floor(x), Math.floor(y), Math.ceil(w), Math.ceil(h));
}

// src/publish.ts
import { WeftPublisher, problemOf } from "./weft-publisher.js";
var OWN = ["source", "with", "nodes", "width", "height", "fps", "bitrate"];
var base = location.pathname.replace(/\/publish\/?$/, "");
var query = new URLSearchParams(location.search);
var own = Object.fromEntries(OWN.map((name2) => [name2, query.get(name2) ?? ""]));
for (const name2 of OWN) query.delete(name2);
var rest = query.size ? `?${query.toString()}` : "";
var name = decodeURIComponent(base.slice(1));
var form = element("controls");
var go = element("go");
var source = element("source");
var camera = element("camera");
var microphone = element("microphone");
var mute = element("mute");
var feeds = [];
var busy = false;
var liveSince;
var awake;
function state(kind, text) {
  const target = element("state");
  target.dataset.kind = kind;
  say(target, text);
}
function notice(problem2, label = "") {
  const target = element("notice");
  target.hidden = !problem2;
  if (!problem2) return;
  target.dataset.kind = problem2.final ? "error" : "wait";
  target.dataset.problem = problem2.kind;
  say(element("what"), `${label}${problem2.what}.`);
  say(element("todo"), problem2.todo);
}
function show() {
  const states = feeds.map((feed2) => ({ feed: feed2, state: feed2.publisher.state }));
  const order = ["stopped", "reconnecting", "connecting", "moving", "live"];
  states.sort((a, b) => order.indexOf(a.state.phase) - order.indexOf(b.state.phase));
  const worst = states[0];
  if (!worst) return;
  const { phase, problem: problem2, retryIn } = worst.state;
  if (phase === "live") liveSince ??= Date.now();
  if (phase === "live" || phase === "moving") notice(void 0);
  else if (problem2) notice(problem2, feeds.length > 1 ? `${worst.feed.name}: ` : "");
  switch (phase) {
    case "live":
      return state("live", "Live");
    case "moving":
      return state("live", "Live, changing servers");
    case "connecting":
      return state("wait", problem2 ? again(retryIn) : "Connecting…");
    case "reconnecting":
      return state("held", again(retryIn));
    case "stopped":
      if (states.every((each) => each.state.phase === "stopped")) stop(problem2);
      else state("error", `${worst.feed.name} has stopped`);
  }
}
function again(retryIn) {
  return retryIn !== void 0 && retryIn >= 1e3 ? `Trying again in ${Math.ceil(retryIn / 1e3)} s` : "Connecting again…";
}
async function capture() {
  const size = { width: Number(own.width) || 1920, height: Number(own.height) || 1080, frameRate: Number(own.fps) || 30 };
  const released = (media) => () => media.getTracks().forEach((track) => track.stop());
  if (source.value === "canvas") {
    const { media, stop: stop2 } = testPicture(size.width, size.height, size.frameRate);
    return [{ suffix: "", media, release: stop2 }];
  }
  const captured = [];
  if (source.value !== "camera") {
    const media = await WeftPublisher.screen(size);
    captured.push({ suffix: source.value === "both" ? "_screen" : "", media, release: released(media) });
  }
  if (source.value !== "screen") {
    try {
      const media = await WeftPublisher.camera({ ...size, video: chosen(camera), audio: chosen(microphone) });
      captured.unshift({ suffix: "", media, release: released(media) });
    } catch (error) {
      for (const { release } of captured) release();
      throw error;
    }
  }
  return captured;
}
function chosen({ value }) {
  return value === "none" ? false : value || true;
}
async function start() {
  notice(void 0);
  state("wait", "Asking for access…");
  busy = true;
  go.disabled = true;
  try {
    const captured = await capture();
    feeds = captured.map(({ suffix, media, release }) => feed(suffix, media, release));
  } catch (error) {
    notice(problemOf(error));
    return state("error", "Not started");
  } finally {
    busy = false;
    go.disabled = false;
  }
  preview();
  for (const each of feeds) each.publisher.start();
  void devices();
  awake = await navigator.wakeLock?.request("screen").catch(() => void 0);
}
function feed(suffix, media, release) {
  const publisher = new WeftPublisher({
    url: new URL(`${base}${suffix}/whip${rest}`, location.href).href,
    nodes: (own.nodes ?? "").split(",").map((node) => node.trim()).filter(Boolean),
    media,
    ...Number(own.bitrate) > 0 ? { maxBitrate: Number(own.bitrate) } : {}
  });
  publisher.addEventListener("state", show);
  for (const track of media.getTracks()) {
    track.addEventListener("ended", () => {
      if (!feeds.some((each) => each.media === media)) return;
      stop({
        kind: "source-ended",
        final: true,
        what: track.kind === "audio" ? "The microphone was switched off or unplugged" : "The camera was unplugged, or sharing the screen was ended",
        todo: "Press Start to choose again."
      });
    });
  }
  return { name: `${name}${suffix}`, media, publisher, release };
}
function preview() {
  const [first, second] = feeds;
  element("preview").srcObject = first?.media ?? null;
  element("preview2").srcObject = second?.media ?? null;
  element("second").hidden = !second;
  element("empty").hidden = Boolean(first);
  say(element("caption"), second ? `${first?.name ?? ""}: camera` : "");
  say(element("caption2"), second ? `${second.name}: screen` : "");
  const running = feeds.length > 0;
  say(go, running ? "Stop" : "Start");
  go.classList.toggle("main", !running);
  go.classList.toggle("danger", running);
  mute.hidden = !feeds.some(({ media }) => media.getAudioTracks().length > 0);
  for (const select of [source, camera, microphone]) select.disabled = running;
}
function stop(problem2) {
  const ended = feeds;
  feeds = [];
  for (const { publisher, release } of ended) {
    publisher.removeEventListener("state", show);
    publisher.stop();
    release();
  }
  void awake?.release();
  liveSince = void 0;
  preview();
  notice(problem2);
  state(problem2 ? "error" : "wait", "Stopped");
}
async function devices() {
  const all = await navigator.mediaDevices?.enumerateDevices().catch(() => []) ?? [];
  for (const [select, kind] of [[camera, "videoinput"], [microphone, "audioinput"]]) {
    const chosen2 = select.value;
    for (const option of [...select.options].filter(({ value }) => value !== "" && value !== "none")) option.remove();
    for (const { deviceId, label } of all.filter((device) => device.kind === kind && device.label)) {
      select.append(new Option(label, deviceId));
    }
    select.value = [...select.options].some(({ value }) => value === chosen2) ? chosen2 : "";
  }
}
function choice() {
  const withCamera = source.value === "camera" || source.value === "both";
  element("camera-label").hidden = !withCamera;
  element("microphone-label").hidden = !withCamera;
  say(element("linked"), source.value === "both" ? `Two linked streams: ${name} is the camera with the microphone, ${name}_screen the screen; they start and stop together.` : "");
}
async function figures() {
  const all = await Promise.all(feeds.map(({ publisher }) => publisher.quality().catch(() => void 0)));
  const [first] = all;
  Object.assign(globalThis, { weftFigures: first });
  const sum = all.reduce((bits, quality) => bits + (quality?.bitrate ?? 0), 0);
  const none = "–";
  const limits = { bandwidth: "network", cpu: "this computer", none: "nothing", other: "something else" };
  say(element("bitrate"), first ? bitrate(sum) : none);
  say(element("fps"), first?.fps === void 0 ? none : first.fps.toFixed(0));
  say(element("resolution"), first?.width ? `${first.width}×${first.height ?? 0}` : none);
  say(element("rtt"), milliseconds(first?.rtt));
  say(element("loss"), percent(first?.loss));
  say(element("limit"), limits[first?.limitedBy ?? ""] ?? none);
  say(element("path"), first?.path ?? none);
  say(element("since"), liveSince === void 0 ? none : new Date(Date.now() - liveSince).toISOString().slice(11, 19));
}
function begin() {
  document.title = `${name} · publish · Weft`;
  say(element("name"), name);
  element("watch").href = `${base}/${rest}`;
  source.value = own.with === "screen" ? "both" : own.source || "camera";
  if (!source.value) source.value = "camera";
  if (source.value !== "canvas") source.querySelector('[value="canvas"]')?.remove();
  choice();
  const why = refused("publish");
  if (why) {
    notice(why);
    return state("error", "Not possible");
  }
  go.disabled = false;
  state("wait", "Ready");
  void devices();
  source.addEventListener("change", choice);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (busy) return;
    if (feeds.length > 0) stop();
    else void start();
  });
  mute.addEventListener("click", () => {
    const muted = mute.getAttribute("aria-pressed") !== "true";
    mute.setAttribute("aria-pressed", String(muted));
    say(mute, muted ? "Unmute" : "Mute");
    for (const { media } of feeds) for (const track of media.getAudioTracks()) track.enabled = !muted;
  });
  addEventListener("pagehide", () => feeds.length > 0 && stop());
  setInterval(() => void figures(), 1e3);
  Object.assign(globalThis, { weft: { get publishers() {
    return feeds.map(({ publisher }) => publisher);
  } } });
  if (source.value === "canvas") void start();
}
begin();
