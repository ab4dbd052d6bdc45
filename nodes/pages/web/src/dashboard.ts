// The dashboard: the whole fabric on one page, and each stream on its own, both from the same events. What is done to a
// stream or a node is asked for twice.

import { Board } from './board.js';
import { ask, confirmed, askForLogin, listen, loggedIn, logOut, Refused, withToken } from './console.js';
import { element, say } from './dom.js';
import { NodeList } from './node-list.js';
import { forbidden } from './stills.js';
import { StreamTable } from './stream-table.js';
import { StreamView } from './stream-view.js';
import { bits } from './words.js';

const board = new Board();
const table = new StreamTable(board, (stream) => void kick(stream));
const nodes = new NodeList(board, (node) => void drain(node));
let view: StreamView | undefined;
let stream = '';

/** Says something that is read aloud; `bad` for what has gone wrong. */
function tell(text: string, bad = false): void {
  const notice = element('notice');
  say(notice, text);
  notice.hidden = text === '';
  notice.classList.toggle('bad', bad);
}

/** Asks for a change, with a login where one is needed. */
async function change(path: string, done: string): Promise<void> {
  for (;;) {
    try {
      await ask(path, { method: 'POST' });
      return tell(done);
    } catch (error) {
      if (!(error instanceof Refused)) return tell('The node did not answer; nothing is known of whether it was done.', true);
      if (error.status !== 401) return tell(error.message, true);
      await askForLogin('This needs a login with the right to use the API.');
    }
  }
}

async function kick(name: string): Promise<void> {
  const sure = await confirmed(`Kick ${name}?`, 'Its publisher is closed and told so; its readers are closed at once.', 'Kick');
  if (sure) await change(`/v3/paths/kick/${name}`, `${name} was kicked.`);
}

async function drain(name: string): Promise<void> {
  const sure = await confirmed(
    `Drain ${name}?`,
    'It takes nobody new, sends its publishers to other nodes, and ends when everybody has left.',
    'Drain',
  );
  if (sure) await change(`/v3/nodes/drain/${name}`, `${name} drains.`);
}

function summary(): void {
  const states = new Map<string, number>();
  let [readers, input, output] = [0, 0, 0];
  for (const line of board.streams.values()) {
    states.set(line.state, (states.get(line.state) ?? 0) + 1);
    readers += line.readers;
    input += line.bits ?? 0;
    output += line.bitsOut ?? 0;
  }
  for (const name of ['live', 'stalled', 'held', 'offline']) say(element(`n-${name}`), String(states.get(name) ?? 0));
  say(element('n-nodes'), String(board.nodes.size));
  say(element('n-readers'), String(readers));
  say(element('n-in'), bits(input));
  say(element('n-out'), bits(output));
  const old = board.age > 0 ? `What is shown is ${board.age} s old: this node is cut off from the others.` : '';
  say(element('old'), old);
  element('old').hidden = old === '';
}

/** Shows the page that the URL names. */
function route(): void {
  const name = /^#\/stream\/(.+)$/.exec(location.hash)?.[1] ?? '';
  const wanted = name ? decodeURI(name) : '';
  if (wanted === stream && view) return;
  view?.close();
  view = undefined;
  const came = stream !== wanted;
  stream = wanted;
  element('all').hidden = wanted !== '';
  element('one').hidden = wanted === '';
  document.title = wanted ? `${wanted} · Weft` : 'Weft';
  if (wanted) {
    view = new StreamView(board, wanted);
    scrollTo(0, 0);
    element('stream-name').focus();
  } else {
    table.refresh();
    if (came) element('title').focus();
  }
}

let said = 0;

function heard(name: string, data: unknown): void {
  board.take(name, data);
  summary();
  nodes.refresh();
  view?.second();
  if (!view) table.refresh();
  element('loading').hidden = true;
  element('log-out').hidden = !loggedIn();
  element('no-pictures').hidden = !forbidden();
  // For those who listen to the page: not each second.
  if (performance.now() - said > 10_000) {
    said = performance.now();
    const live = element('n-live').textContent;
    say(element('spoken'), `${live} of ${board.streams.size} streams live on ${board.nodes.size} nodes`);
  }
}

element<HTMLAnchorElement>('wall').href = withToken('/wall');
element('kick').onclick = () => void kick(stream);
element('copy').onclick = async () => {
  const text = element('rtsp').textContent ?? '';
  try {
    await navigator.clipboard.writeText(text);
    tell('The address is copied.');
  } catch {
    getSelection()?.selectAllChildren(element('rtsp'));
    tell('The address is selected: copy it with Ctrl+C.');
  }
};
element('log-out').onclick = () => {
  logOut();
  location.reload();
};
addEventListener('hashchange', route);
route();
void listen(() => '/v3/live', {
  heard,
  state(trouble) {
    const state = element('connection');
    say(state, trouble ?? 'Live');
    state.dataset.kind = trouble ? 'error' : 'live';
  },
}, new AbortController().signal);
