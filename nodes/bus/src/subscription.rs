//! The receiving end of a stream: whole units in the order of arrival through a bounded queue.
//! Epochs, gaps and age are judged by the hub.

use tokio::sync::mpsc;
use weft_wire::{StreamEnded, UnitBatch};

/// Which units of a stream are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaFilter {
    /// All tracks, all classes.
    All,
    /// Key units only.
    Keys,
}

/// What a subscription yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Units, whole, in order of arrival.
    Units(UnitBatch),
    /// The owner ended the stream; what it published before has been delivered before.
    Ended(StreamEnded),
}

/// Live units of one stream. The queue holds 256 messages; overflow: the newest is dropped and counted, and the hole
/// shows in `seq`.
#[derive(Debug)]
pub struct Subscription {
    pub(crate) receiver: mpsc::Receiver<Delivery>,
    /// Dropped with the subscription: ends the delivery.
    pub(crate) _guard: Guard,
}

/// Runs a closure when dropped.
pub(crate) struct Guard(pub(crate) Option<Box<dyn FnOnce() + Send + Sync>>);

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guard")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

impl Subscription {
    /// The next delivery; `None` when the bus is gone for good. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Delivery> {
        self.receiver.recv().await
    }

    /// The next delivery if there is one already.
    pub fn try_recv(&mut self) -> Option<Delivery> {
        self.receiver.try_recv().ok()
    }
}
