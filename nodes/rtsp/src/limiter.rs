//! One log line per kind of event and period, with the number of those it stands for.
//! Counting every one of them is the counters' business.

use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// At most one line in this time.
const PERIOD: Duration = Duration::from_secs(10);

/// Lets one event per period through.
#[derive(Debug, Default)]
pub(crate) struct Limiter(Mutex<(Option<Instant>, u64)>);

impl Limiter {
    /// `Some(n)`: write a line, which also stands for `n` events that were held back.
    pub(crate) fn pass(&self) -> Option<u64> {
        let now = Instant::now();
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.0.is_some_and(|last| now < last + PERIOD) {
            state.1 += 1;
            return None;
        }
        state.0 = Some(now);
        Some(std::mem::take(&mut state.1))
    }
}

/// One limiter per kind of line.
#[derive(Debug, Default)]
pub(crate) struct Limiters {
    pub(crate) accept: Limiter,
    pub(crate) refused: Limiter,
    pub(crate) made_room: Limiter,
    pub(crate) malformed: Limiter,
    pub(crate) timed_out: Limiter,
    pub(crate) too_slow: Limiter,
    pub(crate) datagram: Limiter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_per_period_tells_of_those_held_back() {
        let limiter = Limiter::default();
        assert_eq!(limiter.pass(), Some(0));
        assert_eq!(limiter.pass(), None);
        assert_eq!(limiter.pass(), None);
        tokio::time::advance(PERIOD).await;
        assert_eq!(limiter.pass(), Some(2));
    }
}
