//! Packets that a reader may ask for again: which packet of which unit had a sequence number, without copies of it.
//! Bounded in number and age; what is asked for later is gone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use weft_rtp::PacketBlock;

/// Packets kept: two seconds of 5 Mbit/s.
const MOST: usize = 1024;
/// Who asks later will not show it any more.
const LIFE: Duration = Duration::from_secs(2);

/// One packet that was sent.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) block: Arc<PacketBlock>,
    pub(super) index: usize,
    pub(super) at: Instant,
    again: Option<Instant>,
}

/// The newest packets of one lane, by consecutive sequence numbers.
#[derive(Debug, Default)]
pub(super) struct History {
    kept: VecDeque<Kept>,
    /// Sequence number of the oldest.
    first: u16,
}

impl History {
    /// The packet with the next sequence number was sent.
    pub(super) fn push(&mut self, now: Instant, seq: u16, block: &Arc<PacketBlock>, index: usize) {
        // overflow: the oldest is forgotten; a reader that asks for it then is counted, and asks for a key unit.
        while self.kept.len() >= MOST || self.kept.front().is_some_and(|k| now - k.at > LIFE) {
            self.kept.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        if self.kept.is_empty() {
            self.first = seq;
        }
        self.kept.push_back(Kept {
            block: Arc::clone(block),
            index,
            at: now,
            again: None,
        });
    }

    /// The packet of a sequence number, if it is kept.
    pub(super) fn get(&self, seq: u16) -> Option<&Kept> {
        self.kept.get(usize::from(seq.wrapping_sub(self.first)))
    }

    /// Whether it may be sent again: not sooner than `spacing` after the last time. `None`: it is gone.
    pub(super) fn may_again(&mut self, now: Instant, seq: u16, spacing: Duration) -> Option<bool> {
        let kept = self.kept.get_mut(usize::from(seq.wrapping_sub(self.first)))?;
        let soon = kept
            .again
            .is_some_and(|at| now.saturating_duration_since(at) < spacing);
        if !soon {
            kept.again = Some(now);
        }
        Some(!soon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use weft_wire::TrackId;

    fn block() -> Arc<PacketBlock> {
        Arc::new(PacketBlock {
            track: TrackId(0),
            key: false,
            rtp_time: 0,
            bytes: Bytes::from_static(&[0; 16]),
            offsets: vec![0],
            payload_bytes: 0,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn packets_are_found_across_the_wrap_and_forgotten_by_number_and_age() {
        let (mut history, now, block) = (History::default(), Instant::now(), block());
        for n in 0..2000_u16 {
            history.push(now, 65_000_u16.wrapping_add(n), &block, usize::from(n));
        }
        let last = 65_000_u16.wrapping_add(1999);
        assert_eq!(history.get(last).map(|k| k.index), Some(1999));
        assert_eq!(history.get(last.wrapping_sub(1023)).map(|k| k.index), Some(976));
        assert!(history.get(last.wrapping_sub(1024)).is_none());
        assert!(history.get(last.wrapping_add(1)).is_none());
        let later = now + Duration::from_millis(2001);
        history.push(later, last.wrapping_add(1), &block, 7);
        assert!(history.get(last).is_none());
        assert_eq!(history.get(last.wrapping_add(1)).map(|k| k.index), Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_packet_is_sent_again_once_a_round_trip() {
        let (mut history, now) = (History::default(), Instant::now());
        history.push(now, 5, &block(), 0);
        let spacing = Duration::from_millis(50);
        assert_eq!(history.may_again(now, 5, spacing), Some(true));
        assert_eq!(history.may_again(now + spacing / 2, 5, spacing), Some(false));
        assert_eq!(history.may_again(now + spacing, 5, spacing), Some(true));
        assert_eq!(history.may_again(now, 6, spacing), None);
    }
}
