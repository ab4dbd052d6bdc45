// Newest pictures of streams as images: one request at a time for each, few at once for all, only for what is seen, and
// none while the tab is hidden. Where they stand on the page is the page's business.

import { ask, Refused } from './console.js';

/** Refusals after which pictures are no longer asked for: each counts as a failed login at the node, and too many of those
    would keep this address from everything. */
const REFUSALS = 2;

let allowed = false;
let refusals = 0;

/** True when pictures are not for whoever is logged in. */
export function forbidden(): boolean {
  return !allowed && refusals >= REFUSALS;
}

/** A picture on the page. */
export class Still {
  readonly image = document.createElement('img');
  /** When it may be asked for next. */
  due = 0;
  /** When the picture that is shown came; 0: there is none. */
  shown = 0;
  wanted = true;
  /** It is not for whoever is logged in. */
  refused = false;
  #url = '';
  #asking = false;

  constructor(readonly stream: string, private readonly width: number) {
    this.image.alt = '';
    this.image.decoding = 'async';
    this.image.hidden = true;
  }

  get free(): boolean {
    return !this.#asking;
  }

  /** Asks for the newest picture; `every` is when to ask again. */
  async refresh(every: number): Promise<void> {
    this.#asking = true;
    const began = performance.now();
    this.due = began + every;
    try {
      const answer = await ask(`/${this.stream}/snapshot.jpg?width=${this.width}`);
      const blob = await answer.blob();
      // A node without pictures may have a page at this address.
      if (!blob.type.startsWith('image/')) throw new Error(`${blob.type} is no picture`);
      allowed = true;
      const url = URL.createObjectURL(blob);
      // One that cannot be shown takes no other one's place.
      const next = new Image();
      next.src = url;
      await next.decode().catch((error: unknown) => {
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
      // No picture yet, or the stream is gone: the former one stays, and is asked for less often.
      const patience = error instanceof Refused && error.status === 503 ? 2 : 8;
      this.due = performance.now() + Math.max(every, 1000) * patience;
    } finally {
      this.#asking = false;
    }
  }

  /** Takes the picture away. */
  drop(): void {
    this.wanted = false;
    this.image.hidden = true;
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = '';
    this.shown = 0;
  }
}

/** Refreshes the pictures that are due, a few at once, so that neither the node nor the laptop has them all together. */
export class Stills {
  #asking = 0;
  #timer: ReturnType<typeof setInterval>;

  /** `seen` gives the pictures on the screen now. */
  constructor(private readonly seen: () => Still[], private readonly every: number, private readonly atOnce: number) {
    this.#timer = setInterval(() => this.#look(), 50);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    // One alone until it is known whether they may be seen.
    const atOnce = allowed ? this.atOnce : 1;
    if (document.hidden || forbidden() || refusals >= 10 || this.#asking >= atOnce) return;
    const now = performance.now();
    const due = this.seen().filter((still) => still.wanted && !still.refused && still.free && still.due <= now);
    due.sort((a, b) => a.due - b.due);
    for (const still of due.slice(0, atOnce - this.#asking)) {
      this.#asking += 1;
      void still.refresh(this.every).finally(() => (this.#asking -= 1));
    }
  }
}
