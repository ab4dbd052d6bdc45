//! What a track carries: its codec, clock and the parameters a decoder must know beforehand.
//! How these become SDP lines is `weft-sdp`'s business.

use crate::{ClockRate, TrackId, positional::positional};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Video or audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaKind {
    /// Pictures; has key units.
    Video,
    /// Sound; every unit stands alone.
    Audio,
}

/// A codec the fabric can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Codec {
    /// ITU-T H.264.
    H264,
    /// RFC 6716.
    Opus,
    /// What a codec of a later release reads as. Lists of tracks are read without such tracks, and units of a track that is
    /// in no list reach no reader.
    #[serde(other)]
    Unknown,
}

impl Codec {
    /// Video or audio; an unknown one counts as audio, for which nothing ever waits.
    #[must_use]
    pub fn kind(self) -> MediaKind {
        match self {
            Self::H264 => MediaKind::Video,
            Self::Opus | Self::Unknown => MediaKind::Audio,
        }
    }

    /// MediaMTX's label of the codec, as in `/v3/paths/list`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::H264 => "H264",
            Self::Opus => "Opus",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

positional! {
    /// One track of a stream.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct TrackInfo {
        /// Its number inside the stream.
        pub id: TrackId,
        /// What it is coded in.
        pub codec: Codec,
        /// Ticks per second of its timestamps.
        pub clock_rate: ClockRate,
        /// Audio channels; 0 for video.
        pub channels: u8,
        /// H.264: SPS then PPS NAL units, without start codes; empty until seen.
        pub parameter_sets: Vec<Bytes>,
        /// Picture width in pixels, 0 until known.
        pub width: u32,
        /// Picture height in pixels, 0 until known.
        pub height: u32,
    }
}

/// The tracks of a list that this release can carry: one of a later release's codec does not cost the others.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct KnownTracks(Vec<TrackInfo>);

impl From<KnownTracks> for Vec<TrackInfo> {
    fn from(KnownTracks(mut tracks): KnownTracks) -> Self {
        tracks.retain(|track| track.codec != Codec::Unknown);
        tracks
    }
}
