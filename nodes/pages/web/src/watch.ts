// The watch page: the picture, its sound, and words for what happens. Reading is weft-reader.js's business.

import { bitrate, element, milliseconds, percent, say } from './dom.js';
import { refused } from './refused.js';
import { WeftReader } from './weft-reader.js';
import type { Mode, Problem, ReaderState } from './weft-reader.js';

/** Parameters that are the page's own; all others are the server's and go with each request. */
const OWN = ['mode', 'nodes', 'hls'];

const base = location.pathname.replace(/\/$/, '');
const query = new URLSearchParams(location.search);
const own = Object.fromEntries(OWN.map((name) => [name, query.get(name) ?? '']));
for (const name of OWN) query.delete(name);
const rest = query.size ? `?${query.toString()}` : '';
const name = decodeURIComponent(base.slice(1));

const screen = element('screen');
const sound = element<HTMLButtonElement>('sound');
const mode = element<HTMLSelectElement>('mode');
let reader: WeftReader | undefined;

function state(kind: string, text: string): void {
  const target = element('state');
  target.dataset.kind = kind;
  say(target, text);
}

function notice(problem: Problem | undefined): void {
  const target = element('notice');
  target.hidden = !problem;
  if (!problem) return;
  target.dataset.kind = problem.final ? 'error' : 'wait';
  target.dataset.problem = problem.kind;
  say(element('what'), `${problem.what}.`);
  say(element('todo'), problem.todo);
}

function show({ phase, problem, picture, retryIn }: ReaderState): void {
  element('empty').hidden = picture !== 'none';
  const badge = element('badge');
  badge.hidden = picture !== 'held';
  say(badge, 'The last picture: nothing new comes at the moment');
  notice(phase === 'live' || phase === 'moving' ? undefined : problem);
  if (phase === 'stopped') {
    say(element('go'), 'Start');
    return state(problem ? 'error' : 'wait', 'Stopped');
  }
  say(element('go'), 'Stop');
  if (phase === 'live' || phase === 'moving') {
    if (picture === 'moving') return state('live', 'Live');
    return state('held', picture === 'held' ? 'Waiting for the publisher' : 'Connected, waiting for a picture');
  }
  const text = problem?.kind === 'not-found' ? 'Waiting for a publisher'
    : retryIn !== undefined && retryIn >= 1000 ? `Trying again in ${Math.ceil(retryIn / 1000)} s`
      : phase === 'connecting' ? 'Connecting…' : 'Connecting again…';
  // The picture of a connection that is being replaced; of a stream that is over it is the last one.
  const live = picture === 'moving' && problem?.kind !== 'not-found' && problem?.kind !== 'ended';
  state(live ? 'live' : 'held', live ? 'Live' : text);
}

/** Where the playlist is: as told, by the page or by the server, else where the module thinks. */
function playlist(): string | undefined {
  if (own.hls) return new URL(own.hls, location.href).href;
  const port = document.querySelector<HTMLMetaElement>('meta[name="weft-hls-port"]')?.content;
  if (!port) return undefined;
  const url = new URL(`${base}/index.m3u8${rest}`, location.href);
  url.port = port;
  return url.href;
}

function start(): void {
  reader?.stop();
  const hls = playlist();
  reader = new WeftReader({
    url: new URL(`${base}/whep${rest}`, location.href).href,
    into: screen,
    mode: mode.value as Mode | 'auto',
    nodes: (own.nodes ?? '').split(',').map((node) => node.trim()).filter(Boolean),
    ...(hls ? { hls } : {}),
  });
  reader.muted = sound.getAttribute('aria-pressed') !== 'true';
  const mine = reader;
  reader.addEventListener('state', (event) => {
    if (mine === reader) show((event as CustomEvent<ReaderState>).detail);
  });
  reader.start();
}

function stop(): void {
  reader?.stop();
  reader = undefined;
}

function toggle(): void {
  if (reader && reader.state.phase !== 'stopped') stop();
  else start();
}

function hear(): void {
  const on = sound.getAttribute('aria-pressed') !== 'true';
  sound.setAttribute('aria-pressed', String(on));
  say(sound, on ? 'Sound off' : 'Sound on');
  if (reader) reader.muted = !on;
}

function fullScreen(): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void screen.requestFullscreen?.().catch(() => undefined);
}

async function figures(): Promise<void> {
  const quality = await reader?.quality().catch(() => undefined);
  Object.assign(globalThis, { weftFigures: quality });
  const none = '–';
  say(element('latency'), milliseconds(quality?.latency));
  say(element('bitrate'), bitrate(quality?.bitrate));
  say(element('fps'), quality?.fps === undefined ? none : quality.fps.toFixed(0));
  say(element('resolution'), quality?.width ? `${quality.width}×${quality.height ?? 0}` : none);
  say(element('loss'), percent(quality?.loss));
  say(element('rtt'), milliseconds(quality?.rtt));
  const way = reader?.mode === 'hls' ? 'HLS' : 'WebRTC';
  say(element('way'), quality ? `${way}${quality.path ? `, ${quality.path}` : ''}` : none);
}

function begin(): void {
  document.title = `${name} · watch · Weft`;
  say(element('name'), name);
  if (own.mode) mode.value = own.mode;
  const why = refused('watch');
  if (why) {
    notice(why);
    for (const control of [element<HTMLButtonElement>('go'), element<HTMLButtonElement>('full'), sound, mode]) control.disabled = true;
    return state('error', 'Not possible');
  }
  element('go').addEventListener('click', toggle);
  element('full').addEventListener('click', fullScreen);
  sound.addEventListener('click', hear);
  mode.addEventListener('change', start);
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLSelectElement) return;
    const key = event.key.toLowerCase();
    if (key === 'm') hear();
    else if (key === 'f') fullScreen();
    // A button that has the focus is pressed by it anyway.
    else if (key === ' ' && !(event.target instanceof HTMLButtonElement)) toggle();
    else return;
    event.preventDefault();
  });
  addEventListener('pagehide', stop);
  setInterval(() => void figures(), 1000);
  // For tests and for the curious: what the page stands on.
  Object.assign(globalThis, { weft: { get player() { return reader; } } });
  start();
}

begin();
