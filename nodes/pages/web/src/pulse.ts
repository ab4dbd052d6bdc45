// Whether the other side is still there: what comes in on a peer connection is counted several times a second. What follows
// from silence is the stay's decision.

/** Time between two looks. */
const LOOK_MS = 200;

/** Counts of a connection that grow while the other side lives. */
interface Counts {
  received: number;
  sent: number;
}

/** Bytes and answers to checks that came in, and bytes that went out, so far: feedback and media alike. */
async function counts(peer: RTCPeerConnection): Promise<Counts> {
  const found = { received: 0, sent: 0 };
  for (const stat of (await peer.getStats()).values() as IterableIterator<Record<string, unknown>>) {
    if (stat.type !== 'candidate-pair') continue;
    found.received += Number(stat.bytesReceived ?? 0) + Number(stat.responsesReceived ?? 0);
    found.sent += Number(stat.bytesSent ?? 0);
  }
  return found;
}

/** Watches a peer until `stop`; `silent` is told for how long nothing has come, where `sends` although something was sent. */
export function watch(peer: RTCPeerConnection, sends: boolean, stop: AbortSignal, silent: (ms: number) => void): void {
  let last: Counts | undefined;
  let since = performance.now();
  let looked = since;
  const look = async () => {
    const have = await counts(peer).catch(() => undefined);
    const now = performance.now();
    if (stop.aborted || peer.connectionState === 'closed') return;
    if (have && last && have.received <= last.received) {
      // What sends nothing is told nothing: a camera that stands still is no sign of a dead network.
      if (sends && have.sent === last.sent) since += now - looked;
      silent(now - since);
    } else if (have) {
      since = now;
    }
    last = have ?? last;
    looked = now;
    setTimeout(() => void look(), LOOK_MS);
  };
  void look();
}

/** Whether anything comes in within `limit` ms from now, or before it is stopped. */
export async function alive(peer: RTCPeerConnection, limit: number, stop?: AbortSignal): Promise<boolean> {
  const before = (await counts(peer)).received;
  for (const end = performance.now() + limit; performance.now() < end && !stop?.aborted;) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS / 2));
    if (peer.connectionState === 'closed' || peer.connectionState === 'failed') return false;
    if ((await counts(peer)).received > before) return true;
  }
  return false;
}
