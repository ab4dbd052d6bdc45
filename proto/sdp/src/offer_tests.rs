//! What is accepted, what is refused, and in which words; real offers stand in `testdata`.
//! Hostile sizes must be refused without being read to the end.

use super::*;
use crate::offer_fragment;

fn offer(media: &[&str]) -> String {
    let mut sdp = String::from(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
         a=fingerprint:sha-256 AA:BB\r\na=setup:passive\r\n",
    );
    for m in media {
        sdp.push_str(m);
    }
    sdp
}

const VIDEO: &str = "m=video 9 UDP/TLS/RTP/SAVPF 106 105\r\na=mid:1\r\na=sendonly\r\na=rtpmap:106 H264/90000\r\n\
    a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42c01f\r\na=rtpmap:105 rtx/90000\r\n\
    a=fmtp:105 apt=106\r\na=rtcp-fb:106 nack\r\na=rtcp-fb:* nack pli\r\na=ssrc:7 cname:x\r\na=ssrc:8 cname:x\r\n\
    a=ssrc-group:FID 7 8\r\na=extmap:3/sendonly urn:x\r\n";
const AUDIO: &str =
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n";
const VP8: &str =
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n";

#[test]
fn an_offer_of_h264_and_opus_is_read_whole() {
    let o = check(&offer(&[AUDIO, VIDEO])).expect("good");
    assert_eq!(o.setup, Setup::Passive);
    assert_eq!(o.ice_ufrag, "abcd");
    let video = &o.media[1];
    assert_eq!(video.codecs[0].codec(), Some(Codec::H264));
    assert_eq!(video.codecs[0].feedback, ["nack", "nack pli"]);
    assert_eq!(video.codecs[1].parameter("apt"), Some("106"));
    assert_eq!(video.ssrcs, [7, 8]);
    assert_eq!(video.retransmission, [(7, 8)]);
    assert_eq!(video.extensions, [(3, "urn:x".to_owned())]);
    assert_eq!(o.media[0].codecs[0].channels, 2);
}

#[test]
fn a_source_that_only_a_group_names_is_announced_too() {
    let video = VIDEO.replace("a=ssrc:8 cname:x\r\n", "");
    let o = check(&offer(&[&video])).expect("good");
    assert_eq!(o.media[0].ssrcs, [7, 8]);
}

#[test]
fn what_cannot_be_published_is_406() {
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n";
    for (sdp, part) in [
        (offer(&[VIDEO, VIDEO]), "only one video"),
        (offer(&[AUDIO, VIDEO, AUDIO]), "only one audio"),
        (offer(&[AUDIO, data]), "m=application"),
        (offer(&[]), "neither video nor audio"),
        (
            offer(&[&AUDIO.replace("sendonly", "recvonly")]),
            "neither video nor audio",
        ),
    ] {
        let e = check(&sdp).expect_err("refused");
        assert_eq!(e.status(), 406, "{e}");
        assert!(e.to_string().contains(part), "{e}");
    }
}

#[test]
fn an_unusable_codec_is_named_with_what_would_do() {
    let e = check(&offer(&[AUDIO, VP8])).expect_err("refused");
    assert_eq!(e.status(), 400);
    assert_eq!(
        e.to_string(),
        "no supported video codec: the offer has VP8; supported is H264 with packetization-mode 0 or 1"
    );
}

#[test]
fn what_webrtc_needs_is_missed_by_name() {
    let whole = offer(&[VIDEO]);
    for (line, name) in [
        ("a=ice-ufrag:abcd\r\n", "ice-ufrag"),
        ("a=ice-pwd:0123456789012345678901\r\n", "ice-pwd"),
        ("a=fingerprint:sha-256 AA:BB\r\n", "fingerprint"),
        ("a=mid:1\r\n", "mid"),
    ] {
        assert_eq!(check(&whole.replace(line, "")), Err(OfferError::Missing(name)));
    }
}

#[test]
fn hostile_sizes_are_refused_early() {
    let many = offer(&vec![VIDEO; 2000].iter().map(|s| &**s).collect::<Vec<_>>());
    assert!(matches!(
        check(&many),
        Err(OfferError::TooLarge {
            what: "media lines",
            ..
        })
    ));
    let long = offer(&[&format!("m=video 9 x {}\r\n", "1 ".repeat(100_000))]);
    assert!(matches!(check(&long), Err(OfferError::TooLarge { .. })));
    let lines = offer(&["b=x\r\n".repeat(MAX_LINES).as_str()]);
    assert!(matches!(
        check(&lines),
        Err(OfferError::TooLarge { what: "lines", .. })
    ));
}

#[test]
fn what_is_no_sdp_says_where() {
    for sdp in ["", "hello", "{\"type\":\"offer\"}", "v=0\nnonsense"] {
        let e = check(sdp).expect_err("refused");
        assert!(matches!(e, OfferError::Malformed { .. }), "{e}");
        assert_eq!(e.status(), 400);
    }
}

#[test]
fn every_prefix_of_an_offer_is_judged_without_a_panic() {
    let whole = offer(&[AUDIO, VIDEO]);
    for end in 0..whole.len() {
        let _verdict = check(&whole[..end]);
    }
}

#[test]
fn a_restart_fragment_survives_writing_and_reading() {
    let fragment = offer_fragment::IceFragment {
        ice_ufrag: "u".into(),
        ice_pwd: "p".into(),
        mid: "0".into(),
        candidates: vec!["candidate:1 1 udp 1 127.0.0.1 1 typ host".into()],
        end_of_candidates: true,
    };
    let text = fragment.write("m=audio 9 UDP/TLS/RTP/SAVPF 0");
    assert_eq!(offer_fragment::parse(&text), Ok(fragment));
    assert!(offer_fragment::parse("").is_err());
    assert!(offer_fragment::parse("a=ice-ufrag:x\r\n").is_err());
}
