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

// src/watch.ts
import { WeftReader } from "./weft-reader.js";
var OWN = ["mode", "nodes", "hls"];
var base = location.pathname.replace(/\/$/, "");
var query = new URLSearchParams(location.search);
var own = Object.fromEntries(OWN.map((name2) => [name2, query.get(name2) ?? ""]));
for (const name2 of OWN) query.delete(name2);
var rest = query.size ? `?${query.toString()}` : "";
var name = decodeURIComponent(base.slice(1));
var screen = element("screen");
var sound = element("sound");
var mode = element("mode");
var reader;
function state(kind, text) {
  const target = element("state");
  target.dataset.kind = kind;
  say(target, text);
}
function notice(problem2) {
  const target = element("notice");
  target.hidden = !problem2;
  if (!problem2) return;
  target.dataset.kind = problem2.final ? "error" : "wait";
  target.dataset.problem = problem2.kind;
  say(element("what"), `${problem2.what}.`);
  say(element("todo"), problem2.todo);
}
function show({ phase, problem: problem2, picture, retryIn }) {
  element("empty").hidden = picture !== "none";
  const badge = element("badge");
  badge.hidden = picture !== "held";
  say(badge, "The last picture: nothing new comes at the moment");
  notice(phase === "live" || phase === "moving" ? void 0 : problem2);
  if (phase === "stopped") {
    say(element("go"), "Start");
    return state(problem2 ? "error" : "wait", "Stopped");
  }
  say(element("go"), "Stop");
  if (phase === "live" || phase === "moving") {
    if (picture === "moving") return state("live", "Live");
    return state("held", picture === "held" ? "Waiting for the publisher" : "Connected, waiting for a picture");
  }
  const text = problem2?.kind === "not-found" ? "Waiting for a publisher" : retryIn !== void 0 && retryIn >= 1e3 ? `Trying again in ${Math.ceil(retryIn / 1e3)} s` : phase === "connecting" ? "Connecting…" : "Connecting again…";
  const live = picture === "moving" && problem2?.kind !== "not-found" && problem2?.kind !== "ended";
  state(live ? "live" : "held", live ? "Live" : text);
}
function playlist() {
  if (own.hls) return new URL(own.hls, location.href).href;
  const port = document.querySelector('meta[name="weft-hls-port"]')?.content;
  if (!port) return void 0;
  const url = new URL(`${base}/index.m3u8${rest}`, location.href);
  url.port = port;
  return url.href;
}
function start() {
  reader?.stop();
  const hls = playlist();
  reader = new WeftReader({
    url: new URL(`${base}/whep${rest}`, location.href).href,
    into: screen,
    mode: mode.value,
    nodes: (own.nodes ?? "").split(",").map((node) => node.trim()).filter(Boolean),
    ...hls ? { hls } : {}
  });
  reader.muted = sound.getAttribute("aria-pressed") !== "true";
  const mine = reader;
  reader.addEventListener("state", (event) => {
    if (mine === reader) show(event.detail);
  });
  reader.start();
}
function stop() {
  reader?.stop();
  reader = void 0;
}
function toggle() {
  if (reader && reader.state.phase !== "stopped") stop();
  else start();
}
function hear() {
  const on = sound.getAttribute("aria-pressed") !== "true";
  sound.setAttribute("aria-pressed", String(on));
  say(sound, on ? "Sound off" : "Sound on");
  if (reader) reader.muted = !on;
}
function fullScreen() {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void screen.requestFullscreen?.().catch(() => void 0);
}
async function figures() {
  const quality = await reader?.quality().catch(() => void 0);
  Object.assign(globalThis, { weftFigures: quality });
  const none = "–";
  say(element("latency"), milliseconds(quality?.latency));
  say(element("bitrate"), bitrate(quality?.bitrate));
  say(element("fps"), quality?.fps === void 0 ? none : quality.fps.toFixed(0));
  say(element("resolution"), quality?.width ? `${quality.width}×${quality.height ?? 0}` : none);
  say(element("loss"), percent(quality?.loss));
  say(element("rtt"), milliseconds(quality?.rtt));
  const way = reader?.mode === "hls" ? "HLS" : "WebRTC";
  say(element("way"), quality ? `${way}${quality.path ? `, ${quality.path}` : ""}` : none);
}
function begin() {
  document.title = `${name} · watch · Weft`;
  say(element("name"), name);
  if (own.mode) mode.value = own.mode;
  const why = refused("watch");
  if (why) {
    notice(why);
    for (const control of [element("go"), element("full"), sound, mode]) control.disabled = true;
    return state("error", "Not possible");
  }
  element("go").addEventListener("click", toggle);
  element("full").addEventListener("click", fullScreen);
  sound.addEventListener("click", hear);
  mode.addEventListener("change", start);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLSelectElement) return;
    const key = event.key.toLowerCase();
    if (key === "m") hear();
    else if (key === "f") fullScreen();
    else if (key === " " && !(event.target instanceof HTMLButtonElement)) toggle();
    else return;
    event.preventDefault();
  });
  addEventListener("pagehide", stop);
  setInterval(() => void figures(), 1e3);
  Object.assign(globalThis, { weft: { get player() {
    return reader;
  } } });
  start();
}
begin();
