//! The settings behind the switch: while cut every call fails, and what changes meanwhile is seen when it is joined again.
//! What was written underneath stays written, as on a real network.

use super::Shared;
use crate::{Error, PutError, Revision, Scope, Setting, SettingsStore, SettingsView};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(super) struct FaultySettings {
    inner: Arc<dyn SettingsStore>,
    shared: Arc<Shared>,
    view: watch::Sender<Arc<SettingsView>>,
    passing: JoinHandle<()>,
}

impl FaultySettings {
    pub(super) fn new(inner: Arc<dyn SettingsStore>, shared: Arc<Shared>) -> Self {
        let mut theirs = inner.view();
        let first = Arc::clone(&theirs.borrow_and_update());
        let view = watch::Sender::new(first);
        let (to, mut cut) = (view.clone(), shared.cut.subscribe());
        let passing = tokio::spawn(async move {
            loop {
                let changed = tokio::select! {
                    changed = theirs.changed() => changed,
                    changed = cut.changed() => changed,
                };
                if changed.is_err() {
                    return;
                }
                if !*cut.borrow_and_update() {
                    let now = Arc::clone(&theirs.borrow_and_update());
                    to.send_if_modified(|old| std::mem::replace(old, now.clone()) != now);
                }
            }
        });
        Self {
            inner,
            shared,
            view,
            passing,
        }
    }

    async fn through<T, E, C>(&self, call: impl FnOnce() -> C) -> Result<T, E>
    where
        E: From<Error>,
        C: Future<Output = Result<T, E>>,
    {
        self.shared.reachable()?;
        let answer = call().await;
        self.shared.reachable()?;
        answer
    }
}

impl Drop for FaultySettings {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

impl SettingsStore for FaultySettings {
    fn get(&self, scope: Scope) -> BoxFuture<'_, Result<Option<Setting>, Error>> {
        self.through(move || self.inner.get(scope)).boxed()
    }

    fn put(
        &self,
        scope: Scope,
        value: Arc<str>,
        over: Option<Revision>,
    ) -> BoxFuture<'_, Result<Revision, PutError>> {
        self.through(move || self.inner.put(scope, value, over)).boxed()
    }

    fn delete(&self, scope: Scope, over: Revision) -> BoxFuture<'_, Result<(), PutError>> {
        self.through(move || self.inner.delete(scope, over)).boxed()
    }

    fn view(&self) -> watch::Receiver<Arc<SettingsView>> {
        self.view.subscribe()
    }
}
