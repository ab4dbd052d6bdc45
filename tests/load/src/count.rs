//! What publishers and readers have counted, for those who watch and those who sum up. Numbers only; what is good or bad is for
//! the reader of the report.

use crate::stamp;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Mutex, PoisonError};

/// Significant digits of a distribution.
const DIGITS: u8 = 3;
/// The longest time told apart, ns: ten minutes.
const LONGEST: u64 = 600_000_000_000;

/// What one publisher has done so far.
#[derive(Debug, Default)]
pub struct Published {
    /// Media flows.
    pub live: AtomicBool,
    /// It ended without our wish.
    pub dropped: AtomicBool,
    /// Pictures.
    pub units: AtomicU64,
    /// RTP and RTCP packets.
    pub packets: AtomicU64,
    /// Their bytes, protected.
    pub bytes: AtomicU64,
    /// Packets that the socket did not take.
    pub unsent: AtomicU64,
    /// Packets that the server asked for again.
    pub asked_again: AtomicU64,
    /// Units that left more than a second late: this machine is too busy to say anything.
    pub stalls: AtomicU64,
    /// Number of the picture that comes next.
    pub next_unit: AtomicU32,
    why: Mutex<Option<String>>,
}

impl Published {
    /// Notes why it ended.
    pub(crate) fn say(&self, why: &str) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }

    /// Why it ended, if it did.
    pub fn why(&self) -> Option<String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// From when to when a picture must have been sent to count, in ns as in [`stamp::now`].
#[derive(Debug)]
pub struct Window {
    start: AtomicU64,
    end: AtomicU64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            start: AtomicU64::new(u64::MAX),
            end: AtomicU64::new(u64::MAX),
        }
    }
}

impl Window {
    /// Counts from now on.
    pub fn open(&self) {
        self.start.store(stamp::now(), Relaxed);
    }

    /// Counts no more.
    pub fn close(&self) {
        self.end.store(stamp::now(), Relaxed);
    }

    /// Whether what was sent then counts.
    pub fn holds(&self, sent: u64) -> bool {
        (self.start.load(Relaxed)..self.end.load(Relaxed)).contains(&sent)
    }
}

/// What the readers of all threads have seen so far, for those who watch.
#[derive(Debug, Default)]
pub struct Seen {
    /// Readers that have had their first picture.
    pub playing: AtomicU64,
    /// Pictures of the window.
    pub units: AtomicU64,
    /// Pictures lost or damaged.
    pub bad: AtomicU64,
    /// Sessions that ended without our wish.
    pub dropped: AtomicU64,
}

/// What one reader has seen in its life.
#[derive(Debug, Clone, Default)]
pub struct ReaderTally {
    /// Number of the stream.
    pub stream: u32,
    /// It was to leave with its first picture.
    pub joining: bool,
    /// From the first step to connect to the first complete key picture, ns.
    pub first_picture: Option<u64>,
    /// Pictures that came whole.
    pub units: u64,
    /// Pictures that did not.
    pub damaged: u64,
    /// Pictures that never came.
    pub lost: u64,
    /// Pictures that came again or out of order.
    pub repeated: u64,
    /// RTP packets missing, of both tracks.
    pub packets_lost: u64,
    /// Bytes of RTP.
    pub bytes: u64,
    /// Number of the last picture.
    pub last_unit: Option<u32>,
    /// Why the session ended without our wish.
    pub dropped: Option<String>,
}

/// A distribution of times, in ns.
#[derive(Debug, Clone)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        // Digits and bounds are within what it takes, as a test shows.
        Self(Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("1 to 5 digits are allowed"))
    }
}

impl Times {
    /// Adds one; what is beyond ten minutes counts as ten minutes.
    pub fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos.max(1));
    }

    /// Adds those of another.
    pub fn add(&mut self, other: &Self) {
        // Both grow as they need to.
        // They have the same bounds.
        self.0.add(&other.0).ok();
    }

    /// The usual figures; nothing for none.
    #[must_use]
    pub fn summary(&self) -> Option<Quantiles> {
        let ms = |nanos: u64| nanos as f64 / 1e6;
        let at = |quantile| ms(self.0.value_at_quantile(quantile));
        (!self.0.is_empty()).then(|| Quantiles {
            count: self.0.len(),
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: ms(self.0.max()),
        })
    }
}

/// Figures of a distribution, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many there were.
    pub count: u64,
    /// Half of them took at most this.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1000.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_all_threads() {
        let (mut a, mut b) = (Times::default(), Times::default());
        assert_eq!(a.summary(), None);
        (1..=500).for_each(|ms| a.record(ms * 1_000_000));
        (501..=1000).for_each(|ms| b.record(ms * 1_000_000));
        a.add(&b);
        let summary = a.summary().unwrap();
        assert_eq!(summary.count, 1000);
        for (is, should) in [(summary.p50, 500.0), (summary.p99, 990.0), (summary.max, 1000.0)] {
            assert!((is - should).abs() <= should * 0.002, "{is} {should}");
        }
    }

    #[test]
    fn a_window_holds_what_was_sent_while_it_was_open() {
        let window = Window::default();
        assert!(!window.holds(stamp::now()));
        window.open();
        let sent = stamp::now();
        assert!(window.holds(sent));
        window.close();
        assert!(window.holds(sent) && !window.holds(stamp::now()));
    }
}
