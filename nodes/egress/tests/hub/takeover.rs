//! One publisher session after another on one name: readers go on, the loser is fenced, and only a codec change ends them.
//! Who may take a name over is the ingest's and the registry's business.

use crate::camera::*;
use crate::viewer::*;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use weft_bus::Bus;
use weft_bus::memory::MemoryBus;
use weft_egress::Egress;
use weft_wire::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

async fn scene(setup: Setup) -> (Arc<dyn Bus>, Camera, Egress, Viewer) {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new());
    let camera = Camera::start(&bus, setup).await;
    sleep(ms(100)).await;
    let egress = egress(&bus);
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    viewer.watch(1000).await;
    (bus, camera, egress, viewer)
}

fn second() -> Setup {
    Setup {
        revision: 2,
        session: 9,
        ..Setup::default()
    }
}

/// RTP ticks between two successive pictures, the second of which has number `number`.
fn step_to(viewer: &Viewer, number: u32, after: usize) -> u32 {
    let pictures = viewer.units(VIDEO);
    let at = after + pictures[after..].iter().position(|p| p.0 == number).unwrap();
    pictures[at].2.wrapping_sub(pictures[at - 1].2)
}

#[tokio::test(start_paused = true)]
async fn the_next_session_goes_on_where_the_last_one_was_and_the_loser_is_fenced() {
    let (bus, _old, egress, mut viewer) = scene(Setup::default()).await;
    let pictures = viewer.units(VIDEO).len();
    let new = Camera::start(&bus, second()).await;
    viewer.watch(2000).await;
    viewer.assert_sound();
    // The old one never stopped publishing, and none of its pictures came after the new one's first.
    let numbers = &viewer.numbers(VIDEO)[pictures..];
    assert_eq!(numbers.iter().filter(|n| **n == 0).count(), 1);
    let first = numbers.iter().position(|n| *n == 0).unwrap();
    assert!(run(&numbers[first..]));
    assert_eq!(u64::from(*numbers.last().unwrap()) + 1, new.pictures());
    assert!(egress.counters().fenced.load(Relaxed) > 50);
    assert_eq!(egress.counters().takeovers.load(Relaxed), 1);
    let hub = &egress.hubs()[0];
    assert_eq!(hub.epoch.revision, 2);
    assert_eq!(hub.session, Some(SessionId([9; 16])));
}

#[tokio::test(start_paused = true)]
async fn a_report_stands_before_the_first_packet_of_the_next_session() {
    let (bus, old, _egress, mut viewer) = scene(Setup::default()).await;
    old.vanish().await;
    viewer.watch(5000).await;
    let before = viewer.seen.len();
    let began = Instant::now();
    let _new = Camera::start(&bus, second()).await;
    viewer.watch(1000).await;
    viewer.assert_sound();
    assert!(
        viewer.seen[before].at - began < ms(50),
        "readers wait for the newcomer's pictures"
    );
    for track in [VIDEO, AUDIO] {
        let of_track = |s: &&Seen| match s.what {
            What::Unit { track: t, .. } | What::Report(t, _) => t == track,
            What::Closed(_) => true,
        };
        let mut events = viewer.seen[before..].iter().filter(of_track);
        let Some(What::Report(_, line)) = events.next().map(|s| s.what) else {
            panic!("{track:?}: no report")
        };
        let Some(What::Unit { rtp_time, .. }) = events.next().map(|s| s.what) else {
            panic!("{track:?}: no unit")
        };
        assert_eq!(line.rtp_time, rtp_time);
    }
    // Five seconds of capture time passed, and as much on the readers' clock.
    let step = step_to(&viewer, 0, 10);
    assert!((5 * 90_000..5 * 90_000 + 9_000).contains(&step), "{step}");
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_with_a_wrong_clock_neither_turns_time_back_nor_leaps() {
    for error in [-3_600_000_000, 3_600_000_000] {
        let (bus, old, _egress, mut viewer) = scene(Setup::default()).await;
        old.vanish().await;
        viewer.watch(2000).await;
        let setup = Setup {
            clock_error: error,
            ..second()
        };
        let _new = Camera::start(&bus, setup).await;
        viewer.watch(1000).await;
        viewer.assert_sound();
        let step = step_to(&viewer, 0, 10);
        assert!((1..3 * 90_000).contains(&step), "{error}: {step}");
    }
}

#[tokio::test(start_paused = true)]
async fn sound_may_come_and_go_with_the_publisher() {
    let (bus, old, egress, mut viewer) = scene(Setup::default()).await;
    old.vanish().await;
    let mute = Setup {
        audio: false,
        ..second()
    };
    let mute = Camera::start(&bus, mute).await;
    viewer.watch(1000).await;
    assert_eq!(egress.hubs()[0].tracks.len(), 1);
    mute.vanish().await;
    let setup = Setup {
        revision: 3,
        session: 5,
        ..Setup::default()
    };
    let _loud = Camera::start(&bus, setup).await;
    let before = viewer.units(AUDIO).len();
    viewer.watch(2000).await;
    viewer.assert_sound();
    assert!(viewer.units(AUDIO).len() > before + 50);
    assert_eq!(egress.hubs()[0].tracks.len(), 2);
    assert_eq!(viewer.closed(), None);
}

/// 640x360, from a real encoder, and its PPS.
const OTHER_SETS: [&[u8]; 2] = [
    &[
        0x67, 0x42, 0xc0, 0x1f, 0xa6, 0x11, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04,
        0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x60, 0xc8, 0x46,
    ],
    &[0x68, 0xc8, 0x42, 0x32, 0xc8],
];

#[tokio::test(start_paused = true)]
async fn another_resolution_goes_on_in_the_same_session_with_its_parameter_sets_in_band() {
    let (bus, old, egress, mut viewer) = scene(Setup::default()).await;
    let before = viewer.seen.len();
    old.vanish().await;
    viewer.watch(700).await;
    let setup = Setup {
        sets: OTHER_SETS,
        ..second()
    };
    let _new = Camera::start(&bus, setup).await;
    let (mut sets, end) = (Vec::new(), Instant::now() + ms(1000));
    while let Ok(event) = tokio::time::timeout_at(end, viewer.reader.next()).await {
        if let weft_rtsp_server::ReaderEvent::Block(block) = &event
            && block.key
            && block.track == VIDEO
        {
            sets.push(OTHER_SETS.map(|set| block.bytes.windows(set.len()).any(|w| w == set)));
        }
        viewer.see(&event);
    }
    viewer.assert_sound();
    assert_eq!(sets[0], [true, true], "in front of the first picture");
    assert!(viewer.units(VIDEO).len() > 45 && viewer.seen.len() > before);
    assert_eq!(viewer.closed(), None);
    assert_eq!(egress.hubs()[0].tracks[0].parameter_sets, OTHER_SETS);
}

#[tokio::test(start_paused = true)]
async fn sound_that_was_never_described_is_not_sent_and_counted() {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new());
    let mute = Setup {
        audio: false,
        ..Setup::default()
    };
    let old = Camera::start(&bus, mute).await;
    sleep(ms(100)).await;
    let egress = egress(&bus);
    let mut viewer = Viewer::join(&egress, &[0]).await;
    viewer.watch(1000).await;
    old.vanish().await;
    let _loud = Camera::start(&bus, second()).await;
    viewer.watch(2000).await;
    viewer.assert_sound();
    assert!(viewer.units(AUDIO).is_empty());
    assert!(viewer.units(VIDEO).len() > 60);
    let unread = egress.counters().unread.load(Relaxed);
    assert!((90..=101).contains(&unread), "{unread}");
    // Whoever comes now is told of it.
    let mut late = Viewer::join(&egress, &[0, 1]).await;
    late.watch(1000).await;
    assert!(late.units(AUDIO).len() > 40);
}

#[tokio::test(start_paused = true)]
async fn another_codec_on_the_same_track_closes_the_readers_with_that_reason() {
    let (bus, old, egress, mut viewer) = scene(Setup::default()).await;
    old.vanish().await;
    let setup = Setup {
        first_codec: Codec::Opus,
        ..second()
    };
    let _new = Camera::start(&bus, setup).await;
    viewer.watch(1000).await;
    assert_eq!(viewer.closed().unwrap().1, CloseReason::CodecChanged);
    assert_eq!(egress.hubs()[0].tracks[0].codec, Codec::Opus);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_claims_again_goes_on_without_a_seam() {
    // The same session and numbers under a higher epoch: a registry that lost its record.
    let (bus, old, egress, mut viewer) = scene(Setup::default()).await;
    old.raise_epoch(7);
    viewer.watch(1000).await;
    viewer.assert_sound();
    assert!(run(&viewer.numbers(VIDEO)));
    assert!(run(&viewer.numbers(AUDIO)));
    assert_eq!(egress.hubs()[0].epoch.revision, 7);
    assert_eq!(egress.counters().takeovers.load(Relaxed), 0);
    assert_eq!(egress.counters().lost.load(Relaxed), 0);
    assert_eq!(egress.counters().fenced.load(Relaxed), 0);
    // No picture came late for it, and no key unit was asked for.
    let at: Vec<Instant> = viewer.seen.iter().map(|s| s.at).collect();
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] <= ms(40)));
    assert!(old.wishes().iter().all(|wish| !wish.now));
    drop(bus);
}
