// The one stream of the wall that is large: live by WebRTC where the browser and the network have it, else by its newest
// picture several times a second.

import { withToken } from './console.js';
import { element, say } from './dom.js';
import { Still, Stills } from './stills.js';
import { state } from './words.js';
import { player } from './live-player.js';
import type { Player } from './live-player.js';

/** The large one. */
export class Focus {
  #name = '';
  #player: Player | undefined;
  #still: Still | undefined;
  #stills: Stills | undefined;
  #video = element<HTMLVideoElement>('video');
  #sound = element<HTMLButtonElement>('sound');

  constructor(close: () => void) {
    element('close').onclick = close;
    this.#sound.onclick = () => {
      this.#video.muted = !this.#video.muted;
      this.#sound.setAttribute('aria-pressed', String(!this.#video.muted));
    };
    this.#video.onplaying = () => {
      this.#video.hidden = false;
      if (this.#still) this.#still.wanted = false;
      say(element('focus-words'), 'Live');
    };
  }

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
    this.#video.muted = true;
    this.#sound.setAttribute('aria-pressed', 'false');
    say(element('focus-words'), 'Pictures until it plays…');
    this.#player = player(name, this.#video, (words) => {
      this.#video.hidden = true;
      still.wanted = true;
      say(element('focus-words'), `Pictures only: ${words}`);
    });
    this.state(token);
    element('focus-name').focus();
  }

  state(token: string): void {
    const { word, kind } = state(token);
    say(element('focus-state'), word);
    element('focus-state').dataset.kind = kind;
  }

  close(): void {
    this.#player?.close();
    this.#stills?.stop();
    this.#still?.drop();
    this.#player = undefined;
    this.#still = undefined;
    this.#name = '';
    this.#video.hidden = true;
    this.#video.srcObject = null;
    element('focus').hidden = true;
  }
}
