//! Two nodes, one name, and a bus that is cut between them: who may replace whom, and how the loser learns of it.
//! Each node has its own way to the bus of the test.

use super::{Camera, ms};
use crate::error::Error;
use crate::ownership::{Fabric, tell_loser};
use crate::testing::{identity, ingest, live, memory, stream};
use crate::{Ingest, IngestConfig};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, pause, sleep};
use weft_bus::faulty::{Faults, Faulty};
use weft_bus::{Bus, Members, NodeReply, NodeRequest, NodeService, NodesView, Registry};
use weft_wire::{CloseReason, CloseReply, Incarnation, NodeName, SessionId, StreamRecord, StreamState};

struct Node {
    bus: Arc<Faulty>,
    ingest: Ingest,
}

/// Two nodes, each with a switch between itself and everything else.
fn two(override_publisher: bool) -> (Node, Node, Arc<dyn Bus>, Arc<dyn Registry>) {
    let (bus, registry) = memory();
    let node = |name| {
        let way = Faulty::wrap(bus.clone(), Faults::default());
        let config = IngestConfig {
            override_publisher,
            ..IngestConfig::default()
        };
        let ingest = ingest(config, way.clone(), way.registry(registry.clone()), name);
        Node { bus: way, ingest }
    };
    (node("a"), node("b"), bus.clone(), registry.clone())
}

#[actix::test]
async fn without_overriding_an_owner_nobody_can_reach_is_replaced_within_a_second_of_the_first_key_unit() {
    pause();
    let (here, there, bus, _) = two(false);
    let mut old = Camera::offer(&here.ingest).await;
    old.stream_for(ms(200)).await;
    assert!(matches!(
        Camera::try_offer(&there.ingest).await,
        Err(Error::Conflict(_))
    ));
    here.bus.cut(true);
    let mut new = Camera::offer(&there.ingest).await;
    let asked = Instant::now();
    new.send(true).await;
    old.stream_for(ms(400)).await;
    assert_eq!(
        new.state(),
        StreamState::Waiting,
        "asked three times before it is replaced"
    );
    old.stream_for(ms(600)).await;
    assert_eq!(new.state(), StreamState::Live);
    assert!(asked.elapsed() < ms(1_100));
    assert!(old.closed().is_empty(), "cut off, it cannot know");
    assert!(new.epoch() > old.epoch());
    here.bus.cut(false);
    for _ in 0..11 {
        old.stream_for(ms(500)).await;
        new.stream_for(ms(500)).await;
    }
    assert_eq!(old.closed(), [CloseReason::TakenOver]);
    assert!(new.closed().is_empty());
    let owner = bus.owner(stream("test")).await.unwrap();
    assert_eq!(owner.session, new.published.live.id);
}

#[actix::test]
async fn without_overriding_an_owner_is_left_alone_until_its_media_is_silent_for_two_seconds() {
    pause();
    let (here, there, ..) = two(false);
    let mut old = Camera::offer(&here.ingest).await;
    old.send(true).await;
    sleep(ms(1_950)).await;
    assert!(matches!(
        Camera::try_offer(&there.ingest).await,
        Err(Error::Conflict(_))
    ));
    sleep(ms(100)).await;
    let mut new = Camera::offer(&there.ingest).await;
    let asked = Instant::now();
    new.send(true).await;
    assert!(asked.elapsed() < ms(10), "it answers: nothing is waited for");
    assert_eq!(new.state(), StreamState::Live);
    sleep(ms(20)).await;
    assert_eq!(old.closed(), [CloseReason::TakenOver]);
}

#[actix::test]
async fn an_owner_that_comes_back_before_the_newcomers_key_unit_stays() {
    pause();
    let (here, there, ..) = two(false);
    let mut old = Camera::offer(&here.ingest).await;
    old.stream_for(ms(200)).await;
    here.bus.cut(true);
    let mut new = Camera::offer(&there.ingest).await;
    here.bus.cut(false);
    old.stream_for(ms(200)).await;
    new.send(true).await;
    assert_eq!(new.closed(), [CloseReason::Conflict]);
    old.stream_for(ms(12_000)).await;
    assert!(old.closed().is_empty());
}

#[actix::test]
async fn after_a_partition_in_which_both_were_claimed_exactly_the_later_one_lives() {
    pause();
    let (here, there, bus, registry) = two(true);
    let mut old = Camera::offer(&here.ingest).await;
    old.send(true).await;
    here.bus.cut(true);
    let mut new = Camera::offer(&there.ingest).await;
    new.send(true).await;
    for _ in 0..20 {
        old.stream_for(ms(500)).await;
        new.stream_for(ms(500)).await;
    }
    assert_eq!((old.state(), new.state()), (StreamState::Live, StreamState::Live));
    here.bus.cut(false);
    for _ in 0..11 {
        old.stream_for(ms(500)).await;
        new.stream_for(ms(500)).await;
    }
    assert_eq!(old.closed(), [CloseReason::TakenOver]);
    assert!(new.closed().is_empty());
    let held = registry.lookup(stream("test")).await.unwrap().unwrap();
    assert_eq!(held.epoch, new.epoch());
    assert_eq!(bus.owner(stream("test")).await.unwrap().epoch, new.epoch());
}

#[actix::test]
async fn one_that_is_published_late_hears_of_a_claim_made_meanwhile() {
    pause();
    let (bus, registry) = memory();
    let way = Faulty::wrap(bus.clone(), Faults::default());
    // Only its bus is cut: the claim is made, the publishing is not.
    let here = ingest(IngestConfig::default(), way.clone(), registry.clone(), "a");
    let there = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "b");
    let mut old = Camera::offer(&here).await;
    way.cut(true);
    old.send(true).await;
    let first = registry.lookup(stream("test")).await.unwrap().unwrap();
    assert_eq!(first.record.session, old.published.live.id);
    let mut new = Camera::offer(&there).await;
    new.send(true).await;
    assert_eq!(new.state(), StreamState::Live);
    // Later than the newcomer's first words to the loser.
    for _ in 0..4 {
        old.stream_for(ms(500)).await;
        new.stream_for(ms(500)).await;
    }
    assert!(old.closed().is_empty());
    way.cut(false);
    let healed = Instant::now();
    while old.closed().is_empty() && healed.elapsed() < ms(1_000) {
        old.send(false).await;
    }
    assert_eq!(old.closed(), [CloseReason::TakenOver]);
    assert!(new.closed().is_empty());
}

/// A node that says "closed" some times, then that there is nothing to close.
struct Loser {
    found: u32,
    asked: AtomicU32,
}

impl NodeService for Loser {
    fn answer(&self, request: NodeRequest) -> BoxFuture<'static, NodeReply> {
        let NodeRequest::Close(close) = request else {
            panic!("nothing else is asked");
        };
        assert_eq!(
            (close.session, close.reason),
            (SessionId([8; 16]), CloseReason::TakenOver)
        );
        let found = self.asked.fetch_add(1, Ordering::Relaxed) < self.found;
        async move { NodeReply::Close(CloseReply { found }) }.boxed()
    }
}

fn loser() -> StreamRecord {
    StreamRecord {
        node: NodeName::new("loser").unwrap(),
        incarnation: Incarnation(7),
        session: SessionId([8; 16]),
        since: 1,
    }
}

fn fabric(bus: Arc<dyn Bus>, registry: Arc<dyn Registry>, as_of: Option<Instant>) -> Fabric {
    let view = NodesView {
        as_of,
        ..NodesView::default()
    };
    let own = Members::alone(identity("here").name);
    let members = Members::seeing(
        identity("here").name,
        Arc::new(move || own.own()),
        watch::channel(Arc::new(view)).1,
    );
    Fabric::new(Arc::new(IngestConfig::default()), bus, registry, members)
}

#[actix::test]
async fn a_loser_is_told_until_its_node_has_it_no_more() {
    pause();
    let (bus, registry) = memory();
    let service = Arc::new(Loser {
        found: 3,
        asked: AtomicU32::new(0),
    });
    // Away at first: no such node is on the bus, and nothing says that it is gone for good.
    let fabric = fabric(bus.clone(), registry, None);
    let telling = tokio::spawn(tell_loser(fabric, live(), loser()));
    sleep(Duration::from_secs(10)).await;
    assert!(!telling.is_finished());
    let _serving = bus.serve(loser().node, service.clone()).await.unwrap();
    let began = Instant::now();
    telling.await.unwrap();
    assert_eq!(service.asked.load(Ordering::Relaxed), 4);
    // Told at 0, 1, 3, 7, then 15, 31, 61 and 91 s.
    let took = began.elapsed().as_secs() + 10;
    assert!((90..=92).contains(&took), "{took}");
}

#[actix::test]
async fn a_loser_whose_nodes_lease_is_gone_needs_no_telling_and_an_ended_winner_tells_nobody() {
    pause();
    let (bus, registry) = memory();
    let began = Instant::now();
    let seeing = fabric(bus.clone(), registry.clone(), Some(began));
    tell_loser(seeing, live(), loser()).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    let winner = live();
    let blind = fabric(bus, registry, None);
    let telling = tokio::spawn(tell_loser(blind, Arc::clone(&winner), loser()));
    sleep(Duration::from_secs(20)).await;
    assert!(!telling.is_finished());
    winner.status().ended = Some(CloseReason::PeerLeft);
    sleep(Duration::from_secs(30)).await;
    assert!(telling.is_finished());
}
