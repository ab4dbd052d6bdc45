//! How old a unit is, without comparing clocks: the smallest (arrival − sent) of the last minute is the way's own length,
//! and what takes much longer was held up somewhere. What becomes of a stale unit is decided elsewhere.

use crate::counters::{Counters, add};
use std::time::Duration;
use tokio::time::Instant;
use weft_wire::{AccessUnit, SentTime, UnitsEnd};

/// A unit that took this much longer than the quickest one is stale.
const STALE: i64 = 500_000;
/// The quickest one is sought in six buckets of this length.
const BUCKET: i64 = 10_000_000;
const BUCKETS: usize = 6;
/// When nothing but stale units came for so long, the way itself has become longer. A flood after a standstill is read in
/// far less,
const NEW_WAY: Duration = Duration::from_secs(3);
/// and two that have so much time between them are not of one run.
const ONE_RUN: Duration = Duration::from_secs(1);

/// Judges the age of one session's units.
#[derive(Debug)]
pub(crate) struct Age {
    start: Instant,
    /// (number of the bucket, smallest difference in it), in µs.
    buckets: [Option<(i64, i64)>; BUCKETS],
    /// The last arrival, and how long nothing came in all, in µs: the measure does not age while nothing is measured, or a
    /// flood after a minute of standstill would be its own measure.
    last: i64,
    idle: i64,
    /// The first and the last of a run of stale units.
    stale: Option<(Instant, Instant)>,
    /// By how much the last unit was later than the quickest, in µs.
    late: i64,
}

impl Age {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            start: now,
            buckets: [None; BUCKETS],
            last: 0,
            idle: 0,
            stale: None,
            late: 0,
        }
    }

    /// True when the unit that arrived now was held up on its way.
    pub(crate) fn is_stale(&mut self, arrival: Instant, sent: SentTime) -> bool {
        self.late = self.note(arrival, sent);
        if self.late <= STALE {
            self.stale = None;
            return false;
        }
        let (since, _) = self
            .stale
            .filter(|(_, last)| arrival.duration_since(*last) < ONE_RUN)
            .unwrap_or((arrival, arrival));
        self.stale = Some((since, arrival));
        if arrival.duration_since(since) < NEW_WAY {
            return true;
        }
        *self = Self::new(self.start);
        self.note(arrival, sent);
        false
    }

    /// The same, and counts what it finds.
    pub(crate) fn is_stale_counted(&mut self, arrival: Instant, sent: SentTime, counters: &Counters) -> bool {
        let stale = self.is_stale(arrival, sent);
        add(&counters.stale, u64::from(stale));
        add(&counters.late_us, u64::try_from(self.late).unwrap_or(0));
        stale
    }

    /// When a unit was published, by this node's clock: when it would have come, had it taken no longer than the quickest.
    pub(crate) fn published(&self, sent: SentTime) -> Instant {
        let least = self.least().unwrap_or_default();
        let at = i64::try_from(sent.0).unwrap_or(i64::MAX).saturating_add(least);
        // What was sent before anything was measured counts from then on.
        self.start + Duration::from_micros(u64::try_from(at).unwrap_or(0))
    }

    /// Turns what an answer says of its own time into what holds now: held up on its way, all in it is older by that.
    pub(crate) fn as_of_arrival(&mut self, arrival: Instant, end: &mut UnitsEnd) {
        let late = u64::try_from(self.note(arrival, end.sent)).unwrap_or(0);
        let late_ms = u32::try_from(late / 1000).unwrap_or(u32::MAX);
        end.sent = SentTime(end.sent.0.saturating_add(late));
        end.key_age_ms = end.key_age_ms.saturating_add(late_ms);
    }

    /// Takes note of one arrival; says by how much it is later than the quickest, in µs.
    fn note(&mut self, arrival: Instant, sent: SentTime) -> i64 {
        let arrival = i64::try_from(arrival.duration_since(self.start).as_micros()).unwrap_or(i64::MAX);
        let took = arrival.saturating_sub(i64::try_from(sent.0).unwrap_or(i64::MAX));
        let silent = arrival - self.last;
        self.last = arrival;
        if silent > BUCKET {
            self.idle += silent;
        }
        let slot = (self.last - self.idle) / BUCKET;
        let bucket = &mut self.buckets[usize::try_from(slot).unwrap_or(0) % BUCKETS];
        *bucket = match *bucket {
            Some((s, least)) if s == slot => Some((slot, least.min(took))),
            _ => Some((slot, took)),
        };
        took.saturating_sub(self.least().unwrap_or(took))
    }

    /// What the quickest one took, by clocks that have nothing to do with each other, in µs.
    fn least(&self) -> Option<i64> {
        let oldest = (self.last - self.idle) / BUCKET - BUCKETS as i64;
        let fresh = self.buckets.iter().flatten().filter(|(s, _)| *s > oldest);
        fresh.map(|(_, least)| *least).min()
    }
}

/// How old a unit is at the time that an answer ends with.
pub(crate) fn age(unit: &AccessUnit, end: &UnitsEnd) -> Duration {
    Duration::from_micros(end.sent.0.saturating_sub(unit.sent.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    fn sent(ms: u64) -> SentTime {
        SentTime(ms * 1000)
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_after_a_standstill_is_stale_until_it_is_over() {
        let t = Instant::now();
        let mut age = Age::new(t);
        assert!(!age.is_stale(at(t, 0), sent(1000)));
        // Six seconds of nothing, then all of it at once.
        for i in 1..60 {
            let late = 6000 - i * 100;
            assert_eq!(age.is_stale(at(t, 6000), sent(1000 + i * 100)), late > 500, "{i}");
        }
        assert!(!age.is_stale(at(t, 6010), sent(7010)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_way_that_stays_longer_becomes_the_new_measure() {
        let t = Instant::now();
        let mut age = Age::new(t);
        assert!(!age.is_stale(at(t, 0), sent(0)));
        let verdicts: Vec<bool> = (1..=40)
            .map(|i| age.is_stale(at(t, i * 100 + 900), sent(i * 100)))
            .collect();
        assert_eq!(verdicts.iter().filter(|v| **v).count(), 30);
        assert!(!verdicts[39]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_unit_was_published_when_it_would_have_come_by_the_quickest_way() {
        let t = Instant::now();
        let mut age = Age::new(t);
        // The owner's clock is a minute ahead, and the way takes at least 3 ms.
        for (ms, took) in [(100, 5), (200, 3), (300, 45)] {
            age.is_stale(at(t, ms + took), sent(60_000 + ms));
        }
        assert_eq!(age.published(sent(60_300)), at(t, 303));
        // Before anything was measured.
        assert_eq!(age.published(sent(0)), t);
    }

    #[tokio::test(start_paused = true)]
    async fn the_measure_forgets_what_is_a_minute_old() {
        let t = Instant::now();
        let mut age = Age::new(t);
        // Clocks that drift apart by 5 ms a second for ten minutes: three seconds in all, never stale.
        for s in 0..600 {
            assert!(!age.is_stale(at(t, s * 1005), sent(s * 1000)), "{s}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_after_minutes_of_standstill_is_as_stale_as_one_after_seconds() {
        for minutes in [1, 2, 10] {
            let t = Instant::now();
            let mut age = Age::new(t);
            for i in 0..100 {
                assert!(!age.is_stale(at(t, i * 100), sent(i * 100)));
            }
            let thawed = 10_000 + minutes * 60_000;
            for i in 100..200 {
                assert!(age.is_stale(at(t, thawed), sent(i * 100)), "{minutes} {i}");
            }
            assert!(!age.is_stale(at(t, thawed + 10), sent(thawed + 5)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stale_unit_before_a_standstill_makes_no_new_way_of_the_flood_after_it() {
        let t = Instant::now();
        let mut age = Age::new(t);
        assert!(!age.is_stale(at(t, 0), sent(0)));
        assert!(age.is_stale(at(t, 1_000), sent(100)));
        for i in 0..50 {
            assert!(age.is_stale(at(t, 7_000), sent(1_000 + i * 100)), "{i}");
        }
    }
}
