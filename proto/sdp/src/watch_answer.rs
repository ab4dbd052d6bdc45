//! The answer to a WHEP offer: which lines are taken, what we send on them and from which sources.
//! Which tracks go where was decided in `watch`; our side of ICE and DTLS is handed in.

use crate::offer::{Offer, OfferedCodec, OfferedMedia};
use crate::watch::{ABS_CAPTURE_TIME_URI, ABS_SEND_TIME_URI, WatchedTrack};
use weft_wire::MediaKind;

/// Our side of the transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    /// ICE user fragment.
    pub ufrag: String,
    /// ICE password.
    pub pwd: String,
    /// The certificate's fingerprint, `sha-256 AA:BB:...`.
    pub fingerprint: String,
    /// `active` or `passive`.
    pub setup: String,
    /// Values of `a=` lines, `candidate:...`.
    pub candidates: Vec<String>,
}

/// The sources of one track (RFC 5576).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources {
    /// Of its media.
    pub media: u32,
    /// Of its retransmissions.
    pub rtx: u32,
}

/// Writes the answer. `sources` are those of `tracks`, in the same order; `cname` names our clock (RFC 7022), `session` is the
/// number of the description (RFC 8866 section 5.2).
#[must_use]
pub fn write(
    offer: &Offer,
    tracks: &[WatchedTrack],
    sources: &[Sources],
    transport: &Transport,
    cname: &str,
    session: u64,
) -> String {
    let taken = |line: usize| tracks.iter().zip(sources).find(|(t, _)| t.line == line);
    let mut out = String::with_capacity(2048);
    let group: Vec<&str> = offer
        .media
        .iter()
        .enumerate()
        .filter(|(line, _)| taken(*line).is_some())
        .map(|(_, media)| media.mid.as_str())
        .collect();
    line(&mut out, "v=0");
    line(&mut out, &format!("o=- {session} 1 IN IP4 127.0.0.1"));
    line(&mut out, "s=-");
    line(&mut out, "t=0 0");
    line(&mut out, &format!("a=group:BUNDLE {}", group.join(" ")));
    line(&mut out, "a=extmap-allow-mixed");
    line(&mut out, "a=msid-semantic: WMS *");
    let mut transport_told = false;
    for (number, media) in offer.media.iter().enumerate() {
        match taken(number) {
            Some((track, sources)) => {
                let first = !std::mem::replace(&mut transport_told, true);
                section(&mut out, media, track, *sources, transport, cname, first);
            }
            None => refused(&mut out, media),
        }
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push_str("\r\n");
}

/// A media line that is not taken (RFC 3264 section 6): port 0, with a format of the offer's.
fn refused(out: &mut String, media: &OfferedMedia) {
    let (protocol, format) = match media.kind() {
        Some(_) => (
            "UDP/TLS/RTP/SAVPF",
            media.codecs.first().map_or(0, |c| c.payload_type).to_string(),
        ),
        None => ("UDP/DTLS/SCTP", "webrtc-datachannel".to_owned()),
    };
    line(out, &format!("m={} 0 {protocol} {format}", media.media));
    line(out, "c=IN IP4 0.0.0.0");
    if !media.mid.is_empty() {
        line(out, &format!("a=mid:{}", media.mid));
    }
    line(out, "a=inactive");
}

fn section(
    out: &mut String,
    media: &OfferedMedia,
    track: &WatchedTrack,
    sources: Sources,
    transport: &Transport,
    cname: &str,
    first: bool,
) {
    let formats: Vec<String> = [Some(track.payload_type), track.rtx]
        .into_iter()
        .flatten()
        .map(|pt| pt.to_string())
        .collect();
    line(
        out,
        &format!("m={} 9 UDP/TLS/RTP/SAVPF {}", media.media, formats.join(" ")),
    );
    line(out, "c=IN IP4 0.0.0.0");
    line(out, "a=rtcp:9 IN IP4 0.0.0.0");
    if first {
        for candidate in &transport.candidates {
            line(out, &format!("a={candidate}"));
        }
        line(out, "a=end-of-candidates");
    }
    line(out, &format!("a=ice-ufrag:{}", transport.ufrag));
    line(out, &format!("a=ice-pwd:{}", transport.pwd));
    line(out, &format!("a=fingerprint:{}", transport.fingerprint));
    line(out, &format!("a=setup:{}", transport.setup));
    line(out, &format!("a=mid:{}", media.mid));
    for (id, uri) in [
        (track.abs_send_time, ABS_SEND_TIME_URI),
        (track.abs_capture, ABS_CAPTURE_TIME_URI),
    ] {
        if let Some(id) = id {
            line(out, &format!("a=extmap:{id} {uri}"));
        }
    }
    line(out, "a=sendonly");
    // One stream for both, so that the reader keeps sound and picture together.
    line(out, &format!("a=msid:weft {}", media.media));
    line(out, "a=rtcp-mux");
    line(out, "a=rtcp-rsize");
    for codec in media
        .codecs
        .iter()
        .filter(|c| c.payload_type == track.payload_type)
    {
        described(out, codec, track);
    }
    for codec in media.codecs.iter().filter(|c| Some(c.payload_type) == track.rtx) {
        line(
            out,
            &format!(
                "a=rtpmap:{} {}/{}",
                codec.payload_type, codec.name, codec.clock_rate
            ),
        );
        line(out, &format!("a=fmtp:{} {}", codec.payload_type, codec.fmtp));
    }
    // Media before retransmissions: Chromium takes the first for the track's own.
    if track.rtx.is_some() {
        line(
            out,
            &format!("a=ssrc-group:FID {} {}", sources.media, sources.rtx),
        );
    }
    line(out, &format!("a=ssrc:{} cname:{cname}", sources.media));
    if track.rtx.is_some() {
        line(out, &format!("a=ssrc:{} cname:{cname}", sources.rtx));
    }
}

/// One payload type: the offer's own description, and of its feedback what we obey.
fn described(out: &mut String, codec: &OfferedCodec, track: &WatchedTrack) {
    let pt = codec.payload_type;
    let channels = match codec.channels {
        0 | 1 => String::new(),
        n => format!("/{n}"),
    };
    line(
        out,
        &format!("a=rtpmap:{pt} {}/{}{channels}", codec.name, codec.clock_rate),
    );
    let obeyed: &[&str] = match track.codec.kind() {
        MediaKind::Video => &["goog-remb", "ccm fir", "nack", "nack pli"],
        MediaKind::Audio => &["nack"],
    };
    for feedback in codec.feedback.iter().filter(|f| obeyed.contains(&f.as_str())) {
        line(out, &format!("a=rtcp-fb:{pt} {feedback}"));
    }
    if !codec.fmtp.is_empty() {
        line(out, &format!("a=fmtp:{pt} {}", codec.fmtp));
    }
}
