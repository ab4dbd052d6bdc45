// How well media flow, from a peer connection's statistics: rates are taken between two readings. How it is shown is the
// page's business.

/** Figures of one direction; undefined where a browser does not tell. */
export interface Quality {
  /** Bits of media per second, all tracks. */
  bitrate?: number | undefined;
  fps?: number | undefined;
  width?: number | undefined;
  height?: number | undefined;
  /** Milliseconds. */
  rtt?: number | undefined;
  /** Share of packets lost since the last reading. */
  loss?: number | undefined;
  /** Milliseconds. */
  jitter?: number | undefined;
  /** Why less is sent than could be: bandwidth, cpu, other or none. */
  limitedBy?: string | undefined;
  /** What the browser believes it may send. */
  available?: number | undefined;
  /** Pictures encoded or decoded so far. */
  frames?: number | undefined;
  codec?: string | undefined;
  /** host, srflx, prflx or relay, and udp or tcp. */
  path?: string | undefined;
  /** Milliseconds between the capture of the picture that is shown and now, where it can be told. */
  latency?: number | undefined;
}

type Stat = Record<string, unknown> & { id: string; type: string; timestamp: number };

const NTP_TO_UNIX_MS = 2_208_988_800_000;

/** Reads a peer connection again and again. */
export class QualityReader {
  #last = new Map<string, Stat>();

  constructor(private readonly peer: RTCPeerConnection) {}

  /** The figures since the last reading. */
  async read(): Promise<Quality> {
    const all = new Map<string, Stat>();
    (await this.peer.getStats()).forEach((stat: Stat) => all.set(stat.id, stat));
    const quality: Quality = {};
    let bits = 0;
    let known = false;
    let lost = 0;
    let sent = 0;
    for (const stat of all.values()) {
      switch (stat.type) {
        case 'outbound-rtp':
        case 'inbound-rtp': {
          const out = stat.type === 'outbound-rtp';
          const rate = this.#delta(stat, out ? 'bytesSent' : 'bytesReceived');
          if (rate !== undefined) {
            bits += rate.difference * 8 / rate.seconds;
            known = true;
          }
          if (!out) {
            lost += Math.max(0, this.#delta(stat, 'packetsLost')?.difference ?? 0);
            sent += this.#delta(stat, 'packetsReceived')?.difference ?? 0;
          }
          if (stat.kind === 'video') this.#video(quality, stat, all, out);
          break;
        }
        case 'remote-inbound-rtp':
          if (stat.kind !== 'video') break;
          quality.loss = number(stat.fractionLost);
          quality.jitter = scaled(stat.jitter, 1000);
          quality.rtt ??= scaled(stat.roundTripTime, 1000);
          break;
        case 'candidate-pair': {
          if (stat.nominated !== true || stat.state !== 'succeeded') break;
          quality.rtt = scaled(stat.currentRoundTripTime, 1000) ?? quality.rtt;
          quality.available = number(stat.availableOutgoingBitrate);
          const local = all.get(String(stat.localCandidateId));
          if (local) quality.path = `${String(local.candidateType)}/${String(local.relayProtocol ?? local.protocol)}`;
          break;
        }
      }
    }
    if (known) quality.bitrate = bits;
    if (sent + lost > 0) quality.loss = lost / (sent + lost);
    this.#last = all;
    return quality;
  }

  #video(quality: Quality, stat: Stat, all: Map<string, Stat>, out: boolean): void {
    quality.width = number(stat.frameWidth) ?? quality.width;
    quality.height = number(stat.frameHeight) ?? quality.height;
    quality.frames = number(out ? stat.framesEncoded : stat.framesDecoded);
    const frames = this.#delta(stat, out ? 'framesEncoded' : 'framesDecoded');
    quality.fps = frames && frames.difference / frames.seconds;
    quality.limitedBy = typeof stat.qualityLimitationReason === 'string' ? stat.qualityLimitationReason : undefined;
    const codec = all.get(String(stat.codecId))?.mimeType;
    quality.codec = typeof codec === 'string' ? codec.replace(/^video\//, '') : undefined;
    if (out) return;
    quality.jitter = scaled(stat.jitter, 1000);
    const playout = number(stat.estimatedPlayoutTimestamp);
    if (playout !== undefined && playout > NTP_TO_UNIX_MS) quality.latency = plausible(Date.now() - (playout - NTP_TO_UNIX_MS));
  }

  #delta(stat: Stat, name: string): { difference: number; seconds: number } | undefined {
    const before = this.#last.get(stat.id);
    const [then, now] = [number(before?.[name]), number(stat[name])];
    if (before === undefined || then === undefined || now === undefined || stat.timestamp <= before.timestamp) return undefined;
    return { difference: now - then, seconds: (stat.timestamp - before.timestamp) / 1000 };
  }
}

/** A latency that clocks which differ have not spoilt. */
export function plausible(ms: number): number | undefined {
  return ms > -250 && ms < 60_000 ? Math.max(0, ms) : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function scaled(value: unknown, by: number): number | undefined {
  const found = number(value);
  return found === undefined ? undefined : found * by;
}
