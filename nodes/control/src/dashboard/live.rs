//! Who listens: the fabric is looked at once a second while somebody does, for all of them together, and not at all else.
//! What they are told is in `board`.

use super::board::{Maker, Tick};
use crate::error::Error;
use crate::health;
use crate::routes::Control;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// Pages that may listen to one node.
const SEATS: usize = 64;
/// Seconds that wait for a listener.
const QUEUE: usize = 8;

/// Counts of this part.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Who listens now.
    pub(crate) listeners: AtomicUsize,
    /// Looks at the fabric.
    pub(crate) looks: AtomicU64,
    /// Listeners refused because all seats were taken.
    pub(crate) refused: AtomicU64,
    /// Times that a listener was too slow and got everything anew.
    pub(crate) behind: AtomicU64,
}

/// The looks that all listeners of a node share; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Live(Arc<Inner>);

#[derive(Default)]
struct Inner {
    looking: Mutex<Option<Looking>>,
    counts: Counts,
}

/// While somebody listens.
struct Looking {
    ticks: broadcast::Sender<Arc<Tick>>,
    last: Option<Arc<Tick>>,
}

/// One who listens; dropping it frees its seat.
pub(crate) struct Listener {
    live: Live,
    ticks: broadcast::Receiver<Arc<Tick>>,
    /// The last second, where others listened already.
    first: Option<Arc<Tick>>,
    /// It has nothing that a change would belong to.
    anew: bool,
}

/// What a listener hears.
pub(crate) enum Heard {
    /// A second to begin with.
    Whole(Arc<Tick>),
    /// The second behind the one it has.
    Change(Arc<Tick>),
}

impl Live {
    pub(crate) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Listens from now on; the first who does begins the looks.
    pub(crate) fn listen(&self, control: &Control) -> Result<Listener, Error> {
        let mut looking = self.lock();
        let counts = &self.0.counts;
        // Under the lock, so that as many as there are seats get one.
        if counts.listeners.load(Relaxed) >= SEATS {
            counts.refused.fetch_add(1, Relaxed);
            return Err(Error::Unavailable(format!(
                "{SEATS} pages listen to this node already; close one, or ask another node"
            )));
        }
        counts.listeners.fetch_add(1, Relaxed);
        let (ticks, first) = match &*looking {
            Some(looking) => (looking.ticks.subscribe(), looking.last.clone()),
            None => {
                // overflow: the oldest second is dropped for a listener that lags, which gets everything anew, counted.
                let (sender, ticks) = broadcast::channel(QUEUE);
                *looking = Some(Looking {
                    ticks: sender,
                    last: None,
                });
                control.runtime().spawn(look(self.clone(), control.clone()));
                (ticks, None)
            }
        };
        Ok(Listener {
            live: self.clone(),
            ticks,
            first,
            anew: true,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Looking>> {
        // Each change is one assignment.
        self.0.looking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True while somebody listens; ends the looks otherwise.
    fn goes_on(&self) -> bool {
        let mut looking = self.lock();
        let listened = looking.as_ref().is_some_and(|l| l.ticks.receiver_count() > 0);
        if !listened {
            *looking = None;
        }
        listened
    }

    fn tell(&self, tick: Arc<Tick>) {
        if let Some(looking) = &mut *self.lock() {
            looking.last = Some(tick.clone());
            // Fails only when the last listener has just left.
            looking.ticks.send(tick).ok();
        }
    }
}

/// Looks until nobody listens, or until another configuration counts: then all must show again that they may.
async fn look(live: Live, control: Control) {
    let config = control.settings.now();
    let mut maker = Maker::default();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if !live.goes_on() {
            return;
        }
        if !Arc::ptr_eq(&config, &control.settings.now()) {
            *live.lock() = None;
            return;
        }
        live.0.counts.looks.fetch_add(1, Relaxed);
        let snapshot = control.fabric.newest().await;
        live.tell(maker.tick(&snapshot, &config.paths, &health::problems(&control)));
    }
}

impl Listener {
    /// What comes next; `None`: the looks have ended, and whoever wants more asks anew.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        let tick = match self.first.take() {
            Some(first) => first,
            None => loop {
                match self.ticks.recv().await {
                    Ok(tick) => break tick,
                    Err(RecvError::Lagged(_)) => {
                        self.anew = true;
                        self.live.0.counts.behind.fetch_add(1, Relaxed);
                    }
                    Err(RecvError::Closed) => return None,
                }
            },
        };
        Some(if std::mem::take(&mut self.anew) {
            Heard::Whole(tick)
        } else {
            Heard::Change(tick)
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.live.0.counts.listeners.fetch_sub(1, Relaxed);
    }
}
