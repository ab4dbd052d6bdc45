//! The whole fabric as this node can know it: one round of questions to every node, shared by all who ask meanwhile.
//! What is made of it, as JSON or as an order to close something, is the business of the routes.

mod gather;
mod snapshot;

pub(crate) use snapshot::{Connection, NodeState, Session, Snapshot, Stream, fullness, publisher_kind};

use gather::{Asker, Known};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use weft_bus::{Bus, BusState, Members, NodeReply, NodeRequest, NodeService, Registry, RequestError};
use weft_wire::{NodeName, NodeReport, NodeRole, OwnerInfo, StreamEvent, StreamName};

/// How long a round's result is shared.
const FRESH: Duration = Duration::from_millis(200);

/// What one round may take; also the patience with any other question to a node.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// A table of nodes that was not in reach for this long makes the view an old one.
const STALE: Duration = Duration::from_secs(5);

/// Counts of this part.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Rounds of questions.
    pub(crate) rounds: AtomicU64,
    /// Nodes that did not answer one.
    pub(crate) unanswered: AtomicU64,
    /// Requests for a change that were refused for where they came from.
    pub(crate) refused: AtomicU64,
}

/// Asks the fabric; cheap to clone, clones share the last round.
#[derive(Clone)]
pub(crate) struct Fabric {
    asker: Asker,
    registry: Arc<dyn Registry>,
    members: Members,
    started: Instant,
    /// Rises when this node has changed something: an older round is no answer any more.
    changes: Arc<AtomicU64>,
    last: Arc<Mutex<Last>>,
    pub(crate) counts: Arc<Counts>,
}

/// The last round. Its lock is held while the next one runs, so that whoever asks meanwhile gets that one's result.
#[derive(Default)]
struct Last {
    round: Option<Round>,
    known: Known,
}

struct Round {
    began: Instant,
    done: Instant,
    changes: u64,
    snapshot: Arc<Snapshot>,
}

impl Fabric {
    pub(crate) fn new(
        service: Arc<dyn NodeService>,
        bus: Arc<dyn Bus>,
        registry: Arc<dyn Registry>,
        members: Members,
    ) -> Self {
        Self {
            asker: Asker {
                own: members.node().clone(),
                service,
                bus,
            },
            registry,
            members,
            started: Instant::now(),
            changes: Arc::default(),
            last: Arc::default(),
            counts: Arc::default(),
        }
    }

    /// The name of this node.
    pub(crate) fn own(&self) -> &NodeName {
        &self.asker.own
    }

    pub(crate) fn bus(&self) -> &dyn Bus {
        &*self.asker.bus
    }

    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    /// Everything, at most [`FRESH`] old; takes [`PATIENCE`] at most (twice that when a round had begun before).
    pub(crate) async fn snapshot(&self) -> Arc<Snapshot> {
        self.round_that(|round| round.done.elapsed() < FRESH).await
    }

    /// Everything as of now: for what has come since the last round. Who asks meanwhile shares it.
    pub(crate) async fn newest(&self) -> Arc<Snapshot> {
        let asked = Instant::now();
        self.round_that(|round| round.began >= asked).await
    }

    /// The last round if it is good for this, else a new one.
    async fn round_that(&self, is_good: impl Fn(&Round) -> bool) -> Arc<Snapshot> {
        let mut last = self.last.lock().await;
        let changes = self.changes.load(Relaxed);
        let fresh = |round: &&Round| round.changes == changes && is_good(round);
        if let Some(round) = last.round.as_ref().filter(fresh) {
            return round.snapshot.clone();
        }
        let began = Instant::now();
        let snapshot = Arc::new(self.round(&mut last.known).await);
        last.round = Some(Round {
            began,
            done: Instant::now(),
            changes,
            snapshot: snapshot.clone(),
        });
        snapshot
    }

    /// What the owner of a stream says of itself just now.
    pub(crate) async fn owner(&self, stream: &StreamName) -> Result<OwnerInfo, RequestError> {
        if self.is_away() {
            return Err(RequestError::Timeout);
        }
        let answer = timeout(PATIENCE, self.bus().owner(stream.clone()));
        answer.await.unwrap_or(Err(RequestError::Timeout))
    }

    /// What is on this node alone.
    pub(crate) async fn own_report(&self) -> NodeReport {
        let deadline = Instant::now() + PATIENCE;
        let own = self.asker.report(self.own(), deadline).await;
        own.unwrap_or_default()
    }

    /// Asks a node, this one without the bus.
    pub(crate) async fn ask(&self, node: &NodeName, request: NodeRequest) -> Result<NodeReply, RequestError> {
        self.asker.ask(node, request, Instant::now() + PATIENCE).await
    }

    /// Asks all nodes at once; those that do not answer are left out.
    pub(crate) async fn ask_all(&self, request: &NodeRequest) -> Vec<NodeReply> {
        self.asker.all(self.everybody(), request).await
    }

    /// What has happened to a stream on each node; `None` for those that do not answer.
    pub(crate) async fn events(&self, stream: &StreamName) -> Vec<(NodeName, Option<Vec<StreamEvent>>)> {
        self.asker.events(self.everybody(), stream).await
    }

    /// This node and all others known here.
    fn everybody(&self) -> Vec<NodeName> {
        let view = self.members.view();
        let others = view.nodes.keys().filter(|node| *node != self.own());
        std::iter::once(self.own().clone())
            .chain(others.cloned())
            .collect()
    }

    /// Something was changed from here: what is asked from now on shows it.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Relaxed);
    }

    /// For how long the table of nodes has been out of reach; `None` while it is in reach.
    pub(crate) fn blind(&self) -> Option<Duration> {
        let as_of = self.members.view().as_of;
        let age = match as_of {
            Some(as_of) => as_of.elapsed(),
            // A node that never has others keeps no table.
            None if self.members.own().role == NodeRole::Standalone => Duration::ZERO,
            None => self.started.elapsed(),
        };
        (self.is_away() || age > STALE).then_some(age)
    }

    pub(crate) fn is_away(&self) -> bool {
        *self.asker.bus.state().borrow() == BusState::Away
    }
}
