//! A reader that does not take what it is given: it skips to key units by itself and nobody else notices.
//! How the queue chooses what to drop is tested beside it.

use crate::camera::*;
use crate::viewer::*;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::sleep;
use weft_bus::Bus;
use weft_bus::memory::MemoryBus;

#[tokio::test(start_paused = true)]
async fn a_slow_reader_skips_to_a_key_unit_and_the_others_miss_nothing() {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new());
    let _camera = Camera::start(&bus, Setup::default()).await;
    sleep(Duration::from_millis(100)).await;
    let egress = egress(&bus);
    let mut slow = Viewer::join(&egress, &[0, 1]).await;
    let mut quick = Viewer::join(&egress, &[0, 1]).await;
    slow.watch(1000).await;
    for _ in 0..10 {
        quick.watch(1000).await;
    }
    assert!(egress.counters().reader_skips.load(Relaxed) >= 2);
    slow.drain();
    slow.assert_sound();
    let skips = slow
        .numbers(VIDEO)
        .windows(2)
        .filter(|p| p[1] != p[0] + 1)
        .count();
    assert_eq!(skips, 1, "what it missed is missing in one piece");
    // It is at most as far behind as the queue allows.
    assert!(slow.numbers(VIDEO).last().unwrap() + 3 > *quick.numbers(VIDEO).last().unwrap());
    slow.watch(3000).await;
    quick.watch(3000).await;
    slow.assert_sound();
    quick.assert_sound();
    assert!(run(&quick.numbers(VIDEO)));
    assert!(run(&quick.numbers(AUDIO)));
    let views = &egress.hubs()[0].readers;
    assert!(views[0].dropped > 0);
    assert_eq!(views[1].dropped, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_reader_costs_no_more_than_its_queue() {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new());
    let setup = Setup {
        size: 100_000,
        ..Setup::default()
    };
    let _camera = Camera::start(&bus, setup).await;
    sleep(Duration::from_millis(1900)).await;
    let egress = egress(&bus);
    let _stuck = Viewer::join(&egress, &[0, 1]).await;
    let mut quick = Viewer::join(&egress, &[0, 1]).await;
    for _ in 0..200 {
        quick.watch(100).await;
        let stuck = &egress.hubs()[0].readers[0];
        // The bound, the burst it began with, and one unit.
        assert!(
            stuck.queued_bytes < (4 << 20) + 49 * 101_000,
            "{}",
            stuck.queued_bytes
        );
        assert!(stuck.queued_units < 512 + 150);
    }
    quick.assert_sound();
    assert!(run(&quick.numbers(VIDEO)));
}
