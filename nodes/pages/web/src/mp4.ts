// The little of fragmented MP4 (ISO/IEC 14496-12) that a player needs to know where a fragment stands in time.

/** Units of time per second of the first track, from an init segment. */
export function timescale(init: Uint8Array): number | undefined {
  const mdhd = find(init, ['moov', 'trak', 'mdia', 'mdhd']);
  if (!mdhd) return undefined;
  // Version 1 has times of 64 bits.
  return view(mdhd).getUint32(mdhd[0] === 1 ? 20 : 12);
}

/** The decoding time of the first sample, in those units. */
export function decodeTime(fragment: Uint8Array): number | undefined {
  const tfdt = find(fragment, ['moof', 'traf', 'tfdt']);
  if (!tfdt) return undefined;
  return tfdt[0] === 1 ? Number(view(tfdt).getBigUint64(4)) : view(tfdt).getUint32(4);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What is in the box at the end of this way, the first of each kind. */
function find(bytes: Uint8Array, way: string[]): Uint8Array | undefined {
  let inside: Uint8Array | undefined = bytes;
  for (const name of way) {
    if (!inside) return undefined;
    inside = box(inside, name);
  }
  return inside;
}

function box(bytes: Uint8Array, name: string): Uint8Array | undefined {
  for (let at = 0; at + 8 <= bytes.length;) {
    const size = view(bytes).getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (size < 8) return undefined;
    if (type === name) return bytes.subarray(at + 8, at + size);
    at += size;
  }
  return undefined;
}
