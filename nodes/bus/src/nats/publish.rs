//! Publishing a stream over NATS: cut into messages, queued without waiting, every so often with a reply inbox so that the
//! server says when nobody listens. Nothing here blocks the media loop.

use super::link::{Link, message};
use crate::interest::{Interest, ProbeId, Verdict};
use crate::packing::Packing;
use crate::{Counters, DropReason, Publish, Sent};
use async_nats::Subject as NatsSubject;
use async_nats::message::OutboundMessage;
use bytes::Bytes;
use futures::StreamExt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::time::Instant;
use weft_wire::{
    Epoch, MediaClass, Message, SessionId, StreamEnded, StreamName, Subject, TrackId, UnitBatch, encode_batch,
};

/// What a publication shares with the tasks that hear for it.
pub(super) struct Publisher {
    pub(super) stream: StreamName,
    interest: Mutex<Interest>,
    started: Instant,
}

impl Publisher {
    fn interest(&self) -> MutexGuard<'_, Interest> {
        self.interest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A `units` request came, or one for key units alone.
    pub(super) fn wake(&self, counters: &Counters, key_only: bool) {
        let woken = if key_only {
            self.interest().wake_keys()
        } else {
            self.interest().wake()
        };
        if woken {
            Counters::one(&counters.wakes);
        }
    }
}

/// The publications of this node, by the number that their probes carry.
pub(super) struct Publishers {
    by_id: Mutex<(u64, HashMap<u64, Weak<Publisher>>)>,
    /// Where refusals go: `<inbox>.<publication>.<probe>`.
    inbox: String,
    started: Instant,
}

impl Publishers {
    pub(super) fn new(link: &Link) -> Self {
        Self {
            by_id: Mutex::default(),
            inbox: link.client.new_inbox(),
            started: Instant::now(),
        }
    }

    fn by_id(&self) -> MutexGuard<'_, (u64, HashMap<u64, Weak<Publisher>>)> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, stream: StreamName) -> (u64, Arc<Publisher>) {
        let publisher = Arc::new(Publisher {
            stream,
            interest: Mutex::new(Interest::new()),
            started: self.started,
        });
        let mut by_id = self.by_id();
        by_id.0 += 1;
        let id = by_id.0;
        by_id.1.insert(id, Arc::downgrade(&publisher));
        (id, publisher)
    }

    fn reply_to(&self, id: u64, probe: ProbeId) -> NatsSubject {
        format!("{}.{id}.{}", self.inbox, probe.0).into()
    }

    fn parse(&self, subject: &str) -> Option<(Arc<Publisher>, u64, ProbeId)> {
        let (id, probe) = subject
            .strip_prefix(&self.inbox)?
            .strip_prefix('.')?
            .split_once('.')?;
        let (id, probe) = (id.parse().ok()?, ProbeId(probe.parse().ok()?));
        let publisher = self.by_id().1.get(&id)?.upgrade()?;
        Some((publisher, id, probe))
    }

    /// Hears the server's refusals for ever.
    pub(super) async fn hear_refusals(self: Arc<Self>, link: Arc<Link>) {
        let Ok(mut refusals) = link.subscribe(format!("{}.*.*", self.inbox)).await else {
            tracing::error!(
                "the inbox for refusals cannot be subscribed to: streams that nobody reads go on"
            );
            return;
        };
        let mut client = link.client.clone();
        while let Some(refusal) = refusals.next().await {
            let no_responders = refusal.status == Some(async_nats::StatusCode::NO_RESPONDERS);
            let Some((publisher, id, probe)) = self.parse(&refusal.subject).filter(|_| no_responders) else {
                continue;
            };
            Counters::one(&link.counters.refusals);
            let verdict = publisher.interest().refused(publisher.started.elapsed(), probe);
            match verdict {
                Verdict::Doubt => {}
                Verdict::Paused => Counters::one(&link.counters.pauses),
                Verdict::AskKeys(probe) => {
                    let subject = Subject::Media(publisher.stream.clone(), TrackId(0), MediaClass::Key);
                    let nothing = UnitBatch {
                        session: SessionId::default(),
                        epoch: Epoch::default(),
                        units: Vec::new(),
                    };
                    let question = OutboundMessage {
                        subject: subject.to_string().into(),
                        reply: Some(self.reply_to(id, probe)),
                        payload: encode_batch(&nothing),
                        headers: None,
                    };
                    // Dropped when there is no room: the next refusal asks again.
                    let _room = link.feed(&mut client, question);
                }
            }
        }
    }
}

/// A publication over NATS.
pub(super) struct NatsPublication {
    link: Arc<Link>,
    client: async_nats::Client,
    publishers: Arc<Publishers>,
    publisher: Arc<Publisher>,
    id: u64,
    subjects: HashMap<(TrackId, MediaClass), NatsSubject>,
    /// Answers questions to the owner; ends with the publication.
    answering: tokio::task::JoinHandle<()>,
}

impl NatsPublication {
    /// Takes up a stream; `answer` makes the task that answers its questions.
    pub(super) fn new(
        link: Arc<Link>,
        publishers: Arc<Publishers>,
        stream: StreamName,
        answer: impl FnOnce(Arc<Publisher>) -> tokio::task::JoinHandle<()>,
    ) -> Self {
        let (id, publisher) = publishers.add(stream);
        Self {
            client: link.client.clone(),
            link,
            publishers,
            answering: answer(publisher.clone()),
            publisher,
            id,
            subjects: HashMap::new(),
        }
    }

    fn subject(&mut self, track: TrackId, class: MediaClass) -> NatsSubject {
        let stream = &self.publisher.stream;
        let make = || Subject::Media(stream.clone(), track, class).to_string().into();
        self.subjects.entry((track, class)).or_insert_with(make).clone()
    }

    /// Sends units of one track.
    fn send_track(
        &mut self,
        class: MediaClass,
        batch: &UnitBatch,
        probe: Option<ProbeId>,
    ) -> Result<(), DropReason> {
        let subject = self.subject(batch.units[0].track, class);
        let mut reply = probe.map(|probe| self.publishers.reply_to(self.id, probe));
        let max_payload = self.client.max_payload();
        let mut result = Ok(());
        Packing::new(max_payload, max_payload).messages(batch, |payload: Bytes| {
            let counters = &self.link.counters;
            let size = payload.len();
            let probing = reply.is_some();
            result = self.link.feed(
                &mut self.client,
                OutboundMessage {
                    subject: subject.clone(),
                    reply: reply.take(),
                    payload,
                    headers: None,
                },
            );
            if result.is_ok() {
                Counters::one(&counters.sent_messages);
                Counters::add(&counters.sent_bytes, size);
            } else if let Some(probe) = probe.filter(|_| probing) {
                self.publisher.interest().unsent(probe);
            }
            // After one refused part the rest is worthless.
            result.is_ok()
        });
        result
    }

    fn dropped(&self, reason: DropReason, units: usize) -> Sent {
        let counters = &self.link.counters;
        let counter = match reason {
            DropReason::Away => &counters.dropped_away,
            DropReason::Full => &counters.dropped_full,
            DropReason::TooLarge => &counters.dropped_too_large,
        };
        Counters::add(counter, units);
        Sent::Dropped(reason)
    }
}

impl Publish for NatsPublication {
    fn send(&mut self, class: MediaClass, batch: UnitBatch) -> Sent {
        let units = batch.units.len();
        if units == 0 {
            return Sent::Published;
        }
        if !Packing::fits(&batch.units) {
            return self.dropped(DropReason::TooLarge, units);
        }
        if !self.publisher.interest().takes(class) {
            Counters::add(&self.link.counters.units_paused, units);
            return Sent::Paused;
        }
        if !self.link.is_up() {
            return self.dropped(DropReason::Away, units);
        }
        let now = self.publisher.started.elapsed();
        let mut probe = self.publisher.interest().probe(now, class);
        let one_track = batch.units.iter().all(|u| u.track == batch.units[0].track);
        let result = if one_track {
            self.send_track(class, &batch, probe)
        } else {
            by_track(batch).try_for_each(|batch| self.send_track(class, &batch, probe.take()))
        };
        match result {
            Ok(()) => Sent::Published,
            Err(reason) => self.dropped(reason, units),
        }
    }

    fn end(&mut self, notice: StreamEnded) -> Sent {
        if !self.wanted() {
            return Sent::Paused;
        }
        let subject = Subject::End(self.publisher.stream.clone()).to_string();
        match self
            .link
            .feed(&mut self.client, message(subject, None, notice.encode()))
        {
            Ok(()) => Sent::Published,
            Err(reason) => Sent::Dropped(reason),
        }
    }

    fn wanted(&self) -> bool {
        self.publisher.interest().wanted()
    }
}

impl Drop for NatsPublication {
    fn drop(&mut self) {
        self.answering.abort();
        self.publishers.by_id().1.remove(&self.id);
    }
}

/// The same units, each run of one track a batch of its own.
fn by_track(batch: UnitBatch) -> impl Iterator<Item = UnitBatch> {
    let mut units = batch.units.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = units.next()?;
        let track = first.track;
        let mut run = vec![first];
        while let Some(unit) = units.next_if(|u| u.track == track) {
            run.push(unit);
        }
        Some(UnitBatch {
            session: batch.session,
            epoch: batch.epoch,
            units: run,
        })
    })
}
