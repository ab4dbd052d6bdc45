//! The order to end: given once or more, by a signal, the API or another node, each with its own patience.
//! What is done about it is `run`'s business, in which order the parts end too.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How often it is looked whether everybody has left.
const LOOK: Duration = Duration::from_millis(100);

/// Until when a drain may take; of several orders the earliest end counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    None,
    /// `None`: as long as it takes.
    Until(Option<Instant>),
}

/// Whether this node is to end, and until when; clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    order: Arc<watch::Sender<Order>>,
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self {
            order: Arc::new(watch::Sender::new(Order::None)),
        }
    }

    /// Orders it; with `None` it takes as long as there is somebody left. True when this was the first order.
    pub(crate) fn order(&self, limit: Option<Duration>) -> bool {
        // A limit beyond what the clock can hold is none.
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut first = false;
        self.order.send_modify(|order| {
            *order = match *order {
                Order::None => {
                    first = true;
                    Order::Until(end)
                }
                Order::Until(before) => Order::Until(match (before, end) {
                    (Some(before), Some(end)) => Some(before.min(end)),
                    (before, end) => before.or(end),
                }),
            };
        });
        first
    }

    /// True from the first order on.
    pub(crate) fn is_ordered(&self) -> bool {
        *self.order.borrow() != Order::None
    }

    /// Resolves at the first order.
    pub(crate) async fn ordered(&self) {
        let mut order = self.order.subscribe();
        // Fails only when the sender is gone, which we hold.
        order.wait_for(|order| *order != Order::None).await.ok();
    }

    /// After the order: resolves when nobody is left, or when the time is over, whichever order set it; says whether
    /// everybody has left.
    pub(crate) async fn over(&self, left: impl Fn() -> bool) -> bool {
        let mut order = self.order.subscribe();
        loop {
            if !left() {
                return true;
            }
            let end = match *order.borrow_and_update() {
                Order::Until(end) => end,
                Order::None => None,
            };
            let now = Instant::now();
            if end.is_some_and(|end| end <= now) {
                return false;
            }
            let next = now + LOOK;
            tokio::select! {
                () = sleep_until(end.map_or(next, |end| end.min(next))) => {}
                _ = order.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use tokio::time::sleep;

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_over_when_the_last_one_has_left() {
        let drain = Drain::new();
        assert!(!drain.is_ordered());
        assert!(drain.order(None));
        drain.ordered().await;
        let left = Arc::new(AtomicBool::new(true));
        let gone = left.clone();
        tokio::spawn(async move {
            sleep(seconds(600)).await;
            gone.store(false, Relaxed);
        });
        let began = Instant::now();
        assert!(drain.over(|| left.load(Relaxed)).await);
        assert!(began.elapsed() < seconds(601), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_order_shortens_a_drain_and_never_lengthens_it() {
        let drain = Drain::new();
        let began = Instant::now();
        assert!(drain.order(None));
        let other = drain.clone();
        tokio::spawn(async move {
            sleep(seconds(10)).await;
            assert!(!other.order(Some(seconds(5))));
            assert!(!other.order(Some(seconds(500))));
            assert!(!other.order(None));
        });
        assert!(!drain.over(|| true).await);
        assert_eq!(began.elapsed().as_secs(), 15);
    }

    #[tokio::test(start_paused = true)]
    async fn no_time_at_all_is_over_at_once() {
        let drain = Drain::new();
        drain.order(Some(Duration::ZERO));
        assert!(!drain.over(|| true).await);
        assert!(drain.over(|| false).await);
    }
}
