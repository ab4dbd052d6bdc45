//! A fault inside a hub ends that hub's readers with a word, and the next reader gets a new hub.
//! The fault is made by a bus whose keyframe requests panic when told to.

use crate::camera::*;
use crate::viewer::*;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use tokio::time::sleep;
use weft_bus::memory::MemoryBus;
use weft_bus::{
    Bus, BusState, Error, MediaFilter, NodeReply, NodeRequest, NodeService, Publication, PublisherEvents,
    RequestError, Serving, StreamOwner, Subscription, UnitsAnswer,
};
use weft_wire::{
    CloseReason, KeyframeRequest, Kick, NodeName, OwnerInfo, PublisherEvent, SessionId, StreamName,
    UnitsRequest,
};

struct Brittle {
    bus: MemoryBus,
    broken: Arc<AtomicBool>,
}

impl Bus for Brittle {
    fn publish(&self, s: StreamName, o: Arc<dyn StreamOwner>) -> BoxFuture<'_, Result<Publication, Error>> {
        self.bus.publish(s, o)
    }
    fn subscribe(&self, s: StreamName, f: MediaFilter) -> BoxFuture<'_, Result<Subscription, Error>> {
        self.bus.subscribe(s, f)
    }
    fn units(&self, s: StreamName, r: UnitsRequest) -> BoxFuture<'_, Result<UnitsAnswer, RequestError>> {
        self.bus.units(s, r)
    }
    fn keyframe(&self, s: StreamName, r: KeyframeRequest) -> BoxFuture<'_, Result<(), RequestError>> {
        assert!(!self.broken.load(SeqCst), "broken on purpose");
        self.bus.keyframe(s, r)
    }
    fn owner(&self, s: StreamName) -> BoxFuture<'_, Result<OwnerInfo, RequestError>> {
        self.bus.owner(s)
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
    fn state(&self) -> tokio::sync::watch::Receiver<BusState> {
        self.bus.state()
    }
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_panics_closes_its_readers_and_makes_room_for_another() {
    let broken = Arc::new(AtomicBool::new(false));
    let bus: Arc<dyn Bus> = Arc::new(Brittle {
        bus: MemoryBus::new(),
        broken: Arc::clone(&broken),
    });
    let _camera = Camera::start(&bus, Setup::default()).await;
    sleep(Duration::from_millis(100)).await;
    let egress = egress(&bus);
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(1000).await;
    assert!(viewer.closed().is_none());
    broken.store(true, SeqCst);
    // The wish for key units is repeated every few seconds.
    viewer.watch(20_000).await;
    assert_eq!(viewer.closed().map(|c| c.1), Some(CloseReason::Internal));
    assert!(egress.hubs().is_empty(), "the dead hub is forgotten");
    broken.store(false, SeqCst);
    let mut next = Viewer::join(&egress, &[0]).await;
    next.watch(1000).await;
    assert!(next.closed().is_none() && !next.units(VIDEO).is_empty());
}
