// Plays Weft's low-latency HLS through Media Source Extensions: blocking reloads, parts as they come, the latency held at
// what the playlist asks for. It knows our playlists: one rendition of pictures, one of sound. Browsers that play HLS by
// themselves and have no such extensions are left to it.

import { decodeTime, timescale } from './mp4.js';
import { beginning, media, variants } from './playlist.js';
import type { MediaPlaylist, Part, Segment, Variant } from './playlist.js';
import { ProblemError, ofStatus, problem, unreachable } from './problem.js';
import { plausible } from './quality.js';

/** A request waits at most this long for what comes next. */
const WAIT_MS = 15_000;
/** Seconds of played media that are kept. */
const KEPT = 10;
/** Seconds further behind than wished at which a jump is better than catching up. */
const JUMP = 2;
/** Added to the wished latency at each stall, up to the most; seconds. */
const CAUTION = 0.15;
const MOST_CAUTION = 1.5;

/** Whether this browser can play it here. */
export function supported(): boolean {
  return 'MediaSource' in globalThis && !appleNative();
}

/** Whether it is better left to the browser. */
export function native(video: HTMLVideoElement): boolean {
  return (appleNative() || !('MediaSource' in globalThis)) && video.canPlayType('application/vnd.apple.mpegurl') !== '';
}

function appleNative(): boolean {
  return navigator.vendor.startsWith('Apple');
}

/** One playing of a stream; ends by `stop`, by the end of the stream, or by throwing. */
export class HlsPlayer {
  #stop = new AbortController();
  #source = new MediaSource();
  #caution = 0;
  #holdBack = 1;
  /** Where media time 0 is in milliseconds since 1970, by the newest segment. */
  #epoch: number | undefined;
  #bytes = 0;
  #buffers: Buffer[] = [];

  constructor(private readonly url: string, private readonly headers: Record<string, string>, private readonly video: HTMLVideoElement) {}

  /** Media bytes fetched so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Milliseconds from the capture of what is shown until now. */
  get latency(): number | undefined {
    return this.#epoch === undefined ? undefined : plausible(Date.now() - this.#epoch - this.video.currentTime * 1000);
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Plays until it is stopped or the stream has ended. */
  async run(): Promise<void> {
    const { video } = this;
    const object = URL.createObjectURL(this.#source);
    const opened = new Promise((resolve) => this.#source.addEventListener('sourceopen', resolve, { once: true }));
    video.src = object;
    const pace = setInterval(() => this.#pace(), 100);
    const waiting = () => {
      if (video.currentTime > 0) this.#caution = Math.min(this.#caution + CAUTION, MOST_CAUTION);
    };
    video.addEventListener('waiting', waiting);
    try {
      const variant = playable(variants(await this.#text(this.url), this.url));
      await Promise.race([opened, this.#stopped()]);
      if (this.#stop.signal.aborted) return;
      const [pictures, sound] = split(variant.codecs);
      const renditions = [{ url: variant.uri, type: `video/mp4; codecs="${pictures}"`, leads: true }];
      if (variant.audio && sound) renditions.push({ url: variant.audio, type: `audio/mp4; codecs="${sound}"`, leads: false });
      this.#buffers = renditions.map(({ type }) => new Buffer(this.#source.addSourceBuffer(type)));
      await Promise.all(renditions.map(({ url, leads }, at) => this.#follow(url, this.#buffers[at] as Buffer, leads)));
    } finally {
      this.#stop.abort();
      clearInterval(pace);
      video.removeEventListener('waiting', waiting);
      URL.revokeObjectURL(object);
    }
  }

  /** Fetches one rendition part by part. */
  async #follow(url: string, buffer: Buffer, leads: boolean): Promise<void> {
    const stopped = this.#stop.signal;
    let playlist = media(await this.#text(url), url);
    let at = beginning(playlist);
    let map = '';
    let scale: number | undefined;
    let dated = -1;
    if (leads) this.#holdBack = playlist.holdBack;
    while (!stopped.aborted) {
      const step = next(playlist, at);
      if (step === 'gone') {
        // So far behind that the playlist has forgotten it: on from where it is now.
        at = beginning(playlist);
        continue;
      }
      if (step === 'wait') {
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
      if (leads && segment.msn !== dated && segment.date !== undefined && (segment.parts[0] === part || segment.whole === part)) {
        const time = decodeTime(bytes);
        if (time !== undefined && scale) this.#epoch = segment.date - time / scale * 1000;
        dated = segment.msn;
      }
      await buffer.append(bytes);
      await buffer.forget(this.video.currentTime - KEPT);
    }
  }

  async #reload(url: string, playlist: MediaPlaylist, at: { msn: number; part: number }): Promise<MediaPlaylist> {
    const wanted = new URL(url);
    if (playlist.canBlock) {
      wanted.searchParams.set('_HLS_msn', String(at.msn));
      if (playlist.partTarget !== undefined) wanted.searchParams.set('_HLS_part', String(at.part));
    } else {
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    return media(await this.#text(wanted.href), url);
  }

  /** Keeps the playing at the wished distance from the end. */
  #pace(): void {
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
      // Nobody hears a tenth; at the wish it is even again.
      video.playbackRate = behind > wish + 0.15 ? 1.1 : behind > wish + 0.05 ? 1.03 : 1;
    }
    if (video.paused) void video.play().catch(() => undefined);
  }

  async #text(url: string): Promise<string> {
    const response = await this.#fetch(url);
    if (!response.ok) throw new ProblemError(await refusal(response));
    return response.text();
  }

  /** A media file; undefined when it is not kept any more. */
  async #bytesOf(url: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const response = await this.#fetch(url);
    if (response.status === 404) return undefined;
    if (!response.ok) throw new ProblemError(await refusal(response));
    const bytes = new Uint8Array(await response.arrayBuffer());
    this.#bytes += bytes.length;
    return bytes;
  }

  async #fetch(url: string): Promise<Response> {
    try {
      return await fetch(url, { headers: this.headers, signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(WAIT_MS)]) });
    } catch {
      throw new ProblemError(unreachable());
    }
  }

  #stopped(): Promise<void> {
    return new Promise((resolve) => this.#stop.signal.addEventListener('abort', () => resolve(), { once: true }));
  }
}

async function refusal(response: Response) {
  const body = (await response.json().catch(() => ({}))) as { error?: string };
  const seconds = Number(response.headers.get('Retry-After'));
  return ofStatus(response.status, body.error ?? '', 'watch', seconds > 0 ? { retryAfter: seconds * 1000 } : {});
}

/** The first variant that this browser can decode. */
function playable(all: Variant[]): Variant {
  const good = all.find(({ codecs }) => {
    const [pictures, sound] = split(codecs);
    return pictures !== '' && MediaSource.isTypeSupported(`video/mp4; codecs="${pictures}"`)
      && (sound === '' || MediaSource.isTypeSupported(`audio/mp4; codecs="${sound}"`));
  });
  if (good) return good;
  const offered = all.flatMap(({ codecs }) => codecs).join(', ') || 'nothing yet';
  throw new ProblemError(problem('no-codec', 'This browser cannot play the stream', `It is sent as ${offered}. Try Chrome, Edge, Firefox or Safari.`, all.length > 0));
}

/** Codec of the pictures and of the sound. */
function split(codecs: string[]): [string, string] {
  const sounds = /^(opus|mp4a|ac-3|ec-3|flac)/i;
  return [codecs.find((codec) => !sounds.test(codec)) ?? '', codecs.find((codec) => sounds.test(codec)) ?? ''];
}

type Step = { segment: Segment; part: Part; after: { msn: number; part: number } };

/** What to fetch at this place. */
function next(playlist: MediaPlaylist, at: { msn: number; part: number }): Step | 'wait' | 'gone' {
  const [first] = playlist.segments;
  if (!first) return 'wait';
  if (at.msn < first.msn) return 'gone';
  const segment = playlist.segments[at.msn - first.msn];
  if (!segment) return 'wait';
  const part = segment.parts[at.part];
  if (part) {
    const last = segment.whole !== undefined && at.part + 1 >= segment.parts.length;
    return { segment, part, after: last ? { msn: at.msn + 1, part: 0 } : { msn: at.msn, part: at.part + 1 } };
  }
  if (!segment.whole) return 'wait';
  // Its parts are all fetched, or it has none named.
  if (at.part > 0 && segment.parts.length > 0) return next(playlist, { msn: at.msn + 1, part: 0 });
  return at.part > 0 ? 'gone' : { segment, part: segment.whole, after: { msn: at.msn + 1, part: 0 } };
}

/** A source buffer that takes one thing after the other. */
class Buffer {
  constructor(private readonly buffer: SourceBuffer) {}

  async append(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#done(() => this.buffer.appendBuffer(bytes));
  }

  /** Lets go of what lies before a time, now and then. */
  async forget(before: number): Promise<void> {
    const { buffered } = this.buffer;
    if (buffered.length === 0 || before - buffered.start(0) < KEPT) return;
    await this.#done(() => this.buffer.remove(buffered.start(0), before));
  }

  #done(act: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (event: Event) => {
        this.buffer.removeEventListener('updateend', done);
        this.buffer.removeEventListener('error', done);
        if (event.type === 'error') reject(new Error('the browser cannot decode what came'));
        else resolve();
      };
      this.buffer.addEventListener('updateend', done);
      this.buffer.addEventListener('error', done);
      act();
    });
  }
}
