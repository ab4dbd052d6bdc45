// A stream played by WHEP in the wall's large tile: one attempt, and words when it does not come to anything. The watch page
// does more (it comes back by itself, falls back to HLS); here the next best thing, pictures, is on the screen already.

import { ask, Refused } from './console.js';

/** No media within this, and it will not come. */
const PATIENCE = 8000;

/** What plays. */
export interface Player {
  close(): void;
}

function words(error: unknown): string {
  if (!(error instanceof Refused)) return 'the browser could not play it';
  return error.status === 404 ? 'there is nothing to play at this node' : error.message;
}

/** Plays a stream; `failed` is told why it does not, once. */
export function player(name: string, video: HTMLVideoElement, failed: (words: string) => void): Player {
  const peer = new RTCPeerConnection();
  let session = '';
  let over = false;
  const end = (words?: string): void => {
    if (over) return;
    over = true;
    clearTimeout(late);
    peer.close();
    // Nobody waits for the answer: the session would end by itself soon.
    if (session) void ask(session, { method: 'DELETE', keepalive: true }).catch(() => undefined);
    if (words) failed(words);
  };
  const late = setTimeout(() => end('no media came'), PATIENCE);
  video.addEventListener('playing', () => clearTimeout(late), { once: true });
  peer.ontrack = ({ streams: [stream] }) => {
    if (stream && video.srcObject !== stream) video.srcObject = stream;
  };
  peer.onconnectionstatechange = () => {
    if (peer.connectionState === 'failed') end('the connection failed');
  };
  const start = async (): Promise<void> => {
    peer.addTransceiver('video', { direction: 'recvonly' });
    peer.addTransceiver('audio', { direction: 'recvonly' });
    await peer.setLocalDescription();
    const answer = await ask(`/${name}/whep`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/sdp' },
      body: peer.localDescription!.sdp,
    });
    session = new URL(answer.headers.get('Location') ?? '', answer.url).pathname;
    if (over) throw new Error('closed');
    await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  };
  start().catch((error: unknown) => end(words(error)));
  return { close: () => end() };
}
