//! Playlists against the rules of the specification, as segments come and go. Their text is compared word by word only where no
//! rule says what it must be.

use super::super::rendition::{Found, Part, Targets};
use super::super::rules;
use super::*;
use bytes::Bytes;
use weft_wire::CaptureTime;

fn targets(part: Option<u64>) -> Targets {
    Targets {
        segment: 3,
        part: part.map(Duration::from_millis),
        listed: 3,
    }
}

fn part(millis: u64, independent: bool) -> Part {
    Part {
        duration: Duration::from_millis(millis),
        independent,
        bytes: Bytes::from_static(b"part"),
    }
}

/// A rendition with so many whole segments of a second each, from MSN 100 on.
fn rendition(whole: u64, targets: Targets) -> Rendition {
    let mut of = Rendition::new("video", "t", targets, 100);
    of.map(Bytes::from_static(b"init"));
    for n in 0..whole {
        of.begin(CaptureTime(n as i64 * 1_000_000), false);
        for at in 0..5 {
            assert!(of.push(part(200, at == 0)));
        }
    }
    of.close();
    of
}

fn checked(of: &Rendition) -> rules::Media {
    let text = media(of, &[], "");
    let playlist = rules::parse(&text).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
    assert_eq!(playlist.faults(), [""; 0], "{text}");
    playlist
}

#[test]
fn the_newest_segments_are_listed_with_their_parts_and_the_next_part_is_hinted_at() {
    let mut of = rendition(5, targets(Some(200)));
    of.begin(CaptureTime(5_000_000), false);
    of.push(part(200, true));
    let playlist = checked(&of);
    assert_eq!(playlist.sequence, 102);
    let names: Vec<&str> = playlist.segments.iter().map(|s| &*s.uri).collect();
    assert_eq!(
        names,
        [
            "video_t_seg102.mp4",
            "video_t_seg103.mp4",
            "video_t_seg104.mp4",
            ""
        ]
    );
    assert_eq!(playlist.segments[3].parts[0].uri, "video_t_part25.mp4");
    assert_eq!(playlist.hint.as_deref(), Some("video_t_part26.mp4"));
    assert_eq!(of.last(), Some((105, 0)));
}

#[test]
fn as_segments_come_and_go_nothing_that_was_told_becomes_untrue() {
    let mut of = rendition(1, targets(Some(200)));
    let mut before = checked(&of);
    for n in 1..20 {
        // Each fourth segment begins anew.
        of.begin(CaptureTime(n * 1_000_000), n % 4 == 0);
        for at in 0..5 {
            of.push(part(if at == 4 { 100 } else { 200 }, at == 0));
            let now = rules::parse(&media(&of, &[], "")).unwrap();
            assert_eq!(now.faults_after(&before), [""; 0]);
            before = now;
        }
    }
    of.end();
    let last = rules::parse(&media(&of, &[], "")).unwrap();
    assert!(last.ended && last.hint.is_none());
    assert!(last.discontinuity_sequence > 0);
}

#[test]
fn without_parts_only_whole_segments_are_told() {
    let mut of = rendition(2, targets(None));
    of.begin(CaptureTime(2_000_000), false);
    of.push(part(200, true));
    let text = media(&of, &[], "");
    assert!(!text.contains("PART"), "{text}");
    assert_eq!(checked(&of).segments.len(), 2);
}

#[test]
fn a_request_waits_for_what_comes_next_and_is_refused_what_is_far_ahead() {
    let mut of = rendition(2, targets(Some(200)));
    of.begin(CaptureTime(2_000_000), false);
    of.push(part(200, true));
    assert_eq!(of.reaches(101, None), Found::Here(()));
    assert_eq!(of.reaches(102, Some(0)), Found::Here(()));
    for soon in [(102, Some(1)), (102, None), (103, Some(0)), (104, None)] {
        assert_eq!(of.reaches(soon.0, soon.1), Found::Soon, "{soon:?}");
    }
    assert_eq!(of.reaches(105, None), Found::No);
    assert_eq!(of.part(10), Found::Here(Bytes::from_static(b"part")));
    assert_eq!(of.part(11), Found::Soon);
    assert_eq!(of.part(12), Found::No);
    assert_eq!(of.segment(101).map(|pieces| pieces.len()), Some(5));
    assert_eq!(of.segment(102), None);
    of.end();
    assert_eq!(of.part(11), Found::No);
    assert_eq!(
        of.reaches(104, None),
        Found::Here(()),
        "an ended playlist is what it is"
    );
}

#[test]
fn what_is_kept_is_bounded_and_outlives_its_place_in_the_list() {
    let of = rendition(50, targets(Some(200)));
    assert_eq!(checked(&of).sequence, 147);
    assert!(of.segment(143).is_some() && of.segment(142).is_none());
}

#[test]
fn every_url_carries_the_query_and_other_renditions_are_reported() {
    let (of, other) = (rendition(3, targets(Some(200))), rendition(4, targets(Some(200))));
    let text = media(&of, &[&other], "?token=a");
    let playlist = rules::parse(&text).unwrap();
    assert_eq!(playlist.reports, [("video.m3u8?token=a".to_owned(), 103, 4)]);
    let urls = text.matches("mp4").count();
    assert_eq!(text.matches("mp4?token=a").count(), urls);
}

#[test]
fn the_multivariant_playlist_offers_pictures_with_sound_and_without() {
    let pictures = Offered {
        codec: "avc1.42e01f".to_owned(),
        rate: (2_000_000, 1_500_000),
        size: (640, 360),
        frames: 29_970,
        channels: 1,
    };
    let sound = Offered {
        codec: "opus".to_owned(),
        rate: (100_000, 90_000),
        size: (0, 0),
        frames: 0,
        channels: 2,
    };
    let text = multivariant(Some(&pictures), Some(&sound), "?a=b");
    let expected = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"sound\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"audio.m3u8?a=b\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=2100000,AVERAGE-BANDWIDTH=1590000,CODECS=\"avc1.42e01f,opus\",RESOLUTION=640x360,FRAME-RATE=29.970,AUDIO=\"sound\"\n\
        video.m3u8?a=b\n\
        #EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1500000,CODECS=\"avc1.42e01f\",RESOLUTION=640x360,FRAME-RATE=29.970\n\
        video.m3u8?a=b\n";
    assert_eq!(text, expected);
    let sound_alone = multivariant(None, Some(&sound), "");
    assert!(
        sound_alone.ends_with("CODECS=\"opus\"\naudio.m3u8\n"),
        "{sound_alone}"
    );
}

#[test]
fn a_file_s_name_says_what_it_is() {
    assert_eq!(
        parse("video_1f_seg12.mp4"),
        Some(("video", "1f", File::Segment(12)))
    );
    assert_eq!(parse("audio_1f_part0.mp4"), Some(("audio", "1f", File::Part(0))));
    assert_eq!(parse("video_1f_init3.mp4"), Some(("video", "1f", File::Init(3))));
    for no in [
        "video.mp4",
        "video_1f_seg.mp4",
        "video_1f_seg-1.mp4",
        "video_1f_seg1",
        "video_1f_xyz1.mp4",
    ] {
        assert_eq!(parse(no), None, "{no}");
    }
}
