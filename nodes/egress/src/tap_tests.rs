//! Taps: what they begin with, and that one which is too slow loses whole groups and nothing else.
//! Taps of a live hub are tested with the HLS muxer.

use super::*;
use crate::gop::GopCache;
use crate::timeline::Position;
use crate::unpack;
use tokio::time::Instant;
use weft_rtp::Packetiser;

const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xa6, 0x11, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04,
    0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x60, 0xc8, 0x46,
];
const PPS: &[u8] = &[0x68, 0xc8, 0x42, 0x32, 0xc8];

fn description() -> Arc<Description> {
    Arc::new(Description {
        session: None,
        epoch: Epoch::default(),
        tracks: vec![],
    })
}

fn queue(burst: Vec<TapUnit>) -> TapQueue {
    let spec = TapSpec {
        id: Uuid::from_u128(1),
        kind: "test",
    };
    TapQueue::new(spec, Arc::default(), description(), burst)
}

fn unit(n: i64, key: bool, bytes: usize) -> TapUnit {
    TapUnit {
        track: TrackId(0),
        kind: MediaKind::Video,
        key,
        pts: n,
        dts: n,
        capture: CaptureTime(n),
        data: vec![0; bytes].into(),
    }
}

fn taken(queue: &TapQueue) -> Vec<i64> {
    let mut all = Vec::new();
    while let Some(event) = queue.take() {
        match event {
            TapEvent::Unit(unit) => all.push(unit.dts),
            TapEvent::Described(_) => {}
            TapEvent::Closed(_) => break,
        }
    }
    all
}

#[test]
fn a_tap_begins_with_a_description_and_the_group_or_with_the_next_key_unit() {
    let with = queue(vec![unit(0, true, 1), unit(1, false, 1)]);
    assert!(matches!(with.take(), Some(TapEvent::Described(_))));
    with.push(&Arc::new(unit(2, false, 1)));
    assert_eq!(taken(&with), [0, 1, 2]);
    let without = queue(vec![]);
    for (n, key) in [(0, false), (1, true), (2, false)] {
        without.push(&Arc::new(unit(n, key, 1)));
    }
    assert_eq!(taken(&without), [1, 2]);
    assert_eq!(without.traffic().2, 1);
}

#[test]
fn a_tap_that_does_not_take_skips_to_a_later_key_unit_and_what_it_missed_is_counted() {
    let slow = queue(vec![unit(0, true, 1)]);
    let group = 100;
    let all = MAX_UNITS as i64 + 200;
    for n in 1..all {
        slow.push(&Arc::new(unit(n, n % group == 0, 1000)));
        assert!(slow.traffic().3 <= MAX_UNITS + 1);
    }
    let left = taken(&slow);
    assert_eq!(left[0] % group, 0, "it goes on at a key unit");
    assert!(left.windows(2).all(|pair| pair[1] == pair[0] + 1), "{left:?}");
    assert_eq!(slow.traffic().2, left[0] as u64);
    assert_eq!(*left.last().unwrap(), all - 1);
}

#[test]
fn what_is_queued_is_taken_before_the_end_is_told() {
    let queue = queue(vec![unit(0, true, 1)]);
    assert!(queue.close(CloseReason::StreamEnded));
    assert!(!queue.close(CloseReason::Kicked));
    queue.push(&Arc::new(unit(1, true, 1)));
    assert_eq!(taken(&queue), [0]);
    assert!(matches!(
        queue.take(),
        Some(TapEvent::Closed(CloseReason::StreamEnded))
    ));
}

#[tokio::test(start_paused = true)]
async fn the_units_of_the_cached_group_come_back_from_its_packets_as_they_were() {
    let nals = |nals: &[&[u8]]| -> Vec<u8> {
        let with_length = |nal: &&[u8]| [&(nal.len() as u32).to_be_bytes()[..], nal].concat();
        nals.iter().flat_map(with_length).collect()
    };
    let long: Vec<u8> = [0x65].into_iter().chain((0..5000).map(|n| n as u8)).collect();
    let pictures = [
        nals(&[SPS, PPS, &long]),
        nals(&[&[0x41, 1, 2, 3]]),
        nals(&[&[0x41; 3000]]),
    ];
    let sound = [0xf8, 0xff, 0xfe];
    let (mut video, mut audio) = (
        Packetiser::h264(TrackId(0), 96, 1, 1200),
        Packetiser::opus(TrackId(1), 97, 2),
    );
    let (mut gop, now) = (GopCache::default(), Instant::now());
    for (n, picture) in pictures.iter().enumerate() {
        let at = (Position(n as i64 * 3000), Position(n as i64 * 3000 - 10));
        let block = Arc::new(video.packetise(picture, n == 0, n as u32 * 3000));
        gop.push(now, &block, at, MediaKind::Video);
        let block = Arc::new(audio.packetise(&sound, false, 0));
        gop.push(now, &block, at, MediaKind::Audio);
    }
    let units = unpack::units(gop.units(), |cached| Some(CaptureTime(cached.position.0)));
    let data: Vec<&[u8]> = units.iter().map(|unit| &unit.data[..]).collect();
    assert_eq!(
        data,
        [
            &pictures[0][..],
            &sound,
            &pictures[1],
            &sound,
            &pictures[2],
            &sound
        ]
    );
    let keys: Vec<bool> = units.iter().map(|unit| unit.key).collect();
    assert_eq!(keys, [true, false, false, false, false, false]);
    assert_eq!((units[2].pts, units[2].dts), (3000, 2990));
}
