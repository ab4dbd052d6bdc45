// What went wrong, as a kind for scripts and as words for people: what happened, and what to do about it.

/** Kinds of trouble. Final ones are not tried again by themselves. */
export type ProblemKind =
  | 'insecure' | 'no-device' | 'denied' | 'device-busy' | 'no-screen' | 'no-codec' | 'source-ended'
  | 'unauthorised' | 'conflict' | 'full' | 'not-found' | 'refused' | 'unreachable' | 'network-lost' | 'blocked'
  | 'taken-over' | 'kicked' | 'not-allowed' | 'ended' | 'internal';

/** A problem with its words. */
export interface Problem {
  kind: ProblemKind;
  /** What happened. */
  what: string;
  /** What the person can do. */
  todo: string;
  /** Whether it is of no use to try again without being told to. */
  final: boolean;
  /** HTTP status, where there was one. */
  status?: number | undefined;
  /** Milliseconds to wait before the next try, where the server named them. */
  retryAfter?: number | undefined;
}

/** A problem on its way up. */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(`${problem.what}. ${problem.todo}`);
    this.name = 'ProblemError';
  }
}

/** Makes a problem. */
export function problem(kind: ProblemKind, what: string, todo: string, final: boolean, more: Partial<Problem> = {}): Problem {
  return { kind, what, todo, final, ...more };
}

/** Whatever was thrown, as a problem. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  const words = error instanceof Error ? error.message : String(error);
  return problem('internal', `Something unexpected happened: ${words}`, 'Reload the page. If it happens again, tell your administrator these words.', false);
}

/** The answer of a server that is not what was hoped for. `side` says what was asked for. */
export async function refusal(response: Response, side: 'publish' | 'watch'): Promise<Problem> {
  const text = await response.text().catch(() => '');
  let said = '';
  try {
    said = String((JSON.parse(text) as { error?: unknown }).error ?? '');
  } catch {
    // A proxy's page says nothing to people.
  }
  const seconds = Number(response.headers.get('Retry-After'));
  const more = {
    status: response.status,
    retryAfter: Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) * 1000 : undefined,
  };
  return ofStatus(response.status, said, side, more);
}

/** The same for a status and the server's words. */
export function ofStatus(status: number, said: string, side: 'publish' | 'watch', more: Partial<Problem> = {}): Problem {
  const words = said ? ` (${said})` : '';
  const all = { status, ...more };
  switch (status) {
    case 401:
    case 403:
      return problem('unauthorised', side === 'publish' ? 'You may not publish here' : 'You may not watch this',
        'The link, token or password was not accepted. Open the page from a fresh link, or sign in again.', true, all);
    case 404:
      return side === 'publish'
        ? problem('not-found', 'There is no such place to publish to', `Check the address of this page${words}.`, true, all)
        : problem('not-found', 'Nobody is publishing here at the moment', 'The picture appears by itself as soon as somebody does. Check the name in the address if it should be there already.', false, all);
    case 409:
      return problem('conflict', 'Somebody is already publishing under this name',
        'If that is you, close the other tab or program, then press Start again. Otherwise use another name.', true, all);
    case 410:
      return problem('ended', 'This session has ended', 'Press Start to begin a new one.', false, all);
    case 429:
      return problem('full', 'Too many requests came from your network', 'Wait a moment: this page tries again by itself.', false, all);
    case 400:
    case 406:
    case 413:
    case 415:
      return /not configured/.test(said)
        ? problem('not-found', 'This server has no such path', `Check the name in the address of this page${words}.`, true, all)
        : problem('refused', 'The server cannot use what was offered', `Try a current Chrome, Edge, Firefox or Safari${words}.`, true, all);
    default:
      return status === 503 || status === 502 || status === 504
        ? problem('full', 'The server has no room, or is being restarted', `This page tries again by itself${words}.`, false, all)
        : problem('internal', `The server answered ${status}`, `This page tries again by itself. If it goes on, tell your administrator${words}.`, false, all);
  }
}

/** Nobody answered at all. */
export function unreachable(): Problem {
  return problem('unreachable', 'The server cannot be reached', 'Check your network connection. This page tries again by itself.', false);
}

/** The connection broke. */
export function lost(): Problem {
  return problem('network-lost', 'The connection was lost', 'This page is connecting again by itself.', false);
}

/** The server's word that a session is closed. */
export function closed(reason: string, side: 'publish' | 'watch'): Problem {
  switch (reason) {
    case 'taken-over':
      return problem('taken-over', 'Another publisher has taken over this name',
        'Perhaps you opened this page a second time. This one stays quiet until you press Start.', true);
    case 'kicked':
      return problem('kicked', 'An operator ended this session', 'Ask them before you start again.', true);
    case 'not-allowed':
      return problem('not-allowed', side === 'publish' ? 'You may no longer publish here' : 'You may no longer watch this',
        'Your permission has changed or has run out. Open the page from a fresh link.', true);
    case 'stream-ended':
      return problem('ended', 'The stream has ended', 'The picture appears again by itself when somebody publishes.', false);
    case 'conflict':
      return problem('conflict', 'Somebody is already publishing under this name', 'Close the other tab or program, then press Start again.', true);
    default:
      return problem('network-lost', `The server closed the connection (${reason})`, 'This page is connecting again by itself.', false);
  }
}
