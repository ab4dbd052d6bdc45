// One WHIP or WHEP session (RFC 9725): the offer, the answer, an ICE restart, the farewell. When to have one, and where, is
// decided by what stays.

import { eventsUrl, iceServers } from './links.js';
import { ProblemError, lost, problem, refusal, unreachable } from './problem.js';
import { askForCaptureTime, fragment, restarted } from './sdp.js';

/** Which way the media go. */
export type Side = 'publish' | 'watch';

/** How sessions are opened. */
export interface SessionOptions {
  side: Side;
  /** Sent with the requests, for example Authorization. */
  headers: Record<string, string>;
  /** Used besides those that the server names. */
  iceServers: RTCIceServer[];
  /** Adds what is to be sent or received. */
  prepare(peer: RTCPeerConnection): void | Promise<void>;
  /** May change the server's answer before it is used. */
  answer?(sdp: string): string;
}

/** What a request may take; a server under load answers within 2 s. */
const REQUEST_MS = 5000;
/** What it may take until media can flow, TCP and relays included. */
const CONNECT_MS = 10_000;

/** The ICE servers that an endpoint named, so that coming back takes one request and not two. */
const known = new Map<string, RTCIceServer[]>();

/** A running session. */
export class Session {
  /** Resolves when the server or the network has ended it (the DTLS goodbye, or ICE that failed). */
  readonly broken: Promise<'goodbye' | 'failed'>;
  #closed = false;
  #answer: string;

  private constructor(
    readonly peer: RTCPeerConnection,
    /** The endpoint it was opened at. */
    readonly endpoint: string,
    /** Its own URL. */
    readonly location: string,
    /** Where the server speaks to us, if it does. */
    readonly events: string | undefined,
    answer: string,
    private readonly options: SessionOptions,
  ) {
    this.#answer = answer;
    this.broken = new Promise((resolve) => {
      peer.addEventListener('connectionstatechange', () => {
        if (peer.connectionState === 'failed') resolve('failed');
      });
      const transports = [...peer.getSenders(), ...peer.getReceivers()].map(({ transport }) => transport);
      for (const transport of new Set(transports)) {
        transport?.addEventListener('statechange', () => {
          if (transport.state === 'closed' || transport.state === 'failed') resolve('goodbye');
        });
      }
    });
  }

  /** Opens a session at an endpoint, or throws a ProblemError. */
  static async open(endpoint: string, options: SessionOptions, query: Record<string, string> = {}): Promise<Session> {
    const servers = known.get(endpoint) ?? (await Session.#ask(endpoint, options));
    const peer = new RTCPeerConnection({ iceServers: [...options.iceServers, ...servers], bundlePolicy: 'max-bundle' });
    try {
      await options.prepare(peer);
      const offer = await peer.createOffer();
      const wanted = { type: 'offer' as const, sdp: askForCaptureTime(offer.sdp ?? '') };
      // A browser that will not have its own offer changed sends it as it was.
      await peer.setLocalDescription(wanted).catch(() => peer.setLocalDescription(offer));
      const url = new URL(endpoint);
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      const response = await request(url.href, {
        method: 'POST',
        headers: { ...options.headers, 'Content-Type': 'application/sdp' },
        body: peer.localDescription?.sdp ?? '',
      });
      if (response.status !== 201) throw new ProblemError(await refusal(response, options.side));
      const location = new URL(response.headers.get('Location') ?? '', response.url || endpoint).href;
      const link = response.headers.get('Link');
      known.set(endpoint, iceServers(link));
      let answer = await response.text();
      answer = options.answer?.(answer) ?? answer;
      await peer.setRemoteDescription({ type: 'answer', sdp: answer });
      return new Session(peer, endpoint, location, eventsUrl(link, location), answer, options);
    } catch (error) {
      peer.close();
      throw error;
    }
  }

  /** The ICE servers that an endpoint names; it says by the way whether we may. */
  static async #ask(endpoint: string, options: SessionOptions): Promise<RTCIceServer[]> {
    const response = await request(endpoint, { method: 'OPTIONS', headers: options.headers });
    if (!response.ok && response.status !== 405) throw new ProblemError(await refusal(response, options.side));
    return iceServers(response.headers.get('Link'));
  }

  /** Resolves when media can flow; throws when that takes too long. */
  async connected(): Promise<void> {
    const { peer } = this;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new ProblemError(blocked())), CONNECT_MS);
      const look = () => {
        if (peer.connectionState === 'connected') resolve();
        else if (peer.connectionState === 'failed') reject(new ProblemError(blocked()));
        else if (peer.connectionState === 'closed') reject(new ProblemError(lost()));
        else return;
        clearTimeout(timer);
        peer.removeEventListener('connectionstatechange', look);
      };
      peer.addEventListener('connectionstatechange', look);
      void this.broken.then(() => reject(new ProblemError(lost())));
      look();
    });
  }

  /** Restarts ICE by PATCH, within `limit` ms. False: the server does not have this session any more, or is not there. */
  async restart(limit: number): Promise<boolean> {
    const { peer } = this;
    try {
      await peer.setLocalDescription(await peer.createOffer({ iceRestart: true }));
      const response = await request(this.location, {
        method: 'PATCH',
        headers: { ...this.options.headers, 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*' },
        body: fragment(peer.localDescription?.sdp ?? ''),
      }, limit);
      if (response.status !== 200) return false;
      const answer = restarted(this.#answer, await response.text());
      await peer.setRemoteDescription({ type: 'answer', sdp: answer });
      this.#answer = answer;
      return true;
    } catch {
      return false;
    }
  }

  /** Why it is over, as the server tells within `limit` ms; undefined where it does not know, or runs. */
  async reason(limit: number): Promise<string | undefined> {
    const response = await request(this.location, { headers: this.options.headers }, limit).catch(() => undefined);
    if (response?.status !== 410) return undefined;
    const body = (await response.json().catch(() => ({}))) as { reason?: string };
    return body.reason;
  }

  /** Whether nobody is there to ask any more; one that is only slow is somebody. */
  async nobody(limit: number): Promise<boolean> {
    const asked = fetch(this.location, { cache: 'no-store', headers: this.options.headers }).then(() => false, () => true);
    return Promise.race([asked, new Promise<boolean>((resolve) => setTimeout(() => resolve(false), limit))]);
  }

  /** What names it to another node that it moves to: `{node}.{secret}`. */
  get secret(): string {
    return new URL(this.location).pathname.split('/').pop() ?? '';
  }

  /** Ends it. With `farewell` the server is told, also while the page is being left. */
  close(farewell: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    if (farewell) {
      fetch(this.location, { method: 'DELETE', headers: this.options.headers, keepalive: true }).catch(() => undefined);
    }
    this.peer.close();
  }
}

function blocked() {
  return problem('blocked', 'The server answers, but picture and sound do not get through',
    'A firewall between you and the server may block them: try another network, or ask your administrator to allow UDP or TCP to the media port.', false);
}

/** A request that ends; nobody there is a problem with words of its own. */
async function request(url: string, init: RequestInit, limit = REQUEST_MS): Promise<Response> {
  try {
    return await fetch(url, { cache: 'no-store', ...init, signal: AbortSignal.timeout(limit) });
  } catch {
    throw new ProblemError(unreachable());
  }
}
