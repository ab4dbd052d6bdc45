//! Cuts batches of units into messages that a server takes: units packed together, large ones in parts.
//! Putting them together again is `assembly`'s work.

use bytes::Bytes;
use weft_wire::{
    AccessUnit, MAX_UNIT_BYTES, PART_BYTES, UnitBatch, UnitPart, batch_bound, encode_batch, encode_part,
};

/// What a message may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packing {
    /// Units are packed into one message up to this many bytes.
    pub(crate) together: usize,
    /// A single unit travels whole up to this many bytes of message, above it in parts.
    pub(crate) whole: usize,
}

impl Packing {
    /// Packing for a server that takes messages of `max_payload` bytes; `together` bounds what is packed of small units.
    pub(crate) fn new(max_payload: usize, together: usize) -> Self {
        Self {
            together: together.min(max_payload),
            whole: max_payload,
        }
    }

    /// True when no unit is larger than what may travel at all.
    pub(crate) fn fits(units: &[AccessUnit]) -> bool {
        units.iter().all(|u| u.data.len() <= MAX_UNIT_BYTES)
    }

    /// Makes the messages one by one, in order, until `each` says false. Says whether all were made.
    pub(crate) fn messages(self, batch: &UnitBatch, mut each: impl FnMut(Bytes) -> bool) -> bool {
        if batch_bound(&batch.units) <= self.together {
            return each(encode_batch(batch));
        }
        let mut rest = &batch.units[..];
        while let Some(first) = rest.first() {
            let count = self.run(rest);
            let (run, after) = rest.split_at(count);
            rest = after;
            let sent = if batch_bound(run) <= self.whole {
                each(encode_batch(&UnitBatch {
                    session: batch.session,
                    epoch: batch.epoch,
                    units: run.to_vec(),
                }))
            } else {
                self.parts(batch, first, &mut each)
            };
            if !sent {
                return false;
            }
        }
        true
    }

    /// How many of the units go together; at least one.
    fn run(self, units: &[AccessUnit]) -> usize {
        let mut size = 0;
        let fitting = units.iter().take_while(|unit| {
            size += batch_bound(std::slice::from_ref(unit));
            size <= self.together
        });
        fitting.count().max(1)
    }

    fn parts(self, batch: &UnitBatch, unit: &AccessUnit, each: &mut impl FnMut(Bytes) -> bool) -> bool {
        let overhead = batch_bound(std::slice::from_ref(unit)) - unit.data.len();
        let size = PART_BYTES.min(self.whole.saturating_sub(overhead)).max(1);
        let parts = unit.data.len().div_ceil(size);
        unit.data.chunks(size).enumerate().all(|(part, data)| {
            // At most 4 MiB in parts of at least 63 KiB: both numbers are small.
            let part = UnitPart {
                part: part as u16,
                parts: parts as u16,
            };
            each(encode_part(&batch.session, batch.epoch, unit, part, data))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assembly::{Assembled, Assembly};
    use std::time::Duration;
    use weft_wire::{
        CaptureSource, CaptureTime, Epoch, GopSeq, MediaTime, SentTime, SessionId, TrackId, UnitFlags,
        UnitSeq, decode_batch,
    };

    fn batch(sizes: &[usize]) -> UnitBatch {
        let units = sizes.iter().enumerate().map(|(seq, size)| AccessUnit {
            track: TrackId(0),
            seq: UnitSeq(seq as u64),
            gop: GopSeq(0),
            pts: MediaTime(i64::MAX),
            dts: MediaTime(i64::MIN),
            capture: CaptureTime(i64::MAX),
            capture_source: CaptureSource::Arrival,
            capture_offset: i64::MIN,
            sent: SentTime(u64::MAX),
            flags: UnitFlags(0xff),
            data: (0..*size).map(|i| (i + seq) as u8).collect(),
        });
        UnitBatch {
            session: SessionId([1; 16]),
            epoch: Epoch {
                generation: u64::MAX,
                revision: u64::MAX,
            },
            units: units.collect(),
        }
    }

    fn through(packing: Packing, batch: &UnitBatch) -> (usize, Vec<AccessUnit>) {
        let mut assembly = Assembly::default();
        let mut units = Vec::new();
        let mut count = 0;
        let all = packing.messages(batch, |message| {
            assert!(message.len() <= packing.whole, "{} bytes", message.len());
            count += 1;
            let (read, parts) = decode_batch(&message).unwrap();
            for (unit, part) in read.units.into_iter().zip(parts) {
                if let Assembled::Whole(unit) =
                    assembly.push(Duration::ZERO, read.session, read.epoch, unit, part)
                {
                    units.push(unit);
                }
            }
            true
        });
        assert!(all);
        (count, units)
    }

    #[test]
    fn whatever_the_servers_limit_units_come_out_as_they_went_in() {
        let batch = batch(&[100, 9000, 160, 3_000_000, 200, 2_000_000, MAX_UNIT_BYTES]);
        for max_payload in [64 * 1024, 1 << 20, 4 << 20, 8 << 20] {
            let (_, units) = through(Packing::new(max_payload, max_payload), &batch);
            assert_eq!(units, batch.units, "max_payload {max_payload}");
        }
    }

    #[test]
    fn small_units_are_packed_and_a_batch_that_fits_is_one_message() {
        let small = batch(&[160; 100]);
        assert_eq!(through(Packing::new(1 << 20, 1 << 20), &small).0, 1);
        assert!(through(Packing::new(1 << 20, 4096), &small).0 <= 10);
        assert_eq!(
            through(Packing::new(1 << 20, 1 << 20), &batch(&[600_000])).0,
            1,
            "whole while it fits"
        );
    }

    #[test]
    fn after_one_refused_part_the_rest_is_not_made() {
        let mut made = 0;
        let all = Packing::new(1 << 20, 1 << 20).messages(&batch(&[3_000_000]), |_| {
            made += 1;
            made < 2
        });
        assert!(!all);
        assert_eq!(made, 2);
    }
}
