//! So many log lines per period, and the number of those held back.
//! Counting every event is the counters' business.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Lets a number of events per period through.
#[derive(Debug)]
pub(crate) struct Limiter {
    lines: u32,
    period: Duration,
    /// When the period began, lines written in it, lines held back since the last one.
    state: Mutex<(Option<Instant>, u32, u64)>,
}

impl Limiter {
    pub(crate) const fn new(lines: u32, period: Duration) -> Self {
        Self {
            lines,
            period,
            state: Mutex::new((None, 0, 0)),
        }
    }

    /// `Some(n)`: write a line, which also stands for `n` events that were held back.
    pub(crate) fn pass(&self) -> Option<u64> {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (begin, lines, held) = &mut *state;
        if begin.is_none_or(|begin| now >= begin + self.period) {
            (*begin, *lines) = (Some(now), 0);
        }
        if *lines >= self.lines {
            *held += 1;
            return None;
        }
        *lines += 1;
        Some(std::mem::take(held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_lines_per_period_tell_of_those_held_back() {
        let limiter = Limiter::new(2, Duration::from_secs(1));
        let passed: Vec<_> = (0..4).map(|_| limiter.pass()).collect();
        assert_eq!(passed, [Some(0), Some(0), None, None]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(limiter.pass(), Some(2));
    }
}
