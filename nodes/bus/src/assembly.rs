//! Puts units that travelled in parts together again: one unit in assembly per track, parts in order.
//! Units that came whole pass by it; what is missing is found by the hub as a hole in `seq`.

use bytes::{Bytes, BytesMut};
use std::time::Duration;
use weft_wire::{AccessUnit, Epoch, MAX_UNIT_BYTES, SessionId, TrackId, UnitPart, UnitSeq};

/// A unit whose parts take longer is given up: it would come too late, and what it holds is memory.
const PATIENCE: Duration = Duration::from_millis(500);
/// Tracks that may be in assembly at once: bounds memory whatever arrives.
const MAX_TRACKS: usize = 8;

/// What became of a part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Assembled {
    /// The unit is whole.
    Whole(AccessUnit),
    /// More parts are to come.
    Waiting,
}

#[derive(Debug)]
struct Pending {
    track: TrackId,
    session: SessionId,
    epoch: Epoch,
    seq: UnitSeq,
    started: Duration,
    parts: u16,
    next: u16,
    data: BytesMut,
}

/// The units in assembly of one subscription. `now` is the time since any fixed start.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    pending: Vec<Pending>,
    /// Units given up since the last call of [`Self::take_discarded`].
    discarded: u64,
}

impl Assembly {
    /// Takes a unit or a part of one.
    pub(crate) fn push(
        &mut self,
        now: Duration,
        session: SessionId,
        epoch: Epoch,
        unit: AccessUnit,
        part: UnitPart,
    ) -> Assembled {
        self.expire(now);
        let place = self.pending.iter().position(|p| p.track == unit.track);
        if part == UnitPart::WHOLE {
            if let Some(place) = place {
                self.discard(place);
            }
            return Assembled::Whole(unit);
        }
        let place = match place {
            Some(place) if self.continues(place, session, epoch, &unit, part) => place,
            other => {
                if let Some(place) = other {
                    self.discard(place);
                }
                match self.begin(now, session, epoch, &unit, part) {
                    Some(place) => place,
                    None => return Assembled::Waiting,
                }
            }
        };
        let pending = &mut self.pending[place];
        if pending.data.len() + unit.data.len() > MAX_UNIT_BYTES {
            self.discard(place);
            return Assembled::Waiting;
        }
        pending.data.extend_from_slice(&unit.data);
        pending.next += 1;
        if pending.next < pending.parts {
            return Assembled::Waiting;
        }
        let data: Bytes = self.pending.swap_remove(place).data.freeze();
        Assembled::Whole(AccessUnit { data, ..unit })
    }

    /// When [`Self::expire`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.pending.iter().map(|p| p.started + PATIENCE).min()
    }

    /// Gives up what has waited for too long.
    pub(crate) fn expire(&mut self, now: Duration) {
        let before = self.pending.len();
        self.pending.retain(|p| now < p.started + PATIENCE);
        self.discarded += (before - self.pending.len()) as u64;
    }

    /// How many units were given up since it was last asked.
    pub(crate) fn take_discarded(&mut self) -> u64 {
        std::mem::take(&mut self.discarded)
    }

    fn continues(
        &self,
        place: usize,
        session: SessionId,
        epoch: Epoch,
        unit: &AccessUnit,
        part: UnitPart,
    ) -> bool {
        let p = &self.pending[place];
        (p.session, p.epoch, p.seq, p.parts, p.next) == (session, epoch, unit.seq, part.parts, part.part)
    }

    fn begin(
        &mut self,
        now: Duration,
        session: SessionId,
        epoch: Epoch,
        unit: &AccessUnit,
        part: UnitPart,
    ) -> Option<usize> {
        if part.part != 0 {
            // Its first part was lost. Counted once, at the last part.
            self.discarded += u64::from(part.part + 1 == part.parts);
            return None;
        }
        if self.pending.len() == MAX_TRACKS {
            self.discard(0);
        }
        let expected = unit.data.len().saturating_mul(usize::from(part.parts));
        self.pending.push(Pending {
            track: unit.track,
            session,
            epoch,
            seq: unit.seq,
            started: now,
            parts: part.parts,
            next: 0,
            data: BytesMut::with_capacity(expected.min(MAX_UNIT_BYTES)),
        });
        Some(self.pending.len() - 1)
    }

    fn discard(&mut self, place: usize) {
        self.pending.remove(place);
        self.discarded += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_wire::{CaptureSource, CaptureTime, GopSeq, MediaTime, SentTime, UnitFlags};

    const EPOCH: Epoch = Epoch {
        generation: 1,
        revision: 1,
    };

    fn unit(track: u8, seq: u64, data: &[u8]) -> AccessUnit {
        AccessUnit {
            track: TrackId(track),
            seq: UnitSeq(seq),
            gop: GopSeq(0),
            pts: MediaTime(0),
            dts: MediaTime(0),
            capture: CaptureTime(0),
            capture_source: CaptureSource::Arrival,
            capture_offset: 0,
            sent: SentTime(0),
            flags: UnitFlags::KEY,
            data: Bytes::copy_from_slice(data),
        }
    }

    fn push(a: &mut Assembly, ms: u64, unit: AccessUnit, part: u16, parts: u16) -> Option<Bytes> {
        let now = Duration::from_millis(ms);
        match a.push(now, SessionId::default(), EPOCH, unit, UnitPart { part, parts }) {
            Assembled::Whole(unit) => Some(unit.data),
            Assembled::Waiting => None,
        }
    }

    #[test]
    fn parts_of_two_tracks_may_alternate() {
        let mut a = Assembly::default();
        assert_eq!(push(&mut a, 0, unit(0, 1, b"ab"), 0, 2), None);
        assert_eq!(push(&mut a, 0, unit(2, 2, b"xy"), 0, 2), None);
        assert_eq!(
            push(&mut a, 1, unit(0, 1, b"c"), 1, 2).as_deref(),
            Some(&b"abc"[..])
        );
        assert_eq!(
            push(&mut a, 1, unit(2, 2, b"z"), 1, 2).as_deref(),
            Some(&b"xyz"[..])
        );
        assert_eq!(a.take_discarded(), 0);
        assert_eq!(a.deadline(), None);
    }

    #[test]
    fn a_lost_part_discards_the_unit_and_counts_it_once() {
        let mut a = Assembly::default();
        assert_eq!(push(&mut a, 0, unit(0, 1, b"a"), 0, 3), None);
        assert_eq!(push(&mut a, 0, unit(0, 1, b"c"), 2, 3), None);
        assert!(a.take_discarded() >= 1);
        assert_eq!(push(&mut a, 0, unit(0, 2, b"a"), 1, 3), None);
        assert_eq!(push(&mut a, 0, unit(0, 2, b"c"), 2, 3), None);
        assert_eq!(a.take_discarded(), 1);
    }

    #[test]
    fn another_unit_of_the_track_takes_the_place() {
        let mut a = Assembly::default();
        assert_eq!(push(&mut a, 0, unit(0, 1, b"a"), 0, 2), None);
        assert_eq!(
            push(&mut a, 0, unit(0, 2, b"whole"), 0, 1).as_deref(),
            Some(&b"whole"[..])
        );
        assert_eq!(push(&mut a, 0, unit(0, 1, b"b"), 1, 2), None);
        assert_eq!(a.take_discarded(), 2);
    }

    #[test]
    fn half_a_unit_is_given_up_after_half_a_second() {
        let mut a = Assembly::default();
        assert_eq!(push(&mut a, 0, unit(0, 1, b"a"), 0, 2), None);
        assert_eq!(a.deadline(), Some(PATIENCE));
        assert_eq!(push(&mut a, 500, unit(0, 1, b"b"), 1, 2), None);
        assert!(a.take_discarded() >= 1);
        assert_eq!(a.deadline(), None);
    }

    #[test]
    fn no_more_than_the_largest_unit_is_ever_held() {
        let mut a = Assembly::default();
        let big = vec![0; MAX_UNIT_BYTES / 2 + 1];
        assert_eq!(push(&mut a, 0, unit(0, 1, &big), 0, 3), None);
        assert_eq!(push(&mut a, 0, unit(0, 1, &big), 1, 3), None);
        assert_eq!(a.pending.len(), 0);
        for track in 0..20 {
            push(&mut a, 0, unit(track, 1, b"a"), 0, 2);
        }
        assert_eq!(a.pending.len(), MAX_TRACKS);
    }
}
