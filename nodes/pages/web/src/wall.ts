// The proctors' wall: all streams that match, a picture of each every second, one of them live. Sixty tiles cost sixty
// small pictures a second, spread over it, and nothing while the tab is hidden.

import { listen, loggedIn, logOut } from './console.js';
import { element, say } from './dom.js';
import { Focus } from './focus.js';
import { Still, Stills } from './stills.js';
import { state } from './words.js';

interface Line {
  name: string;
  state: string;
  since: number;
  width: number;
  height: number;
}

interface Told {
  streams: (Partial<Line> & { name: string })[];
  goneStreams: string[];
  more: number;
}

interface Tile {
  line: Line;
  item: HTMLLIElement;
  button: HTMLButtonElement;
  badge: HTMLElement;
  still: Still;
  seen: boolean;
}

/** Between two pictures of a tile. */
const EVERY = 1000;
/** A picture that is older is no picture of now. */
const OLD = 6000;

const wanted = new URLSearchParams(location.search).get('match') ?? '';
const star = wanted.search(/[*?]/);
const prefix = star < 0 ? '' : wanted.slice(0, star);
const list = element('tiles');
const tiles = new Map<string, Tile>();
const focus = new Focus(() => select(undefined));
let more = 0;
/** The tile that the tab key reaches. */
let current = '';
let large = '';

const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const tile = tiles.get((target as HTMLElement).dataset.name ?? '');
    if (tile) tile.seen = isIntersecting;
  }
}, { rootMargin: '80px' });

new Stills(() => [...tiles.values()].filter((tile) => tile.seen && tile.line.name !== large).map(({ still }) => still), EVERY, 8);

function make(line: Line): Tile {
  const item = document.createElement('li');
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'tile';
  button.dataset.name = line.name;
  button.tabIndex = -1;
  const still = new Still(line.name, 320);
  // Spread over the second, so that they do not come all at once for ever.
  still.due = performance.now() + Math.random() * EVERY;
  const label = document.createElement('span');
  label.className = 'label';
  const name = document.createElement('span');
  name.className = 'name';
  // What all of them begin with says nothing to the eye.
  const rest = line.name.slice(prefix.length);
  name.textContent = rest || line.name;
  const spoken = (text: string): HTMLElement => {
    const made = document.createElement('span');
    made.className = 'spoken';
    made.textContent = text;
    return made;
  };
  const badge = document.createElement('span');
  badge.className = 'badge';
  label.append(spoken(rest ? prefix : ''), name, spoken(', '), badge);
  button.append(still.image, label);
  button.onclick = () => select(large === line.name ? undefined : line.name);
  button.onfocus = () => reach(line.name);
  item.append(button);
  observer.observe(button);
  return { line, item, button, badge, still, seen: false };
}

/** Which tile the tab key reaches. */
function reach(name: string): void {
  const former = tiles.get(current);
  if (former) former.button.tabIndex = -1;
  current = name;
  const tile = tiles.get(name);
  if (tile) tile.button.tabIndex = 0;
}

function show(tile: Tile): void {
  const { word, kind } = state(tile.line.state);
  say(tile.badge, word);
  tile.button.dataset.kind = kind;
  tile.still.wanted = tile.line.state === 'live';
  tile.button.setAttribute('aria-pressed', String(tile.line.name === large));
}

/** Shows one large and live, or none. */
function select(name: string | undefined): void {
  const former = large;
  large = name ?? '';
  for (const changed of [former, large]) {
    const tile = tiles.get(changed);
    if (tile) show(tile);
  }
  const tile = tiles.get(large);
  if (tile) focus.open(tile.line.name, tile.line.state);
  else focus.close();
  fit();
  if (!tile && former) tiles.get(former)?.button.focus();
}

function heard(event: string, data: unknown): void {
  const told = data as Told;
  const gone = new Set(told.goneStreams);
  if (event === 'snapshot') {
    const there = new Set(told.streams.map(({ name }) => name));
    for (const name of tiles.keys()) if (!there.has(name)) gone.add(name);
  }
  for (const name of gone) {
    const tile = tiles.get(name);
    if (!tile) continue;
    observer.unobserve(tile.button);
    tile.still.drop();
    tile.item.remove();
    tiles.delete(name);
  }
  let came = false;
  for (const line of told.streams) {
    const tile = tiles.get(line.name);
    if (tile) Object.assign(tile.line, line);
    else {
      came = true;
      tiles.set(line.name, make(line as Line));
    }
    show(tiles.get(line.name)!);
  }
  if (came) {
    const sorted = [...tiles.values()].sort((a, b) => (a.line.name < b.line.name ? -1 : 1));
    sorted.forEach((tile, i) => {
      if (list.children[i] !== tile.item) list.insertBefore(tile.item, list.children[i] ?? null);
    });
  }
  if (!tiles.has(current)) reach(tiles.keys().next().value ?? '');
  const line = tiles.get(large)?.line;
  if (large) focus.state(line?.state ?? 'offline');
  more = told.more;
  if (came || gone.size > 0) fit();
  counts();
}

function counts(): void {
  const all = [...tiles.values()];
  const live = all.filter(({ line }) => line.state === 'live').length;
  say(element('counts'), all.length ? `${live} of ${all.length} live${more ? `, ${more} more not shown` : ''}` : '');
  element('nothing').hidden = all.length > 0;
  say(element('nothing'), `No stream is called ${wanted} now, or none that you may read. It appears here when it comes.`);
  element('log-out').hidden = !loggedIn();
  const trouble = all.filter(({ line }) => line.state !== 'live').map(({ line }) => `${line.name} ${state(line.state).word}`);
  say(element('spoken'), trouble.length ? trouble.slice(0, 5).join(', ') : '');
}

/** As many columns as let all tiles be seen at once, where they are not too small for that. */
function fit(): void {
  const [width, height] = [list.clientWidth, innerHeight - list.getBoundingClientRect().top - scrollY - 12];
  const most = Math.max(2, Math.floor(width / 130));
  let columns = Math.min(2, most);
  while (columns < most && Math.ceil(tiles.size / columns) * ((width / columns) * 9 / 16 + 3) > height) columns += 1;
  list.style.setProperty('--columns', String(columns));
}
addEventListener('resize', fit);

/** Tiles whose picture is not of now say so. */
setInterval(() => {
  if (document.hidden) return;
  const now = performance.now();
  for (const { button, still } of tiles.values()) {
    const old = still.shown > 0 && now - still.shown > OLD && button.dataset.name !== large;
    if (old) button.dataset.old = '';
    else delete button.dataset.old;
  }
}, 1000);

document.addEventListener('keydown', (event) => {
  if (document.querySelector('dialog[open]')) return;
  if (event.key === 'Escape' && large) return select(undefined);
  const at = document.activeElement;
  if (!(at instanceof HTMLButtonElement) || !at.classList.contains('tile')) return;
  const all = [...list.querySelectorAll<HTMLButtonElement>('.tile')];
  const i = all.indexOf(at);
  const columns = all.filter((tile) => tile.offsetTop === all[0]!.offsetTop).length || 1;
  const steps: Record<string, number> = {
    ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -i, End: all.length - 1 - i,
  };
  const step = steps[event.key];
  if (step === undefined) return;
  event.preventDefault();
  all[i + step]?.focus();
});

element('log-out').onclick = () => {
  logOut();
  location.reload();
};
element<HTMLInputElement>('match').value = wanted;
if (wanted) {
  document.title = `${wanted} · Weft`;
  void listen(() => `/v3/wall?match=${encodeURIComponent(wanted)}`, {
    heard,
    state(trouble) {
      say(element('connection'), trouble ?? 'Live');
      element('connection').dataset.kind = trouble ? 'error' : 'live';
    },
  }, new AbortController().signal);
} else {
  element('connection').hidden = true;
  say(element('nothing'), 'Which streams? Type a pattern such as exam_123_* above: * stands for any text.');
  element('match').focus();
}
