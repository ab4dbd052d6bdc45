//! Mends the SDP on both sides of the core: what it must not see of an offer, what it says wrongly or not at all in an
//! answer. Text in, text out, line by line; the rules of negotiation stay with the core.

use rand::Rng;
use std::fmt::Write;
use std::net::IpAddr;
use weft_sdp::offer::MAX_CANDIDATES;

/// The offer as the core gets it: few candidates and only such as it can use; no simulcast, since we take one layer; and
/// a source for each media line, which the core insists on when there are two lines.
pub(crate) fn tame_offer(sdp: &str) -> String {
    let mut out = String::with_capacity(sdp.len() + 128);
    let mut candidates = 0;
    let mut needs_source = false;
    let end_of_media = |out: &mut String, needs_source: &mut bool| {
        if std::mem::take(needs_source) {
            // Writing to a String cannot fail.
            let _written = write!(
                out,
                "a=ssrc:{} cname:unannounced\r\n",
                rand::rng().random_range(1..u32::MAX)
            );
        }
    };
    for line in sdp.lines().map(str::trim_end).filter(|l| !l.is_empty()) {
        if line.starts_with("m=") {
            end_of_media(&mut out, &mut needs_source);
            needs_source = true;
        }
        if line.starts_with("a=rid:") || line.starts_with("a=simulcast:") || line == "a=end-of-candidates" {
            continue;
        }
        if line.starts_with("a=ssrc:") {
            needs_source = false;
        }
        if let Some(candidate) = line.strip_prefix("a=candidate:") {
            if candidates == MAX_CANDIDATES || !is_usable(candidate) {
                continue;
            }
            candidates += 1;
        }
        out.push_str(line);
        out.push_str("\r\n");
    }
    end_of_media(&mut out, &mut needs_source);
    out
}

/// True for component 1 over UDP at an IP address; `.local` names and TCP lead nowhere from here.
pub(crate) fn is_usable(candidate: &str) -> bool {
    let words: Vec<&str> = candidate.split_ascii_whitespace().take(8).collect();
    matches!(words[..], [_, "1", protocol, _, address, ..]
        if protocol.eq_ignore_ascii_case("udp") && address.parse::<IpAddr>().is_ok())
}

/// Where a browser starts, in kbit/s. Its own start (300) makes it begin at 320x180 and grow for half a minute, however
/// much bandwidth it has found meanwhile; from 500 on it keeps 720p.
const START_KBITS: u32 = 1000;

/// The answer as the publisher gets it: our candidates, once each, in the first media line, where a bundle looks for
/// them; and how much video we take, which browsers otherwise guess too low.
pub(crate) fn complete_answer(sdp: &str, candidates: &[String], max_bitrate: u32) -> String {
    let mut out = String::with_capacity(sdp.len() + 96 * candidates.len());
    let mut media = 0;
    let mut in_video = false;
    let write_candidates = |out: &mut String| {
        for c in candidates {
            let _written = write!(out, "a={c}\r\n");
        }
        out.push_str("a=end-of-candidates\r\n");
    };
    for line in sdp.lines().map(str::trim_end).filter(|l| !l.is_empty()) {
        if line.starts_with("a=candidate:") || line == "a=end-of-candidates" {
            continue;
        }
        if line.starts_with("m=") {
            if media == 1 {
                write_candidates(&mut out);
            }
            media += 1;
            in_video = line.starts_with("m=video") && !line.starts_with("m=video 0 ");
        }
        out.push_str(line);
        if in_video && line.starts_with("a=fmtp:") && line.contains("packetization-mode") {
            let _written = write!(out, ";x-google-start-bitrate={START_KBITS}");
        }
        out.push_str("\r\n");
        if in_video && line.starts_with("c=") {
            let _written = write!(out, "b=AS:{}\r\nb=TIAS:{max_bitrate}\r\n", max_bitrate / 1000);
        }
    }
    if media == 1 {
        write_candidates(&mut out);
    }
    out
}

/// The offer of an ICE restart: the old one with the fragment's credentials and candidates (RFC 9725 §4.3.3).
pub(crate) fn restarted_offer(offer: &str, ufrag: &str, pwd: &str, candidates: &[String]) -> String {
    let mut out = String::with_capacity(offer.len());
    let mut media = 0;
    for line in offer.lines().map(str::trim_end).filter(|l| !l.is_empty()) {
        if line.starts_with("a=candidate:") {
            continue;
        }
        if line.starts_with("m=") {
            media += 1;
        }
        let replaced = if line.starts_with("a=ice-ufrag:") {
            Some(format!("a=ice-ufrag:{ufrag}"))
        } else if line.starts_with("a=ice-pwd:") {
            Some(format!("a=ice-pwd:{pwd}"))
        } else {
            None
        };
        out.push_str(replaced.as_deref().unwrap_or(line));
        out.push_str("\r\n");
        if media == 1 && line.starts_with("m=") {
            // Attributes may stand in any order, and the line needs no c= before them (RFC 8866 §5.7, session level).
            for c in candidates {
                let _written = write!(out, "a={c}\r\n");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tame_offer_has_a_source_per_line_and_no_useless_candidates() {
        let offer = "v=0\r\nm=audio 9 x 111\r\na=candidate:1 1 udp 1 abc.local 9 typ host\r\n\
            a=candidate:2 1 UDP 1 192.0.2.1 9 typ host\r\na=candidate:3 1 tcp 1 192.0.2.1 9 typ host\r\n\
            m=video 9 x 96\r\na=rid:a send\r\na=simulcast:send a\r\na=ssrc:5 cname:x\r\n";
        let tame = tame_offer(offer);
        assert_eq!(tame.matches("a=candidate").count(), 1);
        assert_eq!(tame.matches("cname:unannounced").count(), 1);
        assert!(!tame.contains("simulcast") && !tame.contains("rid"));
        assert!(tame.find("unannounced") < tame.find("m=video"));
    }

    #[test]
    fn an_answer_has_our_candidates_once_and_a_bandwidth_for_video() {
        let answer = "v=0\r\nm=audio 9 x 111\r\nc=IN IP4 0.0.0.0\r\na=candidate:9 2 udp 1 127.0.0.1 1 typ host\r\n\
            a=end-of-candidates\r\nm=video 9 x 96\r\nc=IN IP4 0.0.0.0\r\na=fmtp:96 packetization-mode=1\r\n";
        let ours = ["candidate:1 1 udp 2 127.0.0.1 8189 typ host".to_owned()];
        assert_eq!(
            complete_answer(answer, &ours, 8_000_000),
            "v=0\r\nm=audio 9 x 111\r\nc=IN IP4 0.0.0.0\r\na=candidate:1 1 udp 2 127.0.0.1 8189 typ host\r\n\
             a=end-of-candidates\r\nm=video 9 x 96\r\nc=IN IP4 0.0.0.0\r\nb=AS:8000\r\nb=TIAS:8000000\r\n\
             a=fmtp:96 packetization-mode=1;x-google-start-bitrate=1000\r\n"
        );
    }

    #[test]
    fn a_restart_changes_credentials_and_candidates_only() {
        let offer =
            "v=0\r\nm=audio 9 x 111\r\na=ice-ufrag:old\r\na=ice-pwd:oldpwd\r\na=candidate:1 x\r\na=mid:0\r\n";
        let candidates = ["candidate:2 y".to_owned()];
        assert_eq!(
            restarted_offer(offer, "new", "newpwd", &candidates),
            "v=0\r\nm=audio 9 x 111\r\na=candidate:2 y\r\na=ice-ufrag:new\r\na=ice-pwd:newpwd\r\na=mid:0\r\n"
        );
    }
}
