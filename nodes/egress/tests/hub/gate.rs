//! A bus whose questions wait while a gate is shut, as those to a node or a server that stands still; and it counts them.
//! Media goes through untouched.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::watch;
use weft_bus::{
    Bus, BusState, Error, MediaFilter, NodeReply, NodeRequest, NodeService, Publication, PublisherEvents,
    RequestError, Serving, StreamOwner, Subscription, UnitsAnswer,
};
use weft_wire::*;

pub(crate) struct Gate {
    bus: Arc<dyn Bus>,
    shut: watch::Sender<bool>,
    /// Questions for an owner.
    pub(crate) owner_asked: AtomicU64,
}

impl Gate {
    pub(crate) fn around(bus: Arc<dyn Bus>) -> Arc<Self> {
        Arc::new(Self {
            bus,
            shut: watch::Sender::new(false),
            owner_asked: AtomicU64::new(0),
        })
    }

    /// While shut nothing is answered; what was asked meanwhile is answered when it opens.
    pub(crate) fn shut(&self, shut: bool) {
        self.shut.send_replace(shut);
    }

    async fn pass(&self) {
        self.shut.subscribe().wait_for(|shut| !shut).await.unwrap();
    }
}

impl Bus for Gate {
    fn publish(&self, s: StreamName, o: Arc<dyn StreamOwner>) -> BoxFuture<'_, Result<Publication, Error>> {
        self.bus.publish(s, o)
    }

    fn subscribe(&self, s: StreamName, f: MediaFilter) -> BoxFuture<'_, Result<Subscription, Error>> {
        self.bus.subscribe(s, f)
    }

    fn units(&self, s: StreamName, r: UnitsRequest) -> BoxFuture<'_, Result<UnitsAnswer, RequestError>> {
        async {
            self.pass().await;
            self.bus.units(s, r).await
        }
        .boxed()
    }

    fn keyframe(&self, s: StreamName, r: KeyframeRequest) -> BoxFuture<'_, Result<(), RequestError>> {
        async {
            self.pass().await;
            self.bus.keyframe(s, r).await
        }
        .boxed()
    }

    fn owner(&self, s: StreamName) -> BoxFuture<'_, Result<OwnerInfo, RequestError>> {
        self.owner_asked.fetch_add(1, Relaxed);
        async {
            self.pass().await;
            self.bus.owner(s).await
        }
        .boxed()
    }

    fn kick(&self, s: StreamName, k: Kick) -> BoxFuture<'_, Result<(), RequestError>> {
        self.bus.kick(s, k)
    }

    fn serve(&self, n: NodeName, s: Arc<dyn NodeService>) -> BoxFuture<'_, Result<Serving, Error>> {
        self.bus.serve(n, s)
    }

    fn ask(
        &self,
        n: NodeName,
        r: NodeRequest,
        p: Duration,
    ) -> BoxFuture<'_, Result<NodeReply, RequestError>> {
        self.bus.ask(n, r, p)
    }

    fn tell(&self, event: PublisherEvent) {
        self.bus.tell(event);
    }

    fn hear(&self, s: SessionId) -> BoxFuture<'_, Result<PublisherEvents, Error>> {
        self.bus.hear(s)
    }

    fn state(&self) -> watch::Receiver<BusState> {
        self.bus.state()
    }
}
