// The video elements of a reader, one above the other in its container: a new connection's picture takes the place of the old
// one when it has something to show, so that the newest frame stays on the screen until then.

/** Whether there is a picture, and whether it moves. */
export type Picture = 'none' | 'moving' | 'held';

/** A picture that did not change for this long stands still; 10 pictures a second are the least that is called moving. */
const STILL_MS = 1200;

const FILLING = { position: 'absolute', inset: '0', width: '100%', height: '100%', objectFit: 'contain' };

/** The elements in one container. */
export class Stage {
  #shown: HTMLVideoElement | undefined;
  #coming: HTMLVideoElement | undefined;
  #still: HTMLCanvasElement | undefined;
  #last: number | undefined;
  #frames = 0;
  #muted = true;

  constructor(private readonly container: HTMLElement) {}

  /** The element that is seen. */
  get video(): HTMLVideoElement | undefined {
    return this.#shown;
  }

  /** A new element below the others; it is seen from its first picture on. */
  next(): HTMLVideoElement {
    this.#coming?.remove();
    const video = document.createElement('video');
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
  hold(): void {
    const video = this.#shown;
    if (!video || video.videoWidth === 0 || this.#still) return;
    const still = document.createElement('canvas');
    [still.width, still.height] = [video.videoWidth, video.videoHeight];
    still.getContext('2d')?.drawImage(video, 0, 0);
    Object.assign(still.style, FILLING);
    video.after(still);
    this.#still = still;
  }

  #show(video: HTMLVideoElement): void {
    this.#still?.remove();
    this.#still = undefined;
    const old = this.#shown;
    this.#shown = video;
    this.#coming = undefined;
    video.muted = this.#muted;
    if (!old) return;
    release(old);
    old.remove();
  }

  get muted(): boolean {
    return this.#muted;
  }

  set muted(muted: boolean) {
    this.#muted = muted;
    if (this.#shown) this.#shown.muted = muted;
  }

  /** What there is to see now. */
  get picture(): Picture {
    const count = this.#shown?.getVideoPlaybackQuality?.().totalVideoFrames ?? 0;
    // Hidden pages are shown no frames, but they are still counted.
    if (count !== this.#frames) this.#last = performance.now();
    this.#frames = count;
    if (!this.#shown || this.#last === undefined) return 'none';
    return performance.now() - this.#last > STILL_MS ? 'held' : 'moving';
  }

  /** Takes everything away. */
  clear(): void {
    this.#still?.remove();
    this.#still = undefined;
    for (const video of [this.#shown, this.#coming]) {
      if (!video) continue;
      release(video);
      video.remove();
    }
    this.#shown = undefined;
    this.#coming = undefined;
    this.#last = undefined;
  }
}

function release(video: HTMLVideoElement): void {
  video.pause();
  video.srcObject = null;
  video.removeAttribute('src');
}

/** Calls `each` at every picture shown until it says no. */
function frames(video: HTMLVideoElement, each: () => boolean): void {
  if (!video.requestVideoFrameCallback) {
    video.addEventListener('timeupdate', () => void each());
    return;
  }
  const again = () => {
    if (each()) video.requestVideoFrameCallback(again);
  };
  video.requestVideoFrameCallback(again);
}
