//! The ingest role as others hold it: start, HTTP routes, views, shutdown.
//! What happens in between is done by the actors.

use crate::channels::Channels;
use crate::config::{Identity, IngestConfig};
use crate::counters::Counters;
use crate::http::State;
use crate::messages::{CloseAll, List};
use crate::ownership::Fabric;
use crate::sessions::Sessions;
use crate::source::{Sources, Tickets};
use crate::steer::Answerer;
use crate::sweep;
use crate::view::SessionView;
use actix::{Actor, Addr};
use actix_rt::{Arbiter, ArbiterHandle};
use actix_web::web::ServiceConfig;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use weft_bus::{Bus, Members, Registry};
use weft_wire::{CloseReason, SessionId};

/// Longest wait for the sessions to end at a shutdown; each needs 2 s of registry at most.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(4);

/// The running ingest role; cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    pub(crate) state: State,
    counters: Arc<Counters>,
    pub(crate) sources: Sources,
    /// Sessions and offers not yet over.
    pub(crate) open: watch::Receiver<usize>,
    /// Our own, to be stopped at the end.
    arbiter: Option<ArbiterHandle>,
}

impl Ingest {
    /// Starts the role on an arbiter of its own. Needs a running actix system.
    #[must_use]
    pub fn start(
        config: IngestConfig,
        bus: Arc<dyn Bus>,
        registry: Arc<dyn Registry>,
        members: Members,
        shards: weft_rtc::Shards,
        identity: Identity,
    ) -> Self {
        let arbiter = Arbiter::new().handle();
        let mut ingest = Self::with(
            config,
            bus,
            registry,
            members,
            Arc::new(shards),
            identity,
            &arbiter,
        );
        ingest.arbiter = Some(arbiter);
        ingest
    }

    /// The same with somebody else answering offers, on an arbiter of the caller's.
    pub(crate) fn with(
        config: IngestConfig,
        bus: Arc<dyn Bus>,
        registry: Arc<dyn Registry>,
        members: Members,
        answerer: Arc<dyn Answerer>,
        identity: Identity,
        arbiter: &ArbiterHandle,
    ) -> Self {
        let (count, open) = watch::channel(0);
        let counters = Arc::new(Counters::default());
        let config = Arc::new(config);
        let fabric = Fabric::new(Arc::clone(&config), bus, registry, members);
        arbiter.spawn(sweep::run(
            fabric.clone(),
            identity.clone(),
            Arc::clone(&counters),
        ));
        let tickets = Tickets::new(answerer);
        let answerer: Arc<dyn Answerer> = tickets.clone();
        let node = identity.name.clone();
        let channels = Channels::new(config.max_publishers, Arc::clone(&counters));
        let held = fabric.clone();
        let counted = Arc::clone(&counters);
        let sessions: Addr<Sessions> = Sessions::start_in_arbiter(arbiter, move |_| {
            Sessions::new(fabric, identity, answerer, counted, count)
        });
        let sources = Sources::new(
            held.clone(),
            sessions.clone(),
            tickets,
            Arc::clone(&counters),
            arbiter.clone(),
        );
        arbiter.spawn(sources.clone().run());
        Self {
            state: State {
                sessions,
                config,
                fabric: held,
                counters: Arc::clone(&counters),
                node,
                refusals: Arc::default(),
                channels: Arc::new(channels),
                passed_on: Arc::default(),
            },
            counters,
            sources,
            open,
            arbiter: None,
        }
    }

    /// The WHIP and publish page routes, for `App::configure`.
    pub fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let state = self.state.clone();
        move |service| state.configure(service)
    }

    /// All publishers of this node, oldest first.
    pub async fn sessions(&self) -> Vec<SessionView> {
        let entries = self.state.sessions.send(List).await.unwrap_or_default();
        let mut views: Vec<_> = entries.iter().map(|e| SessionView::of(&e.live)).collect();
        views.sort_by_key(|view| view.created);
        views
    }

    /// Ends one session; false when there is none of this id.
    pub async fn close(&self, id: SessionId, reason: CloseReason) -> bool {
        let entries = self.state.sessions.send(List).await.unwrap_or_default();
        let Some(entry) = entries.into_iter().find(|e| e.live.id == id) else {
            return false;
        };
        entry.actor.send(crate::messages::Close(reason)).await.is_ok()
    }

    /// Ends those sessions; how many there were.
    pub async fn close_all(&self, ids: &HashSet<SessionId>, reason: CloseReason) -> usize {
        let entries = self.state.sessions.send(List).await.unwrap_or_default();
        let ended = entries
            .into_iter()
            .filter(|entry| ids.contains(&entry.live.id))
            .map(|entry| async move { entry.actor.send(crate::messages::Close(reason)).await.is_ok() });
        futures::future::join_all(ended)
            .await
            .into_iter()
            .filter(|ended| *ended)
            .count()
    }

    /// The role's counters.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Takes nobody new, closes everybody, and returns when nothing is left, or after 4 s. The last call.
    pub async fn shutdown(&self, reason: CloseReason) {
        self.sources.end();
        // Fails only when it is over already.
        self.state.sessions.send(CloseAll(reason)).await.ok();
        let mut open = self.open.clone();
        let ended = open.wait_for(|n| *n == 0);
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, ended).await.is_err() {
            tracing::warn!(
                left = *self.open.borrow(),
                "publishers' sessions did not end in time"
            );
        }
        // Those of this node's sessions have ended with their last word.
        self.state.channels.end();
        self.sources.stop();
        if let Some(arbiter) = &self.arbiter {
            arbiter.stop();
        }
    }
}
