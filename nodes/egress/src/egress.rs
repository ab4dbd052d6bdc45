//! The egress of a node: one hub per stream that somebody here reads, opened by the first description and closed some time
//! after the last reader. What a hub does with its stream is the hub's own business.

use crate::config::EgressConfig;
use crate::counters::{Counters, add};
use crate::demand;
use crate::hub::{Shared, Source, TRY_AGAIN};
use crate::placement::{Room, Speaks, place};
use crate::stills::Stills;
use crate::tap::{Tap, TapSpec};
use crate::task::Hub;
use crate::views::HubView;
use futures::future::{BoxFuture, join_all};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::debug;
use weft_bus::{Bus, Members};
use weft_rtsp_server::{DescribeRequest, PlayHandler, PlaySource, Refusal};
use weft_wire::{CloseReason, NodeName, StreamName};

/// The handle of an egress; clones are the same one.
#[derive(Clone)]
pub struct Egress {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: EgressConfig,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) node: NodeName,
    /// Asked where a reader can go when this node is full.
    pub(crate) members: Members,
    stills: Stills,
    runtime: Handle,
    hubs: Mutex<HashMap<StreamName, Arc<Shared>>>,
    /// Counters of hubs that are no more.
    retired: Counters,
    pub(crate) seats: Arc<Seats>,
    /// Places for descriptions that wait for a publisher.
    waiting: Arc<Seats>,
    draining: AtomicBool,
    closing: AtomicBool,
}

/// Descriptions that wait for a publisher at once; more are told to try again.
const MAX_WAITING: usize = 1024;

/// Places for readers, or for whoever waits.
#[derive(Debug)]
pub(crate) struct Seats {
    taken: AtomicUsize,
    /// 0: as many as come.
    limit: usize,
    /// Whose `fabric.limits.readers` counts too, as it is now.
    settings: Option<weft_config::Live>,
}

/// One taken place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Seats>);

impl Seats {
    fn new(limit: usize, settings: Option<weft_config::Live>) -> Arc<Self> {
        let taken = AtomicUsize::new(0);
        Arc::new(Self {
            taken,
            limit,
            settings,
        })
    }

    /// How many there are now.
    fn limit(&self) -> usize {
        let live = self
            .settings
            .as_ref()
            .map(|live| live.now().fabric.limits.readers);
        let limits = [Some(self.limit), live].into_iter().flatten();
        limits.filter(|limit| *limit > 0).min().unwrap_or(usize::MAX)
    }

    pub(crate) fn take(self: &Arc<Self>) -> Option<Seat> {
        let taken = self.taken.fetch_add(1, SeqCst);
        let seat = Seat(Arc::clone(self));
        (taken < self.limit()).then_some(seat)
    }

    fn are_full(&self) -> bool {
        self.taken.load(SeqCst) >= self.limit()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, SeqCst);
    }
}

impl Egress {
    /// Starts an egress without hubs. Its tasks run on the Tokio runtime this is called on, for as long as that lives.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn start(config: EgressConfig, bus: Arc<dyn Bus>, members: Members) -> Self {
        Self {
            inner: Arc::new(Inner {
                seats: Seats::new(config.max_readers, Some(config.settings.clone())),
                waiting: Seats::new(MAX_WAITING, None),
                stills: Stills::new(bus.clone(), members.node().clone(), config.keyframe_interval),
                config,
                bus,
                node: members.node().clone(),
                members,
                runtime: Handle::current(),
                hubs: Mutex::default(),
                retired: Counters::default(),
                draining: AtomicBool::new(false),
                closing: AtomicBool::new(false),
            }),
        }
    }

    /// All hubs, sorted by stream.
    #[must_use]
    pub fn hubs(&self) -> Vec<HubView> {
        let mut views: Vec<HubView> = self.inner.all().iter().map(|hub| hub.view()).collect();
        views.sort_by(|a, b| a.stream.cmp(&b.stream));
        views
    }

    /// The hub of one stream.
    #[must_use]
    pub fn hub(&self, stream: &StreamName) -> Option<HubView> {
        let hub = self.inner.hubs().get(stream).cloned();
        hub.map(|hub| hub.view())
    }

    /// Readers over all hubs.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.inner.seats.taken.load(SeqCst)
    }

    /// Streams open for readers.
    #[must_use]
    pub fn hub_count(&self) -> usize {
        self.inner.hubs().len()
    }

    /// Still pictures of any stream, for whoever is no reader.
    #[must_use]
    pub fn stills(&self) -> &Stills {
        &self.inner.stills
    }

    /// The sum of all hubs' counters, closed ones included.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let sum = Counters::default();
        let hubs = self.inner.hubs();
        sum.absorb(&self.inner.retired);
        for hub in hubs.values() {
            sum.absorb(&hub.counters);
        }
        sum
    }

    /// From now on newcomers are sent to other nodes, or refused where there are none; readers that are here stay until
    /// [`Self::shutdown`].
    pub fn drain(&self) {
        self.inner.draining.store(true, SeqCst);
    }

    /// Opens no more hubs, closes every reader with `reason`, and waits until all hubs have ended.
    pub async fn shutdown(&self, reason: CloseReason) {
        self.inner.closing.store(true, SeqCst);
        join_all(self.inner.all().iter().map(|hub| hub.close(reason))).await;
    }

    fn room(&self) -> Room {
        if self.inner.draining.load(SeqCst) {
            Room::Draining
        } else if self.inner.seats.are_full() {
            Room::Full
        } else {
            Room::Left
        }
    }

    /// Opens a stream for a reader over WebRTC.
    pub(crate) async fn open_for_whep(&self, request: &DescribeRequest) -> Result<Source, Refusal> {
        self.open(request, Speaks::Whep).await
    }

    /// Opens a stream for one that takes whole units.
    pub(crate) async fn tap(&self, request: &DescribeRequest, spec: TapSpec) -> Result<Tap, Refusal> {
        self.open(request, Speaks::Hls).await?.tap(spec).await
    }

    /// Opens a stream: the hub that is there, or a new one.
    async fn open(&self, request: &DescribeRequest, speaks: Speaks) -> Result<Source, Refusal> {
        let readers = self.inner.readers_of(&request.stream);
        self.inner.check_path(request, readers)?;
        let placed = place(&self.inner.members, self.room(), request, speaks);
        if let Err(Refusal::Moved(url)) = &placed {
            add(&self.inner.retired.readers_moved, 1);
            debug!(stream = %request.stream, peer = %request.peer, %url, "reader sent elsewhere");
        }
        placed?;
        let (patience, late) = self
            .inner
            .patience(&request.stream)
            .unwrap_or((Duration::ZERO, Refusal::NotFound));
        let until = Instant::now() + patience;
        loop {
            let source = self.hold(request)?;
            source.hub().opened(until, &late, &self.inner.waiting).await?;
            // Its readers may wait for the publisher to come back; nobody else is told of a stream that has ended.
            if source.hub().returned(until, &late).await? {
                return Ok(source);
            }
        }
    }

    /// A description of the hub that is there, or of a new one.
    fn hold(&self, request: &DescribeRequest) -> Result<Source, Refusal> {
        let stream = &request.stream;
        let mut hubs = self.inner.hubs();
        if self.inner.closing.load(SeqCst) {
            return Err(Refusal::Unavailable(TRY_AGAIN));
        }
        // A hub whose task is no more without having said so: it panicked.
        if hubs.get(stream).is_some_and(|hub| hub.is_over()) {
            hubs.remove(stream);
        }
        let hub = hubs.entry(stream.clone()).or_insert_with_key(|stream| {
            let (shared, ends) = Shared::new(stream.clone());
            let hub = Hub::new(Arc::clone(&self.inner), Arc::clone(&shared), ends);
            self.inner.runtime.spawn(hub.run());
            if self.inner.is_demanded(stream) {
                let query = request.query.as_deref().unwrap_or_default();
                let query = weft_auth::without_secrets(query);
                let demand = demand::run(Arc::clone(&self.inner), Arc::clone(&shared), query);
                self.inner.runtime.spawn(demand);
            }
            shared
        });
        Ok(Source::hold(hub))
    }
}

impl PlayHandler for Egress {
    fn describe(&self, request: DescribeRequest) -> BoxFuture<'_, Result<Arc<dyn PlaySource>, Refusal>> {
        Box::pin(async move {
            let source = self.open(&request, Speaks::Rtsp).await?;
            Ok(Arc::new(source) as Arc<dyn PlaySource>)
        })
    }

    fn patience(&self, stream: &StreamName) -> Duration {
        self.inner
            .patience(stream)
            .map_or(Duration::ZERO, |(time, _)| time)
    }
}

impl Inner {
    fn hubs(&self) -> MutexGuard<'_, HashMap<StreamName, Arc<Shared>>> {
        // Each change under this lock is one insertion or removal.
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when another hub of the same stream has begun.
    pub(crate) fn has_another(&self, than: &Arc<Shared>) -> bool {
        let hubs = self.hubs();
        hubs.get(&than.stream).is_some_and(|hub| !Arc::ptr_eq(hub, than))
    }

    /// Readers of one stream here.
    fn readers_of(&self, stream: &StreamName) -> usize {
        let hub = self.hubs().get(stream).cloned();
        hub.map_or(0, |hub| hub.face().audience())
    }

    /// All hubs, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<Shared>> {
        self.hubs().values().cloned().collect()
    }

    /// Takes a hub out of the map: from now on a description opens a new one. Unless `forced`, only while nobody holds a
    /// description of it; says whether it was done.
    pub(crate) fn retire(&self, hub: &Arc<Shared>, forced: bool) -> bool {
        let mut hubs = self.hubs();
        if hub.is_held() && !forced {
            return false;
        }
        if hubs.get(&hub.stream).is_some_and(|h| Arc::ptr_eq(h, hub)) {
            hubs.remove(&hub.stream);
            self.retired.absorb(&hub.counters);
        }
        true
    }

    /// Counts a hub that was refused.
    pub(crate) fn refused(&self) {
        add(&self.retired.hubs_refused, 1);
    }
}
