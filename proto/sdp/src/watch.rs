//! WHEP offers (draft-ietf-wish-whep): what a reader wants to receive, matched with what a stream has.
//! The answer's text is in `watch_answer`; ICE, DTLS and RTP behind it are `weft-rtc`'s business.

use crate::offer::{self, Offer, OfferError, OfferedCodec, OfferedMedia};
use weft_wire::{ClockRate, Codec, MediaKind, TrackId, TrackInfo};

/// When a packet left us, for the receiver's estimate of the path.
pub const ABS_SEND_TIME_URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
/// When a picture was captured.
pub const ABS_CAPTURE_TIME_URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";

/// A track of the stream and the media line of the offer that takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedTrack {
    /// Which track.
    pub track: TrackId,
    /// Its codec.
    pub codec: Codec,
    /// Ticks per second.
    pub clock_rate: ClockRate,
    /// Place of the media line in the offer.
    pub line: usize,
    /// Payload type of its packets, the offer's.
    pub payload_type: u8,
    /// Payload type of retransmissions (RFC 4588), where the reader takes them as such.
    pub rtx: Option<u8>,
    /// Number of the abs-send-time extension, where offered.
    pub abs_send_time: Option<u8>,
    /// Number of the abs-capture-time extension, where offered.
    pub abs_capture: Option<u8>,
    /// The reader says what it misses.
    pub nack: bool,
}

/// True for a media line that wants to get something.
fn wants(media: &OfferedMedia) -> bool {
    use offer::Direction::{RecvOnly, SendRecv};
    media.port != 0 && matches!(media.direction, RecvOnly | SendRecv) && !media.mid.is_empty()
}

/// Reads an offer of a reader.
///
/// # Errors
/// [`OfferError`]: it is none, or wants to receive nothing.
pub fn check(sdp: &str) -> Result<Offer, OfferError> {
    let offer = offer::parse(sdp)?;
    let any = |m: &OfferedMedia| wants(m) && m.kind().is_some();
    if !offer.media.iter().any(any) {
        return Err(OfferError::NothingWanted);
    }
    Ok(offer)
}

/// Finds a media line for each track of a stream: the first of its kind that takes its codec. Tracks that no line takes are
/// left out.
///
/// # Errors
/// [`OfferError::NothingFits`] where no track is left.
pub fn choose(offer: &Offer, tracks: &[TrackInfo]) -> Result<Vec<WatchedTrack>, OfferError> {
    let mut chosen: Vec<WatchedTrack> = Vec::new();
    for info in tracks {
        let taken = |line: usize| chosen.iter().any(|c| c.line == line);
        let lines = offer.media.iter().enumerate();
        let found = lines
            .filter(|(line, media)| wants(media) && media.kind() == Some(info.codec.kind()) && !taken(*line))
            .find_map(|(line, media)| Some((line, media, best(media, info)?)));
        if let Some((line, media, codec)) = found {
            chosen.push(watched(info, line, media, codec));
        }
    }
    if chosen.is_empty() {
        return Err(OfferError::NothingFits {
            stream: tracks
                .iter()
                .map(|t| t.codec.label())
                .collect::<Vec<_>>()
                .join(", "),
            offered: offered(offer),
        });
    }
    chosen.sort_by_key(|c| c.line);
    Ok(chosen)
}

fn watched(info: &TrackInfo, line: usize, media: &OfferedMedia, codec: &OfferedCodec) -> WatchedTrack {
    let extension = |uri: &str| media.extensions.iter().find(|(_, u)| u == uri).map(|(id, _)| *id);
    // One-byte headers have numbers up to 14 (RFC 8285 section 4.2).
    let small = |id: &u8| (1..=14).contains(id);
    let payload_type = codec.payload_type.to_string();
    let rtx = media
        .codecs
        .iter()
        .find(|c| c.name.eq_ignore_ascii_case("rtx") && c.parameter("apt") == Some(payload_type.as_str()));
    WatchedTrack {
        track: info.id,
        codec: info.codec,
        clock_rate: info.clock_rate,
        line,
        payload_type: codec.payload_type,
        rtx: rtx.map(|c| c.payload_type),
        abs_send_time: extension(ABS_SEND_TIME_URI).filter(small),
        abs_capture: extension(ABS_CAPTURE_TIME_URI).filter(small),
        nack: codec.feedback.iter().any(|f| f == "nack"),
    }
}

/// The offered payload type that suits a track best.
fn best<'a>(media: &'a OfferedMedia, info: &TrackInfo) -> Option<&'a OfferedCodec> {
    let fits = media.codecs.iter().filter(|c| c.codec() == Some(info.codec));
    if info.codec.kind() == MediaKind::Audio {
        return fits.into_iter().next();
    }
    // Packets are made for packetization-mode 1 (RFC 6184 section 6.3).
    let fits = fits.filter(|c| c.parameter("packetization-mode") == Some("1"));
    let stream = info.parameter_sets.first().and_then(|sps| profile_of(sps));
    // The first of equals: the reader's own order.
    fits.first_max_by_key(|c| rank(stream, c.parameter("profile-level-id").and_then(parse_profile)))
}

trait FirstMax: Iterator + Sized {
    /// The first of those with the largest key.
    fn first_max_by_key<K: Ord>(self, key: impl Fn(&Self::Item) -> K) -> Option<Self::Item> {
        let mut best: Option<(K, Self::Item)> = None;
        for item in self {
            let k = key(&item);
            if best.as_ref().is_none_or(|(b, _)| k > *b) {
                best = Some((k, item));
            }
        }
        best.map(|(_, item)| item)
    }
}

impl<I: Iterator> FirstMax for I {}

/// `profile_idc` and the constraint flags.
type Profile = (u8, u8);

fn profile_of(sps: &[u8]) -> Option<Profile> {
    Some((*sps.get(1)?, *sps.get(2)?))
}

fn parse_profile(hex: &str) -> Option<Profile> {
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    Some((byte(0)?, byte(2)?))
}

/// How capable a decoder of this profile is, coarsely: constrained baseline below baseline and main, those below high.
fn power((idc, flags): Profile) -> u8 {
    let constrained = flags & 0x40 != 0;
    match idc {
        66 if constrained => 1,
        66 => 2,
        77 if constrained => 1,
        77 => 3,
        _ => 4,
    }
}

/// How well an offered profile suits the stream's: the same one best, then one that decodes more, nearest first, then the
/// most capable of the others. Browsers decode what their offer is too modest to name.
fn rank(stream: Option<Profile>, offered: Option<Profile>) -> (u8, i16) {
    // RFC 6184 section 8.1: without the parameter it is baseline.
    let offered = power(offered.unwrap_or((66, 0)));
    match stream.map(power) {
        Some(stream) if stream == offered => (2, 0),
        Some(stream) if stream < offered => (1, -i16::from(offered)),
        _ => (0, i16::from(offered)),
    }
}

/// The distinct codec names of the lines that want something.
fn offered(offer: &Offer) -> String {
    const MOST: usize = 8;
    let mut names: Vec<&str> = Vec::new();
    for codec in offer.media.iter().filter(|m| wants(m)).flat_map(|m| &m.codecs) {
        let repair = ["rtx", "red", "ulpfec", "flexfec-03", "CN", "telephone-event"];
        if !repair.contains(&&*codec.name) && !names.contains(&&*codec.name) && names.len() < MOST {
            names.push(&codec.name);
        }
    }
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
