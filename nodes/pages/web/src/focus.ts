// The one stream of the wall that is large: live by `weft-reader.js`, and until that plays (or where it cannot) by its newest
// picture twice a second, so that there is always something to see.

import { credentials, withToken } from './console.js';
import { element, say } from './dom.js';
import { Still, Stills } from './stills.js';
import { WeftReader } from './weft-reader.js';
import type { ReaderState } from './weft-reader.js';
import { state } from './words.js';

/** The large one. */
export class Focus {
  #name = '';
  #reader: WeftReader | undefined;
  #still: Still | undefined;
  #stills: Stills | undefined;
  #sound = element<HTMLButtonElement>('sound');

  constructor(close: () => void) {
    element('close').onclick = close;
    this.#sound.onclick = () => {
      if (!this.#reader) return;
      this.#reader.muted = !this.#reader.muted;
      this.#sound.setAttribute('aria-pressed', String(!this.#reader.muted));
    };
  }

  /** Shows a stream; the one that was large before goes. */
  open(name: string, token: string): void {
    if (name === this.#name) return;
    this.close();
    this.#name = name;
    element('focus').hidden = false;
    say(element('focus-name'), name);
    element<HTMLAnchorElement>('watch').href = withToken(`/${name}/`);
    const still = new Still(name, 960);
    this.#still = still;
    still.image.alt = `Newest picture of ${name}`;
    element('still').replaceChildren(still.image);
    this.#stills = new Stills(() => [still], 500, 1);
    this.#sound.setAttribute('aria-pressed', 'false');
    const reader = new WeftReader({
      url: new URL(withToken(`/${name}/whep`), location.href).href,
      into: element('live'),
      ...credentials(),
    });
    this.#reader = reader;
    reader.addEventListener('state', (event) => {
      if (reader === this.#reader) this.#plays(still, (event as CustomEvent<ReaderState>).detail);
    });
    reader.start();
    this.state(token);
    element('focus-name').focus();
  }

  #plays(still: Still, { picture, problem, mode }: ReaderState): void {
    still.wanted = picture !== 'moving';
    element('live').hidden = picture === 'none';
    const how = mode === 'hls' ? 'Live, some seconds behind' : 'Live';
    const why = problem ? problem.what : 'it begins to play…';
    say(element('focus-words'), picture === 'moving' ? how : `Pictures only: ${why}`);
  }

  /** What the stream does. */
  state(token: string): void {
    const { word, kind } = state(token);
    say(element('focus-state'), word);
    element('focus-state').dataset.kind = kind;
  }

  close(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.stop();
    this.#stills?.stop();
    this.#still?.drop();
    this.#still = undefined;
    this.#name = '';
    element('focus').hidden = true;
  }
}
