//! What is known of the path to one reader: by what it reports lost, how long its answers take, and its own estimate. A path
//! that has carried what was sent is free, whatever the estimate says: an estimate never grows far beyond what was there to be
//! measured, and falls far below where the air loses packets or delays them unevenly.

use std::time::Duration;
use tokio::time::Instant;

/// What was sent is measured over this time.
const WINDOW: Duration = Duration::from_secs(1);
/// No path is taken for narrower, bits per second.
const LEAST: u64 = 150_000;
/// An estimate below this part of what is sent means that the path does not carry it.
const SHORT: f64 = 0.9;
/// Loss of this part of the packets, of 256, means that too: a tenth. Less is the air's doing.
const LOSSY: u8 = 26;
/// By which what is sent to a narrow path grows with each report of less, so each second.
const GROWTH: f64 = 1.08;
/// Answers that take so much longer than the quickest did mean that packets queue on the way: what a path does not carry either
/// waits or is lost. Wireless networks are uneven by less.
const QUEUE: Duration = Duration::from_millis(500);
/// After so long without a sign that it is narrow it is free again.
const FORGIVEN: Duration = Duration::from_secs(4);

/// The knowledge.
#[derive(Debug)]
pub(super) struct Path {
    since: Instant,
    bytes: usize,
    /// Bits per second of the last whole window.
    sent: u64,
    narrow: Option<Narrow>,
    /// The last report told of more loss than the air's.
    lossy: bool,
    quickest: Option<Duration>,
    /// The last answer had waited on the way.
    queued: bool,
}

#[derive(Debug, Clone, Copy)]
struct Narrow {
    rate: u64,
    seen: Instant,
}

impl Path {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            bytes: 0,
            sent: 0,
            narrow: None,
            lossy: false,
            quickest: None,
            queued: false,
        }
    }

    /// What the path carries, as far as it is known to be narrow.
    pub(super) fn rate(&self) -> Option<u64> {
        self.narrow.map(|n| n.rate)
    }

    /// So much was sent.
    pub(super) fn sent(&mut self, now: Instant, bytes: usize) {
        self.bytes += bytes;
        let passed = now.saturating_duration_since(self.since);
        if passed >= WINDOW {
            self.sent = (self.bytes as f64 * 8.0 / passed.as_secs_f64()) as u64;
            self.since = now;
            self.bytes = 0;
        }
    }

    /// Packets wait for a narrow path: it is no wider than it was found to be.
    pub(super) fn waited(&mut self, now: Instant) {
        if let Some(narrow) = &mut self.narrow {
            narrow.seen = now;
        }
    }

    /// An answer took so long.
    pub(super) fn round_trip(&mut self, rtt: Duration) {
        let quickest = self.quickest.map_or(rtt, |least| least.min(rtt));
        self.quickest = Some(quickest);
        self.queued = rtt >= quickest + QUEUE;
    }

    /// The reader's estimate. It counts where something else says as well that the path does not carry what is sent.
    pub(super) fn estimated(&mut self, now: Instant, bits_per_second: u64) {
        let short = self.sent > 0 && (bits_per_second as f64) < self.sent as f64 * SHORT;
        if self.is_doubtful() {
            let rate = bits_per_second.max(LEAST);
            match &mut self.narrow {
                None if short => self.narrow = Some(Narrow { rate, seen: now }),
                None => {}
                Some(narrow) => {
                    if rate < narrow.rate || short {
                        narrow.seen = now;
                    }
                    narrow.rate = rate;
                }
            }
        }
        self.forgive(now);
    }

    /// So much of 256 was lost in the last second or more.
    pub(super) fn reported(&mut self, now: Instant, fraction_lost: u8) {
        self.lossy = fraction_lost >= LOSSY;
        if self.lossy {
            let kept = 1.0 - f64::from(fraction_lost) / 512.0;
            let base = self.narrow.map_or(self.sent, |n| n.rate);
            if base > 0 {
                let rate = ((base as f64 * kept) as u64).max(LEAST);
                self.narrow = Some(Narrow { rate, seen: now });
            }
        } else if !self.queued
            && let Some(narrow) = &mut self.narrow
        {
            narrow.rate = (narrow.rate as f64 * GROWTH) as u64;
        }
        self.forgive(now);
    }

    fn is_doubtful(&self) -> bool {
        self.lossy || self.queued
    }

    fn forgive(&mut self, now: Instant) {
        if self
            .narrow
            .is_some_and(|n| now.saturating_duration_since(n.seen) >= FORGIVEN)
        {
            self.narrow = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A path over which 4 Mbit/s have gone for two seconds.
    fn used() -> (Path, Instant) {
        let start = Instant::now();
        let mut path = Path::new(start);
        path.round_trip(20 * MS);
        for ms in 0..2_100 {
            path.sent(start + Duration::from_millis(ms), 500);
        }
        (path, start + Duration::from_millis(2_100))
    }

    #[tokio::test(start_paused = true)]
    async fn an_estimate_below_what_is_sent_makes_it_narrow_once_packets_queue() {
        let (mut path, now) = used();
        path.estimated(now, 2_000_000);
        assert_eq!(path.rate(), None, "nothing else speaks for it");
        path.round_trip(519 * MS);
        path.estimated(now, 2_000_000);
        assert_eq!(path.rate(), None, "an uneven network");
        path.round_trip(520 * MS);
        path.estimated(now, 6_000_000);
        assert_eq!(path.rate(), None, "it does not fall short");
        path.estimated(now, 2_000_000);
        assert_eq!(path.rate(), Some(2_000_000));
        path.estimated(now, 2_400_000);
        assert_eq!(path.rate(), Some(2_400_000), "it grows with the estimate");
        path.reported(now, 0);
        assert_eq!(path.rate(), Some(2_400_000), "not while packets queue");
        path.round_trip(30 * MS);
        path.reported(now, 0);
        assert_eq!(path.rate(), Some(2_592_000), "and by itself when they do not");
    }

    #[tokio::test(start_paused = true)]
    async fn an_estimate_that_falls_short_while_many_packets_are_lost_is_believed_at_once() {
        let (mut path, now) = used();
        path.reported(now, 13);
        path.estimated(now, 2_000_000);
        assert_eq!(path.rate(), None, "one in twenty is the air's doing");
        path.reported(now, 38);
        path.estimated(now, 2_000_000);
        assert_eq!(path.rate(), Some(2_000_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_of_a_still_picture_is_not_held_to_what_little_it_has_measured() {
        let start = Instant::now();
        let mut path = Path::new(start);
        for ms in 0..3_000 {
            path.sent(start + Duration::from_millis(ms), 12);
        }
        path.estimated(start + Duration::from_secs(3), 150_000);
        assert_eq!(path.rate(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn five_per_cent_of_loss_is_borne_and_fifteen_is_not() {
        let (mut path, now) = used();
        path.reported(now, 13);
        assert_eq!(path.rate(), None);
        path.reported(now, 38);
        let rate = path.rate().unwrap();
        assert!((3_600_000..4_000_000).contains(&rate), "{rate}");
        path.waited(now);
        path.reported(now, 13);
        assert!(path.rate().unwrap() > rate, "it is tried again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_path_without_further_signs_is_free_again() {
        let (mut path, now) = used();
        path.reported(now, 38);
        path.estimated(now, 2_000_000);
        path.reported(now, 0);
        for s in 1..6 {
            let now = now + Duration::from_secs(s);
            for ms in 0..1_000 {
                path.sent(now + Duration::from_millis(ms), 200);
            }
            path.estimated(now + Duration::from_secs(1), 2_500_000);
        }
        assert_eq!(path.rate(), None);
    }
}
