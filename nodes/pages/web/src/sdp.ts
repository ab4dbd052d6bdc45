// What we change in session descriptions, and the fragments of an ICE restart (RFC 8840). Text in, text out.

const CAPTURE_TIME = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';

/** The value of the first `a=name:` line. */
function attribute(sdp: string, name: string): string | undefined {
  return new RegExp(`^a=${name}:(.*?)\\r?$`, 'm').exec(sdp)?.[1];
}

/** A description as sections: what stands before the first m line, then each m line with what follows it. */
function sections(sdp: string): string[] {
  return sdp.split(/^(?=m=)/m);
}

/** An offer that also asks for abs-capture-time in each section, where it does not yet; numbers that are taken stay. */
export function askForCaptureTime(offer: string): string {
  const taken = new Set([...offer.matchAll(/^a=extmap:(\d+)/gm)].map(([, id]) => Number(id)));
  // 15 is reserved (RFC 8285 §4.2); one-byte headers take 1 to 14.
  const free = Array.from({ length: 14 }, (_, at) => 14 - at).find((id) => !taken.has(id));
  if (free === undefined) return offer;
  return sections(offer)
    .map((section) => {
      if (!/^m=(audio|video)/.test(section) || section.includes(CAPTURE_TIME)) return section;
      return section.replace(/^(a=mid:.*?\r?\n)/m, `$1a=extmap:${free} ${CAPTURE_TIME}\r\n`);
    })
    .join('');
}

/** An answer that lets the browser begin at this bitrate (kbit/s) and go up to the other, where it knows such a wish. */
export function startAt(answer: string, start: number, most: number): string {
  return sections(answer)
    .map((section) =>
      section.startsWith('m=video')
        ? section.replace(/^(a=fmtp:\d+ [^\r\n]*profile-level-id[^\r\n]*)/gm, `$1;x-google-start-bitrate=${start};x-google-max-bitrate=${most}`)
        : section)
    .join('');
}

/** What a PATCH tells the server of our side's new credentials. */
export function fragment(offer: string): string {
  const media = /^m=.*?\r?$/m.exec(offer)?.[0].trim() ?? 'm=audio 9 UDP/TLS/RTP/SAVPF 0';
  return [
    `a=ice-ufrag:${attribute(offer, 'ice-ufrag') ?? ''}`,
    `a=ice-pwd:${attribute(offer, 'ice-pwd') ?? ''}`,
    media,
    `a=mid:${attribute(offer, 'mid') ?? '0'}`,
    '',
  ].join('\r\n');
}

/** The answer we have, with the credentials and candidates of the server's fragment in place of the old ones. */
export function restarted(answer: string, reply: string): string {
  const [ufrag, pwd] = [attribute(reply, 'ice-ufrag'), attribute(reply, 'ice-pwd')];
  if (!ufrag || !pwd) throw new Error('the answer to the ICE restart names no credentials');
  const candidates = [...reply.matchAll(/^a=candidate:.*?\r?$/gm)].map(([line]) => line.trim());
  let first = true;
  return sections(answer)
    .map((section) => {
      let changed = section.replace(/^a=ice-ufrag:.*?\r?$/gm, `a=ice-ufrag:${ufrag}\r`).replace(/^a=ice-pwd:.*?\r?$/gm, `a=ice-pwd:${pwd}\r`);
      if (!section.startsWith('m=') || candidates.length === 0) return changed;
      changed = changed.replace(/^a=(candidate:.*|end-of-candidates)\r?\n/gm, '');
      if (!first) return changed;
      first = false;
      return `${changed}${candidates.join('\r\n')}\r\na=end-of-candidates\r\n`;
    })
    .join('');
}
