//! Access units as MP4 (ISO/IEC 14496-12, -15; Opus in ISOBMFF): init segments, CMAF fragments, and one picture as a small file.
//! Which units make a fragment, and who is sent it, is decided elsewhere.
//!
//! Boxes are written by the `mp4-atom` crate; media data is copied once, into the finished piece.

mod codecs;
mod error;
mod fragment;
mod init;
mod still;

pub use codecs::{codec_string, opus_silence};
pub use error::Error;
pub use fragment::{Run, Sample, fragment};
pub use init::init;
pub use still::still;

use weft_wire::{TrackId, nal_units};

/// The number a track has in every file.
#[must_use]
pub fn track_number(id: TrackId) -> u32 {
    u32::from(id.0) + 1
}

/// An H.264 unit as a sample of an `avc1` track: the parameter sets in front of it are left out, because the sample entry
/// has them (ISO/IEC 14496-15 §5.3.3).
#[must_use]
pub fn avc_sample(data: &bytes::Bytes) -> bytes::Bytes {
    let in_front =
        nal_units(data).take_while(|nal| nal.first().is_some_and(|head| matches!(head & 0x1f, 7..=9)));
    let skipped: usize = in_front.map(|nal| nal.len() + 4).sum();
    data.slice(skipped..)
}
