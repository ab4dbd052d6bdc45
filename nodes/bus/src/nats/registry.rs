//! The table of names in NATS: a KV bucket, written by compare-and-set on revisions, removed by purges that leave a mark for
//! an hour. No record has a time to live here: a lost leader would take away the names of media that flows.

use super::bucket::{Bucket, Found, STEP, Written, within};
use super::config::NatsConfig;
use super::link::Link;
use super::reign::Leader;
use crate::{Claim, ClaimError, Counters, Error, Registered, Registry};
use async_nats::jetstream::consumer::{DeliverPolicy, push};
use async_nats::jetstream::kv::{self, Operation};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use weft_wire::{Epoch, Message, StreamName, StreamRecord};

const BUCKET: &str = "weft_streams";

/// The registry over JetStream.
pub(super) struct NatsRegistry {
    bucket: Bucket,
    leader: Mutex<Leader>,
    /// How often the bucket was begun to be looked for anew,
    looks: AtomicU64,
    /// and which of these looks ended last, with what it found.
    looked: tokio::sync::Mutex<Option<(u64, Found)>>,
}

impl NatsRegistry {
    pub(super) fn new(link: Arc<Link>, config: &NatsConfig) -> Self {
        let bucket = kv::Config {
            bucket: BUCKET.into(),
            description: "Weft: which node and session owns a stream's name".into(),
            history: 1,
            num_replicas: config.replicas,
            limit_markers: Some(config.marker_life),
            ..kv::Config::default()
        };
        Self {
            bucket: Bucket::new(link, bucket),
            leader: Mutex::default(),
            looks: AtomicU64::new(0),
            looked: tokio::sync::Mutex::default(),
        }
    }

    /// The bucket as found on this connection. Where its generation matters it is looked for [anew](Self::anew).
    async fn found(&self) -> Result<Found, Error> {
        let found = self.bucket.find().await?;
        self.leader()
            .first(Instant::now(), found.store.stream.cached_info());
        Ok(found)
    }

    /// The bucket as it is now: it may have been deleted and made anew since it was found. Many who call at once share one
    /// look that begins after all of them called.
    async fn anew(&self) -> Result<Found, Error> {
        let begun_before = self.looks.load(Ordering::Acquire);
        let mut looked = self.looked.lock().await;
        if let Some((_, found)) = looked.as_ref().filter(|(look, _)| *look > begun_before) {
            return Ok(found.clone());
        }
        let look = self.looks.fetch_add(1, Ordering::AcqRel) + 1;
        self.bucket.forget().await;
        let found = self.found().await?;
        *looked = Some((look, found.clone()));
        Ok(found)
    }

    fn leader(&self) -> MutexGuard<'_, Leader> {
        self.leader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands at a key: its revision, and the record if it is one.
    async fn entry(
        &self,
        found: &Found,
        stream: &StreamName,
    ) -> Result<Option<(u64, Option<Registered>)>, Error> {
        let entry = self.bucket.entry(found, &stream.escaped()).await?;
        Ok(entry.map(|entry| {
            let put = entry.operation == Operation::Put;
            let record = put.then(|| self.registered(found, stream.clone(), entry.revision, &entry.value));
            (entry.revision, record.flatten())
        }))
    }

    fn registered(
        &self,
        found: &Found,
        stream: StreamName,
        revision: u64,
        value: &[u8],
    ) -> Option<Registered> {
        let epoch = Epoch {
            generation: found.generation,
            revision,
        };
        match StreamRecord::decode(value) {
            Ok(record) => Some(Registered {
                stream,
                record,
                epoch,
            }),
            Err(error) => {
                Counters::one(&self.bucket.link.counters.malformed);
                tracing::warn!(%stream, %epoch, %error, "a record of the registry cannot be read; taken as vacant");
                None
            }
        }
    }

    /// The epoch of a claim that was written. The bucket is looked at once more: a revision of another bucket than the one
    /// known here would make an epoch below those given out already.
    async fn written_at(
        &self,
        found: &Found,
        revision: u64,
        stream: &StreamName,
        record: &StreamRecord,
    ) -> Result<Epoch, ClaimError> {
        let now = self.anew().await?;
        if now.generation == found.generation {
            return Ok(Epoch {
                generation: now.generation,
                revision,
            });
        }
        tracing::warn!(bucket = BUCKET, "the registry's bucket was deleted and made anew");
        match self.entry(&now, stream).await? {
            Some((_, Some(held))) if held.record == *record => Ok(held.epoch),
            Some((_, Some(held))) => Err(ClaimError::Held(Box::new(held))),
            _ => Err(ClaimError::Changed),
        }
    }

    async fn claim_now(
        &self,
        stream: StreamName,
        record: StreamRecord,
        claim: Claim,
    ) -> Result<Epoch, ClaimError> {
        let mut found = self.found().await?;
        if matches!(claim, Claim::Over(epoch) if epoch.generation != found.generation) {
            found = self.anew().await?;
        }
        let value = record.encode();
        let expected = match claim {
            Claim::Vacant => Some(0),
            // Of another generation: no revision of this bucket.
            Claim::Over(epoch) => (epoch.generation == found.generation).then_some(epoch.revision),
        };
        if let Some(expected) = expected {
            let update = found.store.update(stream.escaped(), value.clone(), expected);
            if let Written::At(revision) = self.bucket.written(update.await).await? {
                return self.written_at(&found, revision, &stream, &record).await;
            }
        }
        match (self.entry(&found, &stream).await?, claim) {
            (Some((_, Some(held))), _) if held.record == record => {
                self.written_at(&found, held.epoch.revision, &stream, &record)
                    .await
            }
            (Some((_, Some(held))), _) => Err(ClaimError::Held(Box::new(held))),
            // The mark of a removed record, or something that is none.
            (Some((revision, None)), Claim::Vacant) => {
                let update = found.store.update(stream.escaped(), value, revision);
                match self.bucket.written(update.await).await? {
                    Written::At(revision) => self.written_at(&found, revision, &stream, &record).await,
                    Written::Outrun => Err(ClaimError::Changed),
                }
            }
            (_, _) => Err(ClaimError::Changed),
        }
    }

    async fn remove_now(&self, stream: StreamName, epoch: Epoch) -> Result<bool, Error> {
        let found = self.anew().await?;
        if found.generation != epoch.generation {
            return Ok(false);
        }
        let purged = self
            .bucket
            .purge(&found, &stream.escaped(), epoch.revision)
            .await?;
        Ok(purged != Written::Outrun)
    }

    async fn steady_now(&self) -> Result<Duration, Error> {
        let link = &self.bucket.link;
        let up_since = link.up_since().ok_or_else(|| link.away())?;
        let found = self.anew().await?;
        let now = Instant::now();
        let ruled = self.leader().note(now, found.store.stream.cached_info());
        let ruled = ruled.ok_or_else(|| Error::Away("the registry's bucket has no leader".into()))?;
        Ok(ruled.min(now - up_since))
    }

    async fn list_now(&self) -> Result<Vec<Registered>, Error> {
        let found = self.found().await?;
        let away =
            |e: &dyn std::fmt::Display| Error::Away(format!("the registry did not list its names: {e}"));
        let consumer = found.store.stream.create_consumer(push::OrderedConfig {
            deliver_subject: self.bucket.link.client.new_inbox(),
            filter_subject: format!("{}>", found.store.prefix),
            deliver_policy: DeliverPolicy::LastPerSubject,
            ..push::OrderedConfig::default()
        });
        let consumer = match consumer.await {
            Ok(consumer) => consumer,
            Err(e) => {
                self.bucket.forget().await;
                return Err(away(&e));
            }
        };
        let mut pending = consumer.cached_info().num_pending;
        let mut names = Vec::new();
        let mut messages = consumer.messages().await.map_err(|e| away(&e))?;
        while pending > 0 {
            let message = match timeout(STEP, messages.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(e))) => return Err(away(&e)),
                Ok(None) | Err(_) => return Err(away(&"it stopped in the middle")),
            };
            let info = message.info().map_err(|e| away(&e))?;
            pending = info.pending;
            if is_mark(&message) {
                continue;
            }
            let key = message.subject.strip_prefix(found.store.prefix.as_str());
            if let Some(stream) = key.and_then(StreamName::from_escaped) {
                names.extend(self.registered(&found, stream, info.stream_sequence, &message.payload));
            }
        }
        names.sort_unstable_by(|a, b| a.stream.cmp(&b.stream));
        Ok(names)
    }
}

/// True for what a removal leaves: an operation named by the client, or a reason named by the server.
fn is_mark(message: &async_nats::Message) -> bool {
    let marks = ["KV-Operation", "Nats-Marker-Reason"];
    message
        .headers
        .as_ref()
        .is_some_and(|headers| marks.iter().any(|mark| headers.get(*mark).is_some()))
}

impl Registry for NatsRegistry {
    fn claim(
        &self,
        stream: StreamName,
        record: StreamRecord,
        claim: Claim,
    ) -> BoxFuture<'_, Result<Epoch, ClaimError>> {
        within(self.claim_now(stream, record, claim)).boxed()
    }

    fn lookup(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Registered>, Error>> {
        let lookup = async move {
            let found = self.found().await?;
            Ok(self.entry(&found, &stream).await?.and_then(|(_, record)| record))
        };
        within(lookup).boxed()
    }

    fn remove(&self, stream: StreamName, epoch: Epoch) -> BoxFuture<'_, Result<bool, Error>> {
        within(self.remove_now(stream, epoch)).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Registered>, Error>> {
        within(self.list_now()).boxed()
    }

    fn steady(&self) -> BoxFuture<'_, Result<Duration, Error>> {
        within(self.steady_now()).boxed()
    }
}
