//! Which missing packets to ask for, and when: own timing, because the first request decides whether a repair is in time.
//! Generic NACK as a message (RFC 4585 §6.2.1) is written elsewhere; when to give up is decided by the reorder hold.

use core::ops::Range;
use core::time::Duration;
use std::collections::VecDeque;

/// Wait before the first request: plain reordering settles in less, and it keeps the request within 10 ms of the gap.
const SETTLE: Duration = Duration::from_millis(5);
/// Shortest time between two requests for one packet.
const MIN_INTERVAL: Duration = Duration::from_millis(20);
/// Most packets asked for at a time: a hole this large is not repaired by retransmission but by a key unit.
const MAX_ENTRIES: usize = 256;

#[derive(Debug)]
struct Entry {
    seq: u64,
    due: Duration,
    asked: bool,
}

/// Counters since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NackStats {
    /// Requests for one packet each, repeats included.
    pub requested: u64,
    /// Packets that came after they were asked for.
    pub recovered: u64,
    /// Missing packets never asked for because the list was full.
    pub overflow: u64,
}

/// Missing packets of one source, by extended sequence number, rising.
#[derive(Debug, Default)]
pub struct NackScheduler {
    entries: VecDeque<Entry>,
    rtt: Duration,
    stats: NackStats,
}

impl NackScheduler {
    /// Sets the round trip: no packet is asked for again sooner.
    pub fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = rtt;
    }

    /// These packets are missing, seen at `now`; all of them above every gap told before.
    pub fn gap(&mut self, missing: Range<u64>, now: Duration) {
        for seq in missing.clone() {
            if self.entries.len() == MAX_ENTRIES {
                // overflow: the newest are not asked for, counted
                self.stats.overflow += missing.end - seq;
                return;
            }
            self.entries.push_back(Entry {
                seq,
                due: now + SETTLE,
                asked: false,
            });
        }
    }

    /// A missing packet has come.
    pub fn received(&mut self, seq: u64) {
        if let Ok(at) = self.entries.binary_search_by_key(&seq, |e| e.seq) {
            self.stats.recovered += u64::from(self.entries[at].asked);
            self.entries.remove(at);
        }
    }

    /// Everything below `seq` has been given up or delivered.
    pub fn forget_before(&mut self, seq: u64) {
        while self.entries.front().is_some_and(|e| e.seq < seq) {
            self.entries.pop_front();
        }
    }

    /// The sequence numbers to ask for now. Allocates only when there are any.
    pub fn poll(&mut self, now: Duration) -> Vec<u16> {
        let interval = self.rtt.max(MIN_INTERVAL);
        let mut due = Vec::new();
        for entry in self.entries.iter_mut().filter(|e| e.due <= now) {
            entry.due = now + interval;
            entry.asked = true;
            due.push(entry.seq as u16);
        }
        self.stats.requested += due.len() as u64;
        due
    }

    /// When [`Self::poll`] has something to say next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.entries.iter().map(|e| e.due).min()
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> NackStats {
        self.stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_first_request_comes_within_ten_milliseconds_and_repeats_every_round_trip() {
        let mut nacks = NackScheduler::default();
        nacks.gap(0x1_ffff..0x2_0001, ms(100));
        assert_eq!(nacks.poll(ms(100)), []);
        let first = nacks.next_deadline().unwrap();
        assert!(first <= ms(110));
        assert_eq!(nacks.poll(first), [0xffff, 0]);
        assert_eq!(nacks.next_deadline(), Some(first + ms(20)));
        nacks.set_rtt(ms(70));
        assert_eq!(nacks.poll(first + ms(20)), [0xffff, 0]);
        assert_eq!(nacks.poll(first + ms(89)), []);
        assert_eq!(nacks.poll(first + ms(90)).len(), 2);
        assert_eq!(nacks.stats().requested, 6);
    }

    #[test]
    fn what_came_or_was_given_up_is_not_asked_for() {
        let mut nacks = NackScheduler::default();
        nacks.gap(10..14, ms(0));
        nacks.received(11);
        nacks.received(99);
        nacks.forget_before(11);
        assert_eq!(nacks.poll(ms(5)), [12, 13]);
        nacks.received(12);
        nacks.forget_before(100);
        assert_eq!(nacks.next_deadline(), None);
        assert_eq!(
            nacks.stats().recovered,
            1,
            "11 came by itself, 12 after the request"
        );
    }

    #[test]
    fn a_hole_too_large_for_repair_stays_bounded() {
        let mut nacks = NackScheduler::default();
        nacks.gap(0..1_000, ms(0));
        nacks.gap(2_000..u64::MAX, ms(0));
        assert_eq!(nacks.poll(ms(5)).len(), MAX_ENTRIES);
        assert_eq!(
            nacks.stats().overflow,
            1_000 - MAX_ENTRIES as u64 + (u64::MAX - 2_000)
        );
    }
}
