//! What a codec is called outside (RFC 6381), and sound that says nothing.
//! The boxes of each codec are written with the init segment.

use bytes::Bytes;
use weft_rtp::ParameterSets;
use weft_wire::{Codec, TrackInfo};

/// The value of a `codecs` parameter for this track, `avc1.42e01f` or `opus`; `None` while it is not known.
#[must_use]
pub fn codec_string(track: &TrackInfo) -> Option<String> {
    match track.codec {
        Codec::H264 => {
            let sets = ParameterSets::from_nals(track.parameter_sets.iter().map(|nal| &nal[..]));
            sets.info().map(|sps| format!("avc1.{}", sps.profile_level_id()))
        }
        Codec::Opus => Some("opus".to_owned()),
        _ => None,
    }
}

/// An Opus packet of 20 ms of silence: one CELT frame, fullband, mono (RFC 6716 §3.1), whose bits say that it is silent
/// (§4.3, table 56). Decoders play it whatever the number of channels around it.
#[must_use]
pub fn opus_silence() -> Bytes {
    Bytes::from_static(&[0xf8, 0xff, 0xfe])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_lasts_twenty_milliseconds() {
        assert_eq!(weft_rtp::opus_duration(&opus_silence()), Some(960));
    }
}
