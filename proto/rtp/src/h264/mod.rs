//! H.264 over RTP (RFC 6184): what a NAL unit is called, and the parts that take units apart and put them together.
//! Pictures are never decoded here; only parameter sets are read.

mod bits;
mod depacketise;
#[cfg(test)]
mod depacketise_tests;
mod packetise;
mod parameter_sets;
mod sps;

pub use depacketise::H264Depacketiser;
pub(crate) use packetise::packetise;
pub use parameter_sets::ParameterSets;
pub use sps::SpsInfo;

/// Aggregation packet (RFC 6184 §5.7.1).
const STAP_A: u8 = 24;
/// Fragmentation unit (RFC 6184 §5.8).
const FU_A: u8 = 28;

/// What a NAL unit is, as far as we treat kinds differently (ITU-T H.264 table 7-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NalKind {
    /// A slice of a picture that others may be needed for (types 1 to 4).
    Slice,
    /// A slice of an IDR picture (5).
    Idr,
    /// Supplemental enhancement information (6).
    Sei,
    /// Sequence parameter set (7).
    Sps,
    /// Picture parameter set (8).
    Pps,
    /// Access unit delimiter (9).
    Delimiter,
    /// End of sequence or stream, filler (10, 11, 12): carries nothing.
    Void,
    /// Anything else that is a NAL unit (13 to 23): passed on untouched.
    Other,
    /// No NAL unit on its own (0 and 24 to 31).
    None,
}

impl NalKind {
    /// From a NAL unit's first byte.
    #[must_use]
    pub fn of(header: u8) -> Self {
        match header & 0x1f {
            1..=4 => Self::Slice,
            5 => Self::Idr,
            6 => Self::Sei,
            7 => Self::Sps,
            8 => Self::Pps,
            9 => Self::Delimiter,
            10..=12 => Self::Void,
            13..=23 => Self::Other,
            _ => Self::None,
        }
    }

    /// True for the coded picture itself.
    #[must_use]
    pub fn is_picture(self) -> bool {
        matches!(self, Self::Slice | Self::Idr)
    }
}
