// weft-publisher.js: publishes a MediaStream by WHIP and stays connected. One module without dependencies, for any page:
//
//   import { WeftPublisher } from 'https://weft.example:8889/weft-publisher.js';
//   const media = await WeftPublisher.camera();
//   const publisher = new WeftPublisher({ url: 'https://weft.example:8889/exam_1/whip?token=...', media });
//   publisher.addEventListener('state', ({ detail }) => console.log(detail.phase, detail.problem?.what));
//   publisher.start();
//
// It reconnects by itself, follows the server to other nodes, and holds the resolution whatever the network does.

import { authorization, endpoints } from './options.js';
import { ProblemError, ofStatus, problem, problemOf } from './problem.js';
import type { Problem, ProblemKind } from './problem.js';
import { QualityReader } from './quality.js';
import type { Quality } from './quality.js';
import { startAt } from './sdp.js';
import type { Session } from './session.js';
import { Stay } from './stay.js';
import type { Phase, State } from './stay.js';

export { ProblemError, ofStatus, problemOf };
export type { Phase, Problem, ProblemKind, Quality, State };

/** How to publish. */
export interface PublisherOptions {
  /** The WHIP endpoint, `https://host:8889/{path}/whip`, with the query that the server wants (`?token=`, `?jwt=`). */
  url: string;
  /** Other nodes to go to when this one is lost: base URLs (`https://b.example:8889`) or whole endpoints. */
  nodes?: string[];
  /** What is sent: one video track and one audio track at most. */
  media: MediaStream;
  /** Sent as `Authorization: Bearer`. */
  token?: string;
  /** Sent as `Authorization: Basic`. */
  user?: string;
  password?: string;
  /** Bits per second at most; 8 Mbit/s unless said otherwise. */
  maxBitrate?: number;
  /** Pictures per second at most; 30 unless said otherwise. */
  maxFramerate?: number;
  /** What to give up last when the network is narrow; the resolution unless said otherwise. */
  degradationPreference?: 'maintain-resolution' | 'maintain-framerate' | 'balanced';
  /** Besides those that the server names. */
  iceServers?: RTCIceServer[];
}

/** What a camera or a screen is asked for. */
export interface CaptureOptions {
  width?: number;
  height?: number;
  frameRate?: number;
  /** A device's id, or none for the browser's choice. `false`: without. */
  video?: string | boolean;
  audio?: string | boolean;
}

const MOST_BITS = 8_000_000;
const FRAME_RATE = 30;
/** Where a browser begins, so that a full picture is sharp at once: the network's word follows within a second. */
const START_KBITS = 2500;

/** Publishes, and dispatches `state` (detail: State) whenever something changes. */
export class WeftPublisher extends EventTarget {
  #options: PublisherOptions;
  #stay: Stay | undefined;
  #session: Session | undefined;
  #reader: QualityReader | undefined;
  #state: State = { phase: 'stopped', sessions: 0 };

  constructor(options: PublisherOptions) {
    super();
    this.#options = options;
  }

  /** Where it stands. */
  get state(): State {
    return this.#state;
  }

  /** The peer connection that counts now. */
  get peer(): RTCPeerConnection | undefined {
    return this.#session?.peer;
  }

  /** The node's URL of the session that counts now. */
  get location(): string | undefined {
    return this.#session?.location;
  }

  /** Connects, and stays connected until `stop` or until somebody else takes the name. */
  start(): void {
    if (this.#state.phase !== 'stopped') return;
    const { url, nodes = [], iceServers = [] } = this.#options;
    this.#stay = new Stay({
      side: 'publish',
      endpoints: endpoints(url, nodes, 'whip'),
      headers: authorization(this.#options),
      iceServers,
      prepare: (peer) => this.#prepare(peer),
      answer: (sdp) => startAt(sdp, Math.min(START_KBITS, this.#maxBitrate / 1000), this.#maxBitrate / 1000),
      state: (state) => {
        this.#state = state;
        this.dispatchEvent(new CustomEvent('state', { detail: state }));
      },
      session: (session) => {
        this.#session = session;
        this.#reader = new QualityReader(session.peer);
      },
    });
    void this.#stay.run();
  }

  /** Ends the session; the server is told. */
  stop(): void {
    this.#stay?.stop();
    this.#stay = undefined;
    this.#session = undefined;
    this.#reader = undefined;
  }

  /** Sends another camera or screen from now on, without a new connection. */
  async replace(media: MediaStream): Promise<void> {
    this.#options = { ...this.#options, media };
    for (const sender of this.#session?.peer.getSenders() ?? []) {
      const kind = sender.track?.kind;
      const track = media.getTracks().find((candidate) => candidate.kind === kind);
      if (track) await sender.replaceTrack(track);
    }
  }

  /** Figures since the last call; undefined while there is no session. */
  async quality(): Promise<Quality | undefined> {
    return this.#reader?.read();
  }

  get #maxBitrate(): number {
    return this.#options.maxBitrate ?? MOST_BITS;
  }

  async #prepare(peer: RTCPeerConnection): Promise<void> {
    const { media, maxFramerate = FRAME_RATE, degradationPreference = 'maintain-resolution' } = this.#options;
    const [video] = media.getVideoTracks();
    const [audio] = media.getAudioTracks();
    if (video) {
      const transceiver = peer.addTransceiver(video, {
        direction: 'sendonly',
        streams: [media],
        sendEncodings: [{ maxBitrate: this.#maxBitrate, maxFramerate, scaleResolutionDownBy: 1 }],
      });
      preferH264(transceiver);
      captureTime(transceiver);
      await preferred(transceiver.sender, video, degradationPreference);
    }
    if (audio) captureTime(peer.addTransceiver(audio, { direction: 'sendonly', streams: [media] }));
  }

  /** A camera with its microphone, or throws a ProblemError with words for the person. */
  static async camera(options: CaptureOptions = {}): Promise<MediaStream> {
    const { width = 1920, height = 1080, frameRate = FRAME_RATE, video = true, audio = true } = options;
    const wish = { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: frameRate } };
    const device = (id: string | boolean) => (typeof id === 'string' && id ? { deviceId: { exact: id } } : {});
    const media = await captured('camera', () => navigator.mediaDevices.getUserMedia({
      video: video === false ? false : { ...wish, ...device(video) },
      audio: audio === false ? false : { echoCancellation: true, noiseSuppression: true, ...device(audio) },
    }));
    return media;
  }

  /** A screen or window; its sound too where the browser and the person allow it. */
  static async screen(options: CaptureOptions = {}): Promise<MediaStream> {
    const { width = 1920, height = 1080, frameRate = FRAME_RATE, audio = false } = options;
    const media = await captured('screen', () => navigator.mediaDevices.getDisplayMedia({
      video: { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: frameRate } },
      audio: audio !== false,
    }));
    // Letters must stay legible; pictures a second come after that.
    for (const track of media.getVideoTracks()) track.contentHint = 'detail';
    return media;
  }
}

/** H.264 in the profile that every decoder has first, the other profiles after it, and RTX, or lost packets stay lost. */
function preferH264(transceiver: RTCRtpTransceiver): void {
  const all = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
  const is = (name: string) => all.filter(({ mimeType }) => mimeType.toLowerCase() === `video/${name}`);
  const rank = ({ sdpFmtpLine = '' }: RTCRtpCodec) =>
    (/packetization-mode=1/.test(sdpFmtpLine) ? 0 : 2) + (/profile-level-id=42e0/i.test(sdpFmtpLine) ? 0 : 1);
  const h264 = is('h264').sort((a, b) => rank(a) - rank(b));
  // Some builds have none: then what they have is better than nothing.
  if (h264.length > 0) transceiver.setCodecPreferences?.([...h264, ...is('rtx')]);
}

/** What is to be given up last. A browser that does not know the wish holds the resolution where detail is said to count. */
async function preferred(sender: RTCRtpSender, track: MediaStreamTrack, wish: RTCDegradationPreference): Promise<void> {
  const parameters = sender.getParameters();
  parameters.degradationPreference = wish;
  await sender.setParameters(parameters).catch(() => undefined);
  const taken = sender.getParameters().degradationPreference === wish;
  if (!taken && wish === 'maintain-resolution' && !track.contentHint) track.contentHint = 'detail';
}

/** Asks for the time of capture in each picture's packets, where the browser lets pages choose header extensions. */
function captureTime(transceiver: RTCRtpTransceiver): void {
  type Extension = { uri: string; direction: string };
  const able = transceiver as RTCRtpTransceiver & {
    getHeaderExtensionsToNegotiate?(): Extension[];
    setHeaderExtensionsToNegotiate?(extensions: Extension[]): void;
  };
  const extensions = able.getHeaderExtensionsToNegotiate?.();
  for (const extension of extensions ?? []) {
    if (extension.uri.endsWith('/abs-capture-time')) extension.direction = 'sendrecv';
  }
  if (extensions) able.setHeaderExtensionsToNegotiate?.(extensions);
}

async function captured(what: 'camera' | 'screen', ask: () => Promise<MediaStream>): Promise<MediaStream> {
  if (!globalThis.isSecureContext || !navigator.mediaDevices) {
    throw new ProblemError(problem('insecure', 'This browser gives camera and screen to secure pages only',
      'Open this page by https://, or on the server\'s own machine as http://localhost.', true));
  }
  try {
    return await ask();
  } catch (error) {
    throw new ProblemError(uncaptured(what, error));
  }
}

function uncaptured(what: 'camera' | 'screen', error: unknown): Problem {
  const name = error instanceof DOMException ? error.name : '';
  switch (name) {
    case 'NotAllowedError':
      return what === 'camera'
        ? problem('denied', 'The browser was not allowed to use camera and microphone',
          'Allow both by the camera or lock sign in the address bar, then press Start again.', true)
        : problem('denied', 'No screen was chosen', 'Press Start again and choose what to show.', true);
    case 'NotFoundError':
    case 'OverconstrainedError':
      return what === 'camera'
        ? problem('no-device', 'No camera or microphone was found', 'Plug one in or switch it on, then press Start again. With only one of both, choose "none" for the other.', true)
        : problem('no-screen', 'There is no screen to capture', 'Choose the camera instead, or use a computer.', true);
    case 'NotReadableError':
    case 'AbortError':
      return problem('device-busy', `The ${what} cannot be read`, 'Perhaps another program uses it: close that one, then press Start again.', true);
    default:
      return what === 'screen' && !('getDisplayMedia' in (navigator.mediaDevices ?? {}))
        ? problem('no-screen', 'This browser cannot capture a screen', 'Use a desktop browser, or choose the camera.', true)
        : problemOf(error);
  }
}
