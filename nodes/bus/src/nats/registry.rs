//! The table of names in NATS: a KV bucket, written by compare-and-set on revisions, removed by purges that leave a mark for
//! an hour. No record has a time to live here: a lost leader would take away the names of media that flows.

use super::config::NatsConfig;
use super::link::Link;
use crate::{Claim, ClaimError, Counters, Error, Registered, Registry};
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{DeliverPolicy, push};
use async_nats::jetstream::kv::{self, Operation, Store, UpdateErrorKind};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;
use weft_wire::{Epoch, Message, StreamName, StreamRecord};

const BUCKET: &str = "weft_streams";
/// One step of a call; and the whole of it.
const STEP: Duration = Duration::from_millis(900);
const WHOLE: Duration = Duration::from_secs(2);

/// The registry over JetStream.
pub(super) struct NatsRegistry {
    link: Arc<Link>,
    context: Context,
    replicas: usize,
    marker_life: Duration,
    /// The bucket, as found on the connection of this number.
    bucket: Mutex<Option<(u64, Bucket)>>,
}

#[derive(Clone)]
struct Bucket {
    store: Store,
    /// Its creation, µs since 1970: a bucket made anew begins a higher generation.
    generation: u64,
}

/// The answer to a write.
enum Written {
    At(u64),
    /// The key is at another revision by now.
    Outrun,
}

impl NatsRegistry {
    pub(super) fn new(link: Arc<Link>, config: &NatsConfig) -> Self {
        let mut context = async_nats::jetstream::new(link.client.clone());
        context.set_timeout(STEP);
        Self {
            link,
            context,
            replicas: config.replicas,
            marker_life: config.marker_life,
            bucket: Mutex::new(None),
        }
    }

    async fn bucket(&self) -> Result<Bucket, Error> {
        if !self.link.is_up() {
            return Err(self.link.away());
        }
        // A server may have come back without its store: each connection looks again.
        let connection = self.link.connects();
        let mut known = self.bucket.lock().await;
        if let Some((_, bucket)) = known.as_ref().filter(|(at, _)| *at == connection) {
            return Ok(bucket.clone());
        }
        let store = self.open().await?;
        let created = store.stream.cached_info().created.unix_timestamp_nanos() / 1000;
        let bucket = Bucket {
            store,
            generation: u64::try_from(created).unwrap_or_default(),
        };
        *known = Some((connection, bucket.clone()));
        Ok(bucket)
    }

    /// Finds the bucket or makes it; that several nodes do so at once is fine.
    async fn open(&self) -> Result<Store, Error> {
        if let Ok(store) = self.context.get_key_value(BUCKET).await {
            return Ok(store);
        }
        let made = self
            .context
            .create_key_value(kv::Config {
                bucket: BUCKET.into(),
                description: "Weft: which node and session owns a stream's name".into(),
                history: 1,
                num_replicas: self.replicas,
                limit_markers: Some(self.marker_life),
                ..kv::Config::default()
            })
            .await;
        match made {
            Ok(store) => {
                tracing::info!(bucket = BUCKET, replicas = self.replicas, "registry bucket made");
                Ok(store)
            }
            // Another node made it first, perhaps with other settings: those count.
            Err(error) => self.context.get_key_value(BUCKET).await.map_err(|_| {
                Error::Away(format!(
                    "the registry's bucket {BUCKET} can neither be found nor made: {error}"
                ))
            }),
        }
    }

    /// The bucket is not what it was.
    async fn forget(&self) {
        *self.bucket.lock().await = None;
    }

    async fn written<E>(&self, result: Result<u64, E>) -> Result<Written, Error>
    where
        E: Into<kv::UpdateError>,
    {
        match result.map_err(Into::into) {
            Ok(revision) => Ok(Written::At(revision)),
            Err(e) if e.kind() == UpdateErrorKind::WrongLastRevision => Ok(Written::Outrun),
            Err(e) => {
                self.forget().await;
                Err(Error::Away(format!("the registry did not take a write: {e}")))
            }
        }
    }

    /// What stands at a key: its revision, and the record if it is one.
    async fn entry(
        &self,
        bucket: &Bucket,
        stream: &StreamName,
    ) -> Result<Option<(u64, Option<Registered>)>, Error> {
        let entry = bucket.store.entry(stream.escaped()).await;
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                self.forget().await;
                return Err(Error::Away(format!("the registry did not answer: {e}")));
            }
        };
        Ok(entry.map(|entry| {
            let put = entry.operation == Operation::Put;
            let record = put.then(|| self.registered(bucket, stream.clone(), entry.revision, &entry.value));
            (entry.revision, record.flatten())
        }))
    }

    fn registered(
        &self,
        bucket: &Bucket,
        stream: StreamName,
        revision: u64,
        value: &[u8],
    ) -> Option<Registered> {
        let epoch = Epoch {
            generation: bucket.generation,
            revision,
        };
        match StreamRecord::decode(value) {
            Ok(record) => Some(Registered {
                stream,
                record,
                epoch,
            }),
            Err(error) => {
                Counters::one(&self.link.counters.malformed);
                tracing::warn!(%stream, %epoch, %error, "a record of the registry cannot be read; taken as vacant");
                None
            }
        }
    }

    async fn claim_now(
        &self,
        stream: StreamName,
        record: StreamRecord,
        claim: Claim,
    ) -> Result<Epoch, ClaimError> {
        let bucket = self.bucket().await?;
        let epoch = |revision| Epoch {
            generation: bucket.generation,
            revision,
        };
        let value = record.encode();
        let expected = match claim {
            Claim::Vacant => 0,
            Claim::Over(epoch) if epoch.generation == bucket.generation => epoch.revision,
            // No revision of this bucket.
            Claim::Over(_) => u64::MAX,
        };
        if expected != u64::MAX {
            let result = bucket
                .store
                .update(stream.escaped(), value.clone(), expected)
                .await;
            if let Written::At(revision) = self.written(result).await? {
                return Ok(epoch(revision));
            }
        }
        match (self.entry(&bucket, &stream).await?, claim) {
            (Some((_, Some(held))), _) if held.record == record => Ok(held.epoch),
            (Some((_, Some(held))), _) => Err(ClaimError::Held(Box::new(held))),
            // The mark of a removed record, or something that is none.
            (Some((revision, None)), Claim::Vacant) => {
                let result = bucket.store.update(stream.escaped(), value, revision).await;
                match self.written(result).await? {
                    Written::At(revision) => Ok(epoch(revision)),
                    Written::Outrun => Err(ClaimError::Changed),
                }
            }
            (_, _) => Err(ClaimError::Changed),
        }
    }

    async fn remove_now(&self, stream: StreamName, epoch: Epoch) -> Result<bool, Error> {
        let bucket = self.bucket().await?;
        if bucket.generation != epoch.generation {
            return Ok(false);
        }
        let result = bucket
            .store
            .purge_expect_revision_with_ttl(stream.escaped(), epoch.revision, self.marker_life)
            .await;
        match self.written(result.map(|()| 0)).await? {
            Written::At(_) => Ok(true),
            Written::Outrun => Ok(false),
        }
    }

    async fn list_now(&self) -> Result<Vec<Registered>, Error> {
        let bucket = self.bucket().await?;
        let away =
            |e: &dyn std::fmt::Display| Error::Away(format!("the registry did not list its names: {e}"));
        let consumer = bucket.store.stream.create_consumer(push::OrderedConfig {
            deliver_subject: self.link.client.new_inbox(),
            filter_subject: format!("{}>", bucket.store.prefix),
            deliver_policy: DeliverPolicy::LastPerSubject,
            ..push::OrderedConfig::default()
        });
        let consumer = match consumer.await {
            Ok(consumer) => consumer,
            Err(e) => {
                self.forget().await;
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
            let key = message.subject.strip_prefix(bucket.store.prefix.as_str());
            if let Some(stream) = key.and_then(StreamName::from_escaped) {
                names.extend(self.registered(&bucket, stream, info.stream_sequence, &message.payload));
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

/// Bounds a call.
async fn within<T, E: From<Error>>(call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    match timeout(WHOLE, call).await {
        Ok(result) => result,
        Err(_) => Err(Error::Away("the registry did not answer within 2 s".into()).into()),
    }
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
            let bucket = self.bucket().await?;
            Ok(self.entry(&bucket, &stream).await?.and_then(|(_, record)| record))
        };
        within(lookup).boxed()
    }

    fn remove(&self, stream: StreamName, epoch: Epoch) -> BoxFuture<'_, Result<bool, Error>> {
        within(self.remove_now(stream, epoch)).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Registered>, Error>> {
        within(self.list_now()).boxed()
    }
}
