//! The pace of one reader's packets: a unit of usual size goes at once, a large one is spread so that it does not fill the
//! queues on the way. How wide the path is, is `path`'s to say.

use std::time::Duration;
use tokio::time::Instant;

/// Where nothing is known against it, bits per second: a key unit of 100 kB takes 40 ms.
const FREE: u64 = 20_000_000;
/// What may go at once; usual units of 4 Mbit/s are smaller.
const BURST: f64 = 24_000.0;
/// Of a narrow path, what may go at once lasts this long.
const NARROW_BURST: Duration = Duration::from_millis(40);
/// How often the loop is woken for packets that wait.
const STEP: Duration = Duration::from_millis(5);

/// A bucket of bytes that fills at the path's rate.
#[derive(Debug)]
pub(super) struct Pacer {
    /// Bytes per second.
    rate: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Pacer {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            rate: FREE as f64 / 8.0,
            burst: BURST,
            tokens: BURST,
            filled: now,
        }
    }

    /// `None`: nothing is known against sending freely.
    pub(super) fn set_rate(&mut self, bits_per_second: Option<u64>) {
        self.rate = bits_per_second.unwrap_or(FREE).min(FREE) as f64 / 8.0;
        self.burst = match bits_per_second {
            Some(_) => (self.rate * NARROW_BURST.as_secs_f64()).clamp(3_000.0, BURST),
            None => BURST,
        };
    }

    /// Until when the next packet waits; `None`: it goes now.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Instant> {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        if self.tokens > 0.0 {
            return None;
        }
        let wait = Duration::from_secs_f64(-self.tokens / self.rate);
        Some(now + wait.max(STEP))
    }

    /// A packet of so many bytes went.
    pub(super) fn sent(&mut self, _now: Instant, bytes: usize) {
        self.tokens -= bytes as f64;
    }

    /// What was not sent while the loop stood still is not sent all at once.
    pub(super) fn stalled(&mut self, now: Instant) {
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long `bytes` take in packets of 1200.
    fn time(pacer: &mut Pacer, mut now: Instant, bytes: usize) -> Duration {
        let start = now;
        for _ in 0..bytes / 1200 {
            while let Some(at) = pacer.wait(now) {
                now = at;
            }
            pacer.sent(now, 1200);
        }
        now - start
    }

    #[tokio::test(start_paused = true)]
    async fn a_usual_unit_goes_at_once_and_a_key_unit_is_spread() {
        let now = Instant::now();
        let mut pacer = Pacer::new(now);
        assert_eq!(time(&mut pacer, now, 16_000), Duration::ZERO);
        let took = time(&mut Pacer::new(now), now, 120_000);
        assert!(
            took > Duration::from_millis(30) && took < Duration::from_millis(60),
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_narrow_path_gets_what_it_carries() {
        let now = Instant::now();
        let mut pacer = Pacer::new(now);
        pacer.set_rate(Some(800_000));
        let took = time(&mut pacer, now, 100_000);
        assert!(
            took > Duration::from_millis(700) && took < Duration::from_millis(1_100),
            "{took:?}"
        );
        pacer.set_rate(None);
        assert!(time(&mut pacer, now + took, 100_000) < Duration::from_millis(60));
    }
}
