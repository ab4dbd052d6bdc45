//! One coded key picture made a JPEG file: decoded by OpenH264, made smaller, put into the colours of JPEG, encoded.
//! Blocking work of some milliseconds without state: on which thread, how often and for whom is the caller's business.

mod colour;
mod decode;
mod encode;
mod scale;
#[cfg(test)]
mod tests;

pub use decode::MAX_DECODER_BYTES;

use decode::Planes;

/// Why there is no JPEG.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Without them nothing is known of the picture, its size included.
    #[error("the key unit has no sequence parameter set that can be read")]
    NoParameters,
    /// It is not even given to the decoder.
    #[error("a picture of {0}x{1} with {2} reference frames is larger than what is decoded here")]
    TooLarge(u32, u32, u32),
    /// Damaged, or of a profile that OpenH264 does not know.
    #[error(
        "the picture cannot be decoded: damaged, or not of H.264's Baseline, Main or High profile with 4:2:0 in 8 bits"
    )]
    Undecodable,
    /// No picture that the decoder gives should lead here.
    #[error("the picture cannot be encoded as JPEG: {0}")]
    Unencodable(String),
}

/// A picture as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jpeg {
    /// The file (JFIF, baseline, 4:2:0).
    pub bytes: Vec<u8>,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// Decodes a key unit, given as an `AccessUnit`'s `data` (each NAL unit behind its length), and encodes it, at most `width`
/// wide where that is given. A picture is never made larger than it is.
///
/// # Errors
/// When it cannot be decoded; hostile bytes lead here, not to a panic or to more memory than [`MAX_DECODER_BYTES`] and some
/// copies of the picture.
pub fn jpeg(data: &[u8], width: Option<u32>) -> Result<Jpeg, Error> {
    let (mut planes, matrix) = decode::decode(data)?;
    if let Some((width, height)) = width.and_then(|width| smaller(&planes, width)) {
        planes = scale::to(&planes, width, height);
    }
    colour::to_jpeg(&mut planes, matrix);
    encode::encode(&planes)
}

/// The size to scale to, of the same shape; `None`: it is small enough.
fn smaller(planes: &Planes, width: u32) -> Option<(usize, usize)> {
    let width = (width as usize).max(2);
    if width >= planes.width {
        return None;
    }
    let height = (planes.height * width + planes.width / 2) / planes.width;
    Some((width, height.max(2)))
}
