//! What happens when the bus loses, delays or cuts: repair without a trace, or a clean skip to the next key unit.
//! The rules themselves are tested beside `repair` and `age`.

use crate::camera::*;
use crate::viewer::*;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::sleep;
use weft_bus::Bus;
use weft_bus::faulty::{Faults, Faulty};
use weft_bus::memory::MemoryBus;
use weft_egress::Egress;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A camera on a sound bus, and an egress behind a faulty one.
async fn scene(setup: Setup) -> (Camera, Arc<Faulty>, Egress, Arc<dyn Bus>) {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new());
    let faulty = Faulty::wrap(bus.clone(), Faults::default());
    let camera = Camera::start(&bus, setup).await;
    sleep(ms(100)).await;
    let behind: Arc<dyn Bus> = faulty.clone();
    (camera, faulty, egress(&behind), bus)
}

fn loss(loss: f64) -> Faults {
    Faults {
        seed: 7,
        loss,
        delay: ms(1),
        jitter: ms(3),
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_bus_loses_is_brought_back_and_none_is_missing() {
    for percent in [1_u32, 3, 10] {
        let (camera, faulty, egress, _bus) = scene(Setup::default()).await;
        let mut viewer = Viewer::join(&egress, &[0, 1]).await;
        faulty.set(loss(f64::from(percent) / 100.0));
        viewer.watch(60_000).await;
        faulty.set(loss(0.0));
        viewer.watch(3000).await;
        viewer.assert_sound();
        assert!(faulty.lost() > u64::from(percent) * 20, "{}", faulty.lost());
        assert!(run(&viewer.numbers(VIDEO)), "{percent} %");
        assert!(run(&viewer.numbers(AUDIO)), "{percent} %");
        assert!(u64::from(*viewer.numbers(VIDEO).last().unwrap()) + 3 >= camera.pictures());
        let counters = egress.counters();
        assert_eq!(counters.lost.load(Relaxed), 0);
        assert!(counters.repaired.load(Relaxed) >= faulty.lost());
        // Never more than two questions a second.
        assert!(camera.questions().len() <= 2 * 64, "{}", camera.questions().len());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_costs_the_rest_of_its_group_and_sound_goes_on() {
    let setup = Setup {
        cache: 0,
        gop: 250,
        ..Setup::default()
    };
    let (camera, faulty, egress, _bus) = scene(setup).await;
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(1000).await;
    let wishes = camera.wishes().len();
    faulty.set(loss(1.0));
    viewer.watch(30).await;
    faulty.set(loss(0.0));
    viewer.watch(1000).await;
    viewer.assert_sound();
    let pictures = viewer.units(VIDEO);
    let missing = pictures.windows(2).filter(|p| p[1].0 != p[0].0 + 1).count();
    assert_eq!(missing, 1, "one skip, to a key unit");
    assert!(viewer.numbers(AUDIO).windows(2).all(|p| p[1] <= p[0] + 3));
    assert!(camera.wishes().len() > wishes);
    assert!(egress.counters().lost.load(Relaxed) > 0);
    // Resumed by the key unit asked for, not by the next regular one.
    assert!(pictures.len() > 40, "{}", pictures.len());
}

#[tokio::test(start_paused = true)]
async fn a_lost_tail_is_noticed_by_the_silence_after_it() {
    let (camera, faulty, egress, _bus) = scene(Setup::default()).await;
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(1000).await;
    faulty.set(loss(1.0));
    viewer.watch(100).await;
    camera.silence(true);
    let last = camera.pictures() as u32 - 1;
    assert!(*viewer.numbers(VIDEO).last().unwrap() < last);
    viewer.watch(600).await;
    assert_eq!(*viewer.numbers(VIDEO).last().unwrap(), last);
    assert!(run(&viewer.numbers(VIDEO)));
}

#[tokio::test(start_paused = true)]
async fn a_short_cut_is_bridged_without_a_hole() {
    let (_camera, faulty, egress, _bus) = scene(Setup::default()).await;
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(1000).await;
    faulty.cut(true);
    viewer.watch(700).await;
    faulty.cut(false);
    viewer.watch(1000).await;
    viewer.assert_sound();
    assert!(run(&viewer.numbers(VIDEO)));
    assert!(run(&viewer.numbers(AUDIO)));
    assert_eq!(viewer.closed(), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_in_an_absence_of_the_bus_is_asked_for_as_soon_as_it_is_back() {
    let (camera, faulty, egress, _bus) = scene(Setup::default()).await;
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(1000).await;
    faulty.cut(true);
    viewer.watch(500).await;
    camera.silence(true);
    viewer.watch(110).await;
    faulty.cut(false);
    viewer.watch(10).await;
    assert!(run(&viewer.numbers(VIDEO)));
    assert_eq!(
        u64::from(*viewer.numbers(VIDEO).last().unwrap()) + 1,
        camera.pictures()
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_long_cut_readers_go_on_within_a_second_and_get_nothing_old() {
    for obeys in [true, false] {
        let setup = Setup {
            obeys,
            ..Setup::default()
        };
        let (camera, faulty, egress, _bus) = scene(setup).await;
        let mut viewer = Viewer::join(&egress, &[0, 1]).await;
        viewer.watch(1300).await;
        faulty.cut(true);
        viewer.watch(40_000).await;
        let at_heal = camera.pictures() as u32;
        faulty.cut(false);
        let healed = viewer.seen.len();
        viewer.watch(1100).await;
        viewer.assert_sound();
        let after = Viewer {
            starts: vec![],
            seen: viewer.seen.split_off(healed),
            reader: viewer.reader,
        };
        let numbers = after.numbers(VIDEO);
        assert!(numbers.len() > 2, "obeys {obeys}: {numbers:?}");
        assert!(
            numbers[0] + 26 > at_heal,
            "older than a second: {numbers:?}, {at_heal}"
        );
        assert_eq!(after.closed(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_old_units_reaches_nobody() {
    let (camera, faulty, egress, _bus) = scene(Setup::default()).await;
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(3000).await;
    // Two seconds of units are held up and then come all at once, as after a server that hung.
    faulty.set(Faults {
        delay: ms(2000),
        ..Faults::default()
    });
    viewer.watch(500).await;
    faulty.set(Faults::default());
    let hung = viewer.seen.len();
    viewer.watch(4000).await;
    viewer.assert_sound();
    assert!(egress.counters().stale.load(Relaxed) > 10);
    let late = viewer.seen[hung..]
        .iter()
        .filter(|s| matches!(s.what, What::Unit { .. }))
        .count();
    assert!(late > 50);
    assert!(*viewer.numbers(VIDEO).last().unwrap() as u64 + 3 > camera.pictures());
}
