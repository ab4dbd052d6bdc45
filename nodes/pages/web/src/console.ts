// What the dashboard and the wall have in common: requests as whoever is logged in, the form that asks for it, and events
// that come again when their connection breaks. What they show is each page's own.

import { element, say } from './dom.js';

const KEPT = 'weft-login';

/** A request that was refused, with what the server said. */
export class Refused extends Error {
  constructor(readonly status: number, words: string) {
    super(words);
  }
}

/** The login of this tab, kept as long as the tab is: a value for `Authorization`. */
let login = sessionStorage.getItem(KEPT) ?? '';

/** Tokens of the page's own URL go with every request, as they do on the other pages. */
const ours = new URLSearchParams(location.search);
const carried = ['jwt', 'token'].flatMap((name) => ours.getAll(name).map((value) => [name, value] as [string, string]));

/** A URL with the page's own token. */
export function withToken(path: string): string {
  if (carried.length === 0) return path;
  return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams(carried)}`;
}

/** Asks the node as whoever is logged in; what it refuses is thrown. */
export async function ask(path: string, options: RequestInit = {}): Promise<Response> {
  const headers = new Headers(options.headers);
  if (login) headers.set('Authorization', login);
  // Without the browser's own credentials, for with them it would ask for a password in a window of its own.
  const answer = await fetch(withToken(path), { credentials: 'omit', cache: 'no-store', ...options, headers });
  if (answer.ok) return answer;
  const text = await answer.text().catch(() => '');
  let words = text.slice(0, 300);
  try {
    const said = (JSON.parse(text) as { error?: unknown }).error;
    if (typeof said === 'string') words = said;
  } catch { /* plain text it is */ }
  throw new Refused(answer.status, words || `the node answers ${answer.status}`);
}

/** True while somebody is logged in by the form. */
export function loggedIn(): boolean {
  return login !== '';
}

/** The same for modules that ask for themselves. */
export function credentials(): { token?: string; user?: string; password?: string } {
  const [kind, value = ''] = login.split(' ', 2);
  if (kind === 'Bearer') return { token: value };
  if (kind !== 'Basic') return {};
  const text = new TextDecoder().decode(Uint8Array.from(atob(value), (byte) => byte.charCodeAt(0)));
  const colon = text.indexOf(':');
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Forgets the login. */
export function logOut(): void {
  login = '';
  sessionStorage.removeItem(KEPT);
}

let asking: Promise<void> | undefined;

/** Shows the form until somebody has filled it in; `why` says what was wrong before. */
export function askForLogin(why: string): Promise<void> {
  asking ??= new Promise<void>((resolve) => {
    const dialog = element<HTMLDialogElement>('login');
    const form = element<HTMLFormElement>('login-form');
    const [user, password, token] = ['login-user', 'login-password', 'login-token'].map((id) => element<HTMLInputElement>(id));
    say(element('login-why'), why);
    form.onsubmit = (event) => {
      event.preventDefault();
      const bytes = new TextEncoder().encode(`${user!.value}:${password!.value}`);
      login = token!.value ? `Bearer ${token!.value.trim()}` : `Basic ${btoa(String.fromCharCode(...bytes))}`;
      sessionStorage.setItem(KEPT, login);
      password!.value = '';
      token!.value = '';
      asking = undefined;
      dialog.close();
      resolve();
    };
    // There is nothing behind it to go back to.
    dialog.oncancel = (event) => event.preventDefault();
    dialog.showModal();
    user!.focus();
  });
  return asking;
}

/** What a stream of events tells its page. */
export interface Listening {
  /** An event with its data. */
  heard(name: string, data: unknown): void;
  /** How the connection is: `undefined` is well, else words for people. */
  state(trouble: string | undefined): void;
}

/** Nothing for so long and the connection counts as broken: there is an event every second. */
const SILENCE = 6000;
/** A tab that is hidden for so long stops listening. */
const HIDDEN = 10_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when the tab is seen. */
async function seen(): Promise<void> {
  while (document.hidden) {
    await new Promise((resolve) => document.addEventListener('visibilitychange', resolve, { once: true }));
  }
}

/** Listens for ever; asks for a login when one is needed. */
export async function listen(path: () => string, listening: Listening, again: AbortSignal): Promise<void> {
  let wait = 500;
  while (!again.aborted) {
    await seen();
    const began = performance.now();
    try {
      await once(path(), listening, again);
    } catch (error) {
      if (again.aborted) return;
      if (error instanceof Refused && error.status === 401) {
        const before = loggedIn();
        logOut();
        await askForLogin(before ? 'That was not right, or it does not allow this.' : 'This node asks who you are.');
        continue;
      }
      const words = error instanceof Refused ? error.message : 'No answer from the node';
      listening.state(`${words}. Trying again…`);
    }
    // One that had been well is asked again at once.
    wait = performance.now() - began > 5000 ? 250 : Math.min(wait * 2, 8000);
    await pause(wait * (0.75 + Math.random() / 2));
  }
}

async function once(path: string, listening: Listening, again: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  again.addEventListener('abort', end);
  let watch = setTimeout(end, SILENCE);
  let hiding: ReturnType<typeof setTimeout> | undefined;
  const hidden = (): void => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(end, HIDDEN);
  };
  document.addEventListener('visibilitychange', hidden);
  try {
    const answer = await ask(path, { signal: stop.signal });
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(end, SILENCE);
      const parts = (rest + value).split('\n\n');
      rest = parts.pop()!;
      for (const part of parts) {
        const [, name = '', data = ''] = /^event: (.*)\ndata: (.*)$/.exec(part) ?? [];
        if (!name) continue;
        listening.state(undefined);
        listening.heard(name, JSON.parse(data));
      }
    }
  } finally {
    clearTimeout(watch);
    clearTimeout(hiding);
    document.removeEventListener('visibilitychange', hidden);
    again.removeEventListener('abort', end);
    stop.abort();
  }
}

/** Asks whether something is meant; `yes` is what the button says that does it. */
export function confirmed(question: string, explained: string, yes: string): Promise<boolean> {
  const dialog = element<HTMLDialogElement>('confirm');
  say(element('confirm-question'), question);
  say(element('confirm-explained'), explained);
  say(element('confirm-yes'), yes);
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
