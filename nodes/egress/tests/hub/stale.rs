//! Nothing older than a second reaches a reader after a fault, and pictures go on within a second after it: the egress, the
//! owner or the bus stood still, or the bus was away. Each fault is made by stopping that side's clock, or its messages.

use crate::camera::*;
use crate::gate::Gate;
use crate::viewer::*;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, advance, sleep};
use weft_bus::Bus;
use weft_bus::faulty::{Faults, Faulty};
use weft_bus::memory::MemoryBus;
use weft_egress::Egress;

/// What a unit may be old by: a second, and the step in which it was made.
const OLDEST: Duration = Duration::from_millis(1_020);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Judges all that was seen from `from` on: how old, and how soon after `thawed` the first picture of then came.
fn judge(viewer: &Viewer, camera: &Camera, from: usize, thawed: Instant) -> Duration {
    viewer.assert_sound();
    assert_eq!(viewer.closed(), None);
    let mut first = None;
    for seen in &viewer.seen[from..] {
        let What::Unit {
            track: VIDEO, number, ..
        } = seen.what
        else {
            continue;
        };
        let made = camera.made(number);
        let age = seen.at.duration_since(made);
        assert!(age <= OLDEST, "picture {number} is {age:?} old");
        if first.is_none() && seen.at >= thawed {
            first = Some(seen.at.duration_since(thawed));
        }
    }
    first.expect("no picture after the fault")
}

/// Two worlds with a clock each: one can stand still while the other goes on.
struct World(Runtime);

impl World {
    fn new() -> Self {
        Self(
            Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap(),
        )
    }

    /// Its clock jumps: it did not run meanwhile.
    fn stood_still(&self, pause: Duration) {
        self.0.block_on(async { advance(pause).await });
    }
}

/// Both run in turn, 10 ms each.
fn run_both(egress: &World, viewer: &mut Viewer, owner: &World, millis: u64) {
    for _ in 0..millis / 10 {
        owner.0.block_on(async { sleep(ms(10)).await });
        egress.0.block_on(async {
            viewer.watch(10).await;
        });
    }
}

/// An egress that has been read for 2.3 s stands still for so long, then goes on for 3 s: how soon the first picture came
/// after it, and whether none is missing.
fn stopped(pause: u64, obeys: bool) -> (Duration, bool) {
    let (here, there) = (World::new(), World::new());
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new());
    let setup = Setup {
        obeys,
        ..Setup::default()
    };
    let camera = there.0.block_on(async {
        let camera = Camera::start(&bus, setup).await;
        sleep(ms(100)).await;
        camera
    });
    here.0.block_on(async { sleep(ms(100)).await });
    let (egress, mut viewer) = here.0.block_on(async {
        let egress = egress(&bus);
        let viewer = Viewer::join(&egress, &[0, 1]).await;
        (egress, viewer)
    });
    run_both(&here, &mut viewer, &there, 2_300);
    let before = viewer.seen.len();
    // Only the owner goes on: what it sends waits for the egress, as far as it finds room.
    there.0.block_on(async { sleep(ms(pause)).await });
    here.stood_still(ms(pause));
    let thawed = here.0.block_on(async { Instant::now() });
    run_both(&here, &mut viewer, &there, 3_000);
    let gap = judge(&viewer, &camera, before, thawed);
    let whole = run(&viewer.numbers(VIDEO)) && run(&viewer.numbers(AUDIO));
    here.0.block_on(async { drop(egress) });
    (gap, whole)
}

#[test]
fn an_egress_that_was_stopped_goes_on_with_new_pictures_and_none_of_those_that_wait() {
    for (pause, obeys) in [
        (1_100, true),
        (1_250, true),
        (1_500, true),
        (6_000, true),
        (6_000, false),
        (90_000, true),
    ] {
        let (gap, whole) = stopped(pause, obeys);
        let most = if obeys { ms(600) } else { ms(2_100) };
        assert!(gap <= most, "{pause} {obeys}: {gap:?}");
        assert!(!whole || pause < 1_500, "{pause}: a flood was delivered");
    }
}

#[test]
fn an_egress_that_was_stopped_for_less_than_a_second_loses_nothing() {
    for pause in [200, 500, 700, 900] {
        let (gap, whole) = stopped(pause, false);
        assert!(whole && gap < ms(100), "{pause}: {gap:?}, none missing: {whole}");
    }
}

/// A camera, a faulty bus, an egress behind it and a reader that has watched for a while.
async fn scene(setup: Setup) -> (Camera, Arc<Faulty>, Arc<Gate>, Egress, Viewer) {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new());
    let faulty = Faulty::wrap(bus.clone(), Faults::default());
    let camera = Camera::start(&bus, setup).await;
    sleep(ms(100)).await;
    let gate = Gate::around(faulty.clone());
    let behind: Arc<dyn Bus> = gate.clone();
    let egress = egress(&behind);
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(2_300).await;
    (camera, faulty, gate, egress, viewer)
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_was_stopped_and_sends_its_old_units_first_delays_nobody() {
    for (pause, obeys) in [(6_000, true), (6_000, false), (1_500, true)] {
        let setup = Setup {
            obeys,
            ..Setup::default()
        };
        let (camera, _faulty, gate, egress, mut viewer) = scene(setup).await;
        let before = viewer.seen.len();
        camera.hold(true);
        gate.shut(true);
        viewer.watch(pause).await;
        let thawed = Instant::now();
        camera.hold(false);
        gate.shut(false);
        viewer.watch(3_000).await;
        let gap = judge(&viewer, &camera, before, thawed);
        let most = if obeys { ms(600) } else { ms(2_100) };
        assert!(gap <= most, "{pause} {obeys}: {gap:?}");
        assert!(egress.counters().stale.load(Relaxed) > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_few_units_from_before_the_owner_stood_still_are_not_repaired_either() {
    let (camera, _faulty, gate, _egress, mut viewer) = scene(Setup::default()).await;
    let before = viewer.seen.len();
    // Five units are on their way when it stops; nothing is made meanwhile.
    camera.hold(true);
    gate.shut(true);
    viewer.watch(70).await;
    camera.silence(true);
    viewer.watch(6_000).await;
    let thawed = Instant::now();
    camera.silence(false);
    camera.hold(false);
    gate.shut(false);
    viewer.watch(3_000).await;
    assert!(judge(&viewer, &camera, before, thawed) <= ms(600));
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_was_away_for_seconds_comes_back_without_a_flood() {
    for (away, obeys) in [(5_000, true), (5_000, false), (1_300, true), (130_000, true)] {
        let setup = Setup {
            obeys,
            ..Setup::default()
        };
        let (camera, faulty, _gate, _egress, mut viewer) = scene(setup).await;
        let before = viewer.seen.len();
        faulty.cut(true);
        viewer.watch(away).await;
        let healed = Instant::now();
        faulty.cut(false);
        viewer.watch(3_000).await;
        let gap = judge(&viewer, &camera, before, healed);
        let most = if obeys { ms(200) } else { ms(2_100) };
        assert!(gap <= most, "{away} {obeys}: {gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_hung_delivers_what_it_kept_and_nobody_sees_it() {
    for hung in [1_500, 5_000, 20_000] {
        let (camera, faulty, gate, egress, mut viewer) = scene(Setup::default()).await;
        let before = viewer.seen.len();
        faulty.set(Faults {
            delay: ms(hung),
            ..Faults::default()
        });
        gate.shut(true);
        viewer.watch(hung).await;
        let healed = Instant::now();
        faulty.set(Faults::default());
        gate.shut(false);
        viewer.watch(3_000).await;
        let gap = judge(&viewer, &camera, before, healed);
        assert!(gap < ms(600), "{hung}: {gap:?}");
        assert!(egress.counters().stale.load(Relaxed) > 10, "{hung}");
    }
}
