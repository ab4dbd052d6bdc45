//! The bus and the registry: how units, questions and the ownership of names travel between nodes, as two traits with an
//! in-process and a NATS implementation behind one conformance suite. What the units mean to a reader is the hub's business.

mod assembly;
mod counters;
mod desk;
mod error;
pub mod faulty;
mod interest;
mod leases;
mod members;
pub mod memory;
pub mod nats;
mod owner;
mod packing;
mod publication;
mod registry;
mod service;
mod settings;
mod subscription;
mod table;
#[cfg(feature = "testing")]
pub mod testing;
mod throttle;

pub use counters::Counters;
pub use error::{ClaimError, Error, RequestError};
pub use leases::{LEASE_LIFE, LEASE_RENEWAL, LeaseError, Leases, NodesView, SeenNode};
pub use members::{Better, Chooser, Describe, Keeper, Members, Standing};
pub use owner::{StreamOwner, UnitsAnswer};
pub use publication::{DropReason, Publication, Publish, Sent};
pub use registry::{Claim, Registered, Registry};
pub use service::{NodeReply, NodeRequest, NodeService, PublisherEvents, Serving};
pub use settings::{PutError, Revision, Scope, Setting, SettingsStore, SettingsView};
pub use subscription::{Delivery, MediaFilter, Subscription};

use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use weft_wire::{
    KeyframeRequest, Kick, NodeName, OwnerInfo, PublisherEvent, SessionId, StreamName, UnitsRequest,
};

/// Whether the bus can carry anything now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusState {
    /// Trying to reach it.
    Away,
    /// Connected; the number rises at each connection made, from 1.
    Connected(u64),
}

/// Carries units from owners to hubs, and questions the other way.
///
/// Promises: at most once; order per publication; loss visible in `seq`; a stream that nobody reads is paused within
/// 1 s of its next key unit and woken by the first `units` request; one that is read by subscribers to key units alone is
/// narrowed to those in the same way.
pub trait Bus: Send + Sync + 'static {
    /// Takes up the publishing of a stream; questions to its owner go to `owner` until the publication is dropped.
    fn publish(
        &self,
        stream: StreamName,
        owner: Arc<dyn StreamOwner>,
    ) -> BoxFuture<'_, Result<Publication, Error>>;

    /// Delivers the live units of a stream from now on, in order. Ends when the subscription is dropped.
    fn subscribe(
        &self,
        stream: StreamName,
        filter: MediaFilter,
    ) -> BoxFuture<'_, Result<Subscription, Error>>;

    /// Asks the owner for units of the past and for live ones from then on. Asked after `subscribe` on the same bus, the
    /// answer and the live units leave no hole between them.
    fn units(
        &self,
        stream: StreamName,
        request: UnitsRequest,
    ) -> BoxFuture<'_, Result<UnitsAnswer, RequestError>>;

    /// Passes on a wish for key units.
    fn keyframe(
        &self,
        stream: StreamName,
        request: KeyframeRequest,
    ) -> BoxFuture<'_, Result<(), RequestError>>;

    /// Asks who owns the stream; of several answers within the time the highest epoch counts.
    fn owner(&self, stream: StreamName) -> BoxFuture<'_, Result<OwnerInfo, RequestError>>;

    /// Ends the stream's publisher wherever it is.
    fn kick(&self, stream: StreamName, kick: Kick) -> BoxFuture<'_, Result<(), RequestError>>;

    /// Answers other nodes' questions to `node` by `service` until the value returned is dropped; goes on after the bus was
    /// away.
    fn serve(&self, node: NodeName, service: Arc<dyn NodeService>) -> BoxFuture<'_, Result<Serving, Error>>;

    /// Asks a node, itself included. [`RequestError::NoOwner`] when no such node is on the bus: known at once.
    fn ask(
        &self,
        node: NodeName,
        request: NodeRequest,
        patience: Duration,
    ) -> BoxFuture<'_, Result<NodeReply, RequestError>>;

    /// Says something to a publisher, for the node that holds its events channel. Best effort, never waits.
    fn tell(&self, event: PublisherEvent);

    /// Hears what is said to a publisher from now on.
    fn hear(&self, session: SessionId) -> BoxFuture<'_, Result<PublisherEvents, Error>>;

    /// The state now and at each change.
    fn state(&self) -> tokio::sync::watch::Receiver<BusState>;

    /// What this bus counts.
    fn counters(&self) -> Arc<Counters> {
        Arc::default()
    }

    /// Waits until what was handed on has left this process, at most 1 s: before the process ends.
    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
