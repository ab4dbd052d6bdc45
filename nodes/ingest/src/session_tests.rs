//! A publisher's life from its offer to its end: claims, take-overs, silence, key frame requests, shutdown.
//! All actors live on the test's thread, and paused time drives their timers.

use crate::error::Error;
use crate::live::Client;
use crate::messages::{Close, Find, Found, Publish, Published};
use crate::testing::{FakePeer, Source, feed, ingest, lock, made, memory, stream};
use crate::{Ingest, IngestConfig};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, pause, sleep};
use weft_bus::{Claim, ClaimError, Delivery, MediaFilter, Registered, Registry, RequestError, Subscription};
use weft_rtc::MediaReceiver;
use weft_wire::{
    CloseReason, Epoch, KeyframeRequest, Kick, NodeName, StreamName, StreamRecord, StreamState, UnitBatch,
};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One publisher with its source.
struct Camera {
    published: Published,
    peer: Arc<FakePeer>,
    receiver: Box<dyn MediaReceiver>,
    source: Source,
}

impl Camera {
    async fn try_offer(ingest: &Ingest) -> Result<Self, Error> {
        let publish = Publish {
            stream: stream("test"),
            offer: String::new(),
            client: Client::default(),
            reached_at: None,
        };
        let published = ingest.state.sessions.send(publish).await.unwrap()?;
        let (peer, receiver) = made();
        Ok(Self {
            published,
            peer,
            receiver,
            source: Source::video(),
        })
    }

    async fn offer(ingest: &Ingest) -> Self {
        Self::try_offer(ingest).await.unwrap()
    }

    /// Sends a picture and lets everybody take note.
    async fn send(&mut self, key: bool) {
        feed(&mut *self.receiver, self.source.unit(key, 500));
        sleep(ms(5)).await;
    }

    /// Sends for `time`, a picture every 40 ms, the first one key.
    async fn stream_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        let mut key = true;
        while Instant::now() < until {
            feed(
                &mut *self.receiver,
                self.source.unit(std::mem::take(&mut key), 500),
            );
            sleep(ms(40)).await;
        }
    }

    fn state(&self) -> StreamState {
        self.published.live.status().state
    }

    fn epoch(&self) -> Epoch {
        self.published.live.status().epoch
    }

    fn closed(&self) -> Vec<CloseReason> {
        lock(&self.peer.closed).clone()
    }
}

async fn found(ingest: &Ingest, camera: &Camera) -> Found {
    ingest
        .state
        .sessions
        .send(Find(camera.published.secret))
        .await
        .unwrap()
}

fn units(subscription: &mut Subscription) -> Vec<UnitBatch> {
    std::iter::from_fn(|| subscription.try_recv())
        .filter_map(|d| match d {
            Delivery::Units(batch) => Some(batch),
            _ => None,
        })
        .collect()
}

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
async fn a_reservation_without_media_goes_after_ten_seconds() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus, registry, "a");
    let camera = Camera::offer(&node).await;
    sleep(ms(9_700)).await;
    assert!(camera.closed().is_empty());
    sleep(ms(800)).await;
    assert_eq!(camera.closed(), [CloseReason::NoMedia]);
    assert!(node.sessions().await.is_empty());
}

#[actix::test]
async fn a_publisher_that_vanishes_is_stalled_in_four_seconds_and_gone_in_thirty_five() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "a");
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(ms(1_000)).await;
    assert_eq!(camera.state(), StreamState::Live);
    sleep(ms(3_500)).await;
    assert_eq!(camera.state(), StreamState::Live);
    sleep(ms(1_000)).await;
    assert_eq!(camera.state(), StreamState::Stalled);
    assert_eq!(
        bus.owner(stream("test")).await.unwrap().state,
        StreamState::Stalled
    );
    sleep(ms(26_500)).await;
    assert_eq!(camera.closed(), [CloseReason::PeerLost]);
    assert!(registry.lookup(stream("test")).await.unwrap().is_none());
    assert!(node.sessions().await.is_empty());
    // Nothing of it is left but what the test holds.
    let live = Arc::downgrade(&camera.published.live);
    drop(camera);
    sleep(ms(2_000)).await;
    assert_eq!(live.strong_count(), 0);
}

#[actix::test]
async fn a_stalled_stream_resumes_its_epoch_at_a_key_unit() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus, registry, "a");
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(ms(500)).await;
    let epoch = camera.epoch();
    sleep(ms(6_000)).await;
    camera.send(false).await;
    assert_eq!(camera.state(), StreamState::Stalled);
    camera.send(true).await;
    assert_eq!((camera.state(), camera.epoch()), (StreamState::Live, epoch));
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
    assert_eq!(second.closed(), [CloseReason::TakenOver]);
    assert_eq!(first.state(), StreamState::Live);
}

#[actix::test]
async fn wishes_for_key_units_reach_the_publisher_at_their_pace() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus.clone(), registry, "a");
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(ms(3_000)).await;
    assert!(lock(&camera.peer.keyframes).is_empty(), "no wish, no request");
    let wish = |interval_ms, now| KeyframeRequest {
        node: NodeName::new("hub").unwrap(),
        now,
        interval_ms,
    };
    let asked = Instant::now();
    bus.keyframe(stream("test"), wish(0, true)).await.unwrap();
    bus.keyframe(stream("test"), wish(0, true)).await.unwrap();
    sleep(ms(1_200)).await;
    // Timers round up to whole milliseconds.
    let sent: Vec<u128> = (lock(&camera.peer.keyframes).drain(..))
        .map(|at| (at.duration_since(asked).as_millis() + 5) / 10 * 10)
        .collect();
    assert_eq!(sent, [0, 500, 1_000], "repeated until a key unit comes");
    camera.send(true).await;
    bus.keyframe(stream("test"), wish(2_000, false)).await.unwrap();
    camera.stream_for(ms(1_500)).await;
    assert_eq!(lock(&camera.peer.keyframes).len(), 0, "a key unit came by itself");
    sleep(ms(1_000)).await;
    assert!(!lock(&camera.peer.keyframes).is_empty());
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
async fn a_shutdown_closes_everybody_and_takes_nobody() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus, registry.clone(), "a");
    let mut camera = Camera::offer(&node).await;
    camera.send(true).await;
    let idle = Camera::offer(&node).await;
    let started = Instant::now();
    node.shutdown(CloseReason::Shutdown).await;
    assert!(started.elapsed() < ms(500));
    assert_eq!(camera.closed(), [CloseReason::Shutdown]);
    assert_eq!(idle.closed(), [CloseReason::Shutdown]);
    assert!(registry.lookup(stream("test")).await.unwrap().is_none());
    assert!(matches!(
        Camera::try_offer(&node).await,
        Err(Error::Unavailable(_))
    ));
}

#[actix::test]
async fn a_full_node_says_so() {
    pause();
    let (bus, registry) = memory();
    let config = IngestConfig {
        max_waiting: 1,
        ..IngestConfig::default()
    };
    let node = ingest(config, bus, registry, "a");
    let mut camera = Camera::offer(&node).await;
    assert!(matches!(Camera::try_offer(&node).await, Err(Error::Full(_))));
    camera.send(true).await;
    let _second = Camera::offer(&node).await;
}

/// A registry that can be away.
struct Flaky {
    inner: Arc<dyn Registry>,
    away: AtomicBool,
}

impl Flaky {
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
            self.inner.claim(stream, record, claim).await
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
}

#[actix::test]
async fn while_the_registry_is_away_media_is_held_and_goes_out_from_its_key_on_afterwards() {
    pause();
    let (bus, inner) = memory();
    let registry = Arc::new(Flaky {
        inner,
        away: AtomicBool::new(true),
    });
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
