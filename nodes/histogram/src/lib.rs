//! How long something took, many times: counts by upper bound, as Prometheus' histograms have them. Noting one costs two
//! additions to atomics and takes no lock. What is measured, and how it is written, is the business of others.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the buckets in µs, ascending; what took longer than the last is in a bucket of its own.
pub const BOUNDS_US: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000,
];

/// Durations by bucket. Relaxed: each count is true by itself, no two are of one moment.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Notes one.
    pub fn note(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        // There is one more bucket than bounds.
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum_us.fetch_add(us, Relaxed);
    }

    /// Adds another's counts to these.
    pub fn absorb(&self, other: &Self) {
        for (ours, theirs) in self.buckets.iter().zip(&other.buckets) {
            ours.fetch_add(theirs.load(Relaxed), Relaxed);
        }
        self.sum_us.fetch_add(other.sum_us.load(Relaxed), Relaxed);
    }

    /// For each bound how many took at most that long, `None` for all of them: Prometheus' cumulative buckets.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = BOUNDS_US.iter().map(|us| Some(Duration::from_micros(*us)));
        let mut sum = 0;
        let counts = self.buckets.iter().map(move |bucket| {
            sum += bucket.load(Relaxed);
            sum
        });
        bounds.chain([None]).zip(counts)
    }

    /// The sum of all.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_under_every_bound_that_it_keeps() {
        let histogram = Histogram::default();
        for us in [0, 100, 101, 2_500_000, 2_500_001] {
            histogram.note(Duration::from_micros(us));
        }
        let all = Histogram::default();
        all.absorb(&histogram);
        all.absorb(&histogram);
        let counts: Vec<(Option<u128>, u64)> = all
            .cumulative()
            .map(|(bound, n)| (bound.map(|b| b.as_micros()), n))
            .collect();
        assert_eq!(counts.len(), BOUNDS_US.len() + 1);
        assert_eq!(counts[..3], [(Some(100), 4), (Some(250), 6), (Some(500), 6)]);
        assert_eq!(counts[13..], [(Some(2_500_000), 8), (None, 10)]);
        assert_eq!(all.sum(), Duration::from_micros(2 * 5_000_202));
    }
}
