// The table of streams: thousands of rows, of which those are made that are seen. Sorted by its heads, searched by its field.
// Text goes in as text: names come from publishers.

import type { Board, StreamLine } from './board.js';
import { element, say } from './dom.js';
import { Still, Stills } from './stills.js';
import { bits, figure, span, state } from './words.js';

/** Rows above and below what is seen that are there already. */
const BEYOND = 6;

/** What a head sorts by. */
const KEYS: Record<string, (line: StreamLine) => number | string> = {
  name: (line) => line.name,
  state: (line) => ['stalled', 'held', 'offline', 'waiting', 'live'].indexOf(line.state),
  node: (line) => line.node,
  picture: (line) => line.width * line.height,
  fps: (line) => line.fps ?? -1,
  bits: (line) => line.bits ?? -1,
  loss: (line) => line.loss ?? -1,
  readers: (line) => line.readers,
  since: (line) => (line.since === 0 ? Infinity : line.since),
};

/** One row on the page. */
interface Row {
  row: HTMLTableRowElement;
  still: Still;
  cells: { state: HTMLElement; node: HTMLElement; picture: HTMLElement; fps: HTMLElement; bits: HTMLElement;
    loss: HTMLElement; readers: HTMLElement; since: HTMLElement; kick: HTMLButtonElement };
}

/** The table. */
export class StreamTable {
  #table = element<HTMLTableElement>('streams');
  #body = this.#table.tBodies[0]!;
  #above = spacer();
  #below = spacer();
  #rows = new Map<string, Row>();
  #order: StreamLine[] = [];
  #by = 'name';
  #down = false;
  #due = false;
  #search = element<HTMLInputElement>('search');
  #states = element<HTMLSelectElement>('states');

  constructor(private readonly board: Board, private readonly kick: (stream: string) => void) {
    this.#body.append(this.#above, this.#below);
    new Stills(() => [...this.#rows.values()].map(({ still }) => still), 10_000, 4);
    for (const button of this.#table.querySelectorAll<HTMLButtonElement>('button[data-by]')) {
      button.onclick = () => this.#sortBy(button.dataset.by!);
    }
    element<HTMLSelectElement>('order').onchange = (event) => {
      const [by, way] = (event.target as HTMLSelectElement).value.split(' ');
      this.#by = by!;
      this.#down = way === 'down';
      this.#heads();
      this.refresh();
    };
    this.#search.oninput = () => this.refresh();
    this.#states.onchange = () => this.refresh();
    addEventListener('scroll', () => this.#soon(), { passive: true });
    addEventListener('resize', () => this.#soon());
    this.#heads();
  }

  /** Something has changed. */
  refresh(): void {
    this.#sort();
    this.#soon();
  }

  #sortBy(by: string): void {
    this.#down = this.#by === by ? !this.#down : !['name', 'state', 'node', 'since'].includes(by);
    this.#by = by;
    this.#heads();
    this.refresh();
  }

  #heads(): void {
    for (const button of this.#table.querySelectorAll<HTMLButtonElement>('button[data-by]')) {
      const sorted = button.dataset.by === this.#by ? (this.#down ? 'descending' : 'ascending') : 'none';
      button.closest('th')!.setAttribute('aria-sort', sorted);
    }
  }

  #sort(): void {
    const wanted = this.#search.value.trim().toLowerCase();
    const only = this.#states.value;
    const all = [...this.board.streams.values()];
    const fits = (line: StreamLine): boolean =>
      (only === '' || line.state === only) &&
      (wanted === '' || `${line.name} ${line.node} ${line.user}`.toLowerCase().includes(wanted));
    this.#order = wanted === '' && only === '' ? all : all.filter(fits);
    const key = KEYS[this.#by]!;
    const way = this.#down ? -1 : 1;
    this.#order.sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      return (x < y ? -1 : x > y ? 1 : 0) * way || (a.name < b.name ? -1 : 1);
    });
    const shown = this.#order.length;
    this.#table.setAttribute('aria-rowcount', String(shown + 1));
    element('nothing').hidden = shown > 0 || this.board.nodes.size === 0;
    say(element('nothing'), all.length === 0 ? 'Nobody publishes, and nobody waits for a stream.' : 'No stream is like that.');
    if (this.board.nodes.size === 0) return;
    say(element('shown'), shown === all.length ? `${all.length} streams` : `${shown} of ${all.length} streams`);
  }

  #soon(): void {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#show();
    });
  }

  /** Makes the rows that are seen and brings them up to date. */
  #show(): void {
    if (this.#table.closest('[hidden]')) return;
    const height = parseFloat(getComputedStyle(this.#table).getPropertyValue('--row')) || 60;
    const top = this.#table.tHead!.getBoundingClientRect().bottom;
    const first = Math.max(0, Math.floor(-top / height) - BEYOND);
    const last = Math.min(this.#order.length, Math.ceil((innerHeight - top) / height) + BEYOND);
    const seen = this.#order.slice(first, Math.max(first, last));
    const names = new Set(seen.map((line) => line.name));
    for (const [name, row] of this.#rows) {
      if (names.has(name)) continue;
      row.still.drop();
      row.row.remove();
      this.#rows.delete(name);
    }
    let before: Element = this.#above;
    seen.forEach((line, i) => {
      const row = this.#rows.get(line.name) ?? this.#make(line);
      if (before.nextElementSibling !== row.row) before.after(row.row);
      before = row.row;
      row.row.setAttribute('aria-rowindex', String(first + i + 2));
      this.#fill(row, line);
    });
    this.#above.style.height = `${first * height}px`;
    this.#below.style.height = `${(this.#order.length - Math.max(first, last)) * height}px`;
  }

  #make(line: StreamLine): Row {
    const row = document.createElement('tr');
    row.setAttribute('role', 'row');
    const cell = (kind: string): HTMLTableCellElement => {
      const made = row.insertCell();
      made.className = kind;
      made.setAttribute('role', 'cell');
      return made;
    };
    const still = new Still(line.name, 160);
    still.due = performance.now() + Math.random() * 300;
    cell('still').append(still.image);
    const head = document.createElement('th');
    head.scope = 'row';
    head.className = 'name';
    head.setAttribute('role', 'rowheader');
    const link = document.createElement('a');
    link.href = `#/stream/${line.name}`;
    link.textContent = line.name;
    head.append(link);
    row.append(head);
    const badge = document.createElement('span');
    badge.className = 'state';
    cell('state-cell').append(badge);
    const cells = {
      state: badge, node: cell('node'), picture: cell('picture'), fps: cell('fps number'), bits: cell('bits number'),
      loss: cell('loss number'), readers: cell('readers number'), since: cell('since number'),
      kick: document.createElement('button'),
    };
    cells.kick.type = 'button';
    cells.kick.className = 'danger small';
    cells.kick.textContent = 'Kick';
    cells.kick.setAttribute('aria-label', `Kick ${line.name}`);
    cells.kick.onclick = () => this.kick(line.name);
    cell('act').append(cells.kick);
    const made = { row, still, cells };
    this.#rows.set(line.name, made);
    return made;
  }

  #fill({ row, still, cells }: Row, line: StreamLine): void {
    const { word, kind } = state(line.state);
    say(cells.state, word);
    cells.state.dataset.kind = kind;
    row.dataset.state = line.state;
    still.wanted = line.state === 'live';
    if (line.state === 'offline') still.image.hidden = true;
    say(cells.node, line.node || '–');
    say(cells.picture, line.width ? `${line.width}×${line.height} ${line.tracks.join('+')}` : line.tracks.join('+') || '–');
    say(cells.fps, figure(line.fps, 1, ' fps'));
    say(cells.bits, bits(line.bits));
    say(cells.loss, figure(line.loss, line.loss !== null && line.loss < 1 ? 2 : 1, ' % lost'));
    cells.loss.classList.toggle('bad', (line.loss ?? 0) >= 2);
    say(cells.readers, line.readers === 1 ? '1 reader' : `${line.readers} readers`);
    say(cells.since, line.since && line.state !== 'held' ? span(this.board.since(line.since)) : '–');
    cells.kick.disabled = line.session === '';
  }
}

function spacer(): HTMLTableRowElement {
  const row = document.createElement('tr');
  row.className = 'spacer';
  row.setAttribute('aria-hidden', 'true');
  return row;
}
