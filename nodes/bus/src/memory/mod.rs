//! The bus inside one process: units go from the publisher to each reader's queue by reference, nothing is copied.
//! The registry beside it lives and dies with the process.

mod leases;
mod nodes;
mod registry;
mod settings;
mod topic;

use crate::{
    Bus, BusState, Counters, Error, MediaFilter, NodeReply, NodeRequest, NodeService, Publication,
    PublisherEvents, RequestError, Serving, StreamOwner, Subscription, UnitsAnswer,
};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use topic::Topic;
use weft_wire::{
    KeyframeRequest, Kick, NodeName, OwnerInfo, PublisherEvent, SessionId, StreamName, UnitsRequest,
};

/// Bus and registry of a single process. Clones are the same bus.
#[derive(Clone)]
pub struct MemoryBus {
    shared: Arc<Shared>,
}

struct Shared {
    /// Streams that somebody publishes or reads now.
    topics: Mutex<HashMap<StreamName, Weak<Topic>>>,
    records: Mutex<registry::Records>,
    questions: Mutex<nodes::Nodes>,
    leases: Arc<leases::NodeTable>,
    settings: settings::Settings,
    counters: Arc<Counters>,
    state: watch::Sender<BusState>,
    started: Instant,
}

impl Default for MemoryBus {
    fn default() -> Self {
        Self::new()
    }
}

/// Locks; a panic elsewhere does not make what is inside unusable, every change there is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryBus {
    /// A bus of its own, connected from the start.
    #[must_use]
    pub fn new() -> Self {
        Self::made(Self::usual_leases())
    }

    fn made(leases: Arc<leases::NodeTable>) -> Self {
        Self {
            shared: Arc::new(Shared {
                topics: Mutex::default(),
                records: Mutex::new(registry::Records::new()),
                questions: Mutex::default(),
                leases,
                settings: settings::Settings::new(),
                counters: Arc::default(),
                state: watch::Sender::new(BusState::Connected(1)),
                started: Instant::now(),
            }),
        }
    }

    /// The topic of a stream, made when the first asks for it.
    fn topic(&self, stream: &StreamName) -> Arc<Topic> {
        let mut topics = lock(&self.shared.topics);
        if let Some(topic) = topics.get(stream).and_then(Weak::upgrade) {
            return topic;
        }
        topics.retain(|_, topic| topic.strong_count() > 0);
        let topic = Arc::new(Topic::new(self.shared.started, self.shared.counters.clone()));
        topics.insert(stream.clone(), Arc::downgrade(&topic));
        topic
    }

    fn existing(&self, stream: &StreamName) -> Option<Arc<Topic>> {
        lock(&self.shared.topics).get(stream).and_then(Weak::upgrade)
    }

    fn owners(&self, stream: &StreamName) -> Result<Vec<Arc<dyn StreamOwner>>, RequestError> {
        let owners = self
            .existing(stream)
            .map(|topic| topic.owners())
            .unwrap_or_default();
        if owners.is_empty() {
            Err(RequestError::NoOwner)
        } else {
            Ok(owners)
        }
    }
}

impl Bus for MemoryBus {
    fn publish(
        &self,
        stream: StreamName,
        owner: Arc<dyn StreamOwner>,
    ) -> BoxFuture<'_, Result<Publication, Error>> {
        let publication: Publication = Box::new(self.topic(&stream).publish(owner));
        ready(Ok(publication)).boxed()
    }

    fn subscribe(
        &self,
        stream: StreamName,
        filter: MediaFilter,
    ) -> BoxFuture<'_, Result<Subscription, Error>> {
        ready(Ok(self.topic(&stream).subscribe(filter))).boxed()
    }

    fn units(
        &self,
        stream: StreamName,
        request: UnitsRequest,
    ) -> BoxFuture<'_, Result<UnitsAnswer, RequestError>> {
        Counters::one(&self.shared.counters.units_asked);
        let answers = self
            .existing(&stream)
            .map(|topic| topic.units(&request))
            .unwrap_or_default();
        let newest = answers.into_iter().max_by_key(|answer| answer.end.epoch);
        ready(newest.ok_or(RequestError::NoOwner)).boxed()
    }

    fn keyframe(
        &self,
        stream: StreamName,
        request: KeyframeRequest,
    ) -> BoxFuture<'_, Result<(), RequestError>> {
        let asked = self.owners(&stream).map(|owners| {
            for owner in owners {
                owner.keyframe(request.clone());
            }
        });
        ready(asked).boxed()
    }

    fn owner(&self, stream: StreamName) -> BoxFuture<'_, Result<OwnerInfo, RequestError>> {
        let infos = self.owners(&stream).map(|owners| {
            let infos = owners.iter().map(|owner| owner.owner());
            infos.max_by_key(|info| info.epoch)
        });
        ready(infos.and_then(|info| info.ok_or(RequestError::NoOwner))).boxed()
    }

    fn kick(&self, stream: StreamName, kick: Kick) -> BoxFuture<'_, Result<(), RequestError>> {
        let asked = self.owners(&stream).map(|owners| {
            for owner in owners {
                owner.kick(kick.clone());
            }
        });
        ready(asked).boxed()
    }

    fn serve(&self, node: NodeName, service: Arc<dyn NodeService>) -> BoxFuture<'_, Result<Serving, Error>> {
        async move { Ok(nodes::serve(&self.shared, node, service)) }.boxed()
    }

    fn ask(
        &self,
        node: NodeName,
        request: NodeRequest,
        patience: Duration,
    ) -> BoxFuture<'_, Result<NodeReply, RequestError>> {
        nodes::ask(&self.shared, node, request, patience).boxed()
    }

    fn tell(&self, event: PublisherEvent) {
        nodes::tell(&self.shared, &event);
    }

    fn hear(&self, session: SessionId) -> BoxFuture<'_, Result<PublisherEvents, Error>> {
        ready(Ok(nodes::hear(&self.shared, session))).boxed()
    }

    fn state(&self) -> watch::Receiver<BusState> {
        self.shared.state.subscribe()
    }

    fn counters(&self) -> Arc<Counters> {
        self.shared.counters.clone()
    }
}
