//! Changes by the API: worked out above what stands in the store now, written by compare-and-set, answered once they hold
//! on this node. What a body may say is decided by the config crate.

use super::{Settings, place, scope};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use weft_bus::{PutError, Revision, Setting, SettingsView};
use weft_config::{Change, EditError, Layers, Scope, Verb};
use weft_control::{Configurator, NotChanged};

/// Attempts while others write the same scope.
const ATTEMPTS: usize = 12;
/// How long a change that was written may take to hold here.
const HOLDS: Duration = Duration::from_secs(2);

impl Configurator for Settings {
    fn layers(&self) -> Arc<Layers> {
        Settings::layers(self)
    }

    fn edit(&self, at: Scope, verb: Verb, body: Value) -> BoxFuture<'_, Result<(), NotChanged>> {
        async move { self.edited(&at, verb, &body).await }.boxed()
    }
}

impl Settings {
    async fn edited(&self, at: &Scope, verb: Verb, body: &Value) -> Result<(), NotChanged> {
        let key = scope(at);
        if !key.fits() {
            return Err(refused("the path's name is empty or too long"));
        }
        for _ in 0..ATTEMPTS {
            let now = self.0.store.get(key.clone()).await.map_err(unavailable)?;
            let keep = self.work_out(at, verb, body, now.as_ref())?;
            let over = now.map(|setting| setting.revision);
            let written = match (keep, over) {
                (Some(change), over) => {
                    let value = serde_json::to_string(&change).map_err(|e| refused(&e.to_string()))?;
                    let put = self.0.store.put(key.clone(), value.into(), over).await;
                    put.map(Some)
                }
                (None, Some(over)) => self.0.store.delete(key.clone(), over).await.map(|()| None),
                (None, None) => return Ok(()),
            };
            match written {
                Ok(revision) => {
                    self.holds(&key, revision, over).await;
                    return Ok(());
                }
                // Somebody else was faster: once more, above what is there now.
                Err(PutError::Changed) => {}
                Err(PutError::TooLarge(why)) => return Err(refused(&why)),
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(NotChanged::Unavailable(
            "others change the same setting again and again; try again".to_owned(),
        ))
    }

    /// What is to be kept for the scope if the change is made above `now`.
    fn work_out(
        &self,
        at: &Scope,
        verb: Verb,
        body: &Value,
        now: Option<&Setting>,
    ) -> Result<Option<Change>, NotChanged> {
        let layers = self.layers();
        let mut changes = layers.changes().clone();
        changes.remove(at);
        if let Some(change) = now.and_then(|now| serde_json::from_str(&now.value).ok()) {
            changes.insert(at.clone(), change);
        }
        let (_, keep) = layers.with(changes).edit(at, verb, body)?;
        Ok(keep)
    }

    /// Waits until what was written is what this node goes by; another node's later change counts as well.
    async fn holds(&self, key: &weft_bus::Scope, written: Option<Revision>, over: Option<Revision>) {
        let is_there = |view: &Arc<SettingsView>| {
            let now = view.settings.get(key).map(|setting| setting.revision);
            match (now, written) {
                (Some(now), Some(written)) => {
                    now.number >= written.number || now.generation != written.generation
                }
                (now, None) => now != over,
                // Removed again.
                (None, Some(_)) => false,
            }
        };
        let mut looked = self.0.looked.subscribe();
        if timeout(HOLDS, looked.wait_for(is_there)).await.is_err() {
            tracing::warn!(scope = %place(key), "a change was written, but has not come back to this node yet");
        }
    }
}

fn refused(why: &str) -> NotChanged {
    NotChanged::Refused(EditError::Refused(why.to_owned()))
}

fn unavailable(error: impl std::fmt::Display) -> NotChanged {
    NotChanged::Unavailable(error.to_string())
}
