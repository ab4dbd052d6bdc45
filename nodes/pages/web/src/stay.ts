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
  state(state: State): void;
  /** The session that counts from now on. */
  session(session: Session): void;
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;
/** A session that lived this long ends a series of failures. */
const SETTLED_MS = 5000;
/** Silence after which ICE is restarted: ten reports of the server's are missing then. */
const SILENCE_MS = 1000;
/** The same where the server sends no transport-wide feedback. */
const SILENCE_WITHOUT_FEEDBACK_MS = 4000;
/** What the restart's request may take, and what it may take after it until something comes in again. */
const RESTART_MS = 1000;
const ALIVE_MS = 1500;
/** What asking about a session may take while its picture stands still. */
const ASK_MS = 500;
/** A broken events channel is opened again this often while the media go on. */
const REOPEN_MS = 1000;
/** Both sessions send for this long at a move, unless the old one ends before. */
const OVERLAP_MS = 1000;

type End = { kind: 'move'; url: string } | { kind: 'closed'; reason: string } | { kind: 'lost'; problem: Problem };

/** A connection that is kept up until it is stopped. */
export class Stay {
  #running = new AbortController();
  #current: Session | undefined;
  #next = 0;
  #sessions = 0;
  /** The session that was lost last: the server lets its publisher have the name again. */
  #old: string | undefined;

  constructor(private readonly options: StayOptions) {}

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
      const wait = Math.max(pause * (0.75 + Math.random() / 2), failed.retryAfter ?? 0);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      this.#tell(this.#sessions ? 'reconnecting' : 'connecting', failed, wait);
      await sleep(wait, stopped);
    }
  }

  /** Ends it for good. */
  stop(): void {
    if (this.#running.signal.aborted) return;
    this.#running.abort();
    this.#current?.close(true);
    this.#current = undefined;
    this.#tell('stopped');
  }

  #end(problem: Problem): void {
    this.#running.abort();
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
    for (let tries = 0; tries < this.options.endpoints.length && !this.#running.signal.aborted; tries++) {
      const endpoint = this.options.endpoints[this.#next++ % this.options.endpoints.length] ?? '';
      try {
        return await this.#open(endpoint, this.#old);
      } catch (error) {
        const problem = problemOf(error);
        // What one node says for good is said for all; that one is away matters only where all are.
        if (problem.final) return problem;
        if (!worst || worst.kind === 'unreachable') worst = problem;
      }
    }
    return worst ?? lost();
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
      this.#current = session;
      this.#sessions += 1;
      this.#old = undefined;
      this.options.session(session);
      this.#tell('live');
      const end = await this.#until(session);
      const moved: Session | undefined = end.kind === 'move' ? await this.#move(session, end.url) : undefined;
      if (moved) {
        session = moved;
        continue;
      }
      this.#old = session.secret;
      session.close(false);
      this.#current = undefined;
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
        const limit = /transport-cc|transport-wide-cc/.test(answer) ? SILENCE_MS : SILENCE_WITHOUT_FEEDBACK_MS;
        let reviving = false;
        watch(session.peer, over.signal, (ms) => {
          if (ms < limit || reviving) return;
          reviving = true;
          void this.#revive(session).then(async (alive) => {
            reviving = false;
            if (!alive) resolve(await this.#why(session));
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
    for (let heard = true; ; ) {
      let anybody = false;
      for (const url of urls) {
        const opened = await events.open(url, this.options.headers, 2 * ASK_MS, over);
        if (over.aborted) return undefined;
        if (opened.kind === 'closed') return opened;
        if (opened.kind === 'gone') return { kind: 'lost', problem: lost() };
        anybody ||= opened.kind !== 'nobody';
        if (opened.kind !== 'open') continue;
        for await (const word of opened.words) {
          if (!over.aborted) return word;
        }
        if (over.aborted) return undefined;
        // It broke: either the node is gone, or only this connection. The same is asked at once, and then slowly.
        if (!heard) await sleep(REOPEN_MS, over);
        heard = false;
        break;
      }
      if (!anybody) return { kind: 'lost', problem: lost() };
    }
  }

  /** A session's URL at its own address, then at each other node: every node answers for every session. */
  #everywhere(url: string): string[] {
    const { pathname, search } = new URL(url);
    return [...new Set([url, ...this.options.endpoints.map((endpoint) => new URL(pathname + search, endpoint).href)])];
  }

  /** Goes to another node: the new session first, then the old one ends. Undefined: the old one ended before. */
  async #move(old: Session, url: string): Promise<Session | undefined> {
    this.#tell('moving');
    const { pathname, search } = new URL(url);
    // Its path and query work at every node, for a client that reaches only one address.
    const bases = [old.endpoint, ...this.options.endpoints];
    const places = [...new Set([url, ...bases.map((base) => new URL(pathname + search, base).href)])];
    let gone = false;
    void old.broken.then(() => { gone = true; });
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      for (const place of places) {
        if (this.#running.signal.aborted) return undefined;
        try {
          const session = await this.#open(place, undefined);
          await Promise.race([sleep(OVERLAP_MS, this.#running.signal), old.broken]);
          old.close(true);
          return session;
        } catch {
          // The old session is worth something as long as it lives.
        }
      }
      if (gone) return undefined;
      await Promise.race([sleep(pause, this.#running.signal), old.broken]);
    }
  }
}

function sleep(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    stop.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
