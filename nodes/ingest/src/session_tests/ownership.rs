//! Who gets a name, when, and what becomes of the one who had it.
//! What a session does while it has it is `life`'s subject.

use super::{Camera, found, ms, units};
use crate::IngestConfig;
use crate::error::Error;
use crate::messages::{Close, Found};
use crate::testing::{ingest, lock, memory, stream};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, pause, sleep};
use weft_bus::{
    Claim, ClaimError, Delivery, MediaFilter, NodeReply, NodeRequest, NodeService, Registered, Registry,
    RequestError,
};
use weft_wire::{
    CloseReason, CloseReply, Epoch, Incarnation, Kick, NodeName, SessionId, StreamName, StreamRecord,
    StreamState,
};

#[actix::test]
async fn a_name_is_claimed_by_the_first_key_unit_and_free_after_the_end() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "a");
    let mut readers = bus.subscribe(stream("test"), MediaFilter::All).await.unwrap();
    let mut camera = Camera::offer(&node).await;
    assert_eq!(camera.state(), StreamState::Waiting);
    camera.send(false).await;
    assert!(registry.lookup(stream("test")).await.unwrap().is_none());
    camera.send(true).await;
    let held = registry.lookup(stream("test")).await.unwrap().unwrap();
    assert_eq!(
        (held.epoch, held.record.session),
        (camera.epoch(), camera.published.live.id)
    );
    let owner = bus.owner(stream("test")).await.unwrap();
    assert_eq!((owner.state, owner.epoch), (StreamState::Live, held.epoch));
    camera.send(false).await;
    let batches = units(&mut readers);
    assert!(batches.iter().all(|b| b.epoch == held.epoch));
    let seqs: Vec<u64> = batches.iter().map(|b| b.units[0].seq.0).collect();
    assert_eq!(seqs, [0, 1], "what was held comes first");
    let Found::Open(entry) = found(&node, &camera).await else {
        panic!("the session runs");
    };
    entry.actor.send(Close(CloseReason::PeerLeft)).await.unwrap();
    assert!(matches!(
        bus.owner(stream("test")).await,
        Err(RequestError::NoOwner)
    ));
    assert!(matches!(readers.try_recv(), Some(Delivery::Ended(end)) if end.reason == CloseReason::PeerLeft));
    sleep(ms(10)).await;
    assert!(registry.lookup(stream("test")).await.unwrap().is_none());
    assert!(matches!(
        found(&node, &camera).await,
        Found::Closed(CloseReason::PeerLeft)
    ));
    assert_eq!(camera.closed(), [CloseReason::PeerLeft]);
    assert!(node.sessions().await.is_empty());
    sleep(ms(62_000)).await;
    assert!(matches!(found(&node, &camera).await, Found::Unknown));
}

#[actix::test]
async fn a_newcomer_takes_the_name_with_its_first_key_unit_and_not_before() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "a");
    let mut old = Camera::offer(&node).await;
    old.stream_for(ms(200)).await;
    let mut new = Camera::offer(&node).await;
    new.send(false).await;
    old.stream_for(ms(1_000)).await;
    assert!(old.closed().is_empty(), "media without a key disturbs nobody");
    let idle = Camera::offer(&node).await;
    new.send(true).await;
    assert_eq!(old.closed(), [CloseReason::TakenOver]);
    assert!(new.epoch() > old.epoch());
    assert!(matches!(
        found(&node, &old).await,
        Found::Closed(CloseReason::TakenOver)
    ));
    assert!(idle.closed().is_empty(), "one that only reserved is no loser");
    let held = registry.lookup(stream("test")).await.unwrap().unwrap();
    assert_eq!(held.epoch, new.epoch());
    assert_eq!(
        bus.owner(stream("test")).await.unwrap().session,
        new.published.live.id
    );
}

#[actix::test]
async fn a_newcomer_on_another_node_ends_the_old_session_there() {
    pause();
    let (bus, registry) = memory();
    let here = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "a");
    let there = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "b");
    let mut old = Camera::offer(&here).await;
    old.send(true).await;
    let mut new = Camera::offer(&there).await;
    new.send(true).await;
    sleep(ms(20)).await;
    assert_eq!(old.closed(), [CloseReason::TakenOver]);
    sleep(ms(5_000)).await;
    // Told three times, heard by the winner too, which stays.
    new.send(true).await;
    assert!(new.closed().is_empty());
    let held = registry.lookup(stream("test")).await.unwrap().unwrap();
    assert_eq!(held.epoch, new.epoch());
}

#[actix::test]
async fn without_overriding_a_conflict_is_told_at_once_unless_the_owner_is_silent() {
    pause();
    let (bus, registry) = memory();
    let config = IngestConfig {
        override_publisher: false,
        ..IngestConfig::default()
    };
    let node = ingest(config, bus, registry, "a");
    let mut old = Camera::offer(&node).await;
    old.stream_for(ms(200)).await;
    assert!(matches!(Camera::try_offer(&node).await, Err(Error::Conflict(_))));
    sleep(ms(2_500)).await;
    let mut new = Camera::offer(&node).await;
    new.send(true).await;
    assert_eq!(old.closed(), [CloseReason::TakenOver]);
    assert_eq!(new.state(), StreamState::Live);
}

#[actix::test]
async fn of_two_reservations_without_overriding_the_second_claim_loses() {
    pause();
    let (bus, registry) = memory();
    let config = IngestConfig {
        override_publisher: false,
        ..IngestConfig::default()
    };
    let node = ingest(config, bus, registry, "a");
    let mut first = Camera::offer(&node).await;
    let mut second = Camera::offer(&node).await;
    first.send(true).await;
    second.send(true).await;
    assert_eq!(second.closed(), [CloseReason::Conflict]);
    assert!(matches!(
        found(&node, &second).await,
        Found::Closed(CloseReason::Conflict)
    ));
    assert_eq!(first.state(), StreamState::Live);
}

#[actix::test]
async fn an_operator_ends_a_session_over_the_bus() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "a");
    let mut camera = Camera::offer(&node).await;
    camera.send(true).await;
    let kick = |reason| Kick {
        node: NodeName::new("op").unwrap(),
        reason,
    };
    bus.kick(stream("test"), kick(CloseReason::TakenOver))
        .await
        .unwrap();
    sleep(ms(10)).await;
    assert!(
        camera.closed().is_empty(),
        "the registry says that the name is ours"
    );
    bus.kick(stream("test"), kick(CloseReason::Kicked)).await.unwrap();
    sleep(ms(10)).await;
    assert_eq!(camera.closed(), [CloseReason::Kicked]);
    assert!(registry.lookup(stream("test")).await.unwrap().is_none());
}

#[actix::test]
async fn while_the_registry_is_away_media_is_held_and_goes_out_from_its_key_on_afterwards() {
    pause();
    let (bus, inner) = memory();
    let registry = Flaky::new(inner, true, Duration::ZERO);
    let node = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "a");
    let mut readers = bus.subscribe(stream("test"), MediaFilter::All).await.unwrap();
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(ms(3_000)).await;
    assert_eq!(camera.state(), StreamState::Waiting);
    assert!(units(&mut readers).is_empty());
    registry.away.store(false, Ordering::Relaxed);
    camera.stream_for(ms(600)).await;
    let batches = units(&mut readers);
    assert!(batches[0].units[0].is_key());
    assert!(
        batches
            .windows(2)
            .all(|w| w[1].units[0].seq == w[0].units[0].seq.next())
    );
    // The owner stays while the registry is lost again, and its record goes when it is back.
    registry.away.store(true, Ordering::Relaxed);
    camera.stream_for(ms(5_000)).await;
    assert!(camera.closed().is_empty());
}

#[actix::test]
async fn what_was_held_for_a_claim_until_it_was_old_is_not_published() {
    pause();
    let (bus, inner) = memory();
    let registry = Flaky::new(inner, true, Duration::ZERO);
    let node = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "a");
    let mut readers = bus.subscribe(stream("test"), MediaFilter::All).await.unwrap();
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(ms(500)).await;
    // The camera's network is away for longer than anything is kept for joins.
    sleep(ms(11_000)).await;
    registry.away.store(false, Ordering::Relaxed);
    sleep(ms(1_000)).await;
    assert!(registry.lookup(stream("test")).await.unwrap().is_some());
    assert!(units(&mut readers).is_empty());
    camera.send(true).await;
    assert_eq!(units(&mut readers).len(), 1);
}

#[actix::test]
async fn a_loser_is_told_even_if_the_answer_to_the_claim_over_it_was_lost() {
    pause();
    let (bus, inner) = memory();
    let record = StreamRecord {
        node: NodeName::new("hung").unwrap(),
        incarnation: Incarnation(1),
        session: SessionId([5; 16]),
        since: 1,
    };
    inner
        .claim(stream("test"), record.clone(), Claim::Vacant)
        .await
        .unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let _serving = bus
        .serve(record.node.clone(), Arc::new(Closer(asked.clone())))
        .await
        .unwrap();
    let registry = Flaky::new(inner, false, Duration::ZERO);
    registry.loses.store(true, Ordering::Relaxed);
    let node = ingest(IngestConfig::default(), bus, registry.clone(), "a");
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(ms(1_500)).await;
    assert_eq!(camera.state(), StreamState::Live);
    assert!(!registry.loses.load(Ordering::Relaxed), "an answer was lost");
    assert_eq!(*lock(&asked), [record.session]);
}

#[actix::test]
async fn a_registry_read_behind_for_a_moment_costs_a_newcomer_nothing() {
    pause();
    let (bus, inner) = memory();
    let registry = Flaky::new(inner.clone(), false, Duration::ZERO);
    let node = ingest(IngestConfig::default(), bus, registry.clone(), "a");
    let mut old = Camera::offer(&node).await;
    old.send(true).await;
    let held = inner.lookup(stream("test")).await.unwrap().unwrap();
    let behind = Registered {
        epoch: Epoch::default(),
        ..held
    };
    *lock(&registry.behind) = Some((Instant::now() + ms(200), behind));
    let mut new = Camera::offer(&node).await;
    new.stream_for(ms(500)).await;
    assert_eq!(new.state(), StreamState::Live);
    assert_eq!(old.closed(), [CloseReason::TakenOver]);
}

/// A node that closes what it is asked to.
struct Closer(Arc<Mutex<Vec<SessionId>>>);

impl NodeService for Closer {
    fn answer(&self, request: NodeRequest) -> BoxFuture<'static, NodeReply> {
        let NodeRequest::Close(close) = request else {
            panic!("{request:?}");
        };
        lock(&self.0).push(close.session);
        async { NodeReply::Close(CloseReply { found: false }) }.boxed()
    }
}

/// A registry that can be away, slow to claim, or lose the answer to a claim over another.
struct Flaky {
    inner: Arc<dyn Registry>,
    away: AtomicBool,
    slow: Duration,
    loses: AtomicBool,
    /// Until then a replica is read that has this record still.
    behind: Mutex<Option<(Instant, Registered)>>,
}

impl Flaky {
    fn new(inner: Arc<dyn Registry>, away: bool, slow: Duration) -> Arc<Self> {
        Arc::new(Self {
            inner,
            away: AtomicBool::new(away),
            slow,
            loses: AtomicBool::new(false),
            behind: Mutex::default(),
        })
    }

    fn check(&self) -> Result<(), weft_bus::Error> {
        if self.away.load(Ordering::Relaxed) {
            Err(weft_bus::Error::Away("test".to_owned()))
        } else {
            Ok(())
        }
    }
}

impl Registry for Flaky {
    fn claim(
        &self,
        stream: StreamName,
        record: StreamRecord,
        claim: Claim,
    ) -> BoxFuture<'_, Result<Epoch, ClaimError>> {
        async move {
            self.check()?;
            sleep(self.slow).await;
            let behind = lock(&self.behind).clone();
            if let Some((_, held)) = behind.filter(|(until, _)| Instant::now() < *until) {
                return Err(ClaimError::Held(Box::new(held)));
            }
            let claimed = self.inner.claim(stream, record, claim).await;
            if matches!(claim, Claim::Over(_)) && self.loses.swap(false, Ordering::Relaxed) {
                return Err(weft_bus::Error::Away("lost on the way".to_owned()).into());
            }
            claimed
        }
        .boxed()
    }

    fn lookup(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Registered>, weft_bus::Error>> {
        self.inner.lookup(stream)
    }

    fn remove(&self, stream: StreamName, epoch: Epoch) -> BoxFuture<'_, Result<bool, weft_bus::Error>> {
        async move {
            self.check()?;
            self.inner.remove(stream, epoch).await
        }
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Registered>, weft_bus::Error>> {
        self.inner.list()
    }

    fn steady(&self) -> BoxFuture<'_, Result<Duration, weft_bus::Error>> {
        self.inner.steady()
    }
}

#[actix::test]
async fn a_session_that_ends_while_its_claim_is_under_way_leaves_no_record() {
    pause();
    let (bus, inner) = memory();
    let registry = Flaky::new(inner, false, ms(1_000));
    let node = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "a");
    let mut camera = Camera::offer(&node).await;
    camera.send(true).await;
    let Found::Open(entry) = found(&node, &camera).await else {
        panic!("the session runs");
    };
    let asked = Instant::now();
    entry.actor.send(Close(CloseReason::PeerLeft)).await.unwrap();
    assert!(
        asked.elapsed() < ms(10),
        "the answer does not wait for the registry"
    );
    assert_eq!(node.sessions().await.len(), 1, "the claim is still out");
    assert!(node.report().await.is_empty(), "and the session is over");
    sleep(ms(1_100)).await;
    assert!(registry.lookup(stream("test")).await.unwrap().is_none());
    assert!(matches!(
        bus.owner(stream("test")).await,
        Err(RequestError::NoOwner)
    ));
    assert!(node.sessions().await.is_empty());
}
