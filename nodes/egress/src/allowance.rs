//! How many questions a hub may ask the owner of its stream: two per second, at once after a quiet second (design §6).
//! What is asked is the repair's business.

use std::time::Duration;
use tokio::time::Instant;

/// A question is earned this often ...
const EARNED_EVERY: Duration = Duration::from_millis(500);
/// ... and so many are kept.
const KEPT: u32 = 2;

/// Questions that may be asked.
#[derive(Debug)]
pub(crate) struct Allowance {
    count: u32,
    /// Since when `count` holds.
    since: Instant,
}

impl Allowance {
    /// A full one.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            count: KEPT,
            since: now,
        }
    }

    /// When the next question may be asked; in the past if it may be asked now.
    pub(crate) fn ready_at(&self) -> Instant {
        if self.count > 0 {
            self.since
        } else {
            self.since + EARNED_EVERY
        }
    }

    /// Takes one, not before [`Self::ready_at`].
    pub(crate) fn take(&mut self, now: Instant) {
        let earned = now.duration_since(self.since).as_micros() / EARNED_EVERY.as_micros();
        let earned = u32::try_from(earned).unwrap_or(KEPT).min(KEPT);
        if earned > 0 {
            self.count = (self.count + earned).min(KEPT);
            // Whole steps only, so that a half-earned question is not forgotten; a full purse earns nothing.
            self.since = if self.count == KEPT {
                now
            } else {
                self.since + EARNED_EVERY * earned
            };
        }
        self.count = self.count.saturating_sub(1);
    }

    /// A question that reached nobody has cost nobody anything.
    pub(crate) fn give_back(&mut self) {
        self.count = (self.count + 1).min(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn questions_are_two_at_once_and_two_per_second_after_that() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let mut asked = Vec::new();
        for ms in 0..10_000 {
            let now = start + Duration::from_millis(ms);
            if allowance.ready_at() <= now {
                allowance.take(now);
                asked.push(ms);
            }
        }
        assert_eq!(asked[..4], [0, 1, 500, 1000]);
        assert_eq!(asked.len(), 21);
        // A quiet minute earns no more than two.
        let now = start + Duration::from_secs(70);
        allowance.take(now);
        allowance.take(now);
        assert!(allowance.ready_at() > now);
    }
}
