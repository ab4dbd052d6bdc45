//! H.264 access units to RTP payloads (RFC 6184, packetization-mode 1): small NAL units together in a STAP-A, large ones
//! in FU-A fragments of equal size (so that one GSO send takes them), the rest alone.

use super::{FU_A, NalKind, STAP_A};
use crate::packetise::PayloadSink;
use weft_wire::nal_units;

/// Bytes of an FU-A payload before the fragment: indicator and header (§5.8).
const FU_HEADER: usize = 2;

/// Hands the payloads of one unit to `sink`, none longer than `max_payload`. What is no NAL unit is left out.
pub(crate) fn packetise(unit_data: &[u8], max_payload: usize, sink: &mut impl PayloadSink) {
    let mut run = Run::default();
    let mut end = 0;
    for nal in nal_units(unit_data) {
        let from = end;
        end += 4 + nal.len();
        if !is_nal(nal) {
            continue;
        }
        if run.size_with(nal) > max_payload {
            run.flush(unit_data, sink);
        }
        if nal.len() > max_payload {
            fragments(nal, max_payload, sink);
        } else {
            run.take(nal, from, end);
        }
    }
    run.flush(unit_data, sink);
}

fn is_nal(nal: &[u8]) -> bool {
    nal.first().is_some_and(|h| NalKind::of(*h) != NalKind::None)
}

/// Neighbouring NAL units that fit into one packet.
#[derive(Default)]
struct Run {
    /// Where in the unit the first one's length stands.
    from: usize,
    /// Where the last one ends.
    to: usize,
    count: usize,
    /// Length of the STAP-A they make (§5.7.1).
    size: usize,
}

impl Run {
    fn size_with(&self, nal: &[u8]) -> usize {
        self.size.max(1) + 2 + nal.len()
    }

    fn take(&mut self, nal: &[u8], from: usize, to: usize) {
        if self.count == 0 {
            self.from = from;
        }
        self.to = to;
        self.size = self.size_with(nal);
        self.count += 1;
    }

    fn flush(&mut self, unit_data: &[u8], sink: &mut impl PayloadSink) {
        let run = std::mem::take(self);
        let nals = || nal_units(&unit_data[run.from..run.to]).filter(|nal| is_nal(nal));
        match run.count {
            0 => {}
            1 => nals().for_each(|nal| sink.payload(&[nal])),
            _ => {
                // The highest importance of those inside (§5.7.1).
                let importance = nals().map(|nal| nal[0] & 0x60).max().unwrap_or(0);
                sink.begin(run.size);
                sink.put(&[importance | STAP_A]);
                for nal in nals() {
                    // Below 2^16: at most one packet's payload.
                    sink.put(&(nal.len() as u16).to_be_bytes());
                    sink.put(nal);
                }
            }
        }
    }
}

/// One NAL unit in fragments (§5.8), as few as possible, all of one size but the last.
fn fragments(nal: &[u8], max_payload: usize, sink: &mut impl PayloadSink) {
    let (header, body) = (nal[0], &nal[1..]);
    let count = body.len().div_ceil(max_payload - FU_HEADER);
    let size = body.len().div_ceil(count);
    let mut fu = 0x80 | header & 0x1f;
    for (i, fragment) in body.chunks(size).enumerate() {
        if (i + 1) * size >= body.len() {
            fu |= 0x40;
        }
        sink.payload(&[&[header & 0xe0 | FU_A, fu], fragment]);
        fu &= 0x1f;
    }
}
