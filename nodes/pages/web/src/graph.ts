// A line over the last two minutes, as SVG: no library, no text that changes with each point.

const SVG = 'http://www.w3.org/2000/svg';
const POINTS = 120;
const [WIDTH, HEIGHT] = [240, 60];

/** One graph with its name and its newest value. */
export class Graph {
  readonly element = document.createElement('figure');
  #values: (number | null)[] = [];
  #line = document.createElementNS(SVG, 'polyline');
  #area = document.createElementNS(SVG, 'polygon');
  #value = document.createElement('span');
  #most = document.createElement('span');

  constructor(name: string, private readonly words: (value: number | null) => string, private readonly least: number) {
    this.element.className = 'graph';
    const caption = document.createElement('figcaption');
    const title = document.createElement('span');
    title.textContent = name;
    this.#value.className = 'value';
    caption.append(title, this.#value);
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', `${name} over the last two minutes`);
    svg.append(this.#area, this.#line);
    this.#most.className = 'most soft';
    this.element.append(caption, svg, this.#most);
  }

  /** Adds a point; `null` is a hole. */
  add(value: number | null): void {
    this.#values.push(value);
    if (this.#values.length > POINTS) this.#values.shift();
    const known = this.#values.filter((v): v is number => v !== null);
    const most = Math.max(this.least, ...known);
    const x = (i: number): number => WIDTH - ((this.#values.length - 1 - i) * WIDTH) / (POINTS - 1);
    const y = (v: number): number => HEIGHT - 2 - (v / most) * (HEIGHT - 4);
    const points = this.#values.map((v, i) => `${x(i).toFixed(1)},${y(v ?? 0).toFixed(1)}`);
    this.#line.setAttribute('points', points.join(' '));
    this.#area.setAttribute('points', `${x(0).toFixed(1)},${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}`);
    this.#value.textContent = this.words(value);
    this.#most.textContent = `most ${this.words(known.length ? Math.max(...known) : null)}`;
  }
}
