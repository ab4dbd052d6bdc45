//! A small file of access units, ready to be sent: what `tests/fixtures/make-clip` writes and describes.
//! Encoding is FFmpeg's business, pacing is the player's.

use bytes::{Buf, Bytes};
use std::time::Duration;
use weft_wire::Codec;

/// The clip that `weft demo` plays: 640x360 at 25 frames/s, a keyframe every 2 s, with a tone; 10 s long.
static DEMO: &[u8] = include_bytes!("demo.clip");

const MAGIC: &[u8] = b"WEFTCLIP\x01";

/// A track of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClipTrack {
    /// Its codec.
    pub codec: Codec,
    /// Ticks per second.
    pub clock_rate: u32,
    /// Audio channels, 0 for video.
    pub channels: u8,
}

/// One access unit of a clip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipUnit {
    /// Place of its track.
    pub track: usize,
    /// Decoding may start here.
    pub key: bool,
    /// Ticks since the clip's start.
    pub pts: u32,
    /// In the form of [`weft_wire::AccessUnit::data`].
    pub data: Bytes,
}

/// A whole clip.
#[derive(Debug, Clone)]
pub struct Clip {
    /// Tracks by place.
    pub tracks: Vec<ClipTrack>,
    /// In the order of time, at least one.
    pub units: Vec<ClipUnit>,
    /// After this long the first unit follows the last.
    pub duration: Duration,
}

/// The bytes are no clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClipError {
    /// They do not begin as a clip does.
    #[error("not a clip of this version")]
    Magic,
    /// They end too early.
    #[error("the clip ends within a header or unit")]
    Truncated,
    /// A field has a value that means nothing.
    #[error("the clip has an unknown {0}")]
    Field(&'static str),
}

impl Clip {
    /// The built-in clip.
    #[must_use]
    pub fn demo() -> Self {
        Self::parse(Bytes::from_static(DEMO)).expect("the built-in clip is whole, as a test shows")
    }

    /// Reads a clip.
    ///
    /// # Errors
    /// When the bytes are no clip or not a whole one.
    pub fn parse(mut bytes: Bytes) -> Result<Self, ClipError> {
        if !bytes.starts_with(MAGIC) {
            return Err(ClipError::Magic);
        }
        bytes.advance(MAGIC.len());
        let count = bytes.try_get_u8().map_err(|_| ClipError::Truncated)?;
        let duration = Duration::from_micros(bytes.try_get_u64().map_err(|_| ClipError::Truncated)?);
        let tracks = (0..count)
            .map(|_| track(&mut bytes))
            .collect::<Result<Vec<_>, _>>()?;
        let mut units = Vec::new();
        while bytes.has_remaining() {
            units.push(unit(&mut bytes, tracks.len())?);
        }
        if units.is_empty() || duration.is_zero() {
            return Err(ClipError::Field("length"));
        }
        Ok(Self {
            tracks,
            units,
            duration,
        })
    }

    /// When a unit is due, after the clip's start.
    #[must_use]
    pub fn due(&self, unit: &ClipUnit) -> Duration {
        let rate = u64::from(self.tracks[unit.track].clock_rate);
        Duration::from_micros(u64::from(unit.pts) * 1_000_000 / rate)
    }
}

fn track(bytes: &mut Bytes) -> Result<ClipTrack, ClipError> {
    if bytes.remaining() < 6 {
        return Err(ClipError::Truncated);
    }
    let codec = match bytes.get_u8() {
        0 => Codec::H264,
        1 => Codec::Opus,
        _ => return Err(ClipError::Field("codec")),
    };
    let clock_rate = bytes.get_u32();
    if clock_rate == 0 {
        return Err(ClipError::Field("clock rate"));
    }
    Ok(ClipTrack {
        codec,
        clock_rate,
        channels: bytes.get_u8(),
    })
}

fn unit(bytes: &mut Bytes, tracks: usize) -> Result<ClipUnit, ClipError> {
    if bytes.remaining() < 9 {
        return Err(ClipError::Truncated);
    }
    let head = bytes.get_u8();
    let pts = bytes.get_u32();
    let len = bytes.get_u32() as usize;
    let track = usize::from(head & 0x7f);
    if track >= tracks {
        return Err(ClipError::Field("track"));
    }
    if bytes.remaining() < len {
        return Err(ClipError::Truncated);
    }
    Ok(ClipUnit {
        track,
        key: head & 0x80 != 0,
        pts,
        data: bytes.split_to(len),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_wire::nal_units;

    #[test]
    fn the_built_in_clip_has_a_self_contained_keyframe_every_two_seconds() {
        let clip = Clip::demo();
        assert_eq!(clip.duration, Duration::from_secs(10));
        assert_eq!(
            clip.tracks.iter().map(|t| t.codec).collect::<Vec<_>>(),
            [Codec::H264, Codec::Opus]
        );
        let keys: Vec<&ClipUnit> = clip.units.iter().filter(|u| u.key).collect();
        assert_eq!(
            keys.iter().map(|k| clip.due(k).as_secs()).collect::<Vec<_>>(),
            [0, 2, 4, 6, 8]
        );
        for key in keys {
            let types: Vec<u8> = nal_units(&key.data).map(|n| n[0] & 31).collect();
            assert_eq!(types[..2], [7, 8]);
            assert!(types.contains(&5));
        }
        let due: Vec<Duration> = clip.units.iter().map(|u| clip.due(u)).collect();
        assert!(due.is_sorted());
        assert!(DEMO.len() < 1_500_000);
    }

    #[test]
    fn a_clip_cut_anywhere_is_refused_or_shorter_and_never_panics() {
        let whole = Bytes::from_static(DEMO).slice(..20_000);
        for len in 0..whole.len() {
            if let Ok(clip) = Clip::parse(whole.slice(..len)) {
                assert!(clip.units.len() < Clip::demo().units.len());
            }
        }
        assert_eq!(Clip::parse(Bytes::new()).unwrap_err(), ClipError::Magic);
    }
}
