// weft-reader.js: shows a stream by WHEP, or by low-latency HLS where WHEP cannot be had, and stays connected. One module
// without dependencies, for any page:
//
//   import { WeftReader } from 'https://weft.example:8889/weft-reader.js';
//   const reader = new WeftReader({ url: 'https://weft.example:8889/exam_1/whep?token=...', into: document.querySelector('#box') });
//   reader.addEventListener('state', ({ detail }) => console.log(detail.phase, detail.picture, detail.problem?.what));
//   reader.start();
//
// The container should have a size and `position: relative`; the newest picture stays in it whatever happens to the connection.

import { HlsPlayer, native, supported } from './hls-player.js';
import { authorization, endpoints } from './options.js';
import { ProblemError, closed, ofStatus, problemOf } from './problem.js';
import type { Problem, ProblemKind } from './problem.js';
import { QualityReader } from './quality.js';
import type { Quality } from './quality.js';
import { Stage } from './stage.js';
import type { Picture } from './stage.js';
import { Stay, sleep } from './stay.js';
import type { Phase, State } from './stay.js';

export { ProblemError, ofStatus, problemOf };
export type { Phase, Picture, Problem, ProblemKind, Quality };

/** How a stream is read. */
export type Mode = 'whep' | 'hls';

/** How to watch. */
export interface ReaderOptions {
  /** The WHEP endpoint, `https://host:8889/{path}/whep`, with the query that the server wants (`?token=`, `?jwt=`). */
  url: string;
  /** Where the pictures go; the module puts its own video elements in. */
  into: HTMLElement;
  /** The HLS playlist; the same host and path on port 8888 unless said otherwise. */
  hls?: string;
  /** Only this way; both, WHEP first, unless said otherwise. */
  mode?: Mode | 'auto';
  /** Other nodes to go to when this one is lost: base URLs or whole endpoints. */
  nodes?: string[];
  /** Sent as `Authorization: Bearer`. */
  token?: string;
  /** Sent as `Authorization: Basic`. */
  user?: string;
  password?: string;
  /** Besides those that the server names. */
  iceServers?: RTCIceServer[];
}

/** Where a reader stands. */
export interface ReaderState extends State {
  mode: Mode;
  picture: Picture;
}

/** Time between two looks at whether the picture moves. */
const LOOK_MS = 250;
/** Somebody who waits for a stream to begin looks this often at the least. */
const LONGEST_PAUSE_MS = 2000;
/** Connections without media after which the other way is tried. */
const BLOCKED = 2;

/** Shows a stream, and dispatches `state` (detail: ReaderState) whenever something changes. */
export class WeftReader extends EventTarget {
  #stage: Stage;
  #running = new AbortController();
  #mode: Mode = 'whep';
  #state: State = { phase: 'stopped', sessions: 0 };
  #told = '';
  #stay: Stay | undefined;
  #hls: HlsPlayer | undefined;
  #quality: (() => Promise<Quality>) | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #location: string | undefined;

  constructor(private readonly options: ReaderOptions) {
    super();
    this.#stage = new Stage(options.into);
  }

  /** Where it stands. */
  get state(): ReaderState {
    return { ...this.#state, mode: this.#mode, picture: this.#stage.picture };
  }

  /** How it reads now. */
  get mode(): Mode {
    return this.#mode;
  }

  /** The element that is seen now; another one after each new connection. */
  get video(): HTMLVideoElement | undefined {
    return this.#stage.video;
  }

  /** The node's URL of the session that counts now; none over HLS. */
  get location(): string | undefined {
    return this.#location;
  }

  /** Silent at first, since browsers let pages make sound only after a click. */
  get muted(): boolean {
    return this.#stage.muted;
  }

  set muted(muted: boolean) {
    this.#stage.muted = muted;
  }

  /** Connects, and stays connected until `stop`. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#running = new AbortController();
    const { mode = 'auto' } = this.options;
    this.#mode = mode === 'hls' || !('RTCPeerConnection' in globalThis) ? 'hls' : 'whep';
    this.#timer = setInterval(() => this.#tell(), LOOK_MS);
    void (this.#mode === 'hls' ? this.#byHls() : this.#byWhep());
  }

  /** Ends it; the picture goes away. */
  stop(): void {
    this.#running.abort();
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stay?.stop();
    this.#hls?.stop();
    this.#stage.clear();
    this.#set({ phase: 'stopped', sessions: this.#state.sessions });
  }

  /** Figures since the last call; undefined while there is no session. */
  async quality(): Promise<Quality | undefined> {
    return this.#quality?.();
  }

  #set(state: State): void {
    this.#state = state;
    this.#tell();
  }

  /** Tells what has changed. */
  #tell(): void {
    const state = this.state;
    const told = JSON.stringify(state);
    if (told === this.#told) return;
    this.#told = told;
    this.dispatchEvent(new CustomEvent('state', { detail: state }));
  }

  async #byWhep(): Promise<void> {
    const { url, nodes = [], mode = 'auto', iceServers = [] } = this.options;
    let blocked = 0;
    let fallBack = false;
    const streams = new WeakMap<RTCPeerConnection, MediaStream>();
    const stay = new Stay({
      side: 'watch',
      endpoints: endpoints(url, nodes, 'whep'),
      headers: authorization(this.options),
      iceServers,
      longestPause: LONGEST_PAUSE_MS,
      prepare: (peer) => {
        const media = new MediaStream();
        streams.set(peer, media);
        peer.addEventListener('track', ({ track }) => media.addTrack(track));
        for (const kind of ['video', 'audio']) peer.addTransceiver(kind, { direction: 'recvonly' });
      },
      state: (state) => {
        // What cannot be sent by WebRTC, or does not get through, may still come by HLS.
        if (state.problem?.kind === 'blocked') blocked += 1;
        if (mode === 'auto' && (state.problem?.kind === 'refused' || blocked >= BLOCKED)) fallBack = true;
        if (!fallBack) this.#set(state);
        else if (state.phase !== 'stopped') stay.stop();
      },
      leaving: () => this.#stage.hold(),
      session: (session) => {
        this.#location = session.location;
        const reader = new QualityReader(session.peer);
        this.#quality = () => reader.read();
        this.#stage.next().srcObject = streams.get(session.peer) ?? null;
      },
    });
    this.#stay = stay;
    await stay.run();
    if (!fallBack || this.#running.signal.aborted) return;
    this.#mode = 'hls';
    await this.#byHls();
  }

  async #byHls(): Promise<void> {
    const url = this.options.hls ?? besides(this.options.url);
    const stopped = this.#running.signal;
    let sessions = 0;
    this.#location = undefined;
    for (let pause = 200; !stopped.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      // What throws nothing has been played to its end.
      let failed: Problem = closed('stream-ended', 'watch');
      this.#set({ ...this.#state, phase: sessions > 0 ? 'reconnecting' : 'connecting', sessions });
      const began = performance.now();
      try {
        await this.#play(url, () => {
          sessions += 1;
          this.#set({ phase: 'live', sessions });
        });
      } catch (error) {
        failed = problemOf(error);
      }
      if (stopped.aborted) return;
      if (failed.final) return this.#set({ phase: 'stopped', problem: failed, sessions });
      if (performance.now() - began > 5000) pause = 200;
      const retryIn = Math.max(pause, failed.retryAfter ?? 0);
      this.#set({ phase: sessions > 0 ? 'reconnecting' : 'connecting', problem: failed, retryIn, sessions });
      await sleep(retryIn, stopped);
    }
  }

  async #play(url: string, live: () => void): Promise<void> {
    const video = this.#stage.next();
    video.addEventListener('loadeddata', live, { once: true });
    if (!supported() && native(video)) return this.#native(url, video);
    const player = new HlsPlayer(url, authorization(this.options), video);
    this.#hls = player;
    let [bytes, frames, at] = [0, 0, performance.now()];
    this.#quality = async () => {
      const [now, shown] = [performance.now(), video.getVideoPlaybackQuality().totalVideoFrames];
      const seconds = (now - at) / 1000;
      const quality: Quality = {
        bitrate: (player.bytes - bytes) * 8 / seconds,
        fps: (shown - frames) / seconds,
        width: video.videoWidth,
        height: video.videoHeight,
        frames: shown,
        latency: player.latency,
        path: 'https/tcp',
      };
      [bytes, frames, at] = [player.bytes, shown, now];
      return quality;
    };
    await player.run();
  }

  /** Leaves it to the browser. */
  async #native(url: string, video: HTMLVideoElement): Promise<void> {
    const { user, token } = this.options;
    if (user || token) throw new ProblemError(ofStatus(401, 'this browser takes credentials in the URL only', 'watch'));
    await new Promise<void>((resolve, reject) => {
      video.addEventListener('ended', () => resolve(), { once: true });
      video.addEventListener('error', () => reject(new ProblemError(ofStatus(404, '', 'watch'))), { once: true });
      this.#running.signal.addEventListener('abort', () => resolve(), { once: true });
      video.src = url;
      void video.play().catch(() => undefined);
    });
  }
}

/** Where the playlist of an endpoint's stream is by default. */
function besides(endpoint: string): string {
  const url = new URL(endpoint, location.href);
  url.port = '8888';
  url.pathname = url.pathname.replace(/\/whep$/, '/index.m3u8');
  return url.href;
}
