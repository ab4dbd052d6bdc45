//! The way of live units through the faults: late by the dice, or lost.
//! Which dice and how late is the switch's business.

use super::Shared;
use crate::subscription::QUEUE;
use crate::{Delivery, Subscription};
use rand::Rng;
use rand::rngs::StdRng;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Passes deliveries on, late or never.
pub(super) async fn pass_on(
    mut source: Subscription,
    queue: mpsc::Sender<Delivery>,
    shared: Arc<Shared>,
    mut dice: StdRng,
) {
    let mut late: VecDeque<(Instant, Delivery)> = VecDeque::new();
    loop {
        let due = late.front().map(|(due, _)| *due);
        tokio::select! {
            biased;
            () = async { sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {
                if let Some((_, delivery)) = late.pop_front() {
                    // overflow: DROPS the newest, as the bus underneath does.
                    if let Err(mpsc::error::TrySendError::Closed(_)) = queue.try_send(delivery) {
                        return;
                    }
                }
            }
            // What is late is bounded by the delay; beyond that the queue underneath overflows.
            delivery = source.recv(), if late.len() < 4 * QUEUE => {
                let Some(delivery) = delivery else { return };
                let faults = shared.faults();
                let units = matches!(delivery, Delivery::Units(_));
                if shared.is_cut() || (units && dice.random_bool(faults.loss.clamp(0.0, 1.0))) {
                    shared.lost.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let delay = faults.delay + faults.jitter.mul_f64(dice.random_range(0.0..=1.0));
                let last = late.back().map_or_else(Instant::now, |(due, _)| *due);
                late.push_back(((Instant::now() + delay).max(last), delivery));
            }
        }
    }
}
