//! Says that somebody wants to read a stream that comes on demand, to the node that sees to it, as long as it is so.
//! What that node does about it is ingest's business; how long a description waits is in `rules`.

use crate::counters::add;
use crate::egress::Inner;
use crate::hub::Shared;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use weft_bus::{NodeReply, NodeRequest};
use weft_wire::{DemandReply, DemandRequest, NodeName};

/// How often it is said.
const EVERY: Duration = Duration::from_secs(2);
/// How long a node may take to answer, before the next one is asked.
const PATIENCE: Duration = Duration::from_secs(1);
/// Nodes asked at most.
const TRIES: usize = 3;
/// Nobody wants it is noticed this soon.
const LOOK: Duration = Duration::from_millis(200);

/// Runs as long as the hub does.
pub(crate) async fn run(egress: Arc<Inner>, hub: Arc<Shared>, query: String) {
    let mut taken_by = None;
    while !hub.is_over() {
        if hub.is_wanted() {
            taken_by = ask(&egress, &hub, &query, false, None).await;
            // Whoever leaves in between is noticed soon: what is on demand costs.
            for _ in 0..EVERY.as_millis() / LOOK.as_millis() {
                sleep(LOOK).await;
                if hub.is_over() || !hub.is_wanted() {
                    break;
                }
            }
        } else {
            if let Some(node) = taken_by.take() {
                ask(&egress, &hub, &query, true, Some(node)).await;
            }
            sleep(LOOK).await;
        }
    }
    // The next hub of the stream may have begun to say that it wants it.
    if let Some(node) = taken_by.filter(|_| !egress.has_another(&hub)) {
        ask(&egress, &hub, &query, true, Some(node)).await;
    }
}

/// Asks `only`, or the nodes in charge in their order until one takes it; which it was.
async fn ask(
    egress: &Inner,
    hub: &Shared,
    query: &str,
    over: bool,
    only: Option<NodeName>,
) -> Option<NodeName> {
    let nodes = only.map_or_else(|| egress.members.in_charge_of(&hub.stream), |node| vec![node]);
    for node in nodes.into_iter().take(TRIES) {
        let request = NodeRequest::Demand(DemandRequest {
            node: egress.node.clone(),
            stream: hub.stream.clone(),
            query: query.to_owned(),
            over,
        });
        match timeout(PATIENCE, egress.bus.ask(node.clone(), request, PATIENCE)).await {
            Ok(Ok(NodeReply::Demand(DemandReply { taken: true }))) => return Some(node),
            Ok(Ok(_)) => tracing::debug!(stream = %hub.stream, other = %node, "demand not taken"),
            Ok(Err(error)) => tracing::debug!(stream = %hub.stream, other = %node, %error, "demand not said"),
            Err(_) => tracing::debug!(stream = %hub.stream, other = %node, "demand not answered"),
        }
    }
    add(&hub.counters.demands_untaken, u64::from(!over));
    None
}
