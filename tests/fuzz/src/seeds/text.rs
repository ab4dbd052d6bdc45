//! Seeds of the text protocols: requests as FFmpeg, GStreamer, live555, VLC and retina write them, offers as browsers and
//! FFmpeg write them, and the ways to break both.

use super::Seed;

fn seeds(texts: &[(&str, &str)]) -> Vec<Seed> {
    texts
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.replace('\n', "\r\n").into_bytes()))
        .collect()
}

/// Seeds of `rtsp_framing`.
pub(super) fn rtsp() -> Vec<Seed> {
    let mut all = seeds(&RTSP);
    let mut add = |name: &str, bytes: Vec<u8>| all.push((name.into(), bytes));
    add(
        "line_feeds_only",
        b"\r\n\n\rPLAY rtsp://h/a RTSP/1.0 \nCSeq : 4\nX: a\n\tb\nx:c\nSession: 12;timeout=60\n\n".to_vec(),
    );
    add(
        "interleaved",
        b"$\x01\x00\x04\x81\xc9\x00\x01$\x00\x00\x00OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n$\x02\x00\x09cut"
            .to_vec(),
    );
    add("tls_hello", vec![0x16, 3, 1, 2, 0]);
    add("http", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec());
    add(
        "latin_1",
        b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: Caf\xe9\r\n\r\n".to_vec(),
    );
    let many: String = (0..200).map(|n| format!("X{n}: y\r\n")).collect();
    add(
        "too_many_headers",
        format!("OPTIONS * RTSP/1.0\r\n{many}\r\n").into_bytes(),
    );
    add(
        "long_line",
        format!("OPTIONS rtsp://h/{} RTSP/1.0\r\n\r\n", "a".repeat(3_000)).into_bytes(),
    );
    all
}

const RTSP: [(&str, &str); 24] = [
    (
        "ffmpeg_options",
        "OPTIONS rtsp://127.0.0.1:8554/demo RTSP/1.0\nCSeq: 1\nUser-Agent: Lavf62.3.100\n\n",
    ),
    (
        "ffmpeg_describe",
        "DESCRIBE rtsp://127.0.0.1:8554/demo RTSP/1.0\nAccept: application/sdp\nCSeq: 2\nUser-Agent: Lavf62.3.100\n\n",
    ),
    (
        "ffmpeg_setup_udp",
        "SETUP rtsp://127.0.0.1:8554/demo/trackID=0 RTSP/1.0\nTransport: RTP/AVP/UDP;unicast;client_port=26968-26969\nCSeq: 3\nUser-Agent: Lavf62.3.100\n\n",
    ),
    (
        "ffmpeg_setup_tcp",
        "SETUP rtsp://127.0.0.1:8554/demo/trackID=0 RTSP/1.0\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\nCSeq: 3\n\n",
    ),
    (
        "ffmpeg_play",
        "PLAY rtsp://127.0.0.1:8554/demo/ RTSP/1.0\nRange: npt=0.000-\nCSeq: 5\nSession: 0123\n\n",
    ),
    (
        "gstreamer_options",
        "OPTIONS rtsp://h:8554/demo RTSP/1.0\nCSeq: 1\nUser-Agent: GStreamer/1.22.0\nClientChallenge: 9e26d33f2984236010ef6253fb1887f7\nUser-Agent: RealMedia Player Version 6.0\nRequire: method. \n\n",
    ),
    (
        "gstreamer_setup",
        "SETUP rtsp://h/trackID=0 RTSP/1.0\nCSeq: 3\nTransport: RTP/AVP;unicast;client_port=5000-5001,RTP/AVP;multicast,RTP/AVP/TCP;unicast;interleaved=0-1\n\n",
    ),
    (
        "gstreamer_pause",
        "PAUSE rtsp://h/demo/ RTSP/1.0\nCSeq: 6\nSession: 0123\n\n",
    ),
    (
        "live555_digest",
        "DESCRIBE rtsp://h/cam RTSP/1.0\nCSeq: 3\nAuthorization: Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"rtsp://h/cam\", response=\"0123\"\nAccept: application/sdp\n\n",
    ),
    (
        "vlc_teardown",
        "TEARDOWN rtsp://h/demo RTSP/1.0\nCSeq: 7\nUser-Agent: LibVLC/3.0.24 (LIVE555 Streaming Media v2016.11.28)\nSession: 0123\n\n",
    ),
    (
        "retina_describe_first",
        "DESCRIBE rtsp://h/demo?token=x RTSP/1.0\nAccept: application/sdp\nCSeq: 1\nUser-Agent: retina\n\n",
    ),
    (
        "setup_after_query",
        "SETUP rtsp://h/cam?token=x/trackID=1 RTSP/1.0\nCSeq: 3\nTransport: RTP/AVP/TCP;unicast;interleaved=2-3;mode=\"PLAY\"\n\n",
    ),
    (
        "a_whole_session",
        "OPTIONS rtsp://h/a RTSP/1.0\nCSeq: 1\n\nDESCRIBE rtsp://h/a RTSP/1.0\nCSeq: 2\n\nSETUP rtsp://h/a/trackID=0 RTSP/1.0\nCSeq: 3\nTransport: RTP/AVP/TCP;interleaved=0-1\n\nSETUP rtsp://h/a/trackID=1 RTSP/1.0\nCSeq: 4\nSession: 0123\nTransport: RTP/AVP/TCP;interleaved=0-1\n\nPLAY rtsp://h/a/ RTSP/1.0\nCSeq: 5\nSession: 0123\n\nGET_PARAMETER rtsp://h/a/ RTSP/1.0\nCSeq: 6\nSession: 0123\n\nPAUSE rtsp://h/a/ RTSP/1.0\nCSeq: 7\nSession: 0123\n\nPLAY rtsp://h/a/ RTSP/1.0\nCSeq: 8\nSession: 0123\n\nTEARDOWN rtsp://h/a/ RTSP/1.0\nCSeq: 9\nSession: 0123\n\n",
    ),
    (
        "udp_then_tcp",
        "SETUP rtsp://h/a/trackID=0 RTSP/1.0\nCSeq: 3\nTransport: RTP/AVP;client_port=5000-5001\n\nPLAY rtsp://h/a/ RTSP/1.0\nCSeq: 5\nSession: 0123\n\nSETUP rtsp://h/a/trackID=0 RTSP/1.0\nCSeq: 6\nTransport: RTP/AVP/TCP;interleaved=0-1\n\n",
    ),
    (
        "body",
        "SET_PARAMETER rtsp://h/a RTSP/1.0\nCSeq: 2\nContent-Length: 5\n\nhelloOPTIONS * RTSP/1.0\nCSeq: 3\n\n",
    ),
    (
        "body_too_large",
        "SET_PARAMETER rtsp://h/a RTSP/1.0\nCSeq: 2\nContent-Length: 999999999999\n\n",
    ),
    (
        "body_lengths_differ",
        "SET_PARAMETER rtsp://h/a RTSP/1.0\nCSeq: 2\nContent-Length: 5\nContent-Length: 6\n\nhello!",
    ),
    (
        "someone_elses_address",
        "SETUP rtsp://h/a/trackID=0 RTSP/1.0\nCSeq: 3\nTransport: RTP/AVP;unicast;destination=192.0.2.9;client_port=1-2\n\n",
    ),
    (
        "transport_odd",
        "SETUP rtsp://h/a/trackID=0 RTSP/1.0\nCSeq: 3\nTransport: ;;=,\"a,b\";RTP/AVP;client_port=70000-1,RTP/AVP/TCP;interleaved=300-1,RTP/AVP/TCP\n\n",
    ),
    (
        "uri_odd",
        "DESCRIBE rtsp://u:p@[::1]:8554/%41/%2e%2e/trackID=300?x RTSP/1.0\nCSeq: x\n\n",
    ),
    ("version_two", "OPTIONS * RTSP/2.0\nCSeq: 1\n\n"),
    ("unknown_method", "REDIRECT rtsp://h/a RTSP/1.0\nCSeq: 1\n\n"),
    (
        "response",
        "RTSP/1.0 200 OK\nCSeq: 9\n\nRTSP/1.0 404 Not Found\nCSeq: 1\nContent-Length: 2\n\nno",
    ),
    ("cut", "DESCRIBE rtsp://h/a RTSP/1.0\nCSeq: 2\nAcc"),
];

/// Seeds of `sdp`.
pub(super) fn sdp() -> Vec<Seed> {
    let mut all = seeds(&DESCRIPTIONS);
    let mut add = |name: &str, text: String| all.push((name.into(), text.replace('\n', "\r\n").into_bytes()));
    for (name, media) in [
        ("offer_ffmpeg", format!("{AUDIO}{VIDEO}")),
        ("offer_video_only", VIDEO.into()),
        ("offer_nothing", String::new()),
        ("offer_two_videos", format!("{VIDEO}{VIDEO}")),
        (
            "offer_vp8",
            "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:1\na=sendonly\na=rtpmap:96 VP8/90000\n".into(),
        ),
        (
            "offer_data_channel",
            format!("{VIDEO}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:2\n"),
        ),
        (
            "offer_many_media",
            VIDEO.lines().next().unwrap_or_default().to_owned().repeat(40),
        ),
        (
            "offer_candidates",
            format!(
                "{VIDEO}{}",
                "a=candidate:1 1 udp 2130706431 192.0.2.2 50000 typ host\n".repeat(30)
            ),
        ),
        (
            "offer_formats_odd",
            "m=video 9 UDP/TLS/RTP/SAVPF 96 96 200 x -1\na=mid:\na=rtpmap:96\na=rtpmap:x y/z\na=fmtp:96\n"
                .into(),
        ),
        (
            "offer_ssrc_odd",
            format!(
                "{VIDEO}a=ssrc:\na=ssrc:x y\na=ssrc-group:FID 1\na=ssrc-group:FID 1 2 3\na=extmap:0\na=extmap:999 u\n"
            ),
        ),
    ] {
        add(name, format!("{OFFER}{media}"));
    }
    for setup in ["active", "actpass", "holdconn", ""] {
        add(
            &format!("offer_setup_{setup}"),
            format!("{OFFER}{VIDEO}").replace("passive", setup),
        );
    }
    for missing in ["ice-ufrag", "ice-pwd", "fingerprint", "setup", "mid"] {
        let line = |l: &&str| !l.starts_with(&format!("a={missing}"));
        let text: Vec<&str> = OFFER.lines().chain(VIDEO.lines()).filter(line).collect();
        add(&format!("offer_without_{missing}"), text.join("\n") + "\n");
    }
    add("offer_cut", OFFER[..60].to_owned());
    all
}

const OFFER: &str = "v=0\no=- 4489045141692799359 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0 1\na=ice-options:trickle\na=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\na=fingerprint:sha-256 AA:BB:CC\na=setup:passive\n";
const AUDIO: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111\nc=IN IP4 0.0.0.0\na=mid:0\na=sendonly\na=rtcp-mux\na=rtpmap:111 opus/48000/2\na=fmtp:111 minptime=10;useinbandfec=1\na=ssrc:5 cname:x\n";
const VIDEO: &str = "m=video 9 UDP/TLS/RTP/SAVPF 106 105\nc=IN IP4 0.0.0.0\na=mid:1\na=sendonly\na=rtcp-mux\na=rtcp-rsize\na=rtpmap:106 H264/90000\na=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42c01f\na=rtpmap:105 rtx/90000\na=fmtp:105 apt=106\na=rtcp-fb:106 nack\na=rtcp-fb:* nack pli\na=extmap:3/sendonly urn:ietf:params:rtp-hdrext:sdes:mid\na=ssrc:7 cname:x\na=ssrc:8 cname:x\na=ssrc-group:FID 7 8\n";

const DESCRIPTIONS: [(&str, &str); 9] = [
    (
        "description_of_ours",
        "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=demo\nc=IN IP4 0.0.0.0\nt=0 0\na=control:*\na=range:npt=now-\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=1;profile-level-id=42C01E;sprop-parameter-sets=Z0LAHtkA,aM4B\na=control:trackID=0\nm=audio 0 RTP/AVP 97\na=rtpmap:97 opus/48000/2\na=fmtp:97 sprop-stereo=1\na=control:trackID=1\n",
    ),
    (
        "description_of_a_camera",
        "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=Media Presentation\ne=NONE\nb=AS:5050\nt=0 0\na=control:rtsp://192.0.2.1/Streaming/Channels/101/\nm=video 0 RTP/AVP 96\nb=AS:5000\na=recvonly\na=control:rtsp://192.0.2.1/Streaming/Channels/101/trackID=1\na=rtpmap:96 H264/90000\na=fmtp:96 profile-level-id=420029; packetization-mode=1; sprop-parameter-sets=Z00AKY2NQDwBE/LCAAAOEAACvyAI,aO44gA==\na=Media_header:MEDIAINFO=494D4B48;\na=appversion:1.0\n",
    ),
    (
        "description_with_unknown_codecs",
        "v=0\nm=audio 0 RTP/AVP 0 8 96\na=rtpmap:96 MPEG4-GENERIC/16000/2\nm=application 0 RTP/AVP 107\na=rtpmap:107 vnd.onvif.metadata/90000\n",
    ),
    (
        "description_broken_sets",
        "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 h264/90000\na=fmtp:96 sprop-parameter-sets=!!,,Zw==;sprop-parameter-sets\n",
    ),
    (
        "description_clock_zero",
        "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/0\nm=audio 0 RTP/AVP 97\na=rtpmap:97 opus/4294967295/2\n",
    ),
    ("description_lines_odd", "v=0\nm=\n=\nx\na\na=\na=:\nm=video\n"),
    (
        "fragment",
        "a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:0\na=candidate:1 1 udp 2130706431 192.0.2.2 50000 typ host\na=end-of-candidates\n",
    ),
    (
        "fragment_restart",
        "a=ice-ufrag:efgh\na=ice-pwd:abcdefghijklmnopqrstuv\n",
    ),
    ("fragment_odd", "a=mid:\na=candidate:\na=ice-ufrag:\nfoo\n"),
];
