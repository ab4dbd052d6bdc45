//! Which payload type a stream gets, which lines are refused, and what an answer says.
//! Offers as browsers make them; real ones are in the interoperability tests.

use super::*;
use crate::watch_answer::{Sources, Transport, write};
use bytes::Bytes;

fn track(id: u8, codec: Codec, sps: &[u8]) -> TrackInfo {
    TrackInfo {
        id: TrackId(id),
        codec,
        clock_rate: if codec == Codec::H264 {
            ClockRate::VIDEO
        } else {
            ClockRate::OPUS
        },
        channels: 2,
        parameter_sets: if sps.is_empty() {
            vec![]
        } else {
            vec![Bytes::copy_from_slice(sps)]
        },
        width: 0,
        height: 0,
    }
}

const BASELINE: &[u8] = &[0x67, 0x42, 0xc0, 0x1f];
const HIGH: &[u8] = &[0x67, 0x64, 0x00, 0x1f];

/// A browser's offer: sound, pictures in four profiles with their retransmissions and VP8, a data channel.
fn browser() -> String {
    let mut sdp = String::from("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\n");
    let keys = "c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=setup:actpass\r\n\
                a=fingerprint:sha-256 00:11\r\n";
    sdp += &format!("m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n{keys}a=mid:0\r\na=recvonly\r\n");
    sdp += "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
            a=rtpmap:0 PCMU/8000\r\n";
    sdp += &format!(
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 105 106 107\r\n{keys}a=mid:1\r\na=recvonly\r\n"
    );
    sdp += &format!("a=extmap:2 {ABS_SEND_TIME_URI}\r\na=extmap:15 {ABS_CAPTURE_TIME_URI}\r\n");
    sdp += "a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n";
    for (pt, mode, profile) in [
        (102, 1, "42001f"),
        (104, 0, "42e01f"),
        (106, 1, "42e01f"),
        (108, 1, "64001f"),
    ] {
        sdp += &format!(
            "a=rtpmap:{pt} H264/90000\r\na=rtcp-fb:{pt} goog-remb\r\na=rtcp-fb:{pt} transport-cc\r\na=rtcp-fb:{pt} nack\r\n\
             a=rtcp-fb:{pt} nack pli\r\n\
             a=fmtp:{pt} level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={profile}\r\n\
             a=rtpmap:{} rtx/90000\r\na=fmtp:{} apt={pt}\r\n",
            pt + 1,
            pt + 1
        );
    }
    sdp = sdp.replace("106 107\r\n", "106 107 108 109\r\n");
    sdp += &format!("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{keys}a=mid:2\r\n");
    sdp
}

fn transport() -> Transport {
    Transport {
        ufrag: "ours".into(),
        pwd: "secret".into(),
        fingerprint: "sha-256 AA".into(),
        setup: "passive".into(),
        candidates: vec!["candidate:1 1 udp 2 127.0.0.1 8189 typ host".into()],
    }
}

#[test]
fn a_stream_s_profile_decides_the_payload_type_and_mode_0_is_never_taken() {
    let offer = check(&browser()).unwrap();
    for (sps, payload_type) in [(BASELINE, 106), (HIGH, 108), (&[][..], 108)] {
        let chosen = choose(&offer, &[track(0, Codec::H264, sps)]).unwrap();
        assert_eq!(chosen[0].payload_type, payload_type, "{sps:?}");
        assert_eq!(chosen[0].rtx, Some(payload_type + 1));
    }
    let chosen = choose(&offer, &[track(0, Codec::H264, &[0x67, 0x4d, 0, 0x1f])]).unwrap();
    assert_eq!(
        chosen[0].payload_type, 108,
        "main is decoded by a decoder of high"
    );
}

#[test]
fn sound_and_pictures_go_to_their_lines_and_the_rest_is_refused() {
    let offer = check(&browser()).unwrap();
    let tracks = [track(0, Codec::H264, BASELINE), track(1, Codec::Opus, &[])];
    let chosen = choose(&offer, &tracks).unwrap();
    assert_eq!(
        chosen.iter().map(|c| (c.track.0, c.line)).collect::<Vec<_>>(),
        [(1, 0), (0, 1)]
    );
    assert_eq!((chosen[1].abs_send_time, chosen[1].abs_capture), (Some(2), None));
    let sources = [Sources { media: 1, rtx: 2 }, Sources { media: 3, rtx: 4 }];
    let answer = write(&offer, &chosen, &sources, &transport(), "weft-x", 7);
    let parsed = offer::parse(&answer).unwrap();
    assert_eq!(parsed.media.iter().map(|m| m.port).collect::<Vec<_>>(), [9, 9, 0]);
    assert!(answer.contains("a=group:BUNDLE 0 1\r\n"), "{answer}");
    assert_eq!(answer.matches("a=candidate:").count(), 1);
    let video = &parsed.media[1];
    assert_eq!(
        video.codecs.iter().map(|c| c.payload_type).collect::<Vec<_>>(),
        [106, 107]
    );
    assert_eq!(video.retransmission, [(3, 4)]);
    assert!(answer.find("a=ssrc:3 ") < answer.find("a=ssrc:4 "), "{answer}");
    assert_eq!(video.codecs[0].feedback, ["goog-remb", "nack", "nack pli"]);
    assert_eq!(video.direction, offer::Direction::SendOnly);
    assert!(!answer.contains("transport-cc") && !answer.contains("abs-capture"));
}

#[test]
fn a_reader_that_takes_none_of_the_codecs_is_told_both_sides() {
    let offer = check(&browser().replace("H264", "H265")).unwrap();
    let error = choose(&offer, &[track(0, Codec::H264, BASELINE)]).unwrap_err();
    assert_eq!(error.status(), 406);
    let said = error.to_string();
    assert!(
        said.contains("H264") && said.contains("VP8, H265") && said.contains("opus"),
        "{said}"
    );
    let chosen = choose(
        &offer,
        &[track(0, Codec::H264, BASELINE), track(1, Codec::Opus, &[])],
    )
    .unwrap();
    assert_eq!(chosen.len(), 1, "what fits is sent");
}

#[test]
fn an_offer_that_wants_nothing_is_refused() {
    let error = check(
        &browser()
            .replace("recvonly", "sendonly")
            .replace("m=application", "m=text"),
    )
    .unwrap_err();
    assert_eq!((error.status(), error), (406, OfferError::NothingWanted));
}
