// One stream's page: its picture, its figures over the last two minutes, who reads it, what has happened to it.

import type { Board, StreamLine } from './board.js';
import { ask, withToken } from './console.js';
import { element, say } from './dom.js';
import { Graph } from './graph.js';
import { Still, Stills } from './stills.js';
import { bits, figure, span, state } from './words.js';

interface Happened {
  time: string;
  event: string;
  node: string;
  session: string;
  type: string;
  reason: string;
}

/** What happened, as people say it. */
const EVENTS: Record<string, string> = {
  live: 'Publisher came',
  stalled: 'Publisher fell silent',
  resumed: 'Publisher sends again',
  closed: 'Publisher ended',
  'reader-joined': 'Reader joined',
  'reader-left': 'Reader left',
};

/** The page of one stream while it is open. */
export class StreamView {
  #still: Still;
  #stills: Stills;
  #graphs = {
    bits: new Graph('Bitrate in', bits, 1e5),
    fps: new Graph('Pictures a second', (v) => figure(v, 1), 10),
    loss: new Graph('Loss', (v) => figure(v, 2, ' %'), 1),
    readers: new Graph('Readers', (v) => figure(v, 0), 1),
  };
  #known = '';
  #asking = false;
  #timer: ReturnType<typeof setInterval>;

  constructor(private readonly board: Board, private readonly name: string) {
    this.#still = new Still(name, 640);
    element('still').replaceChildren(this.#still.image);
    this.#still.image.alt = `Newest picture of ${name}`;
    this.#stills = new Stills(() => [this.#still], 1000, 1);
    element('graphs').replaceChildren(...Object.values(this.#graphs).map((graph) => graph.element));
    say(element('stream-name'), name);
    element<HTMLAnchorElement>('watch').href = withToken(`/${name}/`);
    element<HTMLAnchorElement>('publish').href = withToken(`/${name}/publish`);
    element('happened').replaceChildren();
    element('reading').replaceChildren();
    this.#timer = setInterval(() => void this.#ask(), 5000);
    this.second();
  }

  close(): void {
    this.#stills.stop();
    this.#still.drop();
    clearInterval(this.#timer);
  }

  /** A second has passed. */
  second(): void {
    const line = this.board.streams.get(this.name);
    const { word, kind } = state(line?.state ?? 'offline');
    say(element('stream-state'), word);
    element('stream-state').dataset.kind = kind;
    this.#graphs.bits.add(line?.bits ?? null);
    this.#graphs.fps.add(line?.fps ?? null);
    this.#graphs.loss.add(line?.loss ?? null);
    this.#graphs.readers.add(line?.readers ?? 0);
    this.#still.wanted = line?.state === 'live';
    element<HTMLButtonElement>('kick').disabled = !line?.session;
    this.#figures(line);
    const rtsp = this.#rtsp(line);
    say(element('rtsp'), rtsp ?? 'no node with RTSP is known');
    element<HTMLButtonElement>('copy').disabled = rtsp === undefined;
    const known = line ? `${line.state} ${line.session} ${line.readers}` : '';
    if (known !== this.#known) {
      this.#known = known;
      void this.#ask();
    }
  }

  #figures(line: StreamLine | undefined): void {
    const set = (id: string, text: string): void => say(element(id), text);
    set('f-node', line?.node || '–');
    set('f-tracks', line?.tracks.join(', ') || '–');
    set('f-size', line?.width ? `${line.width}×${line.height}` : '–');
    set('f-up', line?.since ? span(this.board.since(line.since)) : '–');
    set('f-out', bits(line?.bitsOut ?? null));
    set('f-errors', line ? String(line.errors) : '–');
    set('f-user', line?.user || '–');
    set('f-kind', line?.kind.replace(/Session$/, '') || '–');
  }

  /** Where a reader reaches it: a node that has it open, else any that serves readers. */
  #rtsp(line: StreamLine | undefined): string | undefined {
    const nodes = [...this.board.nodes.values()].filter((node) => node.addresses.rtsp && node.state === 'ready');
    const node = nodes.find((node) => line?.open.includes(node.name)) ?? nodes.find((node) => node.own) ?? nodes[0];
    return node && `rtsp://${node.addresses.rtsp}/${this.name}`;
  }

  async #ask(): Promise<void> {
    if (this.#asking || document.hidden) return;
    this.#asking = true;
    try {
      const events = (await (await ask(`/v3/paths/events/${this.name}`)).json()) as { items: Happened[]; silent: string[] };
      this.#happened(events.items.slice(-100).reverse());
      const path = await ask(`/v3/paths/get/${this.name}`).then((answer) => answer.json()).catch(() => undefined) as
        { readers: { type: string; id: string; node: string }[] } | undefined;
      this.#reading(path?.readers ?? []);
    } catch { /* Asked again soon; the events' own connection says what is wrong. */ } finally {
      this.#asking = false;
    }
  }

  #happened(items: Happened[]): void {
    element('no-events').hidden = items.length > 0;
    element('happened').closest<HTMLElement>('.scroll')!.hidden = items.length === 0;
    element('happened').replaceChildren(...items.map((item) => row([
      new Date(item.time).toLocaleTimeString(),
      EVENTS[item.event] ?? item.event,
      item.reason.replaceAll('-', ' ') || '–',
      item.node,
      item.session.slice(0, 8),
    ])));
  }

  #reading(readers: { type: string; id: string; node: string }[]): void {
    element('no-readers').hidden = readers.length > 0;
    element('reading').closest<HTMLElement>('.scroll')!.hidden = readers.length === 0;
    element('reading').replaceChildren(...readers.slice(0, 200).map((reader) => row([
      reader.type.replace(/Session$/, ''), reader.node, reader.id.slice(0, 8),
    ])));
  }
}

function row(texts: string[]): HTMLTableRowElement {
  const made = document.createElement('tr');
  for (const text of texts) made.insertCell().textContent = text;
  return made;
}
