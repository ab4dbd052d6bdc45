// HLS playlists (RFC 8216, and rfc8216bis for parts) read into what a live player needs. Text in, values out.

/** A piece of media that can be fetched alone. */
export interface Part {
  uri: string;
  duration: number;
  independent: boolean;
}

/** A segment, whole or growing. */
export interface Segment {
  msn: number;
  /** URL of the init segment. */
  map: string;
  /** Milliseconds since 1970 at its beginning. */
  date: number | undefined;
  parts: Part[];
  /** Absent while it grows. */
  whole: Part | undefined;
}

/** A media playlist. */
export interface MediaPlaylist {
  partTarget: number | undefined;
  /** Seconds to stay behind the end. */
  holdBack: number;
  canBlock: boolean;
  ended: boolean;
  segments: Segment[];
}

/** A variant of the multivariant playlist. */
export interface Variant {
  uri: string;
  codecs: string[];
  audio: string | undefined;
}

type Attributes = Record<string, string>;

function attributes(line: string): Attributes {
  const found: Attributes = {};
  for (const [, name = '', quoted, bare] of line.matchAll(/([A-Z0-9-]+)=(?:"([^"]*)"|([^,]*))/g)) found[name] = quoted ?? bare ?? '';
  return found;
}

function number(text: string | undefined): number | undefined {
  const value = Number(text);
  return text !== undefined && text !== '' && Number.isFinite(value) ? value : undefined;
}

/** The variants, the first first. */
export function variants(text: string, base: string): Variant[] {
  const lines = text.split(/\r?\n/);
  const sounds = new Map<string, string>();
  const found: Variant[] = [];
  lines.forEach((line, at) => {
    const [tag = '', rest = ''] = split(line);
    const named = attributes(rest);
    if (tag === '#EXT-X-MEDIA' && named.TYPE === 'AUDIO' && named.URI) {
      sounds.set(named['GROUP-ID'] ?? '', new URL(named.URI, base).href);
    }
    if (tag !== '#EXT-X-STREAM-INF') return;
    const uri = lines.slice(at + 1).find((next) => next && !next.startsWith('#'));
    if (!uri) return;
    found.push({
      uri: new URL(uri, base).href,
      codecs: (named.CODECS ?? '').split(',').map((codec) => codec.trim()).filter(Boolean),
      audio: named.AUDIO === undefined ? undefined : sounds.get(named.AUDIO),
    });
  });
  return found;
}

/** A media playlist. */
export function media(text: string, base: string): MediaPlaylist {
  const playlist: MediaPlaylist = { partTarget: undefined, holdBack: 3, canBlock: false, ended: false, segments: [] };
  const url = (uri: string) => new URL(uri, base).href;
  let msn = 0;
  let map = '';
  let growing: Segment | undefined;
  let duration = 0;
  let date: number | undefined;
  const segment = () => (growing ??= { msn, map, date, parts: [], whole: undefined });
  for (const line of text.split(/\r?\n/)) {
    const [tag = '', rest = ''] = split(line);
    const named = attributes(rest);
    switch (tag) {
      case '#EXT-X-SERVER-CONTROL':
        playlist.canBlock = named['CAN-BLOCK-RELOAD'] === 'YES';
        playlist.holdBack = number(named['PART-HOLD-BACK']) ?? number(named['HOLD-BACK']) ?? playlist.holdBack;
        break;
      case '#EXT-X-PART-INF': playlist.partTarget = number(named['PART-TARGET']); break;
      case '#EXT-X-MEDIA-SEQUENCE': msn = number(rest) ?? 0; break;
      case '#EXT-X-MAP': map = url(named.URI ?? ''); break;
      case '#EXT-X-PROGRAM-DATE-TIME': date = Date.parse(rest) || undefined; break;
      case '#EXT-X-PART':
        segment().parts.push({ uri: url(named.URI ?? ''), duration: number(named.DURATION) ?? 0, independent: named.INDEPENDENT === 'YES' });
        break;
      case '#EXTINF': duration = number(rest.split(',')[0]) ?? 0; break;
      case '#EXT-X-ENDLIST': playlist.ended = true; break;
      default: {
        if (!line || line.startsWith('#')) break;
        const whole = segment();
        whole.whole = { uri: url(line), duration, independent: true };
        playlist.segments.push(whole);
        growing = undefined;
        if (date !== undefined) date += duration * 1000;
        msn += 1;
      }
    }
  }
  if (growing) playlist.segments.push(growing);
  return playlist;
}

function split(line: string): [string, string] {
  const at = line.indexOf(':');
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
}

/** Where to begin: the newest point, at least `holdBack` before the end where there is one, from which decoding can start. */
export function beginning(playlist: MediaPlaylist): { msn: number; part: number } {
  let behind = 0;
  let best: { msn: number; part: number } | undefined;
  for (const { msn, parts, whole } of [...playlist.segments].reverse()) {
    for (const [part, { duration, independent }] of [...parts.entries()].reverse()) {
      behind += duration;
      if (!independent) continue;
      best = { msn, part };
      if (behind >= playlist.holdBack) return best;
    }
    if (parts.length > 0) continue;
    behind += whole?.duration ?? 0;
    best = { msn, part: 0 };
    if (behind >= playlist.holdBack) return best;
  }
  return best ?? { msn: 0, part: 0 };
}
