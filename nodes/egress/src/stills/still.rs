//! One key unit as a picture that can be fetched: what names it, and its bytes as other programs take them.
//! Which one is the newest is known in `follow`.

use bytes::Bytes;
use weft_wire::{CaptureSource, CaptureTime, Epoch, SessionId, TrackInfo, UnitSeq, nal_units};

/// A key unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Still {
    pub(crate) session: SessionId,
    pub(crate) epoch: Epoch,
    pub(crate) seq: UnitSeq,
    pub(crate) track: TrackInfo,
    pub(crate) capture: CaptureTime,
    pub(crate) source: CaptureSource,
    /// As in `AccessUnit`: NAL units behind their lengths, parameter sets first.
    pub(crate) data: Bytes,
}

impl Still {
    /// True for two of the same picture.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (self.session, self.seq) == (other.session, other.seq)
    }

    /// Names the picture among all that there ever were.
    pub(crate) fn tag(&self) -> String {
        format!("\"{}-{}\"", self.session, self.seq.0)
    }

    /// As a byte stream with start codes (ITU-T H.264 annex B).
    pub(crate) fn annex_b(&self) -> Vec<u8> {
        let mut stream = Vec::with_capacity(self.data.len());
        for nal in nal_units(&self.data) {
            stream.extend_from_slice(&[0, 0, 0, 1]);
            stream.extend_from_slice(nal);
        }
        stream
    }
}
