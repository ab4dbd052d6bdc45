//! Fingerprints of H.264 access units: over the NAL units of type 1-5 (VCL) and 6 (SEI) only, so that start codes,
//! delimiters, filler and parameter sets (ITU-T H.264 clause 7.4.1) may differ between source and reader. No decoding.

use std::hash::{DefaultHasher, Hasher};

/// The fingerprint of one access unit. Comparable within one process.
pub type Fingerprint = u64;

/// One access unit of a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceUnit {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Whether it holds an IDR slice.
    pub key: bool,
}

/// The fingerprint of the NAL units of one access unit, in order.
pub fn fingerprint<'a>(nals: impl IntoIterator<Item = &'a [u8]>) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    for nal in nals {
        if nal.first().is_some_and(|first| matches!(first & 0x1f, 1..=6)) {
            hasher.write_usize(nal.len());
            hasher.write(nal);
        }
    }
    hasher.finish()
}

/// The NAL units of data in which each has a length of 4 bytes before it. Stops at a length that does not fit.
pub fn length_prefixed(mut data: &[u8]) -> Vec<&[u8]> {
    let mut nals = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<4>() {
        let Some((nal, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else {
            break;
        };
        nals.push(nal);
        data = rest;
    }
    nals
}

/// NAL units with a length of 4 bytes before each; parameter sets stay, delimiters go.
pub fn length_prefix(nals: &[&[u8]]) -> Vec<u8> {
    let kept = nals.iter().filter(|nal| nal[0] & 0x1f != 9);
    kept.flat_map(|nal| {
        (nal.len() as u32)
            .to_be_bytes()
            .into_iter()
            .chain(nal.iter().copied())
    })
    .collect()
}

/// The NAL units of an Annex-B byte stream.
pub fn annex_b(data: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..data.len().saturating_sub(2))
        .filter(|&at| data[at..at + 3] == [0, 0, 1])
        .collect();
    let ends = starts.iter().skip(1).copied().chain([data.len()]);
    let nal = |(start, end): (&usize, usize)| {
        let nal = &data[start + 3..end];
        let trailing = nal.iter().rev().take_while(|byte| **byte == 0).count();
        &nal[..nal.len() - trailing]
    };
    starts
        .iter()
        .zip(ends)
        .map(nal)
        .filter(|nal| !nal.is_empty())
        .collect()
}

/// The access units of an Annex-B byte stream, each as its NAL units (clause 7.4.1.2.3, without redundant pictures).
pub fn pictures(data: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut pictures = Vec::new();
    let mut picture: Vec<&[u8]> = Vec::new();
    for nal in annex_b(data) {
        // `first_mb_in_slice` is Exp-Golomb: a leading 1 bit is macroblock 0, so a new picture.
        let first_slice = is_slice(nal) && nal.get(1).is_some_and(|byte| byte & 0x80 != 0);
        let begins = first_slice || matches!(nal[0] & 0x1f, 6..=9);
        if begins && picture.iter().any(|nal| is_slice(nal)) {
            pictures.push(std::mem::take(&mut picture));
        }
        picture.push(nal);
    }
    if picture.iter().any(|nal| is_slice(nal)) {
        pictures.push(picture);
    }
    pictures
}

/// What is to be remembered of the access units of an Annex-B byte stream.
pub fn source_units(data: &[u8]) -> Vec<SourceUnit> {
    let unit = |nals: Vec<&[u8]>| SourceUnit {
        key: is_key(&nals),
        fingerprint: fingerprint(nals),
    };
    pictures(data).into_iter().map(unit).collect()
}

/// Whether there is an IDR slice among the NAL units.
pub fn is_key(nals: &[&[u8]]) -> bool {
    nals.iter().any(|nal| nal[0] & 0x1f == 5)
}

fn is_slice(nal: &[u8]) -> bool {
    nal.first().is_some_and(|first| matches!(first & 0x1f, 1..=5))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0x67, 1, 2];
    const IDR: &[u8] = &[0x65, 0x88, 7];
    const MORE: &[u8] = &[0x65, 0x40, 8];
    const NEXT: &[u8] = &[0x41, 0x9a, 9];

    #[test]
    fn parameter_sets_and_delimiters_do_not_change_a_fingerprint() {
        assert_eq!(fingerprint([SPS, IDR]), fingerprint([&[9u8, 0xf0][..], IDR]));
        assert_ne!(fingerprint([IDR]), fingerprint([IDR, MORE]));
    }

    #[test]
    fn slices_of_one_picture_stay_in_one_unit_and_a_new_picture_begins_another() {
        let mut data = Vec::new();
        for nal in [SPS, IDR, MORE, NEXT] {
            data.extend_from_slice(&[0, 0, 0, 1]);
            data.extend_from_slice(nal);
        }
        let units = source_units(&data);
        assert_eq!(units.len(), 2);
        assert_eq!(
            units[0],
            SourceUnit {
                fingerprint: fingerprint([IDR, MORE]),
                key: true
            }
        );
        assert_eq!(
            units[1],
            SourceUnit {
                fingerprint: fingerprint([NEXT]),
                key: false
            }
        );
    }

    #[test]
    fn both_framings_of_one_unit_give_the_same_fingerprint() {
        let framed = [&[0, 0, 0, 3][..], IDR, &[0, 0, 0, 3], MORE].concat();
        assert_eq!(fingerprint(length_prefixed(&framed)), fingerprint([IDR, MORE]));
    }
}
