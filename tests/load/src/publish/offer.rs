//! The offer of a publisher, and what its peer needs of the answer: candidates, credentials, the DTLS role. Written and read as
//! far as a sender of one picture and one sound needs it (RFC 8829, RFC 9725).

use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;

/// Payload type of H.264.
pub(super) const VIDEO: u8 = 102;
/// Payload type of Opus.
pub(super) const AUDIO: u8 = 111;

/// ICE user fragment and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) fragment: String,
    pub(super) password: String,
}

impl Credentials {
    pub(super) fn random() -> Self {
        let letters = |count: usize| {
            let letter = || char::from(rand::random_range(b'a'..=b'z'));
            std::iter::repeat_with(letter).take(count).collect()
        };
        Self {
            fragment: letters(8),
            password: letters(24),
        }
    }
}

/// What the publisher says of itself.
#[derive(Debug)]
pub(super) struct Offer<'a> {
    pub(super) local: SocketAddr,
    pub(super) credentials: &'a Credentials,
    /// SHA-256 of the certificate, as in `a=fingerprint`.
    pub(super) fingerprint: &'a str,
    pub(super) video_ssrc: u32,
    pub(super) audio_ssrc: Option<u32>,
}

impl Offer<'_> {
    /// The SDP. Like FFmpeg it asks for no keyframe requests: a clip has its key pictures where they are.
    pub(super) fn sdp(&self) -> String {
        let mut sdp = String::from("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n");
        sdp += if self.audio_ssrc.is_some() {
            "a=group:BUNDLE 0 1\r\n"
        } else {
            "a=group:BUNDLE 0\r\n"
        };
        sdp += "a=msid-semantic: WMS weft\r\n";
        let video = "a=rtpmap:102 H264/90000\r\n\
            a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
            a=rtcp-fb:102 nack\r\n";
        sdp += &self.media("video", VIDEO, 0, video, self.video_ssrc);
        if let Some(ssrc) = self.audio_ssrc {
            let audio = "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n";
            sdp += &self.media("audio", AUDIO, 1, audio, ssrc);
        }
        sdp
    }

    fn media(&self, kind: &str, payload_type: u8, mid: u8, codec: &str, ssrc: u32) -> String {
        let Credentials { fragment, password } = self.credentials;
        let (ip, port) = (self.local.ip(), self.local.port());
        format!(
            "m={kind} 9 UDP/TLS/RTP/SAVPF {payload_type}\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
             a=ice-ufrag:{fragment}\r\na=ice-pwd:{password}\r\na=fingerprint:sha-256 {}\r\na=setup:actpass\r\n\
             a=mid:{mid}\r\na=sendonly\r\na=msid:weft {kind}\r\na=rtcp-mux\r\n{codec}\
             a=ssrc:{ssrc} cname:weft\r\na=ssrc:{ssrc} msid:weft {kind}\r\n\
             a=candidate:1 1 udp 2130706431 {ip} {port} typ host\r\na=end-of-candidates\r\n",
            self.fingerprint
        )
    }
}

/// What counts of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) credentials: Credentials,
    /// UDP addresses of the server, in its order.
    pub(super) candidates: Vec<SocketAddr>,
    /// The server begins the DTLS handshake.
    pub(super) server_begins: bool,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// When the picture was refused or something is missing.
    pub(super) fn parse(sdp: &str) -> Result<Self> {
        let value = |name: &str| {
            sdp.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
        };
        let media = sdp
            .lines()
            .find(|line| line.starts_with("m=video"))
            .unwrap_or_default();
        ensure!(
            media.split(' ').nth(1).is_some_and(|port| port != "0"),
            "the server does not take H.264 profile 42e01f: enable it there"
        );
        let mut candidates: Vec<SocketAddr> = Vec::new();
        for line in sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:")) {
            let [_, component, transport, _, ip, port, ..] = line.split_whitespace().collect::<Vec<_>>()[..]
            else {
                continue;
            };
            let (Ok(ip), Ok(port)) = (ip.parse(), port.parse()) else {
                continue;
            };
            let address = SocketAddr::new(ip, port);
            if component == "1" && transport.eq_ignore_ascii_case("udp") && !candidates.contains(&address) {
                candidates.push(address);
            }
        }
        ensure!(
            !candidates.is_empty(),
            "the answer has no UDP candidate: turn the server's UDP port for WebRTC on"
        );
        Ok(Self {
            credentials: Credentials {
                fragment: value("a=ice-ufrag:")
                    .context("an answer without a=ice-ufrag")?
                    .to_owned(),
                password: value("a=ice-pwd:")
                    .context("an answer without a=ice-pwd")?
                    .to_owned(),
            },
            candidates,
            server_begins: value("a=setup:").context("an answer without a=setup")? == "active",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_has_both_tracks_and_no_keyframe_feedback() {
        let credentials = Credentials::random();
        let offer = Offer {
            local: ([127, 0, 0, 1], 5000).into(),
            credentials: &credentials,
            fingerprint: "AA:BB",
            video_ssrc: 1,
            audio_ssrc: Some(2),
        };
        let sdp = offer.sdp();
        assert_eq!(sdp.matches("a=setup:actpass").count(), 2);
        assert!(sdp.contains(&format!("a=ice-pwd:{}\r\n", credentials.password)));
        assert!(!sdp.contains("pli"));
    }

    #[test]
    fn an_answer_gives_each_udp_candidate_once() {
        let sdp = "m=video 9 UDP/TLS/RTP/SAVPF 102\r\na=setup:active\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n\
            a=candidate:1 1 udp 1 10.0.0.1 8189 typ host\r\na=candidate:1 2 udp 1 10.0.0.1 8189 typ host\r\n\
            a=candidate:2 1 udp 1 10.0.0.1 8189 typ host\r\na=candidate:3 1 tcp 1 10.0.0.1 8189 typ host\r\n";
        let answer = Answer::parse(sdp).unwrap();
        assert_eq!(answer.candidates, [SocketAddr::from(([10, 0, 0, 1], 8189))]);
        assert!(answer.server_begins);
        let refused = Answer::parse(&sdp.replace("video 9", "video 0")).unwrap_err();
        assert!(refused.to_string().contains("42e01f"), "{refused}");
    }
}
