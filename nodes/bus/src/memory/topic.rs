//! One stream of the in-process bus: who publishes it, who reads it, and the handing over between them.
//! Interest follows the same rules as over NATS; a probe is refused when no queue takes its class.

use super::lock;
use crate::interest::{Interest, Verdict};
use crate::packing::Packing;
use crate::subscription::{Guard, QUEUE};
use crate::{
    Counters, Delivery, DropReason, MediaFilter, Publish, Sent, StreamOwner, Subscription, UnitsAnswer,
};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio::time::Instant;
use weft_wire::{MediaClass, StreamEnded, UnitBatch, UnitsRequest};

pub(super) struct Topic {
    inner: Mutex<Inner>,
    started: Instant,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Inner {
    next_id: u64,
    readers: Vec<Reader>,
    publishers: Vec<Publisher>,
}

struct Reader {
    id: u64,
    filter: MediaFilter,
    queue: mpsc::Sender<Delivery>,
}

struct Publisher {
    id: u64,
    owner: Arc<dyn StreamOwner>,
    interest: Arc<Mutex<Interest>>,
}

impl Inner {
    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

impl MediaFilter {
    fn takes(self, class: MediaClass) -> bool {
        match self {
            Self::All => true,
            Self::Keys => class == MediaClass::Key,
        }
    }
}

impl Topic {
    pub(super) fn new(started: Instant, counters: Arc<Counters>) -> Self {
        Self {
            inner: Mutex::default(),
            started,
            counters,
        }
    }

    pub(super) fn publish(self: Arc<Self>, owner: Arc<dyn StreamOwner>) -> MemoryPublication {
        let interest = Arc::new(Mutex::new(Interest::new()));
        let mut inner = lock(&self.inner);
        let id = inner.id();
        inner.publishers.push(Publisher {
            id,
            owner,
            interest: interest.clone(),
        });
        drop(inner);
        MemoryPublication {
            topic: self,
            id,
            interest,
        }
    }

    pub(super) fn subscribe(self: Arc<Self>, filter: MediaFilter) -> Subscription {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let mut inner = lock(&self.inner);
        let id = inner.id();
        inner.readers.push(Reader { id, filter, queue });
        drop(inner);
        let guard = Guard::new(move || lock(&self.inner).readers.retain(|r| r.id != id));
        Subscription::queue(receiver, guard)
    }

    pub(super) fn owners(&self) -> Vec<Arc<dyn StreamOwner>> {
        let inner = lock(&self.inner);
        inner.publishers.iter().map(|p| p.owner.clone()).collect()
    }

    /// Wakes each publisher, then lets it answer.
    pub(super) fn units(&self, request: &UnitsRequest) -> Vec<UnitsAnswer> {
        let publishers: Vec<_> = {
            let inner = lock(&self.inner);
            let each = inner.publishers.iter();
            each.map(|p| (p.owner.clone(), p.interest.clone())).collect()
        };
        let answers = publishers.into_iter().map(|(owner, interest)| {
            let woken = if request.key_only {
                lock(&interest).wake_keys()
            } else {
                lock(&interest).wake()
            };
            if woken {
                Counters::one(&self.counters.wakes);
            }
            Counters::one(&self.counters.units_answered);
            owner.units(request)
        });
        answers.collect()
    }

    /// Puts a delivery into each queue that takes the class, into the last one without a copy; says whether there was one.
    fn deliver(&self, class: MediaClass, delivery: Delivery) -> bool {
        let inner = lock(&self.inner);
        let mut takers = inner.readers.iter().filter(|r| r.filter.takes(class));
        let Some(mut taker) = takers.next() else {
            return false;
        };
        for next in takers {
            self.put(taker, delivery.clone());
            taker = next;
        }
        self.put(taker, delivery);
        true
    }

    fn put(&self, reader: &Reader, delivery: Delivery) {
        // overflow: DROPS the newest for this reader only; it sees the hole in `seq`.
        if reader.queue.try_send(delivery).is_err() {
            Counters::one(&self.counters.dropped_slow);
        }
    }
}

/// A publication of the in-process bus.
pub(super) struct MemoryPublication {
    topic: Arc<Topic>,
    id: u64,
    interest: Arc<Mutex<Interest>>,
}

impl Publish for MemoryPublication {
    fn send(&mut self, class: MediaClass, batch: UnitBatch) -> Sent {
        let counters = &self.topic.counters;
        let units = batch.units.len();
        if !Packing::fits(&batch.units) {
            Counters::add(&counters.dropped_too_large, units);
            return Sent::Dropped(DropReason::TooLarge);
        }
        if units == 0 {
            return Sent::Published;
        }
        let now = self.topic.started.elapsed();
        let probe = {
            let mut interest = lock(&self.interest);
            if !interest.takes(class) {
                Counters::add(&counters.units_paused, units);
                return Sent::Paused;
            }
            interest.probe(now, class)
        };
        Counters::one(&counters.sent_messages);
        let heard = self.topic.deliver(class, Delivery::Units(batch));
        if let (Some(probe), false) = (probe, heard) {
            Counters::one(&counters.refusals);
            let mut interest = lock(&self.interest);
            let mut verdict = interest.refused(now, probe);
            if let Verdict::AskKeys(probe) = verdict {
                let inner = lock(&self.topic.inner);
                if inner.readers.is_empty() {
                    verdict = interest.refused(now, probe);
                }
            }
            if verdict == Verdict::Paused {
                Counters::one(&counters.pauses);
            }
        }
        Sent::Published
    }

    fn end(&mut self, notice: StreamEnded) -> Sent {
        if !self.wanted() {
            return Sent::Paused;
        }
        self.topic.deliver(MediaClass::Key, Delivery::Ended(notice));
        Sent::Published
    }

    fn wanted(&self) -> bool {
        lock(&self.interest).wanted()
    }
}

impl Drop for MemoryPublication {
    fn drop(&mut self) {
        lock(&self.topic.inner).publishers.retain(|p| p.id != self.id);
    }
}
