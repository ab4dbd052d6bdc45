//! The table of settings of a single process, by the rules of the one in NATS.
//! Keeping it beyond the process's end is left to its users.

use super::{MemoryBus, lock};
use crate::settings::bounded;
use crate::{Error, PutError, Revision, Scope, Setting, SettingsStore, SettingsView};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::sync::watch;

/// The settings of this process.
pub(super) struct Settings {
    view: watch::Sender<Arc<SettingsView>>,
    /// The revision given last; looking and writing are one step under it.
    last: Mutex<Revision>,
}

impl Settings {
    pub(super) fn new() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let micros = since.unwrap_or_default().as_micros();
        Self {
            view: watch::Sender::new(Arc::new(SettingsView {
                listed: true,
                ..SettingsView::default()
            })),
            last: Mutex::new(Revision {
                generation: u64::try_from(micros).unwrap_or_default(),
                number: 0,
            }),
        }
    }

    fn at(&self, scope: &Scope) -> Option<Revision> {
        let view = self.view.borrow();
        view.settings.get(scope).map(|setting| setting.revision)
    }

    fn put(&self, scope: Scope, value: Arc<str>, over: Option<Revision>) -> Result<Revision, PutError> {
        bounded(&scope, &value)?;
        let mut last = lock(&self.last);
        if self.at(&scope) != over {
            return Err(PutError::Changed);
        }
        last.number += 1;
        let revision = *last;
        self.view.send_modify(|view| {
            let settings = &mut Arc::make_mut(view).settings;
            settings.insert(scope, Setting { value, revision });
        });
        Ok(revision)
    }

    fn delete(&self, scope: &Scope, over: Revision) -> Result<(), PutError> {
        let _writing = lock(&self.last);
        if self.at(scope) != Some(over) {
            return Err(PutError::Changed);
        }
        self.view.send_modify(|view| {
            Arc::make_mut(view).settings.remove(scope);
        });
        Ok(())
    }
}

impl SettingsStore for MemoryBus {
    fn get(&self, scope: Scope) -> BoxFuture<'_, Result<Option<Setting>, Error>> {
        let setting = self.shared.settings.view.borrow().settings.get(&scope).cloned();
        ready(Ok(setting)).boxed()
    }

    fn put(
        &self,
        scope: Scope,
        value: Arc<str>,
        over: Option<Revision>,
    ) -> BoxFuture<'_, Result<Revision, PutError>> {
        ready(self.shared.settings.put(scope, value, over)).boxed()
    }

    fn delete(&self, scope: Scope, over: Revision) -> BoxFuture<'_, Result<(), PutError>> {
        ready(self.shared.settings.delete(&scope, over)).boxed()
    }

    fn view(&self) -> watch::Receiver<Arc<SettingsView>> {
        self.shared.settings.view.subscribe()
    }
}
