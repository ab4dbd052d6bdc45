//! Joining the fabric under a name that an earlier run still holds: one that crashed is not waited for, one that lives is.
//! What a lease is and how it is kept up is `weft-bus`'s business.

use std::sync::Arc;
use std::time::Duration;
use weft_bus::{Bus, Describe, Keeper, LeaseError, Leases, Members, NodeRequest, RequestError};
use weft_wire::{NodeName, ReportRequest};

/// What an answer of the other run may take: one that hangs has this long to keep its name.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two questions: a run that is just connecting anew is not taken for dead.
const APART: Duration = Duration::from_millis(300);

/// Takes this node's lease. Where another run holds it and nobody on the bus answers to the name, twice, that run is dead:
/// its lease is given up for it.
///
/// # Errors
/// [`LeaseError::Held`] when another run holds the name and answers, or may live: no answer came in time.
pub(super) async fn join(
    bus: &dyn Bus,
    leases: Arc<dyn Leases>,
    node: NodeName,
    describe: Describe,
) -> Result<(Members, Keeper), LeaseError> {
    let joined = Members::join(leases.clone(), node.clone(), describe.clone()).await;
    let Err(LeaseError::Held(dead)) = joined else {
        return joined;
    };
    if !is_gone(bus, &node).await {
        return Err(LeaseError::Held(dead));
    }
    tracing::info!(%node, started = dead.started, "the last run of this node left its lease behind and is gone; replaced");
    // By the dead run's own incarnation: a third run that has taken the name meanwhile keeps it.
    leases.release(node.clone(), *dead).await?;
    Members::join(leases, node, describe).await
}

/// Whether nobody on the bus answers to this name: known at once, not by silence.
async fn is_gone(bus: &dyn Bus, node: &NodeName) -> bool {
    let asked = || {
        bus.ask(
            node.clone(),
            NodeRequest::Report(ReportRequest::default()),
            PATIENCE,
        )
    };
    if !matches!(asked().await, Err(RequestError::NoOwner)) {
        return false;
    }
    tokio::time::sleep(APART).await;
    matches!(asked().await, Err(RequestError::NoOwner))
}
