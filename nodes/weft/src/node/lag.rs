//! How late the node's runtime comes to what is due: ten times a second something is, and how much later it ran is noted.
//! What media waits for is this and nothing else while no queue is long.

use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use weft_histogram::Histogram;

/// Between two looks. Timers count whole milliseconds, so one is about 1 ms late on an idle node.
const LOOK: Duration = Duration::from_millis(100);

/// What was measured; clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lag(Arc<Histogram>);

impl Lag {
    /// What was measured.
    pub(crate) fn histogram(&self) -> &Histogram {
        &self.0
    }

    /// Measures for ever.
    pub(crate) async fn run(self) {
        loop {
            let due = Instant::now() + LOOK;
            sleep_until(due).await;
            self.0.note(due.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_runtime_that_stands_still_is_noted() {
        let lag = Lag::default();
        let task = tokio::spawn(lag.clone().run());
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        assert_eq!(
            (lag.histogram().sum(), lag.histogram().cumulative().last()),
            (Duration::ZERO, Some((None, 10)))
        );
        // Something keeps it from running.
        tokio::time::advance(Duration::from_millis(350)).await;
        tokio::task::yield_now().await;
        assert_eq!(lag.histogram().sum(), Duration::from_millis(300));
        task.abort();
    }
}
