//! WHIP offers (RFC 9725): what a publisher wants to send, checked against what we can take, before any peer is built.
//! Pure and bounded; the DTLS, ICE and RTP machinery behind an accepted offer is `weft-rtc`'s business.

use crate::offer_parse;
use std::fmt;
use weft_wire::{Codec, MediaKind};

/// Longest line of an offer, in bytes; real ones stay below 600.
pub const MAX_LINE_BYTES: usize = 4096;
/// Most lines of an offer; a browser with every codec sends about 250.
pub const MAX_LINES: usize = 4000;
/// Most media lines that are looked at; more are refused before the rest is read.
pub const MAX_MEDIA_LINES: usize = 16;
/// Most candidates kept; the others are ignored, since a publisher's checks reach us without them.
pub const MAX_CANDIDATES: usize = 16;

/// Who opens the DTLS association (RFC 4145 §4, RFC 5763 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// The offerer does.
    Active,
    /// The answerer must.
    Passive,
    /// The answerer may choose.
    ActPass,
}

/// Which way media flows, seen from the one who wrote the SDP (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Both ways; also what an SDP without the attribute means.
    #[default]
    SendRecv,
    /// Only from the writer.
    SendOnly,
    /// Only to the writer.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// True when the writer sends.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }
}

/// One payload type of a media line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedCodec {
    /// Encoding name as written in `rtpmap`, e.g. `H264`, `opus`, `rtx`.
    pub name: String,
    /// RTP payload type.
    pub payload_type: u8,
    /// Ticks per second.
    pub clock_rate: u32,
    /// Audio channels, 1 where none are named.
    pub channels: u8,
    /// The `fmtp` parameters, empty where there are none.
    pub fmtp: String,
    /// Its `rtcp-fb` values, e.g. `nack pli`; those of `*` included.
    pub feedback: Vec<String>,
}

impl OfferedCodec {
    /// The value of an `fmtp` parameter, if it is there.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.fmtp.split(';').find_map(|p| {
            let (key, value) = p.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The codec of ours this is, if it is one.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        let is = |name: &str| self.name.eq_ignore_ascii_case(name);
        if is("H264") && self.clock_rate == 90_000 {
            // Interleaved mode (2) reorders NAL units and is spoken by nobody (RFC 6184 §6.4).
            (self.parameter("packetization-mode") != Some("2")).then_some(Codec::H264)
        } else if is("opus") && self.clock_rate == 48_000 && self.channels == 2 {
            Some(Codec::Opus)
        } else {
            None
        }
    }
}

/// One media line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedMedia {
    /// The media type as written: `video`, `audio`, `application`, ...
    pub media: String,
    /// Port 0 means the line is refused or switched off (RFC 3264 §6).
    pub port: u16,
    /// Identification tag (RFC 5888), empty where missing.
    pub mid: String,
    /// Its payload types in order of preference.
    pub codecs: Vec<OfferedCodec>,
    /// Which way it flows.
    pub direction: Direction,
    /// Announced sources, retransmission ones included.
    pub ssrcs: Vec<u32>,
    /// Pairs of a source and the one that retransmits it (`ssrc-group:FID`, RFC 5576, RFC 4588).
    pub retransmission: Vec<(u32, u32)>,
    /// RTP header extensions: number and URI (RFC 8285).
    pub extensions: Vec<(u8, String)>,
}

impl OfferedMedia {
    /// Video or audio; `None` for anything else.
    #[must_use]
    pub fn kind(&self) -> Option<MediaKind> {
        match self.media.as_str() {
            "video" => Some(MediaKind::Video),
            "audio" => Some(MediaKind::Audio),
            _ => None,
        }
    }

    /// True when this line stands for media that the writer will send.
    #[must_use]
    pub fn sends(&self) -> bool {
        self.port != 0 && self.direction.sends()
    }
}

/// A session description as far as WebRTC media needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Who opens DTLS; `actpass` where the attribute is missing, as RFC 5763 §5 wants of an offer.
    pub setup: Setup,
    /// All media lines, in order.
    pub media: Vec<OfferedMedia>,
    /// ICE user fragment.
    pub ice_ufrag: String,
    /// ICE password.
    pub ice_pwd: String,
    /// The certificate's fingerprint, `sha-256 AA:BB:...`.
    pub fingerprint: String,
    /// Candidate values (`candidate:...`), at most [`MAX_CANDIDATES`].
    pub candidates: Vec<String>,
}

impl Offer {
    /// The media lines that bring something, in order.
    pub fn sending(&self) -> impl Iterator<Item = &OfferedMedia> {
        self.media.iter().filter(|m| m.sends())
    }
}

/// Why an offer is refused; the words are for the publisher's eyes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// Not an SDP.
    #[error("bad SDP, line {line}: {what}")]
    Malformed {
        /// Line number from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Larger than any honest offer.
    #[error("bad SDP: more than {limit} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// Something WebRTC cannot do without.
    #[error("bad SDP: no a={0}")]
    Missing(&'static str),
    /// Two videos or two audios.
    #[error("only one {0} track is supported, the offer has more")]
    TooManyTracks(&'static str),
    /// A data channel, text, ...
    #[error("only video and audio can be published, the offer has m={0}")]
    OtherMedia(String),
    /// Nothing is sent at all.
    #[error("the offer sends neither video nor audio")]
    NoMedia,
    /// A media line none of whose codecs we can take.
    #[error("no supported {kind} codec: the offer has {offered}; supported is {supported}")]
    NoCodec {
        /// `video` or `audio`.
        kind: &'static str,
        /// What was offered, e.g. `VP8, AV1`.
        offered: String,
        /// What would do, e.g. `H264`.
        supported: &'static str,
    },
    /// A reader's offer that takes nothing.
    #[error("the offer receives neither video nor audio")]
    NothingWanted,
    /// A reader takes none of the stream's codecs.
    #[error("codecs do not match: the stream has {stream}; the offer takes {offered}")]
    NothingFits {
        /// What the stream has.
        stream: String,
        /// What the reader takes, e.g. `VP8, AV1`.
        offered: String,
    },
}

impl OfferError {
    /// The HTTP status that says it: 406 for media that cannot be published or read here, 400 for the rest.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::TooManyTracks(_)
            | Self::OtherMedia(_)
            | Self::NoMedia
            | Self::NothingWanted
            | Self::NothingFits { .. } => 406,
            Self::Malformed { .. } | Self::TooLarge { .. } | Self::Missing(_) | Self::NoCodec { .. } => 400,
        }
    }
}

fn word(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
    }
}

/// Reads any WebRTC session description, an answer too, without judging its media.
///
/// # Errors
/// [`OfferError::Malformed`], [`OfferError::TooLarge`] or [`OfferError::Missing`].
pub fn parse(sdp: &str) -> Result<Offer, OfferError> {
    offer_parse::parse(sdp)
}

/// Reads an offer and makes sure that it can be answered: one video and one audio at most, at least one of them, each with a codec of ours.
///
/// # Errors
/// Says what is wrong; [`OfferError::status`] gives the HTTP status.
pub fn check(sdp: &str) -> Result<Offer, OfferError> {
    let offer = parse(sdp)?;
    let mut seen = [false; 2];
    for media in &offer.media {
        let Some(kind) = media.kind() else {
            return Err(OfferError::OtherMedia(media.media.clone()));
        };
        if !media.sends() {
            continue;
        }
        let seen = &mut seen[usize::from(kind == MediaKind::Audio)];
        if std::mem::replace(seen, true) {
            return Err(OfferError::TooManyTracks(word(kind)));
        }
    }
    if seen == [false, false] {
        return Err(OfferError::NoMedia);
    }
    for media in offer.sending() {
        // Every line has a kind: the loop above refused all others.
        let Some(kind) = media.kind() else { continue };
        if media.mid.is_empty() {
            return Err(OfferError::Missing("mid"));
        }
        if !media
            .codecs
            .iter()
            .any(|c| c.codec().is_some_and(|codec| codec.kind() == kind))
        {
            return Err(OfferError::NoCodec {
                kind: word(kind),
                offered: names(&media.codecs),
                supported: match kind {
                    MediaKind::Video => "H264 with packetization-mode 0 or 1",
                    MediaKind::Audio => "opus/48000/2",
                },
            });
        }
    }
    Ok(offer)
}

/// The distinct names of what was offered, without the repair formats.
fn names(codecs: &[OfferedCodec]) -> String {
    const REPAIR: [&str; 5] = ["rtx", "red", "ulpfec", "flexfec-03", "CN"];
    const MOST: usize = 8;
    let mut names: Vec<&str> = Vec::new();
    for c in codecs {
        if !REPAIR.contains(&c.name.as_str()) && !names.contains(&c.name.as_str()) && names.len() < MOST {
            names.push(&c.name);
        }
    }
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
        })
    }
}

#[cfg(test)]
#[path = "offer_tests.rs"]
mod tests;
