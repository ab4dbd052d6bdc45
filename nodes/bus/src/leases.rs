//! The table of nodes: one lease per node, renewed by compare-and-set, and everybody's view of all of them.
//! When a lease is renewed and what follows from one that is gone is decided by its users.

use crate::Error;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use weft_wire::{NodeName, NodeRecord};

/// A lease that is not renewed for this long is gone.
pub const LEASE_LIFE: Duration = Duration::from_secs(20);
/// How often a lease is renewed.
pub const LEASE_RENEWAL: Duration = Duration::from_secs(4);

/// A node as last heard of.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenNode {
    /// What it said.
    pub record: NodeRecord,
    /// When that was heard here, by this node's own clock.
    pub heard: Instant,
}

/// All nodes as seen from here. A node is in it until it releases its lease, or for [`LEASE_LIFE`] after it was last
/// heard of by this node's own clock: a table that loses its entries all at once takes nobody away, and neither does one
/// that is out of reach: whoever was there before has a whole life to be heard again once it is back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodesView {
    /// By name; this node is one of them.
    pub nodes: BTreeMap<NodeName, SeenNode>,
    /// When the table was last known to be in reach; `None`: never.
    pub as_of: Option<Instant>,
}

/// A lease was not given.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Another live run holds this name: this node must not start under it.
    #[error(
        "the node name is in use by another run of it at {}: give this node another name (fabric.nodeName or --name), or wait 20 s if its machine is dead",
        address(.0)
    )]
    Held(Box<NodeRecord>),
    /// The table failed.
    #[error(transparent)]
    Bus(#[from] Error),
}

fn address(record: &NodeRecord) -> &str {
    let a = &record.addresses;
    [&a.webrtc, &a.rtsp, &a.api]
        .into_iter()
        .find(|address| !address.is_empty())
        .map_or("an unknown address", String::as_str)
}

/// The table of nodes. All calls end within 2 s.
pub trait Leases: Send + Sync + 'static {
    /// Writes this node's lease: where there is none, or over the last one of the same incarnation. A lease of another
    /// incarnation that has not expired is [`LeaseError::Held`].
    fn keep(&self, node: NodeName, record: NodeRecord) -> BoxFuture<'_, Result<(), LeaseError>>;

    /// Gives this node's lease up if it is still of this incarnation.
    fn release(&self, node: NodeName, record: NodeRecord) -> BoxFuture<'_, Result<(), Error>>;

    /// All nodes now and at each change.
    fn view(&self) -> watch::Receiver<Arc<NodesView>>;
}
