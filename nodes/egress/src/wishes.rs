//! When to ask the publisher for key units: at once after a loss or for a reader that waits, and regularly while there are
//! readers. The owner throttles, and forgets wishes that are not renewed.

use std::time::Duration;
use tokio::time::Instant;

/// Two urgent requests are at least this far apart; the owner would drop more.
const URGENT_EVERY: Duration = Duration::from_millis(500);
/// Half of the 10 s after which the owner forgets.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// A request to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) now: bool,
    pub(crate) interval_ms: u32,
}

/// The wishes of one hub.
#[derive(Debug)]
pub(crate) struct Wishes {
    interval_ms: u32,
    /// Somebody reads, or is about to.
    active: bool,
    readers: bool,
    urgent: bool,
    /// No urgent request before this.
    urgent_from: Instant,
    renew_at: Instant,
}

impl Wishes {
    pub(crate) fn new(now: Instant, interval: Duration) -> Self {
        Self {
            interval_ms: u32::try_from(interval.as_millis()).unwrap_or(u32::MAX),
            active: false,
            readers: false,
            urgent: false,
            urgent_from: now,
            renew_at: now,
        }
    }

    /// Who is there: readers, and those who have asked for a description. Nobody: no requests.
    pub(crate) fn audience(&mut self, now: Instant, readers: bool, others: bool) {
        if readers && !self.readers {
            self.renew_at = now;
        }
        self.readers = readers;
        self.active = readers || others;
        self.urgent &= self.active;
    }

    /// A key unit is needed as soon as possible; asked again until it comes.
    pub(crate) fn urgent(&mut self) {
        self.urgent = self.active;
    }

    /// A key unit came.
    pub(crate) fn key(&mut self) {
        self.urgent = false;
    }

    /// The request to send now.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Wish> {
        if self.deadline()? > now {
            return None;
        }
        let interval_ms = if self.readers { self.interval_ms } else { 0 };
        let urgent = self.urgent_at().is_some_and(|at| at <= now);
        if urgent {
            self.urgent_from = now + URGENT_EVERY;
        }
        self.renew_at = now + RENEW_EVERY;
        Some(Wish {
            now: urgent,
            interval_ms,
        })
    }

    /// When [`Self::poll`] has something next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let renewal = (self.readers && self.interval_ms > 0).then_some(self.renew_at);
        renewal.into_iter().chain(self.urgent_at()).min()
    }

    fn urgent_at(&self) -> Option<Instant> {
        self.urgent.then_some(self.urgent_from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[tokio::test(start_paused = true)]
    async fn wishes_are_renewed_while_there_are_readers_and_only_then() {
        let t = Instant::now();
        let mut wishes = Wishes::new(t, ms(2000));
        wishes.urgent();
        assert_eq!((wishes.poll(t), wishes.deadline()), (None, None));
        wishes.audience(t, true, false);
        let renewal = Some(Wish {
            now: false,
            interval_ms: 2000,
        });
        assert_eq!(wishes.poll(t), renewal);
        assert_eq!(wishes.poll(t + ms(4999)), None);
        assert_eq!(wishes.poll(t + ms(5000)), renewal);
        wishes.audience(t, false, false);
        assert_eq!(wishes.deadline(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_urgent_wish_is_repeated_until_the_key_unit_comes() {
        let t = Instant::now();
        let mut wishes = Wishes::new(t, ms(2000));
        wishes.audience(t, false, true);
        wishes.urgent();
        let urgent = Some(Wish {
            now: true,
            interval_ms: 0,
        });
        assert_eq!(wishes.poll(t), urgent);
        wishes.urgent();
        assert_eq!(wishes.poll(t + ms(499)), None);
        assert_eq!(wishes.poll(t + ms(500)), urgent);
        wishes.key();
        assert_eq!(wishes.poll(t + ms(5000)), None);
        // Nor is it sent for somebody who has gone.
        wishes.urgent();
        wishes.audience(t + ms(5000), false, false);
        assert_eq!(wishes.poll(t + ms(9000)), None);
    }
}
