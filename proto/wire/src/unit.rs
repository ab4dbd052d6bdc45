//! The access unit: one decodable picture, or one audio packet's frames, with all that readers need to place it.
//! How it is cut into RTP packets or bus messages is decided elsewhere.

use crate::{CaptureSource, CaptureTime, Epoch, GopSeq, MediaTime, SentTime, SessionId, TrackId, UnitSeq};
use bytes::Bytes;

/// What a unit is, as bits on the wire; unknown bits are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct UnitFlags(pub u8);

impl UnitFlags {
    /// Decoding can start here (H.264: an IDR picture with its parameter sets known).
    pub const KEY: Self = Self(1);
    /// Something was lost just before this unit; for video it is then also a key unit.
    pub const DISCONTINUITY: Self = Self(2);

    /// True when all bits of `other` are set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One access unit, whole.
///
/// `data` of a video unit is its NAL units, each preceded by its length in 4 bytes, big-endian, in decoding order and
/// without start codes; access unit delimiters and filler are left out, parameter sets are in front of every key unit.
/// `data` of an Opus unit is one Opus packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// Which track.
    pub track: TrackId,
    /// Place in the session, over all tracks.
    pub seq: UnitSeq,
    /// Which group of pictures it belongs to.
    pub gop: GopSeq,
    /// When to show it, on the track's clock.
    pub pts: MediaTime,
    /// When to decode it, on the track's clock; never falls within a session.
    pub dts: MediaTime,
    /// When it was captured, UTC.
    pub capture: CaptureTime,
    /// How `capture` is known.
    pub capture_source: CaptureSource,
    /// The publisher's clock minus the ingest node's, in µs, as far as known; 0 otherwise.
    pub capture_offset: i64,
    /// When the ingest node handed it to the bus, on its own monotonic clock.
    pub sent: SentTime,
    /// Key unit, discontinuity.
    pub flags: UnitFlags,
    /// The coded picture or sound.
    pub data: Bytes,
}

impl AccessUnit {
    /// True when decoding can start here.
    #[must_use]
    pub fn is_key(&self) -> bool {
        self.flags.contains(UnitFlags::KEY)
    }
}

/// Units of one session that travel together, in order of `seq`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitBatch {
    /// The publisher's session.
    pub session: SessionId,
    /// The epoch that session holds.
    pub epoch: Epoch,
    /// At least one unit.
    pub units: Vec<AccessUnit>,
}

/// The NAL units of a video unit's `data`; stops at the first length that does not fit.
pub fn nal_units(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = data.split_first_chunk::<4>()?;
        let len = u32::from_be_bytes(*len) as usize;
        let nal = rest.get(..len)?;
        data = &rest[len..];
        Some(nal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nal_units_stop_at_a_length_that_lies() {
        let data = [0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x41, 0, 0, 0, 9, 1];
        let nals: Vec<&[u8]> = nal_units(&data).collect();
        assert_eq!(nals, [&[0x65, 1][..], &[0x41][..]]);
        assert_eq!(nal_units(&[0, 0]).count(), 0);
    }
}
