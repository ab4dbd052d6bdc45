//! Questions between nodes and words to publishers inside one process, by the same rules as over NATS.
//! A node asks itself here most of the time: what it is asked is the same whichever bus there is.

use super::{Shared, lock};
use crate::desk::Desk;
use crate::subscription::Guard;
use crate::{Counters, NodeReply, NodeRequest, NodeService, PublisherEvents, RequestError, Serving};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};
use weft_wire::{NodeName, PublisherEvent, SessionId};

/// Who answers, and who listens.
#[derive(Default)]
pub(super) struct Nodes {
    next_id: u64,
    desks: HashMap<NodeName, (u64, Arc<Desk>)>,
    ears: HashMap<SessionId, Vec<(u64, mpsc::Sender<PublisherEvent>)>>,
}

impl Nodes {
    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

/// Of two that serve one node, which cannot be, the newer is asked.
pub(super) fn serve(shared: &Arc<Shared>, node: NodeName, service: Arc<dyn NodeService>) -> Serving {
    let desk = Arc::new(Desk::open(service, shared.counters.clone()));
    let mut nodes = lock(&shared.questions);
    let id = nodes.id();
    nodes.desks.insert(node.clone(), (id, desk));
    let shared = shared.clone();
    let leave = move || {
        let mut nodes = lock(&shared.questions);
        if nodes.desks.get(&node).is_some_and(|(serving, _)| *serving == id) {
            nodes.desks.remove(&node);
        }
    };
    Serving {
        _guard: Guard::new(leave),
    }
}

pub(super) async fn ask(
    shared: &Shared,
    node: NodeName,
    request: NodeRequest,
    patience: Duration,
) -> Result<NodeReply, RequestError> {
    Counters::one(&shared.counters.node_asked);
    let until = Instant::now() + patience;
    let desk = lock(&shared.questions)
        .desks
        .get(&node)
        .map(|(_, desk)| desk.clone());
    let Some(desk) = desk else {
        Counters::one(&shared.counters.node_unanswered);
        return Err(RequestError::NoOwner);
    };
    let (answer, answered) = oneshot::channel();
    desk.take(request, move |reply| {
        // One who no longer waits is no failure of who answers.
        drop(answer.send(reply));
        std::future::ready(true)
    });
    match timeout_at(until, answered).await {
        Ok(Ok(reply)) => return Ok(reply),
        // No answer will come. Over NATS nobody would know, so nobody knows here.
        Ok(Err(_)) => sleep_until(until).await,
        Err(_) => {}
    }
    Counters::one(&shared.counters.node_unanswered);
    Counters::one(&shared.counters.timeouts);
    Err(RequestError::Timeout)
}

pub(super) fn tell(shared: &Shared, event: &PublisherEvent) {
    Counters::one(&shared.counters.events_told);
    let nodes = lock(&shared.questions);
    for (_, ear) in nodes.ears.get(&event.session).into_iter().flatten() {
        // overflow: DROPS the newest.
        let counter = match ear.try_send(event.clone()) {
            Ok(()) => &shared.counters.events_heard,
            Err(_) => &shared.counters.events_dropped,
        };
        Counters::one(counter);
    }
}

pub(super) fn hear(shared: &Arc<Shared>, session: SessionId) -> PublisherEvents {
    let (ear, receiver) = mpsc::channel(PublisherEvents::QUEUE);
    let mut nodes = lock(&shared.questions);
    let id = nodes.id();
    nodes.ears.entry(session).or_default().push((id, ear));
    drop(nodes);
    let shared = shared.clone();
    let leave = move || {
        let mut nodes = lock(&shared.questions);
        if let Some(ears) = nodes.ears.get_mut(&session) {
            ears.retain(|(ear, _)| *ear != id);
            if ears.is_empty() {
                nodes.ears.remove(&session);
            }
        }
    };
    PublisherEvents {
        receiver,
        _guard: Guard::new(leave),
    }
}
