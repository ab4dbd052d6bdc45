//! A picture's planes as a JPEG file. The encoder takes colour at every pixel and keeps every second one of them.
//! What the numbers mean was seen to before.

use crate::decode::Planes;
use crate::{Error, Jpeg};
use jpeg_encoder::{Encoder, ImageBuffer, JpegColorType, SamplingFactor};

/// Good to look at, and a third of what 90 takes.
const QUALITY: u8 = 75;

pub(crate) fn encode(planes: &Planes) -> Result<Jpeg, Error> {
    let fits = |side: usize| u16::try_from(side).map_err(|error| Error::Unencodable(error.to_string()));
    let mut bytes = Vec::with_capacity(planes.luma.len() / 8);
    let rows = Rows {
        planes,
        width: fits(planes.width)?,
        height: fits(planes.height)?,
    };
    let mut encoder = Encoder::new(&mut bytes, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
    let encoded = encoder.encode_image(rows);
    encoded.map_err(|error| Error::Unencodable(error.to_string()))?;
    Ok(Jpeg {
        bytes,
        width: planes.width as u32,
        height: planes.height as u32,
    })
}

struct Rows<'a> {
    planes: &'a Planes,
    width: u16,
    height: u16,
}

impl ImageBuffer for Rows<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    fn fill_buffers(&self, row: u16, [luma, cb, cr, _]: &mut [Vec<u8>; 4]) {
        let Planes { width, .. } = *self.planes;
        let row = usize::from(row);
        luma.extend_from_slice(&self.planes.luma[row * width..(row + 1) * width]);
        let half = Planes::half(width);
        let at = row / 2 * half;
        for (plane, out) in [(&self.planes.cb, cb), (&self.planes.cr, cr)] {
            let end = out.len() + width;
            out.resize(out.len() + 2 * half, 0);
            let begin = out.len() - 2 * half;
            for (pair, value) in out[begin..].chunks_exact_mut(2).zip(&plane[at..at + half]) {
                pair.fill(*value);
            }
            out.truncate(end);
        }
    }
}
