// Staying connected: sessions one after the other, each watched; an ICE restart first, then a new offer here or at the next
// node; moves make-before-break. How media get into a session is its owner's business.

import * as events from './events.js';
import { ProblemError, closed, lost, problemOf } from './problem.js';
import type { Problem } from './problem.js';
import { alive, watch } from './pulse.js';
import { Session } from './session.js';
import type { SessionOptions } from './session.js';

/** Where a stay stands. */
export type Phase = 'connecting' | 'live' | 'reconnecting' | 'moving' | 'stopped';

/** The phase, with why and until when where that is known. */
export interface State {
  phase: Phase;
  problem?: Problem | undefined;
  /** Milliseconds until the next try. */
  retryIn?: number | undefined;
  /** Sessions so far; a new number is a new connection. */
  sessions: number;
}

/** How a stay is made. */
export interface StayOptions extends SessionOptions {
  /** Endpoints, the first first. */
  endpoints: string[];
  /** Milliseconds between two rounds over them at most. */
  longestPause?: number;
  state(state: State): void;
  /** The session that counts from now on. */
  session(session: Session): void;
  /** The session that counts is about to be closed. */
  leaving?(): void;
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;
/** Where nobody is there to be burdened by it. */
const LONGEST_UNREACHABLE_MS = 1500;
/** A session that lived this long ends a series of failures. */
const SETTLED_MS = 5000;
/** Silence after which ICE is restarted: ten reports of the server's are missing then. */
const SILENCE_MS = 1000;
/** The same where nothing may come for a while although all is well: the server sends no transport-wide feedback, or its
    stream has no publisher at the moment. Checks are answered every 2.5 s. */
const LONG_SILENCE_MS = 4000;
/** What the restart's request may take, and what it may take after it until something comes in again. */
const RESTART_MS = 1000;
const ALIVE_MS = 1500;
/** What asking about a session may take while its picture stands still. */
const ASK_MS = 500;
/** A broken events channel is opened again this often while the media go on. */
const REOPEN_MS = 1000;
/** Both sessions send for this long at a move, unless the old one ends before. */
const OVERLAP_MS = 1000;

type End = { kind: 'move'; url: string } | { kind: 'closed'; reason: string } | { kind: 'lost'; problem: Problem; hung?: boolean };

/** A connection that is kept up until it is stopped. */
export class Stay {
  #running = new AbortController();
  #current: Session | undefined;
  #endpoints: string[];
  #next = 0;
  #sessions = 0;
  /** A session that went silent, kept while another one is looked for: a server that hung may come back before that. */
  #hung: { session: Session; back: Promise<boolean>; isBack: boolean; over: AbortController } | undefined;
  /** The session that was lost last: the server lets its publisher have the name again. */
  #old: string | undefined;

  constructor(private readonly options: StayOptions) {
    this.#endpoints = [...options.endpoints];
  }

  /** Connects and stays until `stop`, or until something final happens. */
  async run(): Promise<void> {
    let pause = FIRST_PAUSE_MS;
    let failed: Problem | undefined;
    const stopped = this.#running.signal;
    this.#tell('connecting');
    while (!stopped.aborted) {
      const tried = await this.#come();
      if (stopped.aborted) return;
      if (tried instanceof Session) {
        this.#forget(tried);
        const since = performance.now();
        const end = await this.#live(tried);
        if (stopped.aborted) return;
        if (performance.now() - since >= SETTLED_MS) pause = FIRST_PAUSE_MS;
        failed = end.kind === 'closed' ? closed(end.reason, this.options.side) : end.kind === 'lost' ? end.problem : lost();
        if (failed.final) return this.#end(failed);
        this.#tell('reconnecting', failed);
        continue;
      }
      failed = tried;
      // Our own old session may still hold the name.
      const own = failed.kind === 'conflict' && this.#old !== undefined;
      if (failed.final && !own) return this.#end(failed);
      if (failed.kind === 'unreachable') pause = Math.min(pause, LONGEST_UNREACHABLE_MS);
      const wait = Math.max(pause * (0.75 + Math.random() / 2), failed.retryAfter ?? 0);
      pause = Math.min(pause * 2, this.options.longestPause ?? LONGEST_PAUSE_MS);
      this.#tell(this.#sessions ? 'reconnecting' : 'connecting', failed, wait);
      await Promise.race([sleep(wait, stopped), this.#hung?.back ?? never]);
    }
  }

  /** Ends it for good. */
  stop(): void {
    if (this.#running.signal.aborted) return;
    this.#running.abort();
    this.#forget();
    this.#current?.close(true);
    this.#current = undefined;
    this.#tell('stopped');
  }

  #end(problem: Problem): void {
    this.#running.abort();
    this.#forget();
    this.#current?.close(false);
    this.#current = undefined;
    this.#tell('stopped', problem);
  }

  #tell(phase: Phase, problem?: Problem, retryIn?: number): void {
    this.options.state({ phase, problem, retryIn, sessions: this.#sessions });
  }

  /** One round over all endpoints. */
  async #come(): Promise<Session | Problem> {
    let worst: Problem | undefined;
    for (let tries = 0; tries < this.#endpoints.length && !this.#running.signal.aborted; tries++) {
      if (this.#hung?.isBack) return this.#hung.session;
      const endpoint = this.#endpoints[this.#next++ % this.#endpoints.length] ?? '';
      try {
        return await this.#open(endpoint, this.#old);
      } catch (error) {
        const problem = problemOf(error);
        // What one node says for good is said for all; that one is away matters only where all are.
        if (problem.final) return problem;
        if (!worst || worst.kind === 'unreachable') worst = problem;
      }
    }
    return this.#hung?.isBack ? this.#hung.session : worst ?? lost();
  }

  /** Keeps a session that hangs, in case it comes back before another one is had. */
  #keep(session: Session): void {
    const over = new AbortController();
    const back = alive(session.peer, Infinity, over.signal);
    const hung = { session, back, isBack: false, over };
    this.#hung = hung;
    void back.then((isBack) => { hung.isBack = isBack; });
  }

  /** Another one took its place, or it is itself the one that counts again. */
  #forget(instead?: Session): void {
    this.#hung?.over.abort();
    if (this.#hung && this.#hung.session !== instead) this.#hung.session.close(true);
    this.#hung = undefined;
  }

  async #open(endpoint: string, old: string | undefined): Promise<Session> {
    const session = await Session.open(endpoint, this.options, old ? { moves: old } : {});
    try {
      await session.connected();
      if (this.#running.signal.aborted) throw new ProblemError(lost());
      return session;
    } catch (error) {
      session.close(true);
      throw error;
    }
  }

  /** Lives in a session, and in those it is moved to, until one ends otherwise. */
  async #live(session: Session): Promise<End> {
    for (;;) {
      if (this.#old !== session.secret) {
        this.#sessions += 1;
        this.options.session(session);
      }
      this.#current = session;
      this.#old = undefined;
      this.#tell('live');
      const end = await this.#until(session);
      const moved: Session | undefined = end.kind === 'move' ? await this.#move(session, end.url) : undefined;
      if (moved) {
        session = moved;
        continue;
      }
      this.#old = session.secret;
      this.#current = undefined;
      this.options.leaving?.();
      if (end.kind === 'lost' && end.hung) this.#keep(session);
      else session.close(false);
      return end;
    }
  }

  /** The first of: a word of the server, a goodbye, a silence that an ICE restart does not end. */
  async #until(session: Session): Promise<End> {
    const over = new AbortController();
    const quit = () => over.abort();
    this.#running.signal.addEventListener('abort', quit, { once: true });
    try {
      return await new Promise<End>((resolve) => {
        over.signal.addEventListener('abort', () => resolve({ kind: 'lost', problem: lost() }));
        void this.#listen(session, over.signal).then((end) => end && resolve(end));
        void session.broken.then(async (how) => {
          if (over.signal.aborted) return;
          if (how === 'failed' && (await this.#revive(session))) return;
          resolve(await this.#why(session));
        });
        const answer = session.peer.remoteDescription?.sdp ?? '';
        const feedback = this.options.side === 'publish' && answer.includes('transport-cc');
        const limit = feedback ? SILENCE_MS : LONG_SILENCE_MS;
        let reviving = false;
        let asked = false;
        watch(session.peer, this.options.side === 'publish', over.signal, (ms) => {
          if (ms < SILENCE_MS) asked = false;
          else if (!asked && limit > SILENCE_MS) {
            asked = true;
            void session.nobody(ASK_MS).then((nobody) => nobody && resolve({ kind: 'lost', problem: lost() }));
          }
          if (ms < limit || reviving) return;
          reviving = true;
          void this.#revive(session).then(async (alive) => {
            reviving = false;
            if (alive) return;
            const end = await this.#why(session);
            resolve(end.kind === 'lost' ? { ...end, hung: true } : end);
          });
        });
      });
    } finally {
      this.#running.signal.removeEventListener('abort', quit);
      over.abort();
    }
  }

  /** Restarts ICE; true when something came in after it. */
  async #revive(session: Session): Promise<boolean> {
    this.#tell('reconnecting', lost());
    if (!(await session.restart(RESTART_MS))) return false;
    const lives = await alive(session.peer, ALIVE_MS);
    if (lives) this.#tell('live');
    return lives;
  }

  /** Why a session has ended, where the server knows. */
  async #why(session: Session): Promise<End> {
    const reason = await session.reason(ASK_MS);
    return reason ? { kind: 'closed', reason } : { kind: 'lost', problem: lost() };
  }

  /** Listens to the server's words; undefined when there is no channel, or it is not needed any more. */
  async #listen(session: Session, over: AbortSignal): Promise<End | undefined> {
    if (!session.events) return undefined;
    const urls = this.#everywhere(session.events);
    for (let pause = 0; !over.aborted;) {
      if (pause > 0) await sleep(pause, over);
      let heard: number | undefined;
      let anybody = false;
      for (const url of urls) {
        const opened = await events.open(url, this.options.headers, 2 * ASK_MS, over);
        if (over.aborted) return undefined;
        if (opened.kind === 'closed') return opened;
        if (opened.kind === 'gone') return { kind: 'lost', problem: lost() };
        anybody ||= opened.kind !== 'nobody';
        if (opened.kind !== 'open') continue;
        heard = performance.now();
        for await (const word of opened.words) return word;
        break;
      }
      if (!anybody) return { kind: 'lost', problem: lost() };
      // What spoke for a while and broke is asked again at once, all else slowly.
      pause = heard !== undefined && performance.now() - heard > REOPEN_MS ? 0 : REOPEN_MS;
    }
    return undefined;
  }

  /** A session's URL at its own address, then at each other node: every node answers for every session. */
  #everywhere(url: string): string[] {
    const { pathname, search } = new URL(url);
    return [...new Set([url, ...this.#endpoints.map((endpoint) => new URL(pathname + search, endpoint).href)])];
  }

  /** Goes to another node: the new session first, then the old one ends. Undefined: the old one ended before. */
  async #move(old: Session, url: string): Promise<Session | undefined> {
    this.#tell('moving');
    const { pathname, search } = new URL(url);
    // Its path and query work at every node, for a client that reaches only one address.
    const bases = [old.endpoint, ...this.#endpoints];
    const places = [...new Set([url, ...bases.map((base) => new URL(pathname + search, base).href)])];
    let gone = false;
    void old.broken.then(() => { gone = true; });
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      for (const place of places) {
        if (this.#running.signal.aborted) return undefined;
        try {
          const session = await this.#open(place, undefined);
          await Promise.race([sleep(OVERLAP_MS, this.#running.signal), old.broken]);
          this.options.leaving?.();
          old.close(true);
          this.#remember(place);
          return session;
        } catch {
          // The old session is worth something as long as it lives.
        }
      }
      if (gone) return undefined;
      await Promise.race([sleep(pause, this.#running.signal), old.broken]);
    }
  }

  /** An endpoint that we were sent to is one to come back to. */
  #remember(place: string): void {
    const url = new URL(place);
    url.searchParams.delete('moves');
    if (this.#endpoints.every((endpoint) => new URL(endpoint).origin !== url.origin)) this.#endpoints.push(url.href);
    this.#next = this.#endpoints.findIndex((endpoint) => new URL(endpoint).origin === url.origin);
  }
}

const never = new Promise<never>(() => undefined);

/** Waits, or until it is stopped. */
export function sleep(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    stop.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
