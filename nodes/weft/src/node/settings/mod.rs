//! The configuration while the node runs: its own layer from file, environment and command line, above it what was set for
//! the whole fabric; each change is checked, told to every part, and followed by a sweep of the sessions that it touches.
//! What the layers mean together is the config crate's business, who keeps the upper one that of the store.

mod edit;
mod file;
mod kept;
pub(crate) mod keys;
mod sweep;

pub(super) use sweep::sweep;

use super::StartError;
use file::Watched;
use kept::Kept;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use weft_bus::{Scope, SettingsStore, SettingsView};
use weft_config::{Base, Change, Config, Layers};

/// Who was let in just before a change may begin just after it: looked at again after this long.
const LATE: Duration = Duration::from_secs(10);

/// How long a node that has its bus waits at its start for what was set: else it would begin without it.
const FIRST_LIST: Duration = Duration::from_secs(2);

/// The settings of a running node; cheap to clone.
#[derive(Clone)]
pub(crate) struct Settings(Arc<Shared>);

struct Shared {
    base: Base,
    store: Arc<dyn SettingsStore>,
    state: Mutex<State>,
    /// What every part follows.
    config: watch::Sender<Arc<Config>>,
    /// The last of the store that was looked at, whether it could be used or not.
    looked: watch::Sender<Arc<SettingsView>>,
}

/// What is in force.
struct State {
    layers: Arc<Layers>,
    /// The node's own layer as it was read last: not in force where it does not go with what was set.
    own: Layers,
    /// The keys of which was said that they wait for a restart.
    waiting: Vec<&'static str>,
}

/// A change that took place.
pub(super) struct Changed {
    pub(super) old: Arc<Config>,
    pub(super) new: Arc<Config>,
    /// When it was told.
    pub(super) at: SystemTime,
}

/// The store of a node that is alone.
///
/// # Errors
/// When `fabric.settingsFile` is there and cannot be read.
pub(super) async fn alone(file: Option<PathBuf>) -> Result<Arc<dyn SettingsStore>, StartError> {
    let name = file.as_ref().map(|file| file.display().to_string());
    let kept = Kept::open(file).await.map_err(|source| StartError::File {
        key: "fabric.settingsFile",
        path: name.unwrap_or_default(),
        source,
    })?;
    Ok(Arc::new(kept))
}

impl Settings {
    /// Begins with the node's own layer; `config` is told of each change.
    ///
    /// # Errors
    /// When the file is no configuration by now.
    pub(super) fn new(
        base: Base,
        layers: Layers,
        store: Arc<dyn SettingsStore>,
        config: watch::Sender<Arc<Config>>,
    ) -> Self {
        Self(Arc::new(Shared {
            base,
            store,
            state: Mutex::new(State {
                own: layers.clone(),
                layers: Arc::new(layers),
                waiting: Vec::new(),
            }),
            config,
            looked: watch::Sender::default(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in force, for showing and for changes above it.
    pub(super) fn layers(&self) -> Arc<Layers> {
        Arc::clone(&self.state().layers)
    }

    /// Takes over what was set before this node started; waits for it where the bus is there.
    pub(super) async fn first(&self, bus_is_there: bool) {
        let mut view = self.0.store.view();
        let patience = if bus_is_there { FIRST_LIST } else { Duration::ZERO };
        let listed = timeout(patience, view.wait_for(|view| view.listed)).await.is_ok();
        if !listed && bus_is_there {
            tracing::warn!(
                "what was set by the API cannot be read from NATS yet; the file's settings hold until it can (the user's permissions are in compose/nats.conf)"
            );
        }
        let now = Arc::clone(&self.0.store.view().borrow());
        let layers = self.layers().with(changes(&now));
        match layers.config() {
            // Nothing is built yet: keys that wait for a restart count too.
            Ok(config) => {
                self.state().layers = Arc::new(layers);
                self.0.config.send_replace(Arc::new(config));
            }
            Err(error) => {
                tracing::error!(%error, "what was set by the API does not go with this node's file, which holds alone");
            }
        }
        self.0.looked.send_replace(now);
    }

    /// Follows file and store for ever; `changed` is done after each change.
    pub(super) async fn follow<F: Future<Output = ()>>(self, changed: impl Fn(Changed) -> F) {
        let mut view = self.0.store.view();
        // What came between the start and now.
        view.mark_changed();
        // The first look reads it once more: it may have changed since the start.
        let mut file = self
            .0
            .base
            .file
            .as_deref()
            .map(|path| Watched::new(path, String::new()));
        let edited = async |file: &mut Option<Watched>| match file {
            Some(file) => file.changed().await,
            None => std::future::pending().await,
        };
        let mut late = None;
        loop {
            let change = tokio::select! {
                set = view.changed() => {
                    if set.is_err() {
                        return;
                    }
                    let now = Arc::clone(&view.borrow_and_update());
                    self.take_set(&now)
                }
                text = edited(&mut file) => self.take_file(&text),
                () = at(late) => {
                    late = None;
                    let now = Arc::clone(&self.0.config.borrow());
                    Some(Changed { old: now.clone(), new: now, at: SystemTime::now() })
                }
            };
            if let Some(change) = change {
                if !Arc::ptr_eq(&change.old, &change.new) {
                    late = Some(Instant::now() + LATE);
                }
                changed(change).await;
            }
        }
    }

    /// The file has this text now.
    fn take_file(&self, text: &str) -> Option<Changed> {
        let file = self.0.base.file.as_deref().unwrap_or_else(|| "".as_ref());
        let origin = file.display().to_string();
        let now = self.layers().changes().clone();
        match self.0.base.parse(text, &origin) {
            Ok(own) => {
                // What was set last may not go with the file before, but with this one.
                let set = changes(&Arc::clone(&self.0.looked.borrow()));
                self.state().own = own.clone();
                self.take([own.with(set), own.with(now)], "the file")
            }
            Err(error) => {
                tracing::error!(%error, "the configuration file cannot be used; what was read before stays");
                None
            }
        }
    }

    /// This was set for the whole fabric.
    fn take_set(&self, view: &Arc<SettingsView>) -> Option<Changed> {
        let changes = changes(view);
        let layers = self.layers();
        let change = if *layers.changes() == changes {
            None
        } else {
            // A file that did not go with what was set before may go with this.
            let own = self.state().own.clone();
            self.take([own.with(changes.clone()), layers.with(changes)], "the API")
        };
        self.0.looked.send_replace(Arc::clone(view));
        change
    }

    /// Goes over to the first of these that can be used.
    fn take(&self, [first, second]: [Layers; 2], by: &str) -> Option<Changed> {
        let (layers, config) = match (first.config(), second) {
            (Ok(config), _) => (first, config),
            (Err(error), second) => {
                let Ok(config) = second.config() else {
                    tracing::error!(%error, by, "this configuration cannot be used; the one in force stays");
                    return None;
                };
                (second, config)
            }
        };
        let old = Arc::clone(&self.0.config.borrow());
        let change = keys::change(&old, &config);
        {
            let mut state = self.state();
            state.layers = Arc::new(layers);
            if state.waiting != change.waiting {
                state.waiting.clone_from(&change.waiting);
                if !change.waiting.is_empty() {
                    tracing::warn!(by, "restart needed for: {}", change.waiting.join(", "));
                }
            }
        }
        if change.changed.is_empty() {
            return None;
        }
        for notice in config
            .notices()
            .iter()
            .filter(|notice| !old.notices().contains(notice))
        {
            tracing::warn!("{notice}");
        }
        let (new, at) = (Arc::new(change.config), SystemTime::now());
        tracing::info!(by, changed = change.changed.join(", "), "configuration changed");
        self.0.config.send_replace(Arc::clone(&new));
        Some(Changed { old, new, at })
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// What was set, by the places of the configuration; what cannot be read is passed over.
fn changes(view: &SettingsView) -> BTreeMap<weft_config::Scope, Change> {
    let read = |(scope, setting): (&Scope, &weft_bus::Setting)| match serde_json::from_str(&setting.value) {
        Ok(change) => Some((place(scope), change)),
        Err(_) => {
            tracing::warn!(%scope, "a setting of a later release, or none of ours; passed over");
            None
        }
    };
    view.settings.iter().filter_map(read).collect()
}

/// The configuration's place of a setting.
fn place(scope: &Scope) -> weft_config::Scope {
    match scope {
        Scope::Global => weft_config::Scope::Global,
        Scope::PathDefaults => weft_config::Scope::PathDefaults,
        Scope::Path(name) => weft_config::Scope::Path(name.clone()),
    }
}

/// The setting of a place in the configuration.
fn scope(place: &weft_config::Scope) -> Scope {
    match place {
        weft_config::Scope::Global => Scope::Global,
        weft_config::Scope::PathDefaults => Scope::PathDefaults,
        weft_config::Scope::Path(name) => Scope::Path(name.clone()),
    }
}

#[cfg(test)]
mod tests;
