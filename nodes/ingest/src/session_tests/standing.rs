//! A session's record vanishes, is taken by others, or cannot be looked at: what the session does about it.
//! When records of dead nodes fall is the sweep's subject.

use super::{Camera, found, ms, units};
use crate::IngestConfig;
use crate::counters::get;
use crate::messages::{Close, Found};
use crate::testing::{feed, ingest, lock, memory, stream};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{pause, sleep};
use weft_bus::faulty::{Faults, Faulty};
use weft_bus::{Claim, ClaimError, Error, MediaFilter, Registered, Registry};
use weft_wire::{
    CloseReason, Epoch, Incarnation, NodeName, SessionId, StreamName, StreamRecord, StreamState,
};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn held(registry: &Arc<dyn Registry>) -> Option<Registered> {
    registry.lookup(stream("test")).await.unwrap()
}

/// As when the bucket was wiped.
async fn wipe(registry: &Arc<dyn Registry>) {
    let epoch = held(registry).await.unwrap().epoch;
    assert!(registry.remove(stream("test"), epoch).await.unwrap());
}

/// Somebody whose session nobody has heard of.
fn stranger() -> StreamRecord {
    StreamRecord {
        node: NodeName::new("stranger").unwrap(),
        incarnation: Incarnation(1),
        session: SessionId([5; 16]),
        since: 1,
    }
}

#[actix::test]
async fn a_record_that_vanished_is_claimed_anew_after_a_reconnect_and_readers_go_on() {
    pause();
    let (inner, registry) = memory();
    let bus = Faulty::wrap(inner.clone(), Faults::default());
    let node = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "a");
    let mut reader = inner.subscribe(stream("test"), MediaFilter::All).await.unwrap();
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(s(1)).await;
    let (old, since) = (camera.epoch(), camera.published.live.status().since);
    units(&mut reader);
    bus.cut(true);
    wipe(&registry).await;
    bus.cut(false);
    sleep(ms(5)).await;
    let mut batches = Vec::new();
    for _ in 0..11 {
        camera.stream_for(s(1)).await;
        batches.extend(units(&mut reader));
    }
    let now = held(&registry).await.expect("claimed anew");
    assert_eq!(now.record.session, camera.published.live.id);
    assert_eq!((now.epoch, now.record.since), (camera.epoch(), since));
    assert!(now.epoch > old);
    assert_eq!(inner.owner(stream("test")).await.unwrap().epoch, now.epoch);
    let told: Vec<_> = (batches.iter())
        .flat_map(|b| b.units.iter().map(|u| (b.session, b.epoch, u.seq, u.gop)))
        .collect();
    assert!(
        told.windows(2).all(|w| w[1].2 == w[0].2.next()),
        "no hole in the numbering"
    );
    assert!(
        told.windows(2)
            .all(|w| w[1].1 >= w[0].1 && w[1].3 >= w[0].3 && w[1].0 == w[0].0)
    );
    let epochs = (told.first().unwrap().1, told.last().unwrap().1);
    assert_eq!(epochs, (old, now.epoch), "between two units, not at a key unit");
    assert!(camera.closed().is_empty());
    assert_eq!(get(&node.counters().claims_anew), 1);
}

#[actix::test]
async fn a_record_that_vanished_without_a_reconnect_is_missed_within_three_minutes() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus, registry.clone(), "a");
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(s(1)).await;
    wipe(&registry).await;
    camera.stream_for(s(85)).await;
    assert!(
        held(&registry).await.is_none(),
        "looks cost something: none sooner"
    );
    camera.stream_for(s(70)).await;
    assert_eq!(held(&registry).await.unwrap().epoch, camera.epoch());
}

#[actix::test]
async fn a_session_whose_name_others_hold_by_a_later_claim_closes_after_a_reconnect() {
    pause();
    let (inner, registry) = memory();
    let bus = Faulty::wrap(inner.clone(), Faults::default());
    let node = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "a");
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(s(1)).await;
    bus.cut(true);
    wipe(&registry).await;
    let theirs = registry
        .claim(stream("test"), stranger(), Claim::Vacant)
        .await
        .unwrap();
    camera.stream_for(s(5)).await;
    assert!(camera.closed().is_empty(), "cut off, it cannot know");
    bus.cut(false);
    camera.stream_for(s(11)).await;
    assert_eq!(camera.closed(), [CloseReason::TakenOver]);
    assert_eq!(
        held(&registry).await.unwrap().epoch,
        theirs,
        "their record is not touched"
    );
}

#[actix::test]
async fn a_registry_that_is_away_stops_nothing_and_what_it_lost_is_claimed_anew_afterwards() {
    pause();
    let (inner, names) = memory();
    let way = Faulty::wrap(inner.clone(), Faults::default());
    let registry = way.registry(names.clone());
    let node = ingest(IngestConfig::default(), inner, registry, "a");
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(s(1)).await;
    let epoch = camera.epoch();
    way.cut(true);
    wipe(&names).await;
    camera.stream_for(s(200)).await;
    assert!(camera.closed().is_empty());
    assert_eq!((camera.epoch(), camera.state()), (epoch, StreamState::Live));
    way.cut(false);
    camera.stream_for(s(30)).await;
    assert!(camera.epoch() > epoch);
    assert_eq!(held(&names).await.unwrap().epoch, camera.epoch());
}

#[actix::test]
async fn a_newcomer_ends_an_owner_whose_record_had_vanished_at_once() {
    pause();
    let (bus, registry) = memory();
    let here = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "a");
    let there = ingest(IngestConfig::default(), bus, registry.clone(), "b");
    let mut old = Camera::offer(&here).await;
    old.stream_for(s(1)).await;
    wipe(&registry).await;
    let mut new = Camera::offer(&there).await;
    new.send(true).await;
    sleep(ms(20)).await;
    assert_eq!(old.closed(), [CloseReason::TakenOver]);
    assert_eq!(held(&registry).await.unwrap().epoch, new.epoch());
}

#[actix::test]
async fn what_is_held_while_a_name_cannot_be_claimed_is_bounded() {
    pause();
    let (bus, names) = memory();
    let way = Faulty::wrap(bus.clone(), Faults::default());
    let node = ingest(IngestConfig::default(), bus, way.registry(names), "a");
    let mut camera = Camera::offer(&node).await;
    way.cut(true);
    // One key unit, then pictures of 100 kB: the group is too long to keep.
    camera.send(true).await;
    for _ in 0..25 * 15 {
        feed(&mut *camera.receiver, camera.source.unit(false, 100_000));
        sleep(ms(40)).await;
        let bytes: usize = (camera.published.live.cache().all().iter())
            .map(|u| u.data.len())
            .sum();
        assert!(bytes <= 8_300_000 + 4_200_000, "{bytes}");
    }
    let bytes: usize = (camera.published.live.cache().all().iter())
        .map(|u| u.data.len())
        .sum();
    assert!(bytes <= 4_300_000, "the group was given up: {bytes}");
    way.cut(false);
    sleep(ms(600)).await;
    assert_eq!(camera.state(), StreamState::Live);
    assert!(
        !lock(&camera.peer.keyframes).is_empty(),
        "nothing is left to begin with"
    );
}

/// A registry that takes a second for a claim, and says when one is under way.
struct Slow {
    inner: Arc<dyn Registry>,
    slow: AtomicBool,
    claiming: AtomicBool,
}

impl Registry for Slow {
    fn claim(
        &self,
        stream: StreamName,
        record: StreamRecord,
        claim: Claim,
    ) -> BoxFuture<'_, Result<Epoch, ClaimError>> {
        if !self.slow.load(Ordering::Relaxed) {
            return self.inner.claim(stream, record, claim);
        }
        self.claiming.store(true, Ordering::Relaxed);
        let inner = Arc::clone(&self.inner);
        // As on a network: what is on its way arrives, whoever still waits for the answer.
        let sent = tokio::spawn(async move {
            sleep(s(1)).await;
            inner.claim(stream, record, claim).await
        });
        async move { sent.await.unwrap() }.boxed()
    }

    fn lookup(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Registered>, Error>> {
        self.inner.lookup(stream)
    }

    fn remove(&self, stream: StreamName, epoch: Epoch) -> BoxFuture<'_, Result<bool, Error>> {
        self.inner.remove(stream, epoch)
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Registered>, Error>> {
        self.inner.list()
    }

    fn steady(&self) -> BoxFuture<'_, Result<Duration, Error>> {
        self.inner.steady()
    }
}

#[actix::test]
async fn a_session_that_ends_while_it_claims_anew_leaves_no_record() {
    pause();
    let (inner, names) = memory();
    let bus = Faulty::wrap(inner, Faults::default());
    let registry = Arc::new(Slow {
        inner: names.clone(),
        slow: AtomicBool::new(false),
        claiming: AtomicBool::new(false),
    });
    let node = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "a");
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(s(1)).await;
    registry.slow.store(true, Ordering::Relaxed);
    bus.cut(true);
    wipe(&names).await;
    bus.cut(false);
    while !registry.claiming.load(Ordering::Relaxed) {
        camera.stream_for(ms(40)).await;
    }
    assert!(held(&names).await.is_none(), "under way");
    let Found::Open(entry) = found(&node, &camera).await else {
        panic!("the session runs");
    };
    entry.actor.send(Close(CloseReason::PeerLeft)).await.unwrap();
    sleep(ms(1_100)).await;
    assert!(held(&names).await.is_none());
    assert!(node.sessions().await.is_empty());
}

#[actix::test]
async fn a_record_left_behind_while_the_registry_was_away_goes_when_it_is_back() {
    pause();
    let (inner, names) = memory();
    let way = Faulty::wrap(inner.clone(), Faults::default());
    let node = ingest(IngestConfig::default(), inner, way.registry(names.clone()), "a");
    let mut camera = Camera::offer(&node).await;
    camera.send(true).await;
    way.cut(true);
    let Found::Open(entry) = found(&node, &camera).await else {
        panic!("the session runs");
    };
    entry.actor.send(Close(CloseReason::PeerLeft)).await.unwrap();
    sleep(s(5)).await;
    assert!(node.sessions().await.is_empty(), "the session itself is over");
    assert!(held(&names).await.is_some());
    way.cut(false);
    sleep(s(3)).await;
    assert!(held(&names).await.is_none());
}
