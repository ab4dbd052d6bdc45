//! Where a node's questions are answered: each on a task of its own, so many at once and no more, none for ever.
//! How a question comes and how its answer travels is each bus's own business.

use crate::{Counters, NodeReply, NodeRequest, NodeService};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Questions being answered at once.
const PLACES: usize = 64;
/// Nobody waits this long for an answer: a service that hangs gives its places back.
const LONGEST: Duration = Duration::from_secs(10);

/// One node's service and its places.
pub(crate) struct Desk {
    service: Arc<dyn NodeService>,
    places: Arc<Semaphore>,
    counters: Arc<Counters>,
    runtime: Handle,
}

impl Desk {
    /// Must be called inside a Tokio runtime: the answers are made on it.
    pub(crate) fn open(service: Arc<dyn NodeService>, counters: Arc<Counters>) -> Self {
        Self {
            service,
            places: Arc::new(Semaphore::new(PLACES)),
            counters,
            runtime: Handle::current(),
        }
    }

    /// Has a question answered; `send` takes the answer on its way and says whether it could be sent. Returns at once.
    pub(crate) fn take<F, S>(&self, request: NodeRequest, send: F)
    where
        F: FnOnce(NodeReply) -> S + Send + 'static,
        S: Future<Output = bool> + Send,
    {
        // overflow: the newest question is NOT ANSWERED, counted.
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            Counters::one(&self.counters.node_overflow);
            return;
        };
        let (service, counters) = (self.service.clone(), self.counters.clone());
        self.runtime.spawn(async move {
            let sent = match timeout(LONGEST, service.answer(request)).await {
                Ok(reply) => send(reply).await,
                Err(_) => false,
            };
            Counters::one(if sent {
                &counters.node_answered
            } else {
                &counters.node_given_up
            });
            drop(place);
        });
    }
}
