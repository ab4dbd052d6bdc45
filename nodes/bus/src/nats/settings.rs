//! The table of settings in NATS: a KV bucket without any time to live, written by compare-and-set on revisions, followed
//! by every node. While it is out of reach the last known settings stay.
//!
//! What a node's credentials must allow for it, whatever its role, `{inbox}` being the prefix of its control connection:
//! publish to `$KV.weft_config.>`, `$JS.API.STREAM.INFO.KV_weft_config`, `$JS.API.CONSUMER.CREATE.KV_weft_config`,
//! `$JS.API.CONSUMER.CREATE.KV_weft_config.>` and `$JS.API.DIRECT.GET.KV_weft_config.>`, and, to make the bucket where
//! there is none, `$JS.API.STREAM.CREATE.KV_weft_config`; subscribe to `{inbox}.>`. A node whose user may not works with
//! its file's settings alone.

use super::bucket::{Bucket, Found, Written, within};
use super::config::NatsConfig;
use super::follow::{News, Reader, What, keep_up};
use super::link::Link;
use crate::settings::bounded;
use crate::{Counters, Error, PutError, Revision, Scope, Setting, SettingsStore, SettingsView};
use async_nats::jetstream::kv::{self, Operation};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const BUCKET: &str = "weft_config";
/// A setting travels at most this long when a word of the server was lost.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The settings over JetStream.
pub(super) struct NatsSettings {
    bucket: Arc<Bucket>,
    view: watch::Sender<Arc<SettingsView>>,
    watching: JoinHandle<()>,
}

impl NatsSettings {
    /// Begins to watch the table. Must be called inside a Tokio runtime.
    pub(super) fn new(link: Arc<Link>, config: &NatsConfig) -> Self {
        let bucket = kv::Config {
            bucket: BUCKET.into(),
            description: "Weft: what was set by the API for all nodes".into(),
            history: 1,
            num_replicas: config.replicas,
            limit_markers: Some(config.marker_life),
            ..kv::Config::default()
        };
        let bucket = Arc::new(Bucket::new(link, bucket));
        let view = watch::Sender::default();
        let scribe = Scribe {
            bucket: bucket.clone(),
            view: view.clone(),
            generation: 0,
        };
        let watching = tokio::spawn(keep_up(bucket.clone(), HEARTBEAT, scribe));
        Self {
            bucket,
            view,
            watching,
        }
    }

    async fn get_now(&self, scope: Scope) -> Result<Option<Setting>, Error> {
        let found = self.bucket.find().await?;
        let entry = self.bucket.entry(&found, &scope.key()).await?;
        let entry = entry.filter(|entry| entry.operation == Operation::Put);
        Ok(entry.and_then(|entry| setting(&self.bucket, &scope, &entry.value, at(&found, entry.revision))))
    }

    async fn put_now(
        &self,
        scope: Scope,
        value: Arc<str>,
        over: Option<Revision>,
    ) -> Result<Revision, PutError> {
        bounded(&scope, &value)?;
        let found = self.bucket.find().await?;
        let key = scope.key();
        let put = async |number| {
            let result = found.store.update(&key, value.to_string().into(), number).await;
            self.bucket.written(result).await
        };
        let written = match over {
            Some(over) if over.generation != found.generation => Written::Outrun,
            Some(over) => put(over.number).await?,
            None => match put(0).await? {
                // Perhaps by the mark of one that was removed.
                Written::Outrun => match self.bucket.entry(&found, &key).await? {
                    Some(mark) if mark.operation != Operation::Put => put(mark.revision).await?,
                    _ => Written::Outrun,
                },
                written @ Written::At(_) => written,
            },
        };
        match written {
            Written::At(number) => Ok(at(&found, number)),
            Written::Outrun => Err(PutError::Changed),
        }
    }

    async fn delete_now(&self, scope: Scope, over: Revision) -> Result<(), PutError> {
        let found = self.bucket.find().await?;
        if found.generation != over.generation {
            return Err(PutError::Changed);
        }
        match self.bucket.purge(&found, &scope.key(), over.number).await? {
            Written::At(_) => Ok(()),
            Written::Outrun => Err(PutError::Changed),
        }
    }
}

impl Drop for NatsSettings {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl SettingsStore for NatsSettings {
    fn get(&self, scope: Scope) -> BoxFuture<'_, Result<Option<Setting>, Error>> {
        within(self.get_now(scope)).boxed()
    }

    fn put(
        &self,
        scope: Scope,
        value: Arc<str>,
        over: Option<Revision>,
    ) -> BoxFuture<'_, Result<Revision, PutError>> {
        within(self.put_now(scope, value, over)).boxed()
    }

    fn delete(&self, scope: Scope, over: Revision) -> BoxFuture<'_, Result<(), PutError>> {
        within(self.delete_now(scope, over)).boxed()
    }

    fn view(&self) -> watch::Receiver<Arc<SettingsView>> {
        self.view.subscribe()
    }
}

fn at(found: &Found, number: u64) -> Revision {
    Revision {
        generation: found.generation,
        number,
    }
}

fn setting(bucket: &Bucket, scope: &Scope, value: &[u8], revision: Revision) -> Option<Setting> {
    let Ok(text) = std::str::from_utf8(value) else {
        Counters::one(&bucket.link.counters.malformed);
        tracing::warn!(%scope, "a setting cannot be read; taken as none");
        return None;
    };
    Some(Setting {
        value: text.into(),
        revision,
    })
}

/// Keeps the view.
struct Scribe {
    bucket: Arc<Bucket>,
    view: watch::Sender<Arc<SettingsView>>,
    generation: u64,
}

impl Scribe {
    fn read(&self, news: &News) -> Option<(Scope, Option<Setting>)> {
        let scope = Scope::from_key(&news.key)?;
        let setting = match &news.what {
            What::Put(bytes) => {
                let revision = Revision {
                    generation: self.generation,
                    number: news.revision,
                };
                setting(&self.bucket, &scope, bytes, revision)
            }
            What::Removed | What::Expired => None,
        };
        Some((scope, setting))
    }

    /// A server that lost its store gets the settings again, from each node that knew them: every path that was added would
    /// be gone otherwise. Nothing is written over what stands there, or over the mark of what was removed there.
    fn restore(&self, lost: BTreeMap<Scope, Setting>) {
        tracing::warn!(
            settings = lost.len(),
            "the bucket {BUCKET} was made anew; what was known is written into it"
        );
        let bucket = self.bucket.clone();
        tokio::spawn(async move {
            for (scope, setting) in lost {
                let Ok(found) = bucket.find().await else { return };
                let put = found
                    .store
                    .update(scope.key(), setting.value.to_string().into(), 0);
                // Another node was first, or it is away again and listed anew once it is back.
                drop(put.await);
            }
        });
    }
}

impl Reader for Scribe {
    fn begins(&mut self, found: &Found) {
        self.generation = found.generation;
    }

    fn listed(&mut self, list: Vec<News>) {
        let told: BTreeMap<Scope, Option<Setting>> = list.iter().filter_map(|news| self.read(news)).collect();
        let mut lost = self.view.borrow().settings.clone();
        lost.retain(|scope, setting| {
            setting.revision.generation != self.generation && !told.contains_key(scope)
        });
        let mut settings: BTreeMap<Scope, Setting> = told
            .into_iter()
            .filter_map(|(scope, setting)| Some((scope, setting?)))
            .collect();
        if !lost.is_empty() {
            settings.extend(lost.clone());
            self.restore(lost);
        }
        self.view.send_if_modified(|view| {
            let now = SettingsView {
                settings,
                listed: true,
            };
            let changed = **view != now;
            if changed {
                *view = Arc::new(now);
            }
            changed
        });
    }

    fn news(&mut self, news: News) {
        let Some((scope, setting)) = self.read(&news) else {
            return;
        };
        self.view.send_modify(|view| {
            let settings = &mut Arc::make_mut(view).settings;
            match setting {
                Some(setting) => settings.insert(scope, setting),
                None => settings.remove(&scope),
            };
        });
    }

    fn in_reach(&mut self) {}
}
