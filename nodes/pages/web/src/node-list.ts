// The nodes of the fabric, a card each: what it is, what it carries, whether it takes anybody new.

import type { Board, NodeLine } from './board.js';
import { element, say } from './dom.js';
import { bits, span, state } from './words.js';

interface Card {
  card: HTMLLIElement;
  state: HTMLElement;
  about: HTMLElement;
  full: HTMLElement;
  bar: HTMLElement;
  figures: Record<string, HTMLElement>;
  problems: HTMLElement;
  drain: HTMLButtonElement;
}

const FIGURES = ['Publishers', 'Readers', 'Streams', 'Media', 'CPU', 'Up'];

/** The list. */
export class NodeList {
  #list = element('nodes');
  #cards = new Map<string, Card>();

  constructor(private readonly board: Board, private readonly drain: (node: string) => void) {}

  refresh(): void {
    for (const [name, card] of this.#cards) {
      if (this.board.nodes.has(name)) continue;
      card.card.remove();
      this.#cards.delete(name);
    }
    const nodes = [...this.board.nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    nodes.forEach((node, i) => {
      const card = this.#cards.get(node.name) ?? this.#make(node.name);
      if (this.#list.children[i] !== card.card) this.#list.insertBefore(card.card, this.#list.children[i] ?? null);
      this.#fill(card, node);
    });
  }

  #make(name: string): Card {
    const make = (tag: string, kind = ''): HTMLElement => {
      const made = document.createElement(tag);
      if (kind) made.className = kind;
      return made;
    };
    const card = document.createElement('li');
    card.className = 'panel node-card';
    const head = make('div', 'row apart');
    const title = make('h3');
    title.textContent = name;
    const badge = make('span', 'state');
    head.append(title, badge);
    const about = make('p', 'soft small');
    const meter = make('div', 'meter');
    const bar = make('div', 'bar');
    meter.append(bar);
    const full = make('p', 'small');
    const list = make('dl', 'figures');
    const figures: Record<string, HTMLElement> = {};
    for (const figure of FIGURES) {
      const [pair, term, value] = [make('div'), make('dt'), make('dd')];
      term.textContent = figure;
      pair.append(term, value);
      list.append(pair);
      figures[figure] = value;
    }
    const problems = make('ul', 'problems');
    const drain = document.createElement('button');
    drain.type = 'button';
    drain.className = 'danger small';
    drain.textContent = 'Drain';
    drain.setAttribute('aria-label', `Drain ${name}`);
    drain.onclick = () => this.drain(name);
    const foot = make('div', 'row apart');
    foot.append(full, drain);
    card.append(head, about, meter, foot, list, problems);
    const made = { card, state: badge, about, full, bar, figures, problems, drain };
    this.#cards.set(name, made);
    return made;
  }

  #fill(card: Card, node: NodeLine): void {
    const { word, kind } = state(node.state);
    say(card.state, word);
    card.state.dataset.kind = kind;
    say(card.about, `${node.role} · ${node.version}${node.own ? ' · this node' : ''}`);
    const full = Math.min(100, node.fullness * 100);
    say(card.full, `${full < 10 ? full.toFixed(1) : full.toFixed(0)} % full`);
    card.bar.style.width = `${full}%`;
    card.bar.dataset.kind = full >= 90 ? 'bad' : full >= 70 ? 'warn' : 'good';
    const of = (now: number, most: number): string => (most ? `${now} / ${most}` : String(now));
    say(card.figures.Publishers!, of(node.publishers, node.limits.publishers));
    say(card.figures.Readers!, of(node.readers, node.limits.readers));
    say(card.figures.Streams!, String(node.streams));
    say(card.figures.Media!, bits(node.bits));
    say(card.figures.CPU!, node.cpu === null ? '–' : `${node.cpu} %`);
    say(card.figures.Up!, span(this.board.since(node.started)));
    const problems = node.problems.join('\n');
    if (card.problems.dataset.said !== problems) {
      card.problems.dataset.said = problems;
      card.problems.replaceChildren(...node.problems.map((problem) => {
        const item = document.createElement('li');
        item.textContent = problem;
        return item;
      }));
    }
    card.problems.hidden = node.problems.length === 0;
    card.drain.disabled = node.state !== 'ready';
  }
}
