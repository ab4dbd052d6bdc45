//! How long readers are held when their publisher leaves, vanishes or is thrown out, and what they can do meanwhile.
//! The rules are tested beside `life`; here the whole hub keeps them.

use crate::camera::*;
use crate::viewer::*;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use weft_bus::Bus;
use weft_bus::memory::MemoryBus;
use weft_egress::{Egress, HubState};
use weft_rtsp_server::{PlayHandler, Refusal};
use weft_wire::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

async fn scene() -> (Arc<dyn Bus>, Camera, Egress, Viewer) {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new());
    let camera = Camera::start(&bus, Setup::default()).await;
    sleep(ms(100)).await;
    let egress = egress(&bus);
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(1000).await;
    (bus, camera, egress, viewer)
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_says_goodbye_ends_its_readers_after_three_seconds() {
    let (_bus, camera, egress, mut viewer) = scene().await;
    let before = Instant::now();
    camera.end(CloseReason::PeerLeft).await;
    sleep(ms(50)).await;
    assert!(!egress.hubs()[0].ready);
    // For everybody else the stream is over at once.
    assert_eq!(egress.describe(request()).await.err(), Some(Refusal::NotFound));
    viewer.watch(10_000).await;
    let (at, reason) = viewer.closed().unwrap();
    assert_eq!(reason, CloseReason::StreamEnded);
    assert!((ms(2900)..ms(3200)).contains(&(at - before)), "{:?}", at - before);
    assert!(egress.hubs().is_empty());
    assert_eq!(
        egress
            .counters()
            .readers_closed
            .load(std::sync::atomic::Ordering::Relaxed),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_reloaded_within_the_goodbye_keeps_its_readers() {
    let (bus, camera, _egress, mut viewer) = scene().await;
    camera.end(CloseReason::PeerLeft).await;
    viewer.watch(2000).await;
    let setup = Setup {
        revision: 2,
        session: 2,
        ..Setup::default()
    };
    let _new = Camera::start(&bus, setup).await;
    viewer.watch(10_000).await;
    assert_eq!(viewer.closed(), None);
    viewer.assert_sound();
    assert!(viewer.units(VIDEO).len() > 250);
}

#[tokio::test(start_paused = true)]
async fn a_kick_ends_readers_at_once() {
    let (_bus, camera, _egress, mut viewer) = scene().await;
    let before = Instant::now();
    camera.end(CloseReason::Kicked).await;
    viewer.watch(1000).await;
    let (at, reason) = viewer.closed().unwrap();
    assert_eq!(reason, CloseReason::Kicked);
    assert!(at - before < ms(50));
}

#[tokio::test(start_paused = true)]
async fn a_vanished_publisher_is_waited_for_half_a_minute_and_its_stream_can_be_described_meanwhile() {
    let (bus, camera, egress, mut viewer) = scene().await;
    let before = Instant::now();
    camera.vanish().await;
    viewer.watch(1000).await;
    assert_eq!(egress.hubs()[0].state, HubState::Held);
    assert!(!egress.hubs()[0].ready);
    assert_eq!(egress.describe(request()).await.unwrap().tracks().len(), 2);
    // A reader may even join: it sees the next publisher's pictures.
    let mut late = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(20_000).await;
    let setup = Setup {
        revision: 2,
        session: 2,
        ..Setup::default()
    };
    let new = Camera::start(&bus, setup).await;
    viewer.watch(1000).await;
    late.drain();
    late.assert_sound();
    assert!(late.units(VIDEO).len() > 20);
    assert!(viewer.units(VIDEO).len() > 45);
    assert!(egress.hubs()[0].ready);
    new.vanish().await;
    let gone = Instant::now();
    viewer.watch(60_000).await;
    let (at, reason) = viewer.closed().unwrap();
    assert_eq!(reason, CloseReason::StreamEnded);
    assert!((ms(29_900)..ms(30_200)).contains(&(at - gone)), "{:?}", at - gone);
    assert!(at - before > ms(50_000));
    assert!(egress.hubs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_falls_silent_is_stalled_and_resumes_without_a_seam() {
    let (_bus, camera, egress, mut viewer) = scene().await;
    camera.silence(true);
    viewer.watch(3500).await;
    assert!(egress.hubs()[0].ready);
    viewer.watch(1000).await;
    assert_eq!(egress.hubs()[0].state, HubState::Stalled);
    viewer.watch(60_000).await;
    assert_eq!(viewer.closed(), None);
    camera.silence(false);
    viewer.watch(1000).await;
    viewer.assert_sound();
    assert!(run(&viewer.numbers(VIDEO)));
    assert!(egress.hubs()[0].ready);
}

#[tokio::test(start_paused = true)]
async fn time_in_which_the_node_itself_stood_still_is_no_silence_of_the_publisher() {
    let (_bus, camera, egress, mut viewer) = scene().await;
    camera.silence(true);
    viewer.watch(100).await;
    tokio::time::advance(ms(6000)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert_eq!(egress.hubs()[0].state, HubState::Live);
    }
    viewer.watch(3000).await;
    assert!(egress.hubs()[0].ready);
    viewer.watch(1500).await;
    assert_eq!(egress.hubs()[0].state, HubState::Stalled);
}

#[tokio::test(start_paused = true)]
async fn rounds_of_readers_leave_nothing_behind() {
    let (bus, camera, egress, viewer) = scene().await;
    drop(viewer);
    for round in 0..100 {
        let mut viewer = Viewer::join(&egress, &[0, 1]).await;
        viewer.watch(round % 7).await;
    }
    assert_eq!(egress.readers(), 0);
    sleep(ms(6000)).await;
    assert!(egress.hubs().is_empty());
    drop(camera);
    drop(bus);
}
