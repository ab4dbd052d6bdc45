//! Streams of made-up units: where segments and parts begin, silence, new sessions, holes, the end.
//! The playlists that come of them keep the rules of the specification.

use super::super::rules::{self, Media};
use super::super::warm::Warm;
use super::*;
use bytes::Bytes;
use mp4_atom::{Any, DecodeMaybe};
use std::io::Cursor;
use weft_wire::{Codec, Epoch, SessionId, TrackId};

const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xa6, 0x11, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04,
    0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x60, 0xc8, 0x46,
];
const PPS: &[u8] = &[0x68, 0xc8, 0x42, 0x32, 0xc8];
const OTHER_PPS: &[u8] = &[0x68, 0xc8, 0x42, 0x32, 0xc9];
const SOUND: &[u8] = &[0xf8, 1, 2, 3];
/// Now, in µs.
const NOW: u64 = 1_700_000_000_000_000;

fn track(id: u8, codec: Codec, pps: &'static [u8]) -> TrackInfo {
    let video = codec == Codec::H264;
    TrackInfo {
        id: TrackId(id),
        codec,
        clock_rate: if video { ClockRate::VIDEO } else { ClockRate::OPUS },
        channels: if video { 0 } else { 2 },
        parameter_sets: if video {
            vec![SPS.into(), pps.into()]
        } else {
            vec![]
        },
        width: 640,
        height: 360,
    }
}

fn description(session: u8, tracks: Vec<TrackInfo>) -> Arc<Description> {
    Arc::new(Description {
        session: Some(SessionId([session; 16])),
        epoch: Epoch::default(),
        tracks,
    })
}

fn both() -> Vec<TrackInfo> {
    vec![track(0, Codec::H264, PPS), track(1, Codec::Opus, PPS)]
}

fn shape() -> Shape {
    Shape {
        segment: Duration::from_secs(1),
        part: Some(Duration::from_millis(200)),
        listed: 7,
        max_bytes: 50 << 20,
        keyframe_interval: Duration::from_secs(2),
    }
}

fn picture(micros: i64, key: bool) -> TapUnit {
    let nal = if key { [0x65, 1, 2] } else { [0x41, 1, 2] };
    let ticks = ClockRate::VIDEO.micros_to_ticks(micros);
    TapUnit {
        track: TrackId(0),
        kind: MediaKind::Video,
        key,
        pts: ticks,
        dts: ticks,
        capture: CaptureTime(NOW as i64 + micros),
        data: [&[0, 0, 0, 3][..], &nal].concat().into(),
    }
}

fn sound(micros: i64) -> TapUnit {
    let ticks = ClockRate::OPUS.micros_to_ticks(micros);
    TapUnit {
        track: TrackId(1),
        kind: MediaKind::Audio,
        key: false,
        pts: ticks,
        dts: ticks,
        capture: CaptureTime(NOW as i64 + micros),
        data: Bytes::from_static(SOUND),
    }
}

/// Plays units into a stream.
struct Play {
    warm: Option<Warm>,
    stream: Option<Stream>,
    before: Vec<(&'static str, Media)>,
}

impl Play {
    fn new(shape: Shape, description: &Arc<Description>) -> Self {
        let mut warm = Warm::new(shape, "t".to_owned());
        warm.describe(Arc::clone(description));
        Self {
            warm: Some(warm),
            stream: None,
            before: Vec::new(),
        }
    }

    fn push(&mut self, unit: TapUnit) {
        match (&mut self.stream, &mut self.warm) {
            (Some(stream), _) => stream.push(&unit),
            (None, Some(warm)) => self.stream = warm.push(Arc::new(unit), NOW),
            (None, None) => unreachable!("it has one of them"),
        }
        self.check();
    }

    /// Pictures at this rate with a key unit every `gop` of them and sound beside them, where it is on.
    fn pictures(&mut self, from: i64, count: i64, fps: i64, gop: i64, with_sound: bool) -> i64 {
        let mut sounded = from;
        for n in 0..count {
            let at = from + n * 1_000_000 / fps;
            while with_sound && sounded <= at {
                self.push(sound(sounded));
                sounded += 20_000;
            }
            self.push(picture(at, n % gop == 0));
        }
        from + count * 1_000_000 / fps
    }

    fn media(&self, name: &str) -> Option<Media> {
        let text = self.stream.as_ref()?.media(name, "")?;
        Some(rules::parse(&text).unwrap_or_else(|fault| panic!("{fault}\n{text}")))
    }

    /// Every playlist is true, and makes none before it untrue.
    fn check(&mut self) {
        for name in ["video", "audio"] {
            let Some(now) = self.media(name).filter(|media| !media.segments.is_empty()) else {
                continue;
            };
            assert_eq!(now.faults(), [""; 0], "{name}: {now:#?}");
            match self.before.iter_mut().find(|(n, _)| *n == name) {
                Some((_, before)) => {
                    assert_eq!(now.faults_after(before), [""; 0], "{name}");
                    *before = now;
                }
                None => self.before.push((name, now)),
            }
        }
    }

    /// Decoding times and lengths of all samples of a rendition, from its files.
    fn samples(&self, name: &str) -> Vec<(i64, i64)> {
        let rendition = self.stream.as_ref().unwrap().rendition(name).unwrap();
        let mut all = Vec::new();
        for number in 0..rendition.next_part() {
            let super::super::rendition::Found::Here(bytes) = rendition.part(number) else {
                continue;
            };
            let mut at = Cursor::new(&bytes[..]);
            while let Some(any) = Any::decode_maybe(&mut at).unwrap() {
                let Any::Moof(moof) = any else { continue };
                let mut time = moof.traf[0].tfdt.as_ref().unwrap().base_media_decode_time as i64;
                for entry in moof.traf[0].trun[0].samples.iter() {
                    let lasts = i64::from(entry.duration.unwrap());
                    all.push((time, lasts));
                    time += lasts;
                }
            }
        }
        all
    }
}

#[test]
fn segments_begin_with_key_units_and_parts_fit_their_target_at_every_usual_frame_rate() {
    for fps in [5, 10, 15, 24, 25, 30, 50, 60] {
        let mut play = Play::new(shape(), &description(1, both()));
        play.pictures(0, 12 * fps, fps, 2 * fps, true);
        let video = play.media("video").unwrap();
        assert!(video.segments.len() >= 5, "{fps}: {video:#?}");
        assert!(video.independent);
        assert_eq!(video.target, 3);
        assert!(
            video
                .segments
                .iter()
                .all(|s| s.uri.is_empty() || s.duration == 2.0)
        );
        let target = video.part_target.unwrap();
        assert!((0.2..=0.34).contains(&target), "{fps}: {target}");
    }
}

#[test]
fn times_that_jitter_as_a_camera_s_make_parts_that_fit() {
    let mut play = Play::new(shape(), &description(1, both()));
    let mut at = 0;
    for n in 0..300_i64 {
        // 30 a second, in whole milliseconds, some a little late.
        at = n * 1000 / 30 + (n * 7919 % 5 - 2);
        play.push(picture(at * 1000, n % 60 == 0));
    }
    assert!(at > 9_000 && play.media("video").unwrap().segments.len() >= 4);
}

#[test]
fn every_unit_is_in_exactly_one_part_at_its_time() {
    let mut play = Play::new(shape(), &description(1, both()));
    play.pictures(0, 100, 25, 50, true);
    let all = play.samples("video");
    // The newest one waits for the next, to know how long it lasts; the running part is not told yet.
    assert!(all.len() > 90);
    for (n, (time, lasts)) in all.iter().enumerate() {
        assert_eq!(*time, 900_000 + n as i64 * 3600);
        assert_eq!(*lasts, 3600);
    }
}

#[test]
fn a_microphone_that_is_off_delays_nobody_and_sound_has_no_holes() {
    let mut play = Play::new(shape(), &description(1, both()));
    let at = play.pictures(0, 100, 25, 50, false);
    let at = play.pictures(at, 100, 25, 50, true);
    play.pictures(at, 100, 25, 50, false);
    let (video, audio) = (play.media("video").unwrap(), play.media("audio").unwrap());
    let all = play.samples("audio");
    for pair in all.windows(2) {
        assert_eq!(pair[0].0 + pair[0].1, pair[1].0, "a hole");
    }
    let (first, last) = (all[0].0, all.last().unwrap());
    assert_eq!(first, 480_000);
    assert!(
        last.0 + last.1 - first > 48_000 * 11,
        "sound is behind the pictures"
    );
    assert_eq!(video.sequence, audio.sequence);
    let msn = |media: &Media| {
        media
            .segments
            .iter()
            .filter(|s| !s.uri.is_empty())
            .map(|s| s.msn)
            .max()
    };
    assert!(msn(&video).unwrap() - msn(&audio).unwrap() <= 1);
}

#[test]
fn another_session_is_a_discontinuity_in_both_renditions_and_the_numbers_go_on() {
    let mut play = Play::new(shape(), &description(1, both()));
    let at = play.pictures(0, 100, 25, 50, true);
    // Nobody for 7 s, then another publisher with other parameter sets.
    let other = description(
        2,
        vec![track(0, Codec::H264, OTHER_PPS), track(1, Codec::Opus, PPS)],
    );
    assert!(play.stream.as_mut().unwrap().describe(&other));
    play.pictures(at + 7_000_000, 150, 25, 50, true);
    for name in ["video", "audio"] {
        let media = play.media(name).unwrap();
        let joints: Vec<&rules::Segment> = media.segments.iter().filter(|s| s.discontinuity).collect();
        let [joint] = joints[..] else {
            panic!("{name}: {media:#?}")
        };
        let before = media.segments.iter().find(|s| s.msn + 1 == joint.msn).unwrap();
        assert_eq!(joint.map != before.map, name == "video", "{name}");
        let away = joint.date.unwrap() - before.date.unwrap();
        assert!((8_000..10_000).contains(&away), "{name}: {away}");
    }
    let ids = |name| {
        let media = play.media(name).unwrap();
        media.segments.iter().find(|s| s.discontinuity).map(|s| s.msn)
    };
    assert_eq!(ids("video"), ids("audio"));
}

#[test]
fn a_hole_in_the_pictures_of_one_session_is_a_discontinuity_too() {
    let mut play = Play::new(shape(), &description(1, both()));
    let at = play.pictures(0, 100, 25, 50, true);
    play.pictures(at + 4_000_000, 100, 25, 50, true);
    let joints = play
        .media("video")
        .unwrap()
        .segments
        .iter()
        .filter(|s| s.discontinuity)
        .count();
    assert_eq!(joints, 1);
}

#[test]
fn a_publisher_that_sends_no_key_units_gets_segments_all_the_same_and_the_playlist_says_so() {
    let mut play = Play::new(shape(), &description(1, both()));
    play.pictures(0, 250, 25, 1000, true);
    let media = play.media("video").unwrap();
    assert!(!media.independent);
    assert!(media.segments.len() >= 3, "{media:#?}");
}

#[test]
fn the_bytes_of_a_segment_are_bounded() {
    let small = Shape {
        max_bytes: 200,
        ..shape()
    };
    let mut play = Play::new(small, &description(1, both()));
    play.pictures(0, 100, 25, 50, false);
    let stream = play.stream.as_ref().unwrap();
    let rendition = stream.rendition("video").unwrap();
    assert!(
        rendition
            .listed()
            .all(|segment| segment.parts.iter().map(|p| p.bytes.len()).sum::<usize>() < 10_000)
    );
    assert!(
        play.media("video")
            .unwrap()
            .segments
            .iter()
            .any(|s| s.duration > 0.0 && s.duration < 2.0)
    );
}

#[test]
fn sound_alone_is_a_stream() {
    let mut play = Play::new(shape(), &description(1, vec![track(1, Codec::Opus, PPS)]));
    for n in 0..500 {
        play.push(sound(n * 20_000));
    }
    let media = play.media("audio").unwrap();
    assert!(media.segments.len() >= 7);
    let list = play.stream.as_ref().unwrap().multivariant("");
    assert!(list.contains("CODECS=\"opus\"\naudio.m3u8"), "{list}");
    // With pictures it is another list of renditions: players begin anew.
    assert!(!play.stream.as_mut().unwrap().describe(&description(2, both())));
}

#[test]
fn the_end_is_told_and_everything_is_whole_by_then() {
    let mut play = Play::new(shape(), &description(1, both()));
    play.pictures(0, 80, 25, 50, true);
    play.stream.as_mut().unwrap().end();
    for name in ["video", "audio"] {
        let media = play.media(name).unwrap();
        assert!(media.ended && media.hint.is_none());
        assert!(media.segments.iter().all(|s| !s.uri.is_empty()));
    }
    assert_eq!(play.samples("video").len(), 80);
}

#[test]
fn a_later_playlist_of_the_same_stream_has_higher_numbers() {
    let first = |now| {
        let mut warm = Warm::new(shape(), "t".to_owned());
        warm.describe(description(1, both()));
        let mut stream = None;
        for n in 0..12 {
            stream = stream.or(warm.push(Arc::new(picture(n * 40_000, n == 0)), now));
        }
        stream.unwrap().rendition("video").unwrap().next_msn()
    };
    assert_eq!(first(NOW + 60_000_000) - first(NOW), 60);
}
