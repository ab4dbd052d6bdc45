//! Keeps a repeated log line to one in a while.
//! What is said, and that it is also counted, is up to the caller.

use std::time::Duration;
use tokio::time::Instant;

/// Allows the first call and then one in each period.
#[derive(Debug)]
pub(crate) struct Throttle {
    period: Duration,
    last: Option<Instant>,
}

impl Throttle {
    pub(crate) fn new(period: Duration) -> Self {
        Self { period, last: None }
    }

    /// True when it is time to say it again.
    pub(crate) fn allow(&mut self) -> bool {
        let now = Instant::now();
        let due = self.last.is_none_or(|last| now - last >= self.period);
        if due {
            self.last = Some(now);
        }
        due
    }

    /// The next call is allowed again.
    pub(crate) fn reset(&mut self) {
        self.last = None;
    }
}
