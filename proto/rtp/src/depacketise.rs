//! Packets in order to access units: the words all codecs share, and the choice of codec.
//! Each codec's rules are in its own file; whether a unit after a loss may be passed on is the gate's decision.

use crate::{H264Depacketiser, OpusDepacketiser, Packet};
use bytes::Bytes;
use weft_wire::Codec;

/// One whole access unit, in the form of [`weft_wire::AccessUnit`]'s `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DepacketisedUnit {
    /// RTP timestamp of its packets.
    pub timestamp: u32,
    /// Video: decoding can start here, parameter sets are in front. Audio: false.
    pub key: bool,
    /// Something was lost or dropped since the unit before.
    pub discontinuity: bool,
    /// The coded picture or sound.
    pub data: Bytes,
    /// The abs-capture-time extension of the first packet that had one, NTP 64 bits.
    pub abs_capture: Option<u64>,
    /// Audio: length in ticks of the track's clock; 0 for video.
    pub duration: u32,
}

/// Why a unit was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Damage {
    /// Packets of it are missing, or may be.
    Loss,
    /// A payload breaks the codec's RTP format.
    Malformed,
    /// It is larger than [`weft_wire::MAX_UNIT_BYTES`].
    Oversize,
    /// A key unit whose parameter sets never came.
    NoParameterSets,
}

/// What a depacketiser yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Depacketised {
    /// A whole unit.
    Unit(DepacketisedUnit),
    /// A unit that is dropped; told once, as soon as it is known.
    Damaged {
        /// RTP timestamp of its packets.
        timestamp: u32,
        /// Why.
        damage: Damage,
    },
}

/// The depacketiser of a track. After each [`Self::push`] and [`Self::lost`]: [`Self::pop`] until `None`.
#[derive(Debug)]
pub enum Depacketiser {
    /// RFC 6184.
    H264(H264Depacketiser),
    /// RFC 7587.
    Opus(OpusDepacketiser),
}

impl Depacketiser {
    /// The one for this codec; `None` if there is none yet.
    #[must_use]
    pub fn new(codec: Codec) -> Option<Self> {
        match codec {
            Codec::H264 => Some(Self::H264(H264Depacketiser::new())),
            Codec::Opus => Some(Self::Opus(OpusDepacketiser::new())),
            _ => None,
        }
    }

    /// Takes the next packet in order.
    pub fn push(&mut self, packet: Packet) {
        match self {
            Self::H264(d) => d.push(&packet),
            Self::Opus(d) => d.push(packet),
        }
    }

    /// Packets are missing between the one pushed last and the next.
    pub fn lost(&mut self) {
        match self {
            Self::H264(d) => d.lost(),
            Self::Opus(d) => d.lost(),
        }
    }

    /// The next unit, or news of a damaged one.
    pub fn pop(&mut self) -> Option<Depacketised> {
        match self {
            Self::H264(d) => d.pop(),
            Self::Opus(d) => d.pop(),
        }
    }
}
