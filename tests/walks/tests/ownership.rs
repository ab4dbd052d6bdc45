//! What the rules of ownership stand on: a node's bus and registry, and the few questions to them that both files share.
//! The rules themselves are `weft-ingest`'s.

use crate::live::Live;
use std::sync::Arc;
use weft_bus::{Bus, Registry};
use weft_wire::{Epoch, StreamRecord};

/// One node's ends of the fabric.
#[derive(Clone)]
pub(crate) struct Fabric {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) registry: Arc<dyn Registry>,
}

/// The record by which a session holds its name.
pub(crate) fn record(live: &Live, since: i64) -> StreamRecord {
    live.record(since)
}

/// True when another session answers for the stream with a higher epoch.
pub(crate) async fn is_outranked(fabric: &Fabric, live: &Live, own: Epoch) -> bool {
    let owner = fabric.bus.owner(live.stream.clone()).await;
    owner.is_ok_and(|owner| owner.session != live.id && owner.epoch > own)
}

/// True when somebody else holds the name by a later claim than `own`.
pub(crate) async fn is_lost(fabric: &Fabric, live: &Live, own: Epoch) -> bool {
    match fabric.registry.lookup(live.stream.clone()).await {
        Ok(Some(held)) => held.record.session != live.id && held.epoch > own,
        Ok(None) | Err(_) => is_outranked(fabric, live, own).await,
    }
}
