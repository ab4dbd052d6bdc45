//! How much media a node carries: bits per second over the last seconds, from counters that only rise.
//! Who counts is each part's business; what follows from the number is decided by those who place guests.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// How often the counters are read.
const LOOK: Duration = Duration::from_secs(1);

/// Over how many looks the rate is taken.
const LOOKS: usize = 3;

/// The rate as last measured; clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter {
    bits_per_second: Arc<AtomicU64>,
}

impl Meter {
    /// Bits per second over the last three seconds; 0 until there is something to compare.
    pub(crate) fn bits_per_second(&self) -> u64 {
        self.bits_per_second.load(Relaxed)
    }

    /// Measures for ever what `bytes` counts.
    pub(crate) async fn run(self, bytes: impl Fn() -> u64) {
        let mut window = Window::default();
        let mut ticks = tokio::time::interval(LOOK);
        // After a pause of the process one look is enough: the time that passed is measured.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let rate = window.rate(Instant::now(), bytes());
            self.bits_per_second.store(rate, Relaxed);
        }
    }
}

/// The last looks.
#[derive(Debug, Default)]
struct Window(VecDeque<(Instant, u64)>);

impl Window {
    fn rate(&mut self, now: Instant, bytes: u64) -> u64 {
        self.0.push_back((now, bytes));
        if self.0.len() > LOOKS + 1 {
            self.0.pop_front();
        }
        let Some((then, before)) = self.0.front() else {
            return 0;
        };
        let micros = now.duration_since(*then).as_micros();
        let bits = u128::from(bytes.saturating_sub(*before)) * 8;
        let rate = (bits * 1_000_000).checked_div(micros).unwrap_or(0);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_within_three_looks_and_time_is_measured() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut window = Window::default();
        assert_eq!(window.rate(at(0), 5_000), 0);
        assert_eq!(window.rate(at(1_000), 130_000), 1_000_000);
        assert_eq!(window.rate(at(2_000), 255_000), 1_000_000);
        assert_eq!(window.rate(at(3_000), 380_000), 1_000_000);
        // A look that comes 7 s late counts as 8 s.
        assert_eq!(window.rate(at(11_000), 1_380_000), 1_000_000);
        for (ms, expected) in [(12_000, 900_000), (13_000, 800_000), (14_000, 0)] {
            assert_eq!(window.rate(at(ms), 1_380_000), expected);
        }
        assert_eq!(
            window.rate(at(14_000), 0),
            0,
            "a counter that was reset is no traffic"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_meter_reads_its_counter_every_second() {
        let meter = Meter::default();
        let started = Instant::now();
        let bytes = move || u64::try_from(started.elapsed().as_millis()).unwrap() * 125;
        let task = tokio::spawn(meter.clone().run(bytes));
        tokio::time::sleep(Duration::from_millis(4_500)).await;
        assert_eq!(meter.bits_per_second(), 1_000_000);
        task.abort();
    }
}
