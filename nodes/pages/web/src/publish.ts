// The publish page: choosing what to send, the preview, and words for what happens. Sending is weft-publisher.js's business.

import { bitrate, element, milliseconds, percent, say } from './dom.js';
import { refused } from './refused.js';
import { testPicture } from './test-picture.js';
import { WeftPublisher, problemOf } from './weft-publisher.js';
import type { Problem, State } from './weft-publisher.js';

/** What is sent under one name. */
interface Feed {
  name: string;
  media: MediaStream;
  publisher: WeftPublisher;
  /** Ends what makes the pictures. */
  release(): void;
}

/** Parameters that are the page's own; all others are the server's and go with each request. */
const OWN = ['source', 'with', 'nodes', 'width', 'height', 'fps', 'bitrate'];

const base = location.pathname.replace(/\/publish\/?$/, '');
const query = new URLSearchParams(location.search);
const own = Object.fromEntries(OWN.map((name) => [name, query.get(name) ?? '']));
for (const name of OWN) query.delete(name);
const rest = query.size ? `?${query.toString()}` : '';
const name = decodeURIComponent(base.slice(1));

const form = element<HTMLFormElement>('controls');
const go = element<HTMLButtonElement>('go');
const source = element<HTMLSelectElement>('source');
const camera = element<HTMLSelectElement>('camera');
const microphone = element<HTMLSelectElement>('microphone');
const mute = element<HTMLButtonElement>('mute');

let feeds: Feed[] = [];
let busy = false;
let liveSince: number | undefined;
let awake: WakeLockSentinel | undefined;

function state(kind: string, text: string): void {
  const target = element('state');
  target.dataset.kind = kind;
  say(target, text);
}

function notice(problem: Problem | undefined, label = ''): void {
  const target = element('notice');
  target.hidden = !problem;
  if (!problem) return;
  target.dataset.kind = problem.final ? 'error' : 'wait';
  target.dataset.problem = problem.kind;
  say(element('what'), `${label}${problem.what}.`);
  say(element('todo'), problem.todo);
}

/** The words of the page for where its feeds stand: the worst counts. */
function show(): void {
  const states = feeds.map((feed) => ({ feed, state: feed.publisher.state }));
  const order: State['phase'][] = ['stopped', 'reconnecting', 'connecting', 'moving', 'live'];
  states.sort((a, b) => order.indexOf(a.state.phase) - order.indexOf(b.state.phase));
  const worst = states[0];
  if (!worst) return;
  const { phase, problem, retryIn } = worst.state;
  if (phase === 'live') liveSince ??= Date.now();
  if (phase === 'live' || phase === 'moving') notice(undefined);
  else if (problem) notice(problem, feeds.length > 1 ? `${worst.feed.name}: ` : '');
  switch (phase) {
    case 'live': return state('live', 'Live');
    case 'moving': return state('live', 'Live, changing servers');
    case 'connecting': return state('wait', problem ? again(retryIn) : 'Connecting…');
    case 'reconnecting': return state('held', again(retryIn));
    case 'stopped':
      if (states.every((each) => each.state.phase === 'stopped')) stop(problem);
      else state('error', `${worst.feed.name} has stopped`);
  }
}

function again(retryIn: number | undefined): string {
  return retryIn !== undefined && retryIn >= 1000 ? `Trying again in ${Math.ceil(retryIn / 1000)} s` : 'Connecting again…';
}

async function capture(): Promise<{ suffix: string; media: MediaStream; release(): void }[]> {
  const size = { width: Number(own.width) || 1920, height: Number(own.height) || 1080, frameRate: Number(own.fps) || 30 };
  const released = (media: MediaStream) => () => media.getTracks().forEach((track) => track.stop());
  if (source.value === 'canvas') {
    const { media, stop } = testPicture(size.width, size.height, size.frameRate);
    return [{ suffix: '', media, release: stop }];
  }
  const captured = [];
  // The screen first: browsers let a page ask for it only shortly after a click.
  if (source.value !== 'camera') {
    const media = await WeftPublisher.screen(size);
    captured.push({ suffix: source.value === 'both' ? '_screen' : '', media, release: released(media) });
  }
  if (source.value !== 'screen') {
    try {
      const media = await WeftPublisher.camera({ ...size, video: chosen(camera), audio: chosen(microphone) });
      captured.unshift({ suffix: '', media, release: released(media) });
    } catch (error) {
      for (const { release } of captured) release();
      throw error;
    }
  }
  return captured;
}

/** A device's id, none, or whichever the browser takes. */
function chosen({ value }: HTMLSelectElement): string | boolean {
  return value === 'none' ? false : value || true;
}

async function start(): Promise<void> {
  notice(undefined);
  state('wait', 'Asking for access…');
  busy = true;
  go.disabled = true;
  try {
    const captured = await capture();
    feeds = captured.map(({ suffix, media, release }) => feed(suffix, media, release));
  } catch (error) {
    notice(problemOf(error));
    return state('error', 'Not started');
  } finally {
    busy = false;
    go.disabled = false;
  }
  preview();
  for (const each of feeds) each.publisher.start();
  void devices();
  awake = await navigator.wakeLock?.request('screen').catch(() => undefined);
}

function feed(suffix: string, media: MediaStream, release: () => void): Feed {
  const publisher = new WeftPublisher({
    url: new URL(`${base}${suffix}/whip${rest}`, location.href).href,
    nodes: (own.nodes ?? '').split(',').map((node) => node.trim()).filter(Boolean),
    media,
    ...(Number(own.bitrate) > 0 ? { maxBitrate: Number(own.bitrate) } : {}),
  });
  publisher.addEventListener('state', show);
  for (const track of media.getTracks()) {
    track.addEventListener('ended', () => {
      if (!feeds.some((each) => each.media === media)) return;
      stop({
        kind: 'source-ended', final: true,
        what: track.kind === 'audio' ? 'The microphone was switched off or unplugged' : 'The camera was unplugged, or sharing the screen was ended',
        todo: 'Press Start to choose again.',
      });
    });
  }
  return { name: `${name}${suffix}`, media, publisher, release };
}

function preview(): void {
  const [first, second] = feeds;
  element<HTMLVideoElement>('preview').srcObject = first?.media ?? null;
  element<HTMLVideoElement>('preview2').srcObject = second?.media ?? null;
  element('second').hidden = !second;
  element('empty').hidden = Boolean(first);
  say(element('caption'), second ? `${first?.name ?? ''}: camera` : '');
  say(element('caption2'), second ? `${second.name}: screen` : '');
  const running = feeds.length > 0;
  say(go, running ? 'Stop' : 'Start');
  go.classList.toggle('main', !running);
  go.classList.toggle('danger', running);
  mute.hidden = !feeds.some(({ media }) => media.getAudioTracks().length > 0);
  for (const select of [source, camera, microphone]) select.disabled = running;
}

function stop(problem?: Problem): void {
  const ended = feeds;
  feeds = [];
  for (const { publisher, release } of ended) {
    publisher.removeEventListener('state', show);
    publisher.stop();
    release();
  }
  void awake?.release();
  liveSince = undefined;
  preview();
  notice(problem);
  state(problem ? 'error' : 'wait', 'Stopped');
}

/** The devices by their names, which browsers tell once one was allowed. */
async function devices(): Promise<void> {
  const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
  for (const [select, kind] of [[camera, 'videoinput'], [microphone, 'audioinput']] as const) {
    const chosen = select.value;
    for (const option of [...select.options].filter(({ value }) => value !== '' && value !== 'none')) option.remove();
    for (const { deviceId, label } of all.filter((device) => device.kind === kind && device.label)) {
      select.append(new Option(label, deviceId));
    }
    select.value = [...select.options].some(({ value }) => value === chosen) ? chosen : '';
  }
}

function choice(): void {
  const withCamera = source.value === 'camera' || source.value === 'both';
  element('camera-label').hidden = !withCamera;
  element('microphone-label').hidden = !withCamera;
  say(element('linked'), source.value === 'both'
    ? `Two linked streams: ${name} is the camera with the microphone, ${name}_screen the screen; they start and stop together.`
    : '');
}

async function figures(): Promise<void> {
  const all = await Promise.all(feeds.map(({ publisher }) => publisher.quality().catch(() => undefined)));
  const [first] = all;
  Object.assign(globalThis, { weftFigures: first });
  const sum = all.reduce((bits, quality) => bits + (quality?.bitrate ?? 0), 0);
  const none = '–';
  const limits: Record<string, string> = { bandwidth: 'network', cpu: 'this computer', none: 'nothing', other: 'something else' };
  say(element('bitrate'), first ? bitrate(sum) : none);
  say(element('fps'), first?.fps === undefined ? none : first.fps.toFixed(0));
  say(element('resolution'), first?.width ? `${first.width}×${first.height ?? 0}` : none);
  say(element('rtt'), milliseconds(first?.rtt));
  say(element('loss'), percent(first?.loss));
  say(element('limit'), limits[first?.limitedBy ?? ''] ?? none);
  say(element('path'), first?.path ?? none);
  say(element('since'), liveSince === undefined ? none : new Date(Date.now() - liveSince).toISOString().slice(11, 19));
}

function begin(): void {
  document.title = `${name} · publish · Weft`;
  say(element('name'), name);
  element<HTMLAnchorElement>('watch').href = `${base}/${rest}`;
  source.value = own.with === 'screen' ? 'both' : own.source || 'camera';
  if (!source.value) source.value = 'camera';
  if (source.value !== 'canvas') source.querySelector('[value="canvas"]')?.remove();
  choice();
  const why = refused('publish');
  if (why) {
    notice(why);
    return state('error', 'Not possible');
  }
  go.disabled = false;
  state('wait', 'Ready');
  void devices();
  source.addEventListener('change', choice);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (busy) return;
    if (feeds.length > 0) stop();
    else void start();
  });
  mute.addEventListener('click', () => {
    const muted = mute.getAttribute('aria-pressed') !== 'true';
    mute.setAttribute('aria-pressed', String(muted));
    say(mute, muted ? 'Unmute' : 'Mute');
    for (const { media } of feeds) for (const track of media.getAudioTracks()) track.enabled = !muted;
  });
  addEventListener('pagehide', () => feeds.length > 0 && stop());
  setInterval(() => void figures(), 1000);
  // For tests and for the curious: what the page stands on.
  Object.assign(globalThis, { weft: { get publishers() { return feeds.map(({ publisher }) => publisher); } } });
  if (source.value === 'canvas') void start();
}

begin();
