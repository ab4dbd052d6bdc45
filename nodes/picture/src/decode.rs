//! OpenH264 behind a fence: what it is given is bounded by the parameter sets first, and what it gives is copied out.
//! A decoder serves one picture and goes: nothing of one stream can show in another's.

use crate::Error;
use crate::colour::Matrix;
use openh264::OpenH264API;
use openh264::decoder::{Decoder, DecoderConfig};
use openh264::formats::YUVSource;
use weft_rtp::{NalKind, SpsInfo};
use weft_wire::nal_units;

/// Most bytes of pictures that a stream may have the decoder keep: 1080p with 16 reference frames, 4K with 4.
pub const MAX_DECODER_BYTES: u64 = 96 * 1024 * 1024;
/// Pictures that the decoder keeps beside the reference frames.
const BESIDE_REFERENCES: u64 = 2;
/// The longest side, in pixels, of what OpenH264 decodes.
const MAX_SIDE: u32 = 4096;

/// A picture in planes without gaps, its colour in half the width and height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planes {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) luma: Vec<u8>,
    pub(crate) cb: Vec<u8>,
    pub(crate) cr: Vec<u8>,
}

impl Planes {
    /// The sides of the planes of colour.
    pub(crate) fn half(side: usize) -> usize {
        side.div_ceil(2)
    }
}

/// The picture of a key unit, and how its numbers mean colours.
pub(crate) fn decode(data: &[u8]) -> Result<(Planes, Matrix), Error> {
    let mut matrix = None;
    let mut stream = Vec::with_capacity(data.len() + 64);
    for nal in nal_units(data) {
        match nal.first().map(|header| NalKind::of(*header)) {
            Some(NalKind::Sps) => matrix = Some(bounded(nal)?),
            Some(NalKind::Pps | NalKind::Idr) => {}
            // Nothing of the picture is in the others, and the less is parsed the better.
            _ => continue,
        }
        stream.extend_from_slice(&[0, 0, 0, 1]);
        stream.extend_from_slice(nal);
    }
    let matrix = matrix.ok_or(Error::NoParameters)?;
    // Without concealment: a picture with a hole is none.
    let config = DecoderConfig::new();
    let decoder = Decoder::with_api_config(OpenH264API::from_source(), config);
    let mut decoder = decoder.map_err(|_| Error::Undecodable)?;
    let picture = decoder.decode(&stream).ok().flatten();
    let picture = picture.ok_or(Error::Undecodable)?;
    let (width, height) = picture.dimensions();
    let side = 2..=MAX_SIDE as usize;
    if !side.contains(&width) || !side.contains(&height) {
        return Err(Error::Undecodable);
    }
    let (half_width, half_height) = (Planes::half(width), Planes::half(height));
    let (luma, cb, cr) = picture.strides();
    let planes = Planes {
        width,
        height,
        luma: plane(picture.y(), luma, width, height).ok_or(Error::Undecodable)?,
        cb: plane(picture.u(), cb, half_width, half_height).ok_or(Error::Undecodable)?,
        cr: plane(picture.v(), cr, half_width, half_height).ok_or(Error::Undecodable)?,
    };
    Ok((planes, matrix))
}

/// Every parameter set is looked at: the decoder takes whichever the picture names.
fn bounded(nal: &[u8]) -> Result<Matrix, Error> {
    let sps = SpsInfo::parse(nal).ok_or(Error::NoParameters)?;
    let (width, height, references) = (sps.coded_width, sps.coded_height, sps.reference_frames);
    let pictures = u64::from(references).saturating_add(BESIDE_REFERENCES);
    let bytes = (u64::from(width) * u64::from(height) * 3 / 2).saturating_mul(pictures);
    if width > MAX_SIDE || height > MAX_SIDE || bytes > MAX_DECODER_BYTES {
        return Err(Error::TooLarge(width, height, references));
    }
    Ok(Matrix::of(&sps))
}

/// A plane without the gaps at the ends of its rows.
fn plane(from: &[u8], stride: usize, width: usize, height: usize) -> Option<Vec<u8>> {
    let mut plane = Vec::with_capacity(width * height);
    for row in 0..height {
        plane.extend_from_slice(from.get(row * stride..row * stride + width)?);
    }
    Some(plane)
}
