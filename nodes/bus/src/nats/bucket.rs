//! A KV bucket as found on the connection of the moment: looked for anew after each connect, made where there is none.
//! What is kept in it and by which rules is the business of the tables.

use super::link::Link;
use crate::Error;
use async_nats::jetstream::Context;
use async_nats::jetstream::kv::{self, Store, UpdateErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// One step of a call; and the whole of it.
pub(super) const STEP: Duration = Duration::from_millis(900);
const WHOLE: Duration = Duration::from_secs(2);

/// A bucket that may be away.
pub(super) struct Bucket {
    pub(super) link: Arc<Link>,
    pub(super) context: Context,
    config: kv::Config,
    /// As found on the connection of this number.
    found: Mutex<Option<(u64, Found)>>,
}

/// A bucket that is there.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) store: Store,
    /// Its creation, µs since 1970: a bucket made anew begins a higher generation.
    pub(super) generation: u64,
}

/// The answer to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Done; this is the key's revision now.
    At(u64),
    /// The key is at another revision by now.
    Outrun,
}

impl Bucket {
    pub(super) fn new(link: Arc<Link>, config: kv::Config) -> Self {
        let mut context = async_nats::jetstream::new(link.client.clone());
        context.set_timeout(STEP);
        Self {
            link,
            context,
            config,
            found: Mutex::new(None),
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.config.bucket
    }

    /// The bucket on the connection there is now.
    pub(super) async fn find(&self) -> Result<Found, Error> {
        if !self.link.is_up() {
            return Err(self.link.away());
        }
        // A server may have come back without its store: each connection looks again.
        let connection = self.link.connects();
        let mut known = self.found.lock().await;
        if let Some((_, found)) = known.as_ref().filter(|(at, _)| *at == connection) {
            return Ok(found.clone());
        }
        let store = self.open().await?;
        let created = store.stream.cached_info().created.unix_timestamp_nanos() / 1000;
        let found = Found {
            store,
            generation: u64::try_from(created).unwrap_or_default(),
        };
        *known = Some((connection, found.clone()));
        Ok(found)
    }

    /// Finds the bucket or makes it; that several nodes do so at once is fine.
    async fn open(&self) -> Result<Store, Error> {
        let bucket = &self.config.bucket;
        if let Ok(store) = self.context.get_key_value(bucket).await {
            return Ok(store);
        }
        match self.context.create_key_value(self.config.clone()).await {
            Ok(store) => {
                let replicas = self.config.num_replicas;
                tracing::info!(bucket, replicas, "registry bucket made");
                Ok(store)
            }
            // Another node made it first, perhaps with other settings: those count.
            Err(error) => self.context.get_key_value(bucket).await.map_err(|_| {
                Error::Away(format!(
                    "the registry's bucket {bucket} can neither be found nor made: {error}"
                ))
            }),
        }
    }

    /// The bucket is not what it was.
    pub(super) async fn forget(&self) {
        *self.found.lock().await = None;
    }

    /// What became of a write by compare-and-set.
    pub(super) async fn written<E>(&self, result: Result<u64, E>) -> Result<Written, Error>
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

    /// Removes a key that is at this revision, leaving a mark.
    pub(super) async fn purge(&self, found: &Found, key: &str, revision: u64) -> Result<Written, Error> {
        let store = &found.store;
        let result = match self.config.limit_markers {
            Some(life) if store.stream.cached_info().config.allow_message_ttl => {
                store.purge_expect_revision_with_ttl(key, revision, life).await
            }
            // The server refuses marks with a life in a bucket that was made without: there they stay.
            _ => store.purge_expect_revision(key, Some(revision)).await,
        };
        self.written(result.map(|()| revision)).await
    }

    /// What stands at a key, marks of removed ones included.
    pub(super) async fn entry(&self, found: &Found, key: &str) -> Result<Option<kv::Entry>, Error> {
        match found.store.entry(key).await {
            Ok(entry) => Ok(entry),
            Err(e) => {
                self.forget().await;
                Err(Error::Away(format!("the registry did not answer: {e}")))
            }
        }
    }
}

/// Bounds a call.
pub(super) async fn within<T, E: From<Error>>(call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    match timeout(WHOLE, call).await {
        Ok(result) => result,
        Err(_) => Err(Error::Away("the registry did not answer within 2 s".into()).into()),
    }
}
