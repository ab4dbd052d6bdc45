//! The line under what publishers do to it: sessions, wrong clocks, leaps, wraps and reordered pictures.
//! Positions are checked against plain arithmetic, not against the code under test.

use super::*;
use weft_wire::{CaptureSource, GopSeq, MediaTime, SentTime, UnitFlags, UnitSeq};

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);
const UTC: i64 = 1_700_000_000_000_000;

struct Scene {
    line: Timeline,
    start: Instant,
}

fn unit(track: TrackId, pts: i64, dts: i64, capture: i64) -> AccessUnit {
    AccessUnit {
        track,
        seq: UnitSeq(0),
        gop: GopSeq(0),
        pts: MediaTime(pts),
        dts: MediaTime(dts),
        capture: CaptureTime(capture),
        capture_source: CaptureSource::Arrival,
        capture_offset: 0,
        sent: SentTime(0),
        flags: UnitFlags::default(),
        data: bytes::Bytes::new(),
    }
}

impl Scene {
    fn new(base: u32) -> Self {
        let mut line = Timeline::default();
        line.track(VIDEO, ClockRate::VIDEO, MediaKind::Video, base);
        line.track(AUDIO, ClockRate::OPUS, MediaKind::Audio, base);
        line.told();
        Self {
            line,
            start: Instant::now(),
        }
    }

    /// A unit of this media time (µs since its session began, which its clock calls `zero`), captured at `capture`.
    fn put(&mut self, at_ms: u64, track: TrackId, zero: i64, media: i64, capture: i64) -> Placed {
        let rate = if track == VIDEO {
            ClockRate::VIDEO
        } else {
            ClockRate::OPUS
        };
        let ticks = zero + rate.micros_to_ticks(media);
        let now = self.start + Duration::from_millis(at_ms);
        self.line.place(now, &unit(track, ticks, ticks, capture)).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn within_a_session_rtp_time_follows_the_media_clock_exactly_and_through_the_wrap() {
    let mut s = Scene::new(u32::MAX - 100_000);
    for i in 0..100 {
        // Arrival times jitter by 15 ms; RTP time does not.
        let jitter = (i * 7919) % 15_000;
        let placed = s.put(
            i as u64 * 40,
            VIDEO,
            5_000_000,
            i * 40_000,
            UTC + i * 40_000 + jitter,
        );
        assert_eq!(
            placed.rtp_time,
            (u32::MAX - 100_000).wrapping_add(i as u32 * 3600)
        );
        assert_eq!(placed.joint, i == 0);
    }
}

#[tokio::test(start_paused = true)]
async fn sound_and_picture_of_one_instant_lie_at_one_instant_of_the_line() {
    let mut s = Scene::new(0);
    s.put(0, VIDEO, 0, 0, UTC);
    let sound = s.put(100, AUDIO, 77_777, 0, UTC + 100_000);
    assert_eq!(sound.position, Position(4800));
    let line = s.line.line(AUDIO, sound.position).unwrap();
    assert_eq!((line.rtp_time, line.capture.0), (4800, UTC + 100_000));
}

#[tokio::test(start_paused = true)]
async fn the_first_reader_is_told_the_best_capture_time_known_not_the_way_to_it() {
    let mut s = Scene::new(0);
    s.line.told = false;
    // The oldest units of the group were stamped on arrival, 30 ms late; then the publisher's reports were there.
    for i in 0..10_i64 {
        let late = if i < 5 { 30_000 } else { 0 };
        s.put(i as u64 * 40, VIDEO, 0, i * 40_000, UTC + i * 40_000 + late);
    }
    s.line.told();
    assert_eq!(s.line.line(VIDEO, Position(0)).unwrap().capture.0, UTC);
    // From then on it moves slowly.
    s.put(400, VIDEO, 0, 400_000, UTC + 430_000);
    assert_eq!(s.line.line(VIDEO, Position(0)).unwrap().capture.0, UTC + 40);
}

#[tokio::test(start_paused = true)]
async fn a_better_capture_source_moves_utc_by_a_millisecond_per_second_and_rtp_not_at_all() {
    let mut s = Scene::new(0);
    let mut worst = 0;
    let mut before = UTC;
    for i in 0..2500_i64 {
        // From the second second on, the true capture time is known to be 60 ms earlier.
        let capture = UTC + i * 40_000 - if i >= 25 { 60_000 } else { 0 };
        let placed = s.put(i as u64 * 40, VIDEO, 0, i * 40_000, capture);
        assert_eq!(placed.position, Position(i * 3600));
        let zero = s.line.line(VIDEO, Position(0)).unwrap().capture.0;
        worst = worst.max((zero - before).abs());
        before = zero;
    }
    assert_eq!(worst, 40, "µs per 40 ms");
    assert_eq!(before, UTC - 60_000);
}

#[tokio::test(start_paused = true)]
async fn the_next_session_joins_at_its_capture_time_or_right_after_the_last_unit() {
    let mut s = Scene::new(0);
    for i in 0..=25 {
        s.put(i * 40, VIDEO, 0, i as i64 * 40_000, UTC + i as i64 * 40_000);
        s.put(i * 40, AUDIO, 0, i as i64 * 40_000, UTC + i as i64 * 40_000);
    }
    // Two seconds later by its capture clock, which is the readers' time too.
    s.line.begin_session();
    let placed = s.put(3000, VIDEO, -9, 0, UTC + 3_000_000);
    assert_eq!((placed.position, placed.joint), (Position(270_000), true));
    // At once, and its clock is 300 ms behind: both tracks are moved by the same amount.
    s.line.begin_session();
    let picture = s.put(3040, VIDEO, 1 << 40, 0, UTC + 2_700_000);
    assert_eq!(picture.position, Position(270_000 + 3600));
    let sound = s.put(3040, AUDIO, 4, 0, UTC + 2_700_000);
    assert_eq!(sound.position, Position(3_040_000 * 48 / 1000));
    // The report in front is on the line the readers know: FFmpeg takes its times from it, and they must not turn back.
    let joint = s.line.line(VIDEO, picture.position).unwrap().capture.0;
    assert_eq!(joint, UTC + 3_040_000);
    // From there the line comes to meet the newcomer's clock, a millisecond in a second.
    for i in 1..=250 {
        let capture = UTC + 2_700_000 + i as i64 * 40_000;
        s.put(3040 + i * 40, VIDEO, 1 << 40, i as i64 * 40_000, capture);
    }
    let later = s.line.newest(VIDEO).unwrap().capture.0;
    assert_eq!(later, UTC + 3_040_000 + 10_000_000 - 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_whose_clock_is_an_hour_ahead_joins_where_the_readers_are() {
    let mut s = Scene::new(0);
    s.put(0, VIDEO, 0, 0, UTC);
    s.line.begin_session();
    let placed = s.put(2000, VIDEO, 0, 0, UTC + 3_600_000_000);
    assert_eq!(placed.position, Position(180_000));
    let next = s.put(2040, VIDEO, 0, 40_000, UTC + 3_600_040_000);
    assert_eq!(next.position, Position(183_600));
}

#[tokio::test(start_paused = true)]
async fn media_time_that_leaps_or_falls_is_joined_anew_without_turning_back() {
    let mut s = Scene::new(0);
    s.put(0, VIDEO, 0, 0, UTC);
    let leapt = s.put(40, VIDEO, 0, 3_600_000_000, UTC + 40_000);
    assert_eq!((leapt.position, leapt.joint), (Position(3600), true));
    let fallen = s.put(80, VIDEO, 0, 40_000, UTC + 80_000);
    assert_eq!((fallen.position, fallen.joint), (Position(7200), true));
    // A long pause of both clocks is only a pause.
    let paused = s.put(60_080, VIDEO, 0, 60_040_000, UTC + 60_080_000);
    assert_eq!((paused.position, paused.joint), (Position(60_080 * 90), false));
}

#[tokio::test(start_paused = true)]
async fn reordered_pictures_keep_their_places_and_decoding_time_rises() {
    let mut s = Scene::new(0);
    let now = s.start;
    // I P B B: shown 0 3 1 2, decoded one frame ahead each.
    let shown = [0, 3, 1, 2, 6, 4, 5];
    for (decoded, shown) in shown.iter().enumerate() {
        let dts = decoded as i64 * 3600 - 3600;
        let placed = s
            .line
            .place(now, &unit(VIDEO, shown * 3600, dts, UTC + shown * 40_000));
        assert_eq!(placed.unwrap().position, Position(shown * 3600), "{decoded}");
    }
    s.line.begin_session();
    let joined = s.line.place(now, &unit(VIDEO, 0, -3600, UTC)).unwrap();
    // Decoded after the last one was (at 5 frames), shown a frame later.
    assert_eq!(joined.position, Position(5 * 3600 + 3600 + 3600));
}

#[tokio::test(start_paused = true)]
async fn a_track_that_has_not_spoken_is_expected_where_the_others_are() {
    let mut s = Scene::new(1000);
    let now = s.start;
    let nothing = s.line.expected(AUDIO, now, CaptureTime(UTC)).unwrap();
    assert_eq!((nothing.rtp_time, nothing.capture.0), (1000, UTC));
    s.put(0, VIDEO, 0, 0, UTC);
    s.put(40, VIDEO, 0, 40_000, UTC + 40_000);
    let silent = s
        .line
        .expected(AUDIO, now + Duration::from_millis(1040), CaptureTime(0))
        .unwrap();
    assert_eq!(
        (silent.rtp_time, silent.capture.0),
        (1000 + 1040 * 48, UTC + 1_040_000)
    );
    let flowing = s
        .line
        .expected(VIDEO, now + Duration::from_millis(50), CaptureTime(0))
        .unwrap();
    assert_eq!((flowing.rtp_time, flowing.capture.0), (1000 + 7200, UTC + 80_000));
}

#[tokio::test(start_paused = true)]
async fn whatever_sessions_do_decoding_time_rises_on_every_track() {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    for seed in 0..200 {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut s = Scene::new(dice.random());
        let mut last = [i64::MIN; 2];
        let mut at = 0;
        for _ in 0..dice.random_range(1..8) {
            s.line.begin_session();
            let error = dice.random_range(-10_000_000..10_000_000_i64);
            let zero = dice.random_range(-1_000_000_000..1_000_000_000_i64);
            let mut media = 0;
            for _ in 0..dice.random_range(1..60) {
                let step = dice.random_range(1..80_u64);
                at += step;
                media += dice.random_range(0..2) * step as i64 * 1000 + dice.random_range(-50_000..51_000);
                let track = TrackId(dice.random_range(0..2));
                let placed = s.put(at, track, zero, media, UTC + at as i64 * 1000 + error);
                let before = &mut last[usize::from(track.0)];
                assert!(placed.position.0 > *before, "seed {seed}");
                *before = placed.position.0;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn times_made_to_overflow_something_do_not() {
    use rand::{Rng, SeedableRng};
    let mut dice = rand::rngs::StdRng::seed_from_u64(3);
    let extremes = [
        i64::MIN,
        i64::MIN + 1,
        -1,
        0,
        1,
        i64::MAX - 1,
        i64::MAX,
        1 << 52,
        -(1 << 52),
        (1 << 52) - 1,
    ];
    let start = Instant::now();
    for walk in 0..200 {
        let mut s = Scene::new(walk);
        let mut placed = 0;
        for step in 0..500 {
            let mut any = |reasonable: i64| match dice.random_range(0..3) {
                0 => extremes[dice.random_range(0..extremes.len())],
                1 => dice.random_range(-(1_i64 << 52)..1 << 52),
                _ => reasonable,
            };
            let media = i64::from(step) * 3600;
            let unit = unit(VIDEO, any(media), any(media), any(UTC + media));
            let now = start + Duration::from_millis(u64::from(step as u32) * 40);
            if let Some(at) = s.line.place(now, &unit) {
                placed += 1;
                assert!(s.line.line(VIDEO, at.position).is_some());
            }
            for track in [VIDEO, AUDIO] {
                _ = (
                    s.line.newest(track),
                    s.line.expected(track, now, CaptureTime(UTC)),
                );
            }
            if step % 50 == 0 {
                s.line.begin_session();
            }
        }
        assert!(placed > 50, "{placed}");
    }
}
