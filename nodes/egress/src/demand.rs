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
    let mut taken_by: Option<NodeName> = None;
    while !hub.is_over() {
        if hub.is_wanted() {
            let nodes = in_order(&egress, &hub, taken_by.as_ref());
            // Nobody answers: who took it last may see to it still.
            if let Some(node) = ask(&egress, &hub, &query, false, nodes).await {
                taken_by = Some(node);
            }
            // Whoever leaves in between is noticed soon: what is on demand costs.
            for _ in 0..EVERY.as_millis() / LOOK.as_millis() {
                sleep(LOOK).await;
                if hub.is_over() || !hub.is_wanted() {
                    break;
                }
            }
        } else {
            if let Some(node) = taken_by.take() {
                ask(&egress, &hub, &query, true, vec![node]).await;
            }
            sleep(LOOK).await;
        }
    }
    // The next hub of the stream may have begun to say that it wants it.
    if let Some(node) = taken_by.filter(|_| !egress.has_another(&hub)) {
        ask(&egress, &hub, &query, true, vec![node]).await;
    }
}

/// The nodes in charge, but first who sees to the stream already: a node that joins interrupts nobody's picture.
fn in_order(egress: &Inner, hub: &Shared, taken_by: Option<&NodeName>) -> Vec<NodeName> {
    let mut nodes = egress.members.in_charge_of(&hub.stream);
    if let Some(at) = nodes.iter().position(|node| Some(node) == taken_by) {
        nodes[..=at].rotate_right(1);
    }
    nodes
}

/// Asks these nodes in their order until one takes it; which it was.
async fn ask(
    egress: &Inner,
    hub: &Shared,
    query: &str,
    over: bool,
    nodes: Vec<NodeName>,
) -> Option<NodeName> {
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
