//! Makes a picture smaller: each new pixel is the mean of the area it covers, in fixed point.
//! Colours mean here what they meant before.

use crate::decode::Planes;

/// The weight of a whole source pixel.
const ONE: usize = 256;

/// The picture in a smaller size; the caller sees to it that it is not larger.
pub(crate) fn to(planes: &Planes, width: usize, height: usize) -> Planes {
    let (from_half, half) = (
        (Planes::half(planes.width), Planes::half(planes.height)),
        (Planes::half(width), Planes::half(height)),
    );
    Planes {
        width,
        height,
        luma: plane(&planes.luma, (planes.width, planes.height), (width, height)),
        cb: plane(&planes.cb, from_half, half),
        cr: plane(&planes.cr, from_half, half),
    }
}

fn plane(from: &[u8], (from_width, from_height): (usize, usize), (width, height): (usize, usize)) -> Vec<u8> {
    let columns = spans(from_width, width);
    let mut out = Vec::with_capacity(width * height);
    let mut sums = vec![0_u32; from_width];
    for rows in spans(from_height, height) {
        sums.fill(0);
        let mut weight_of_rows = 0;
        for (row, weight) in rows.weights() {
            weight_of_rows += weight;
            let line = &from[row * from_width..(row + 1) * from_width];
            for (sum, pixel) in sums.iter_mut().zip(line) {
                *sum += u32::from(*pixel) * weight;
            }
        }
        for column in &columns {
            let (mut sum, mut weight_of_columns) = (0_u64, 0);
            for (at, weight) in column.weights() {
                weight_of_columns += weight;
                sum += u64::from(sums[at]) * u64::from(weight);
            }
            let whole = u64::from(weight_of_rows) * u64::from(weight_of_columns);
            out.push(((sum + whole / 2) / whole) as u8);
        }
    }
    out
}

/// What one new pixel covers along one side: from the first source pixel to the last, both perhaps in part.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: usize,
    last: usize,
    first_weight: u32,
    last_weight: u32,
}

impl Span {
    fn weights(self) -> impl Iterator<Item = (usize, u32)> {
        (self.first..=self.last).map(move |at| {
            let weight = match at {
                at if at == self.first => self.first_weight,
                at if at == self.last => self.last_weight,
                _ => ONE as u32,
            };
            (at, weight)
        })
    }
}

fn spans(from: usize, to: usize) -> Vec<Span> {
    let span = |at: usize| {
        let (begin, end) = (at * from * ONE / to, (at + 1) * from * ONE / to);
        let (first, last) = (begin / ONE, (end - 1) / ONE);
        Span {
            first,
            last,
            first_weight: (((first + 1) * ONE).min(end) - begin) as u32,
            last_weight: (end - last * ONE) as u32,
        }
    };
    (0..to).map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_keeps_its_mean_whatever_the_sizes() {
        for (from, to) in [
            ((640, 360), (320, 180)),
            ((641, 359), (100, 57)),
            ((16, 16), (15, 2)),
        ] {
            let pixel = |i: usize| ((i * 37) % 251) as u8;
            let source: Vec<u8> = (0..from.0 * from.1).map(pixel).collect();
            let small = plane(&source, from, to);
            assert_eq!(small.len(), to.0 * to.1);
            let mean = |plane: &[u8]| plane.iter().map(|p| f64::from(*p)).sum::<f64>() / plane.len() as f64;
            let off = (mean(&source) - mean(&small)).abs();
            assert!(off < 1.0, "{from:?} to {to:?}: {off}");
        }
    }

    #[test]
    fn halves_are_means_of_four() {
        let source = [0, 10, 200, 100, 20, 30, 100, 0];
        assert_eq!(plane(&source, (4, 2), (2, 1)), [15, 100]);
    }
}
