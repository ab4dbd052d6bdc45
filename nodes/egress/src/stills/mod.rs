//! Still pictures: the newest key unit of a stream, for whoever asks without being a reader, kept while it is asked for.
//! A still costs a stream its key units and nothing else; what becomes of one in a request is the faces' business (`http`).

mod counters;
mod follow;
mod http;
mod kept;
#[cfg_attr(
    not(feature = "snapshot"),
    allow(
        dead_code,
        reason = "the words for what is made are there, and nothing is made"
    )
)]
mod snapshots;
mod still;

pub use counters::StillCounters;
pub use http::{STILL_ROUTES, StillRoutes};

pub(crate) use kept::{Kept, State};
pub(crate) use still::Still;

use crate::counters::add;
use snapshots::{NoSnapshot, Snapshot, Snapshots};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use weft_bus::Bus;
use weft_wire::{NodeName, StreamName};

/// Streams whose newest key unit is kept at once. A key unit is some 100 kB, 4 MB at most.
const MAX_KEPT: usize = 256;
/// A stream that was asked for this recently makes no room for another one.
const RECENT: Duration = Duration::from_secs(2);
/// How long whoever comes first waits for the first picture.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Missing {
    #[error("nobody publishes this stream")]
    NotFound,
    #[error("the stream has no picture yet")]
    NotYet,
    #[error("the stream has no video")]
    NoVideo,
    #[error("the stream's node cannot be asked now")]
    Unavailable,
    #[error("this node keeps as many pictures as it may")]
    TooMany,
}

/// The stills of an egress; clones are the same ones.
#[derive(Clone)]
pub struct Stills {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    bus: Arc<dyn Bus>,
    node: NodeName,
    /// Key units are wished this often; zero: no wish.
    interval: Duration,
    runtime: Handle,
    kept: Mutex<HashMap<StreamName, Arc<Kept>>>,
    counters: Arc<StillCounters>,
    snapshots: Snapshots,
}

impl Stills {
    /// None is kept yet. Tasks run on the Tokio runtime this is called on.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub(crate) fn new(bus: Arc<dyn Bus>, node: NodeName, interval: Duration) -> Self {
        let counters: Arc<StillCounters> = Arc::default();
        let inner = Inner {
            bus,
            node,
            interval,
            runtime: Handle::current(),
            kept: Mutex::default(),
            snapshots: Snapshots::start(Arc::clone(&counters)),
            counters,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// What is counted.
    #[must_use]
    pub fn counters(&self) -> &StillCounters {
        &self.inner.counters
    }

    /// Streams whose newest key unit is kept now.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.inner.kept().len()
    }

    /// The newest key unit of a stream, and where snapshots of it are kept.
    pub(crate) async fn newest(&self, stream: &StreamName) -> Result<(Arc<Kept>, Arc<Still>), Missing> {
        let kept = self.inner.keep(stream)?;
        let mut state = kept.state.subscribe();
        // Only the first ones wait: a stream that has given none for so long gives none at once.
        let until = kept.since + PATIENCE;
        loop {
            match &*state.borrow_and_update() {
                State::Picture(still) => return Ok((Arc::clone(&kept), Arc::clone(still))),
                State::Over(why) => return Err(*why),
                State::Waiting => {}
            }
            match timeout_at(until, state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Missing::Unavailable),
                Err(_) => return Err(Missing::NotYet),
            }
        }
    }

    /// That picture as a JPEG file.
    pub(crate) async fn snapshot(
        &self,
        kept: &Kept,
        still: Arc<Still>,
        width: Option<u32>,
    ) -> Result<Arc<Snapshot>, NoSnapshot> {
        self.inner.snapshots.of(kept, still, width).await
    }
}

impl Inner {
    fn kept(&self) -> MutexGuard<'_, HashMap<StreamName, Arc<Kept>>> {
        // Each change under this lock is one insertion or removal.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept of a stream, from now on if nothing is.
    fn keep(self: &Arc<Self>, stream: &StreamName) -> Result<Arc<Kept>, Missing> {
        let now = Instant::now();
        let mut all = self.kept();
        if let Some(kept) = all.get(stream).filter(|kept| !kept.is_over()) {
            kept.asked(now);
            return Ok(Arc::clone(kept));
        }
        if all.len() >= MAX_KEPT && !all.contains_key(stream) {
            // overflow: what was asked for least recently goes; where all are asked for, the newcomer is refused.
            let least = all.values().min_by_key(|kept| kept.last_asked()).cloned();
            let least = least.filter(|kept| now.duration_since(kept.last_asked()) >= RECENT);
            let Some(least) = least else {
                add(&self.counters.refused, 1);
                return Err(Missing::TooMany);
            };
            least.dismissed.notify_one();
            all.remove(&least.stream);
        }
        let kept = Arc::new(Kept::new(stream.clone(), now));
        all.insert(stream.clone(), Arc::clone(&kept));
        add(&self.counters.opened, 1);
        self.runtime
            .spawn(follow::run(Arc::clone(self), Arc::clone(&kept)));
        Ok(kept)
    }

    /// It is kept no more.
    fn let_go(&self, kept: &Arc<Kept>) {
        let mut all = self.kept();
        if all
            .get(&kept.stream)
            .is_some_and(|other| Arc::ptr_eq(other, kept))
        {
            all.remove(&kept.stream);
        }
    }
}
