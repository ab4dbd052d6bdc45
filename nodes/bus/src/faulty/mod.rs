//! A bus with faults, for tests: loses and delays live units by a seed, and can be cut off from everybody at will, with
//! the registry beside it. It wraps any bus and keeps its promises otherwise; questions are not lost, only cut off.

mod bus;
mod delivery;
mod publication;
mod registry;
mod settings;

use crate::{Bus, BusState, Error, Registry, SettingsStore};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// What goes wrong, and by which dice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    /// Where the dice start; each subscription goes on from it in its own way.
    pub seed: u64,
    /// Which part of the live messages with units is lost, 0 to 1.
    pub loss: f64,
    /// How much later each of the others arrives; order is kept.
    pub delay: Duration,
    /// How much more at most, by the dice.
    pub jitter: Duration,
}

impl Default for Faults {
    /// None at all.
    fn default() -> Self {
        Self {
            seed: 1,
            loss: 0.0,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
        }
    }
}

/// A bus with faults.
pub struct Faulty {
    inner: Arc<dyn Bus>,
    shared: Arc<Shared>,
}

struct Shared {
    faults: Mutex<Faults>,
    /// True while nothing goes in or out.
    cut: watch::Sender<bool>,
    heals: AtomicU64,
    /// When it was last cut or joined again.
    changed: Mutex<Option<Instant>>,
    lost: AtomicU64,
    subscriptions: AtomicU64,
    state: watch::Sender<BusState>,
}

impl Shared {
    fn faults(&self) -> Faults {
        *lock(&self.faults)
    }

    fn is_cut(&self) -> bool {
        *self.cut.borrow()
    }

    fn reachable(&self) -> Result<(), Error> {
        if self.is_cut() {
            Err(Error::Away("cut off on purpose".into()))
        } else {
            Ok(())
        }
    }

    fn update_state(&self, inner: BusState) {
        let now = match inner {
            BusState::Connected(number) if !self.is_cut() => {
                BusState::Connected(number + self.heals.load(Ordering::Relaxed))
            }
            _ => BusState::Away,
        };
        self.state
            .send_if_modified(|old| std::mem::replace(old, now) != now);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Faulty {
    /// Wraps a bus. Must be called inside a Tokio runtime.
    #[must_use]
    pub fn wrap(inner: Arc<dyn Bus>, faults: Faults) -> Arc<Self> {
        let mut inner_state = inner.state();
        let now = *inner_state.borrow_and_update();
        let shared = Arc::new(Shared {
            faults: Mutex::new(faults),
            cut: watch::Sender::new(false),
            heals: AtomicU64::new(0),
            changed: Mutex::new(None),
            lost: AtomicU64::new(0),
            subscriptions: AtomicU64::new(0),
            state: watch::Sender::new(now),
        });
        let follower = Arc::downgrade(&shared);
        tokio::spawn(async move {
            while inner_state.changed().await.is_ok() {
                let Some(shared) = Weak::upgrade(&follower) else {
                    return;
                };
                shared.update_state(*inner_state.borrow_and_update());
            }
        });
        Arc::new(Self { inner, shared })
    }

    /// Changes the faults from now on.
    pub fn set(&self, faults: Faults) {
        *lock(&self.shared.faults) = faults;
    }

    /// Cuts this bus off from all others, or joins it again.
    pub fn cut(&self, cut: bool) {
        let changed = self
            .shared
            .cut
            .send_if_modified(|old| std::mem::replace(old, cut) != cut);
        if changed {
            *lock(&self.shared.changed) = Some(Instant::now());
        }
        if changed && !cut {
            self.shared.heals.fetch_add(1, Ordering::Relaxed);
        }
        self.shared.update_state(*self.inner.state().borrow());
    }

    /// A registry behind the same switch: while cut, every call of it fails.
    #[must_use]
    pub fn registry(&self, inner: Arc<dyn Registry>) -> Arc<dyn Registry> {
        Arc::new(registry::FaultyRegistry::new(inner, self.shared.clone()))
    }

    /// Settings behind the same switch: while cut, every call of them fails and their view stays as it was. Must be called
    /// inside a Tokio runtime.
    #[must_use]
    pub fn settings(&self, inner: Arc<dyn SettingsStore>) -> Arc<dyn SettingsStore> {
        Arc::new(settings::FaultySettings::new(inner, self.shared.clone()))
    }

    /// Messages with units lost so far, by the dice or by a cut.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}
