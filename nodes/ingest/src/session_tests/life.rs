//! Silence, key frame requests, limits, shutdown.
//! Who gets the name is `ownership`'s subject.

use super::{Camera, ms};
use crate::IngestConfig;
use crate::error::Error;
use crate::testing::{feed, ingest, lock, memory, stream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::{Instant, pause, sleep};
use weft_bus::MediaFilter;
use weft_wire::{CloseReason, KeyframeRequest, NodeName, StreamState, UnitsFrom, UnitsRequest};

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
async fn padding_alone_keeps_no_stream_alive_and_is_no_first_media() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus, registry, "a");
    let mut camera = Camera::offer(&node).await;
    let probe = |camera: &mut Camera| {
        let mut packet = camera.source.unit(false, 10).remove(0);
        packet.payload = bytes::Bytes::new();
        feed(&mut *camera.receiver, vec![packet]);
    };
    camera.stream_for(ms(1_000)).await;
    for _ in 0..18 {
        sleep(ms(250)).await;
        probe(&mut camera);
    }
    assert_eq!(camera.state(), StreamState::Stalled);
    let mut second = Camera::offer(&node).await;
    for _ in 0..41 {
        sleep(ms(250)).await;
        probe(&mut second);
    }
    assert_eq!(second.closed(), [CloseReason::NoMedia]);
}

#[actix::test]
async fn a_publisher_nobody_reads_is_asked_for_nothing_after_a_loss() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus.clone(), registry, "a");
    let mut camera = Camera::offer(&node).await;
    // Until the bus has found that nobody reads.
    for _ in 0..4 {
        camera.stream_for(ms(1_000)).await;
    }
    camera.source.unit(false, 500);
    camera.stream_for(ms(200)).await;
    assert!(lock(&camera.peer.keyframes).is_empty());
    let _reader = bus.subscribe(stream("test"), MediaFilter::All).await.unwrap();
    let request = UnitsRequest {
        from: UnitsFrom::Live,
        until: None,
        session: None,
        key_only: false,
    };
    bus.units(stream("test"), request).await.unwrap();
    camera.source.unit(false, 500);
    for _ in 0..20 {
        camera.send(false).await;
        sleep(ms(40)).await;
    }
    assert!(
        !lock(&camera.peer.keyframes).is_empty(),
        "with a reader it is asked"
    );
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

#[actix::test]
async fn a_hub_that_joins_when_no_group_is_kept_has_the_publisher_asked() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus.clone(), registry, "a");
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(ms(11_000)).await;
    assert!(lock(&camera.peer.keyframes).is_empty());
    let request = UnitsRequest {
        from: UnitsFrom::NewestGop,
        until: None,
        session: None,
        key_only: false,
    };
    let answer = bus.units(stream("test"), request.clone()).await.unwrap();
    assert!(answer.batches.is_empty() && answer.end.gone);
    assert_eq!(answer.end.tracks.len(), 2);
    sleep(ms(5)).await;
    assert_eq!(lock(&camera.peer.keyframes).len(), 1);
    camera.send(true).await;
    let answer = bus.units(stream("test"), request.clone()).await.unwrap();
    assert_eq!(answer.batches[0].units.len(), 1);
    assert_eq!(answer.end.next, answer.batches[0].units[0].seq.next());
    let other = UnitsRequest {
        session: Some(weft_wire::SessionId([3; 16])),
        ..request
    };
    let answer = bus.units(stream("test"), other).await.unwrap();
    assert!(answer.batches.is_empty() && answer.end.gone);
}

#[actix::test]
async fn nobody_begins_with_pictures_that_grew_old_while_the_publisher_was_silent() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus.clone(), registry, "a");
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(ms(1_000)).await;
    let request = UnitsRequest {
        from: UnitsFrom::NewestGop,
        until: None,
        session: None,
        key_only: false,
    };
    sleep(ms(8_000)).await;
    let answer = bus.units(stream("test"), request.clone()).await.unwrap();
    assert!(!answer.batches.is_empty() && !answer.end.gone);
    sleep(ms(2_000)).await;
    let answer = bus.units(stream("test"), request).await.unwrap();
    assert!(answer.batches.is_empty() && answer.end.gone);
    sleep(ms(5)).await;
    assert_eq!(lock(&camera.peer.keyframes).len(), 1);
}

#[actix::test]
async fn a_fault_in_one_session_ends_that_one_cleanly_and_no_other() {
    pause();
    let (bus, registry) = memory();
    let node = ingest(IngestConfig::default(), bus.clone(), registry.clone(), "a");
    let mut camera = Camera::offer(&node).await;
    camera.send(true).await;
    camera.peer.broken.store(true, Ordering::Relaxed);
    let wish = KeyframeRequest {
        node: NodeName::new("hub").unwrap(),
        now: true,
        interval_ms: 0,
    };
    bus.keyframe(stream("test"), wish).await.unwrap();
    sleep(ms(50)).await;
    assert_eq!(camera.closed(), [CloseReason::Internal]);
    assert!(registry.lookup(stream("test")).await.unwrap().is_none());
    assert!(bus.owner(stream("test")).await.is_err());
    assert!(node.sessions().await.is_empty());
    let mut next = Camera::offer(&node).await;
    next.send(true).await;
    assert_eq!(next.state(), StreamState::Live);
}
