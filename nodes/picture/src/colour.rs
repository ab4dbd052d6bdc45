//! From what a stream's numbers mean as colours to what JPEG's mean: the full range and the matrix of BT.601 (JFIF 1.02).
//! Primaries and transfer curves are left as they are.

use crate::decode::Planes;
use weft_rtp::SpsInfo;

/// How numbers mean colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Matrix {
    /// 0 to 255 instead of 16 to 235 and 240.
    full_range: bool,
    /// BT.709 instead of BT.601.
    bt709: bool,
}

/// `matrix_coefficients` of BT.709 (ITU-T H.264 table E-5).
const BT709: u8 = 1;

impl Matrix {
    /// As the parameter set says; where it says nothing, BT.601 of limited range: what capturing in browsers gives.
    pub(crate) fn of(sps: &SpsInfo) -> Self {
        Self {
            full_range: sps.full_range,
            bt709: sps.matrix == Some(BT709),
        }
    }
}

/// Changes the numbers so that a JPEG's reader sees the same colours.
pub(crate) fn to_jpeg(planes: &mut Planes, matrix: Matrix) {
    if !matrix.full_range {
        let luma = table(|value| (value - 16.0) * 255.0 / 219.0);
        let colour = table(|value| (value - 128.0) * 255.0 / 224.0 + 128.0);
        map(&mut planes.luma, &luma);
        map(&mut planes.cb, &colour);
        map(&mut planes.cr, &colour);
    }
    if matrix.bt709 {
        from_bt709(planes);
    }
}

fn table(of: impl Fn(f64) -> f64) -> [u8; 256] {
    std::array::from_fn(|value| of(value as f64).round().clamp(0.0, 255.0) as u8)
}

fn map(plane: &mut [u8], table: &[u8; 256]) {
    for value in plane {
        *value = table[usize::from(*value)];
    }
}

/// The product of the one matrix to RGB and the other from it, in 1/65536.
fn from_bt709(planes: &mut Planes) {
    const BITS: i32 = 16;
    const LUMA: [i32; 2] = [6_658, 12_850];
    const CB: [i32; 2] = [64_871, -7_252];
    const CR: [i32; 2] = [-4_750, 64_448];
    let half = Planes::half(planes.width);
    let mix = |[of_cb, of_cr]: [i32; 2], cb: u8, cr: u8| {
        ((i32::from(cb) - 128) * of_cb + (i32::from(cr) - 128) * of_cr + (1 << (BITS - 1))) >> BITS
    };
    let byte = |value: i32| value.clamp(0, 255) as u8;
    for (row, line) in planes.luma.chunks_mut(planes.width).enumerate() {
        let at = row / 2 * half;
        let (cbs, crs) = (&planes.cb[at..at + half], &planes.cr[at..at + half]);
        for (pair, (cb, cr)) in line.chunks_mut(2).zip(cbs.iter().zip(crs)) {
            let more = mix(LUMA, *cb, *cr);
            for value in pair {
                *value = byte(i32::from(*value) + more);
            }
        }
    }
    for (cb, cr) in planes.cb.iter_mut().zip(&mut planes.cr) {
        (*cb, *cr) = (byte(mix(CB, *cb, *cr) + 128), byte(mix(CR, *cb, *cr) + 128));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixel(luma: u8, cb: u8, cr: u8) -> Planes {
        Planes {
            width: 2,
            height: 2,
            luma: vec![luma; 4],
            cb: vec![cb],
            cr: vec![cr],
        }
    }

    fn turned(matrix: Matrix, (luma, cb, cr): (u8, u8, u8)) -> (u8, u8, u8) {
        let mut planes = pixel(luma, cb, cr);
        to_jpeg(&mut planes, matrix);
        (planes.luma[3], planes.cb[0], planes.cr[0])
    }

    #[test]
    fn black_white_and_pure_red_come_out_as_jpeg_has_them() {
        let limited = |bt709| Matrix {
            full_range: false,
            bt709,
        };
        for bt709 in [false, true] {
            assert_eq!(turned(limited(bt709), (16, 128, 128)), (0, 128, 128));
            assert_eq!(turned(limited(bt709), (235, 128, 128)), (255, 128, 128));
        }
        // Red of full strength: in JPEG (76, 85, 255).
        for (bt709, red) in [(false, (81, 90, 240)), (true, (63, 102, 240))] {
            let (luma, cb, cr) = turned(limited(bt709), red);
            assert!(
                luma.abs_diff(76) <= 2 && cb.abs_diff(85) <= 2 && cr >= 253,
                "{luma} {cb} {cr}"
            );
        }
        let full = Matrix {
            full_range: true,
            bt709: false,
        };
        assert_eq!(turned(full, (7, 8, 9)), (7, 8, 9));
    }
}
