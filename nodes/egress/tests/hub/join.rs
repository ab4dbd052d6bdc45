//! How readers come in: the burst, exact beginnings, waiting for a key unit, and the wishes for one.
//! The queue itself is tested beside its code.

use crate::camera::*;
use crate::viewer::*;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use weft_bus::memory::MemoryBus;
use weft_bus::{Bus, Members};
use weft_egress::{Egress, EgressConfig};
use weft_rtsp_server::{PlayHandler, Refusal};
use weft_wire::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn memory() -> Arc<dyn Bus> {
    Arc::new(MemoryBus::new())
}

#[tokio::test(start_paused = true)]
async fn a_reader_begins_with_the_running_group_at_once_and_exactly_where_it_was_told() {
    let bus = memory();
    let _camera = Camera::start(&bus, Setup::default()).await;
    sleep(ms(3500)).await;
    let egress = egress(&bus);
    let before = Instant::now();
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.drain();
    assert!(before.elapsed() < ms(5));
    let pictures = viewer.units(VIDEO);
    assert_eq!((pictures[0].0, pictures[0].1), (50, true));
    assert_eq!(pictures.len(), 38);
    assert_eq!(viewer.starts[0].rtp_time, pictures[0].2);
    assert_eq!(viewer.starts[1].rtp_time, viewer.units(AUDIO)[0].2);
    viewer.watch(2000).await;
    viewer.assert_sound();
    assert!(run(&viewer.numbers(VIDEO)));
    assert!(run(&viewer.numbers(AUDIO)));
    // Sound and picture of one instant of capture lie together on the line.
    let [v, a] = [viewer.starts[0].line, viewer.starts[1].line];
    assert_eq!(v.capture, a.capture);
}

#[tokio::test(start_paused = true)]
async fn the_second_reader_is_served_by_the_hub_alone() {
    let bus = memory();
    let camera = Camera::start(&bus, Setup::default()).await;
    let egress = egress(&bus);
    let mut first = Viewer::join(&egress, &[0, 1]).await;
    first.watch(1500).await;
    let asked = camera.questions().len();
    let mut second = Viewer::join(&egress, &[0]).await;
    second.drain();
    assert_eq!(camera.questions().len(), asked);
    assert_eq!(second.units(VIDEO)[0].0, 0);
    assert!(second.units(AUDIO).is_empty());
    assert_eq!(second.starts[0].ssrc, first.starts[0].ssrc);
    second.watch(300).await;
    second.assert_sound();
    first.watch(2000).await;
    // The third begins with the newest key unit, not with the first one's.
    let mut third = Viewer::join(&egress, &[0, 1]).await;
    third.drain();
    assert_eq!(third.units(VIDEO)[0].0, 50);
    drop(third);
    sleep(ms(1)).await;
    assert_eq!(egress.hubs().len(), 1);
    assert_eq!(egress.hubs()[0].readers.len(), 2);
    assert_eq!(egress.readers(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_publishes_is_not_found_at_once() {
    let bus = memory();
    let egress = egress(&bus);
    let before = Instant::now();
    let refused = egress.describe(request()).await.err();
    assert_eq!(refused, Some(Refusal::NotFound));
    assert!(before.elapsed() < ms(10));
    assert!(egress.hubs().is_empty());
    // And it is found as soon as somebody does.
    let _camera = Camera::start(&bus, Setup::default()).await;
    sleep(ms(50)).await;
    assert_eq!(egress.describe(request()).await.unwrap().tracks().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_group_to_begin_with_a_key_unit_is_asked_for_and_waited_for() {
    let bus = memory();
    let setup = Setup {
        gop: 100_000,
        cache: 100,
        ..Setup::default()
    };
    let camera = Camera::start(&bus, setup).await;
    sleep(ms(60_000)).await;
    let egress = egress(&bus);
    let before = Instant::now();
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(50).await;
    let first = viewer
        .seen
        .iter()
        .find(|s| matches!(s.what, What::Unit { key: true, .. }))
        .unwrap();
    assert!(first.at - before < ms(100), "{:?}", first.at - before);
    assert_eq!(viewer.starts[0].rtp_time, viewer.units(VIDEO)[0].2);
    assert!(camera.wishes().iter().any(|w| w.now));
    viewer.watch(1000).await;
    viewer.assert_sound();
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_gives_no_key_unit_does_not_hold_up_the_answer_for_ever() {
    let bus = memory();
    let setup = Setup {
        gop: 100_000,
        cache: 100,
        obeys: false,
        ..Setup::default()
    };
    let camera = Camera::start(&bus, setup).await;
    sleep(ms(60_000)).await;
    let egress = egress(&bus);
    let before = Instant::now();
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    assert!(before.elapsed() < ms(1100));
    viewer.watch(2000).await;
    assert!(viewer.units(VIDEO).is_empty());
    assert!(run(&viewer.numbers(AUDIO)));
    assert!(viewer.units(AUDIO).len() > 95);
    // Asked again and again, but never more often than twice a second.
    let urgent = camera.wishes().iter().filter(|w| w.now).count();
    assert!((4..=8).contains(&urgent), "{urgent}");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_would_begin_far_behind_is_given_a_fresh_key_unit_soon() {
    let bus = memory();
    let setup = Setup {
        gop: 100_000,
        ..Setup::default()
    };
    let camera = Camera::start(&bus, setup).await;
    sleep(ms(6000)).await;
    let egress = egress(&bus);
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.drain();
    assert_eq!(viewer.units(VIDEO).len(), 151);
    viewer.watch(100).await;
    viewer.assert_sound();
    assert_eq!(viewer.units(VIDEO).iter().filter(|p| p.1).count(), 2);
    assert_eq!(camera.wishes().iter().filter(|w| w.now).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_wish_for_an_interval_is_renewed_while_somebody_reads() {
    let bus = memory();
    let camera = Camera::start(&bus, Setup::default()).await;
    sleep(ms(100)).await;
    let egress = egress(&bus);
    let source = egress.describe(request()).await.unwrap();
    sleep(ms(100)).await;
    assert!(camera.wishes().is_empty());
    let mut viewer = Viewer::join(&egress, &[0]).await;
    viewer.watch(16_000).await;
    let wishes = camera.wishes();
    assert!(wishes.iter().all(|w| w.interval_ms == 2000 && !w.now));
    assert_eq!(wishes.len(), 4);
    drop(viewer);
    sleep(ms(20_000)).await;
    assert_eq!(camera.wishes().len(), 4);
    drop(source);
}

#[tokio::test(start_paused = true)]
async fn a_hub_lingers_after_its_last_reader_and_then_goes() {
    let bus = memory();
    let camera = Camera::start(&bus, Setup::default()).await;
    sleep(ms(100)).await;
    let egress = egress(&bus);
    let viewer = Viewer::join(&egress, &[0, 1]).await;
    drop(viewer);
    sleep(ms(4900)).await;
    assert_eq!(egress.hubs().len(), 1);
    let held = egress.describe(request()).await.unwrap();
    sleep(ms(10_000)).await;
    assert_eq!(egress.hubs().len(), 1);
    drop(held);
    sleep(ms(5100)).await;
    assert!(egress.hubs().is_empty());
    // Nothing of it is left on the bus either: the publisher is paused soon.
    let asked = camera.questions().len();
    sleep(ms(5000)).await;
    assert_eq!(camera.questions().len(), asked);
    let again = Viewer::join(&egress, &[0, 1]).await.watch(500).await.units(VIDEO);
    assert!(again.len() > 12);
}

#[tokio::test(start_paused = true)]
async fn readers_beyond_the_limit_are_refused_until_one_leaves() {
    let bus = memory();
    let _camera = Camera::start(&bus, Setup::default()).await;
    sleep(ms(100)).await;
    let config = EgressConfig {
        max_readers: 1,
        ..EgressConfig::default()
    };
    let egress = Egress::start(config, bus, Members::alone(NodeName::new("egress").unwrap()));
    let viewer = Viewer::join(&egress, &[0]).await;
    assert_eq!(Viewer::try_join(&egress, &[0]).await.err(), Some(Refusal::Full));
    drop(viewer);
    Viewer::join(&egress, &[0]).await;
}

#[tokio::test(start_paused = true)]
async fn reports_of_each_track_come_every_five_seconds_and_lie_on_the_line() {
    let bus = memory();
    let _camera = Camera::start(&bus, Setup::default()).await;
    sleep(ms(100)).await;
    let egress = egress(&bus);
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(16_000).await;
    for (start, rate) in viewer.starts.iter().zip([90_000, 48_000]) {
        let lines: Vec<_> = viewer
            .seen
            .iter()
            .filter_map(|s| match s.what {
                What::Report(track, line) if track == start.track => Some(line),
                _ => None,
            })
            .collect();
        assert_eq!(lines.len(), 3);
        for line in lines {
            let ticks = i64::from(line.rtp_time.wrapping_sub(start.line.rtp_time));
            let micros = line.capture.micros_since(start.line.capture);
            assert!(
                (micros - ticks * 1_000_000 / rate).abs() <= 20,
                "{micros} {ticks}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_reader_gets_nothing_and_goes_on_with_a_key_unit() {
    let bus = memory();
    let _camera = Camera::start(&bus, Setup::default()).await;
    sleep(ms(100)).await;
    let egress = egress(&bus);
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(500).await;
    viewer.reader.set_paused(true);
    let before = viewer.seen.len();
    viewer.watch(700).await;
    assert_eq!(viewer.seen.len(), before);
    viewer.reader.set_paused(false);
    viewer.watch(2000).await;
    viewer.assert_sound();
    assert!(viewer.numbers(VIDEO).contains(&60));
}

#[tokio::test(start_paused = true)]
async fn at_shutdown_every_reader_is_told_and_no_hub_is_left() {
    let bus = memory();
    let _camera = Camera::start(&bus, Setup::default()).await;
    sleep(ms(100)).await;
    let egress = egress(&bus);
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(100).await;
    egress.shutdown(CloseReason::Shutdown).await;
    assert!(egress.hubs().is_empty());
    assert_eq!(viewer.drain().closed().unwrap().1, CloseReason::Shutdown);
    assert!(matches!(
        egress.describe(request()).await.err(),
        Some(Refusal::Unavailable(_))
    ));
}
