//! This node among the others: its own lease kept up, the others' seen, and the choice of one for a guest.
//! What is placed and how it is handed over is the business of ingest and egress.

mod placement;

pub use placement::two_choices;

use crate::leases::NodesView;
use std::sync::Arc;
use tokio::sync::watch;
use weft_wire::{Guest, Incarnation, NodeAddresses, NodeLimits, NodeLoad, NodeName, NodeRecord, NodeRole};

/// Says what this node is and carries now.
pub type Describe = Arc<dyn Fn() -> NodeRecord + Send + Sync>;

/// This node among the others; clones are the same.
#[derive(Clone)]
pub struct Members {
    node: NodeName,
    describe: Describe,
    view: watch::Receiver<Arc<NodesView>>,
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
        Self { node, describe, view }
    }

    /// This node's name.
    #[must_use]
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// What this node is and carries now.
    #[must_use]
    pub fn own(&self) -> NodeRecord {
        (self.describe)()
    }

    /// All nodes as seen now.
    #[must_use]
    pub fn view(&self) -> Arc<NodesView> {
        self.view.borrow().clone()
    }

    /// Two other nodes at random that have a place for such a guest, the less full first; fewer where there are fewer.
    #[must_use]
    pub fn choose(&self, guest: Guest, except: &[NodeName]) -> Vec<(NodeName, NodeRecord)> {
        let view = self.view();
        let others = view
            .nodes
            .iter()
            .filter(|(name, seen)| **name != self.node && !except.contains(name) && seen.record.takes(guest))
            .map(|(name, seen)| (name.clone(), seen.record.clone()));
        two_choices(others.collect(), guest, &mut rand::rng())
    }
}
