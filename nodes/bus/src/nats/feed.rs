//! The reading end of a stream over NATS: the client's own bounded queue, decoded and put together as it is read.
//! Overflow is the client's: the newest message is dropped, an event counts it, and the hole shows in `seq`.

use crate::assembly::{Assembled, Assembly};
use crate::{Counters, Delivery};
use async_nats::{Message as NatsMessage, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};
use weft_wire::{Message, StreamEnded, UnitBatch, UnitPart, decode_batch};

/// Units up to this size are copied out of the client's read buffer: one packet of sound in a cache would keep 64 KB of it.
const COPY_BELOW: usize = 4096;

/// The stream's own track names are numbers; this one is the owner's last word.
const END_SUFFIX: &str = ".end.k";

/// Live units of one stream, as they come.
#[derive(Debug)]
pub(crate) struct Feed {
    subscriber: Subscriber,
    units: Reassembly,
}

impl Feed {
    pub(super) fn new(subscriber: Subscriber, counters: Arc<Counters>) -> Self {
        Self {
            subscriber,
            units: Reassembly::new(counters),
        }
    }

    /// The next delivery; `None` when the connection is closed for good. Cancel-safe: what is taken from the queue is in
    /// `self` before the next wait.
    pub(crate) async fn recv(&mut self) -> Option<Delivery> {
        loop {
            let message = match self.units.deadline() {
                None => self.subscriber.next().await?,
                Some(deadline) => tokio::select! {
                    biased;
                    message = self.subscriber.next() => message?,
                    () = sleep_until(deadline) => {
                        self.units.expire();
                        continue;
                    }
                },
            };
            if let Some(delivery) = self.read(&message) {
                return Some(delivery);
            }
        }
    }

    fn read(&mut self, message: &NatsMessage) -> Option<Delivery> {
        if message.subject.ends_with(END_SUFFIX) {
            return match StreamEnded::decode(&message.payload) {
                Ok(notice) => Some(Delivery::Ended(notice)),
                Err(_) => {
                    Counters::one(&self.units.counters.malformed);
                    None
                }
            };
        }
        self.units.message(&message.payload).map(Delivery::Units)
    }
}

/// Messages to whole units.
#[derive(Debug)]
pub(super) struct Reassembly {
    assembly: Assembly,
    started: Instant,
    counters: Arc<Counters>,
}

impl Reassembly {
    pub(super) fn new(counters: Arc<Counters>) -> Self {
        Self {
            assembly: Assembly::default(),
            started: Instant::now(),
            counters,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.started + self.assembly.deadline()?)
    }

    fn expire(&mut self) {
        self.assembly.expire(self.started.elapsed());
        self.count_discarded();
    }

    fn count_discarded(&mut self) {
        Counters::add(
            &self.counters.parts_discarded,
            self.assembly.take_discarded() as usize,
        );
    }

    /// Takes a message; the whole units in it or finished by it, if any.
    fn message(&mut self, payload: &Bytes) -> Option<UnitBatch> {
        match decode_batch(payload) {
            Ok((batch, parts)) => {
                Counters::one(&self.counters.received_messages);
                Counters::add(&self.counters.received_bytes, payload.len());
                self.batch(batch, &parts)
            }
            Err(error) => {
                Counters::one(&self.counters.malformed);
                tracing::debug!(%error, "message passed over");
                None
            }
        }
    }

    /// Takes a decoded batch; the whole units in it or finished by it, if any.
    pub(super) fn batch(&mut self, batch: UnitBatch, parts: &[UnitPart]) -> Option<UnitBatch> {
        let now = self.started.elapsed();
        let (session, epoch) = (batch.session, batch.epoch);
        let mut units = Vec::with_capacity(batch.units.len());
        for (mut unit, part) in batch.units.into_iter().zip(parts) {
            if unit.data.len() < COPY_BELOW {
                unit.data = Bytes::copy_from_slice(&unit.data);
            }
            if let Assembled::Whole(unit) = self.assembly.push(now, session, epoch, unit, *part) {
                units.push(unit);
            }
        }
        self.count_discarded();
        (!units.is_empty()).then_some(UnitBatch {
            session,
            epoch,
            units,
        })
    }
}
