//! The receiving end of a stream: whole units in the order of arrival through a bounded queue.
//! Epochs, gaps and age are judged by the hub.

use crate::nats::Feed;
use futures::FutureExt;
use tokio::sync::mpsc;
use weft_wire::{StreamEnded, UnitBatch};

/// Messages a subscription holds for a reader that does not come.
pub(crate) const QUEUE: usize = 256;

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
    /// Units, whole, in order of arrival; at least one.
    Units(UnitBatch),
    /// The owner ended the stream; what it published before has been delivered before.
    Ended(StreamEnded),
}

/// Live units of one stream. The queue holds 256 messages; overflow: the newest is dropped and counted, and the hole
/// shows in `seq`.
#[derive(Debug)]
pub struct Subscription {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Queue {
        receiver: mpsc::Receiver<Delivery>,
        /// Dropped with the subscription: ends the delivery.
        _guard: Guard,
    },
    /// The NATS client's own queue, decoded on the way out: no second queue, no second wake-up.
    Nats(Box<Feed>),
}

/// Runs a closure when dropped.
pub(crate) struct Guard(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Guard {
    pub(crate) fn new(f: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(f)))
    }
}

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
    pub(crate) fn queue(receiver: mpsc::Receiver<Delivery>, guard: Guard) -> Self {
        Self {
            source: Source::Queue {
                receiver,
                _guard: guard,
            },
        }
    }

    pub(crate) fn nats(feed: Feed) -> Self {
        Self {
            source: Source::Nats(Box::new(feed)),
        }
    }

    /// The next delivery; `None` when the bus is gone for good. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Delivery> {
        match &mut self.source {
            Source::Queue { receiver, .. } => receiver.recv().await,
            Source::Nats(feed) => feed.recv().await,
        }
    }

    /// The next delivery if there is one already.
    pub fn try_recv(&mut self) -> Option<Delivery> {
        match &mut self.source {
            Source::Queue { receiver, .. } => receiver.try_recv().ok(),
            // Unconstrained: a task that has used up its budget would be told "nothing there".
            Source::Nats(feed) => tokio::task::unconstrained(feed.recv()).now_or_never().flatten(),
        }
    }
}
