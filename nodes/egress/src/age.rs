//! How old a unit is, without comparing clocks: the smallest (arrival − sent) of the last minute is the way's own length,
//! and what takes much longer was held up somewhere. What becomes of a stale unit is decided elsewhere.

use std::time::Duration;
use tokio::time::Instant;
use weft_wire::SentTime;

/// A unit that took this much longer than the quickest one is stale.
const STALE: i64 = 500_000;
/// The quickest one is sought in six buckets of this length.
const BUCKET: i64 = 10_000_000;
const BUCKETS: usize = 6;
/// When nothing but stale units came for so long, the way itself has become longer. A flood after a standstill is read in
/// far less.
const NEW_WAY: Duration = Duration::from_secs(3);

/// Judges the age of one session's units.
#[derive(Debug)]
pub(crate) struct Age {
    start: Instant,
    /// (number of the bucket, smallest difference in it), in µs.
    buckets: [Option<(i64, i64)>; BUCKETS],
    stale_since: Option<Instant>,
}

impl Age {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            start: now,
            buckets: [None; BUCKETS],
            stale_since: None,
        }
    }

    /// Takes note of a sending whose arrival may have been delayed by more than the way: it only makes the base smaller.
    pub(crate) fn base(&mut self, arrival: Instant, sent: SentTime) {
        let (slot, took) = self.measure(arrival, sent);
        let bucket = &mut self.buckets[usize::try_from(slot).unwrap_or(0) % BUCKETS];
        *bucket = match *bucket {
            Some((s, least)) if s == slot => Some((slot, least.min(took))),
            _ => Some((slot, took)),
        };
    }

    /// True when the unit that arrived now was held up on its way.
    pub(crate) fn is_stale(&mut self, arrival: Instant, sent: SentTime) -> bool {
        self.base(arrival, sent);
        let (slot, took) = self.measure(arrival, sent);
        let oldest = slot - BUCKETS as i64;
        let least = self
            .buckets
            .iter()
            .flatten()
            .filter(|(s, _)| *s > oldest)
            .map(|(_, least)| *least)
            .min()
            .unwrap_or(took);
        if took - least <= STALE {
            self.stale_since = None;
            return false;
        }
        let since = *self.stale_since.get_or_insert(arrival);
        if arrival.duration_since(since) < NEW_WAY {
            return true;
        }
        *self = Self::new(self.start);
        self.base(arrival, sent);
        false
    }

    /// (bucket, arrival − sent in µs; only differences of it mean anything).
    fn measure(&self, arrival: Instant, sent: SentTime) -> (i64, i64) {
        let arrival = i64::try_from(arrival.duration_since(self.start).as_micros()).unwrap_or(i64::MAX);
        let took = arrival.saturating_sub(i64::try_from(sent.0).unwrap_or(i64::MAX));
        (arrival / BUCKET, took)
    }
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
    async fn the_measure_forgets_what_is_a_minute_old() {
        let t = Instant::now();
        let mut age = Age::new(t);
        // Clocks that drift apart by 5 ms a second for ten minutes: three seconds in all, never stale.
        for s in 0..600 {
            assert!(!age.is_stale(at(t, s * 1005), sent(s * 1000)), "{s}");
        }
    }
}
