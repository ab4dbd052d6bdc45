//! What readers get, checked by an independent parser, and that our own reads it back.
//! Real servers' descriptions stand in for publishers that will be pulled one day.

use super::*;

fn video(sets: &[&'static [u8]]) -> TrackInfo {
    TrackInfo {
        id: TrackId(0),
        codec: Codec::H264,
        clock_rate: ClockRate::VIDEO,
        channels: 0,
        parameter_sets: sets.iter().map(|s| Bytes::from_static(s)).collect(),
        width: if sets.is_empty() { 0 } else { 1280 },
        height: if sets.is_empty() { 0 } else { 720 },
    }
}

fn audio(channels: u8) -> TrackInfo {
    TrackInfo {
        id: TrackId(1),
        codec: Codec::Opus,
        clock_rate: ClockRate::OPUS,
        channels,
        parameter_sets: vec![],
        width: 0,
        height: 0,
    }
}

const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe8];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

#[test]
fn a_description_reads_as_its_readers_expect() {
    let name = StreamName::new("cam/1").unwrap();
    assert_eq!(
        description(&[video(&[SPS, PPS]), audio(2)], &name, 42),
        "v=0\r\no=- 42 1 IN IP4 127.0.0.1\r\ns=cam/1\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\na=range:npt=now-\r\n\
         m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=42C01F;\
         sprop-parameter-sets=Z0LAH9oBQBbo,aM48gA==\r\na=control:trackID=0\r\n\
         m=audio 0 RTP/AVP 97\r\na=rtpmap:97 opus/48000/2\r\na=fmtp:97 sprop-stereo=1\r\na=control:trackID=1\r\n"
    );
}

#[test]
fn an_independent_parser_finds_every_line() {
    let name = StreamName::new("demo").unwrap();
    let text = description(&[video(&[SPS, PPS]), audio(1)], &name, u64::MAX);
    let session = sdp_types::Session::parse(text.as_bytes()).unwrap();
    assert_eq!(session.session_name, "demo");
    assert_eq!(session.get_first_attribute_value("control"), Some(Some("*")));
    assert_eq!(session.medias.len(), 2);
    let video = &session.medias[0];
    assert_eq!(
        (video.media.as_str(), video.proto.as_str(), video.fmt.as_str()),
        ("video", "RTP/AVP", "96")
    );
    assert_eq!(
        video.get_first_attribute_value("control"),
        Some(Some("trackID=0"))
    );
    let audio = &session.medias[1];
    assert_eq!(
        audio.get_first_attribute_value("rtpmap"),
        Some(Some("97 opus/48000/2"))
    );
    assert_eq!(
        audio.get_first_attribute_value("fmtp"),
        Some(Some("97 sprop-stereo=0"))
    );
}

#[test]
fn before_the_first_picture_there_are_no_parameter_sets_to_tell() {
    let text = description(&[video(&[])], &StreamName::new("a").unwrap(), 1);
    assert!(text.contains("a=fmtp:96 packetization-mode=1\r\n"), "{text}");
    assert!(!text.contains("sprop"), "{text}");
}

#[test]
fn what_is_described_is_read_back() {
    let name = StreamName::new("demo").unwrap();
    for tracks in [
        vec![],
        vec![audio(1)],
        vec![video(&[])],
        vec![video(&[SPS, PPS]), audio(2)],
        vec![video(&[SPS, PPS, PPS])],
    ] {
        let read = parse_description(&description(&tracks, &name, 7)).unwrap();
        assert_eq!(read.len(), tracks.len());
        for (read, track) in read.iter().zip(&tracks) {
            let place = TrackId(tracks.iter().position(|t| t == track).unwrap() as u8);
            assert_eq!(
                read.info,
                TrackInfo {
                    id: place,
                    ..track.clone()
                }
            );
            assert_eq!(read.control, format!("trackID={}", track.id.0));
            assert_eq!(read.payload_type, payload_type(track.codec.kind()));
        }
    }
}

#[test]
fn a_cameras_description_is_read_with_what_is_unknown_left_out() {
    let text = "v=0\no=- 1 1 IN IP4 10.0.0.5\ns=Session\nt=0 0\na=tool:cam\nm=application 0 RTP/AVP 107\na=control:x\n\
        m=audio 0 RTP/AVP 0\nm=video 0 RTP/AVP 98 96\nb=AS:500\na=rtpmap:98 VND.ONVIF/90000\na=rtpmap:96 h264/90000\n\
        a=fmtp:96 sprop-parameter-sets=Z0LAH9oBQBbo,aM48gA==,!!; packetization-mode=1\na=control:rtsp://10.0.0.5/v\n";
    let tracks = parse_description(text).unwrap();
    assert_eq!(tracks.len(), 1);
    assert_eq!(tracks[0].control, "rtsp://10.0.0.5/v");
    assert_eq!(tracks[0].payload_type, 96);
    assert_eq!(
        tracks[0].info,
        TrackInfo {
            id: TrackId(2),
            ..video(&[SPS, PPS])
        }
    );
}

#[test]
fn broken_descriptions_are_refused_by_line() {
    assert_eq!(parse_description(""), Err(DescriptionError::NotSdp));
    assert_eq!(parse_description("hello"), Err(DescriptionError::NotSdp));
    assert_eq!(
        parse_description("v=0\r\nm=video"),
        Err(DescriptionError::Line("m=video".into()))
    );
    let line = |l: &str| parse_description(&format!("v=0\r\nm=video 0 RTP/AVP 96\r\n{l}\r\n"));
    assert_eq!(
        line("a=rtpmap:x H264/90000"),
        Err(DescriptionError::Line("a=rtpmap:x H264/90000".into()))
    );
    assert_eq!(
        line("a=rtpmap:96 H264/0"),
        Ok(vec![]),
        "a clock that stands still is no track"
    );
    let many = format!("v=0\r\n{}", "m=video 0 RTP/AVP 96\r\n".repeat(2000));
    assert_eq!(parse_description(&many), Err(DescriptionError::TooLarge));
    assert_eq!(
        parse_description(&"v".repeat(MAX_LEN + 1)),
        Err(DescriptionError::TooLarge)
    );
}
