//! This node among the others: its own lease kept up, the others' seen, and the choice of one for a guest.
//! What is placed and how it is handed over is the business of ingest and egress.

mod demanded;
mod keeper;
mod placement;
#[cfg(test)]
mod spread_tests;
#[cfg(test)]
mod tests;

pub use keeper::{Keeper, Standing};
pub use placement::{Better, Chooser};

use crate::leases::NodesView;
use crate::{LeaseError, Leases};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use weft_wire::{Guest, Incarnation, NodeAddresses, NodeLimits, NodeLoad, NodeName, NodeRecord, NodeRole};

/// Says what this node is and carries now.
pub type Describe = Arc<dyn Fn() -> NodeRecord + Send + Sync>;

/// This node among the others; clones are the same.
#[derive(Clone)]
pub struct Members {
    shared: Arc<Shared>,
    view: watch::Receiver<Arc<NodesView>>,
}

struct Shared {
    node: NodeName,
    describe: Describe,
    chooser: Mutex<Chooser>,
    /// What this node says of itself has changed.
    changed: Notify,
    standing: watch::Sender<Standing>,
}

impl Members {
    /// A node that has no others and no limits: in tests, and before anything is known.
    #[must_use]
    pub fn alone(node: NodeName) -> Self {
        let record = NodeRecord {
            role: NodeRole::Standalone,
            incarnation: Incarnation(0),
            version: String::new(),
            addresses: NodeAddresses::default(),
            load: NodeLoad::default(),
            limits: NodeLimits::default(),
            draining: false,
            started: 0,
        };
        let describe: Describe = Arc::new(move || record.clone());
        Self::seeing(node, describe, watch::channel(Arc::default()).1)
    }

    /// A node that sees others but keeps no lease: for tests.
    #[must_use]
    pub fn seeing(node: NodeName, describe: Describe, view: watch::Receiver<Arc<NodesView>>) -> Self {
        let shared = Shared {
            node,
            describe,
            chooser: Mutex::new(Chooser::default()),
            changed: Notify::new(),
            standing: watch::Sender::new(Standing::Outside),
        };
        Self {
            shared: Arc::new(shared),
            view,
        }
    }

    /// Joins the others: takes this node's lease, and keeps it up in the background until the [`Keeper`] is dropped or told
    /// to leave. If the table is away (known within 2 s), it is tried on in the background; see [`Self::standing`].
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// [`LeaseError::Held`] if another live run holds the name: this node must not start.
    pub async fn join(
        leases: Arc<dyn Leases>,
        node: NodeName,
        describe: Describe,
    ) -> Result<(Self, Keeper), LeaseError> {
        let members = Self::seeing(node, describe, leases.view());
        let keeper = Keeper::start(leases, members.clone()).await?;
        Ok((members, keeper))
    }

    /// This node's name.
    #[must_use]
    pub fn node(&self) -> &NodeName {
        &self.shared.node
    }

    /// What this node is and carries now.
    #[must_use]
    pub fn own(&self) -> NodeRecord {
        (self.shared.describe)()
    }

    /// All nodes as seen now.
    #[must_use]
    pub fn view(&self) -> Arc<NodesView> {
        self.view.borrow().clone()
    }

    /// All nodes as seen now and at each change.
    #[must_use]
    pub fn views(&self) -> watch::Receiver<Arc<NodesView>> {
        self.view.clone()
    }

    /// How old the view is: under about a second while the table of nodes is in reach; `None` if it never was.
    #[must_use]
    pub fn view_age(&self) -> Option<Duration> {
        self.view.borrow().as_of.map(|as_of| as_of.elapsed())
    }

    /// What this node says of itself has changed in a way that others should know before the next renewal, such as that it
    /// drains. Told at most once a second.
    pub fn changed(&self) {
        self.shared.changed.notify_one();
    }

    /// This node's standing among the others now and at each change.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.shared.standing.subscribe()
    }

    /// Two other nodes at random that have a place for such a guest, the less full first; fewer where there are fewer.
    /// The first is counted one guest fuller until it is heard of again, so that a burst does not pile up on it.
    #[must_use]
    pub fn choose(&self, guest: Guest, except: &[NodeName]) -> Vec<(NodeName, NodeRecord)> {
        let view = self.view();
        self.chooser()
            .choose(&view, self.node(), guest, except, |_| true, &mut rand::rng())
    }

    /// Whether a newcomer of this kind had better go elsewhere, by this node's own record and the others' as last heard:
    /// the one rule of ingest and egress. The first candidate is counted one guest fuller until it is heard of again.
    #[must_use]
    pub fn better(&self, guest: Guest, except: &[NodeName]) -> Better {
        let (own, view) = (self.own(), self.view());
        self.chooser()
            .better(&own, &view, self.node(), guest, except, &mut rand::rng())
    }

    /// A node did not take the guest it was offered, or did not answer: it is offered none until it is heard of again.
    pub fn refused(&self, node: &NodeName) {
        let view = self.view();
        self.chooser().refused(&view, node);
    }

    fn chooser(&self) -> MutexGuard<'_, Chooser> {
        self.shared.chooser.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
