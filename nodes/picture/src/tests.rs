//! Pictures of a real encoder, whole, bent and cut: what comes out, and that nothing hostile does harm.
//! Whether a JPEG looks as other decoders show the picture is tested with those (`tests/interop`).

use super::*;

/// A key unit of 64x48 pixels (Baseline) and one of 128x96 (High), by x264: NAL units behind their lengths.
const SMALL: &[u8] = include_bytes!("../testdata/baseline-64x48.unit");
const HIGH: &[u8] = include_bytes!("../testdata/high-128x96.unit");

/// Width and height as the file says them (ITU-T T.81 §B.2.2).
fn size_in(file: &[u8]) -> (u16, u16) {
    let at = file.windows(2).position(|two| two == [0xff, 0xc0]);
    let frame = &file[at.expect("a frame header") + 5..];
    let number = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    (number(2), number(0))
}

#[test]
fn a_key_unit_becomes_a_file_of_its_size_or_the_width_asked_for() {
    for (unit, width, size) in [
        (SMALL, None, (64, 48)),
        (HIGH, None, (128, 96)),
        (HIGH, Some(64), (64, 48)),
        (HIGH, Some(65), (65, 49)),
        (HIGH, Some(1), (2, 2)),
        (HIGH, Some(1920), (128, 96)),
    ] {
        let jpeg = jpeg(unit, width).unwrap();
        assert_eq!((jpeg.width, jpeg.height), size);
        assert_eq!(size_in(&jpeg.bytes), (size.0 as u16, size.1 as u16));
        assert!(jpeg.bytes.starts_with(&[0xff, 0xd8]) && jpeg.bytes.ends_with(&[0xff, 0xd9]));
    }
}

#[test]
fn a_unit_without_parameters_or_without_a_picture_is_said_to_be_so() {
    assert_eq!(jpeg(&[], None), Err(Error::NoParameters));
    let nals: Vec<&[u8]> = weft_wire::nal_units(SMALL).collect();
    let unit = |nals: &[&[u8]]| -> Vec<u8> {
        let framed = nals
            .iter()
            .map(|nal| [&(nal.len() as u32).to_be_bytes()[..], nal].concat());
        framed.collect::<Vec<_>>().concat()
    };
    assert_eq!(jpeg(&unit(&nals[2..]), None), Err(Error::NoParameters));
    assert_eq!(jpeg(&unit(&nals[..2]), None), Err(Error::Undecodable));
}

/// Bits of a sequence parameter set of Baseline: id 0, order count type 2, so many references, macroblocks, and a crop that
/// leaves 16 pixels.
fn parameters(references: u32, width: u32, height: u32) -> Vec<u8> {
    let ue = |value: u32| {
        let bits = format!("{:b}", value + 1);
        "0".repeat(bits.len() - 1) + &bits
    };
    let crop = |blocks: u32| ue((blocks - 1) * 8);
    let mut bits = ["1".into(), "1".into(), ue(2), ue(references), "0".into()].concat();
    bits += &[ue(width - 1), ue(height - 1), "111".into()].concat();
    bits += &[ue(0), crop(width), ue(0), crop(height), "01".into()].concat();
    bits += &"0".repeat((8 - bits.len() % 8) % 8);
    let bytes = (0..bits.len() / 8).map(|at| u8::from_str_radix(&bits[at * 8..at * 8 + 8], 2).unwrap());
    let nal: Vec<u8> = [0x67, 66, 0, 51].into_iter().chain(bytes).collect();
    [&(nal.len() as u32).to_be_bytes()[..], &nal].concat()
}

#[test]
fn what_the_parameters_make_too_large_is_not_given_to_the_decoder_however_it_is_cropped() {
    assert_eq!(
        jpeg(&parameters(1, 257, 4), None),
        Err(Error::TooLarge(4112, 64, 1))
    );
    assert_eq!(
        jpeg(&parameters(16, 256, 144), None),
        Err(Error::TooLarge(4096, 2304, 16))
    );
    // Also where a good one stands before or behind it.
    let large = parameters(16, 256, 144);
    for unit in [[SMALL, &large].concat(), [&large, SMALL].concat()] {
        assert_eq!(jpeg(&unit, None), Err(Error::TooLarge(4096, 2304, 16)));
    }
    assert_eq!(jpeg(&parameters(1, 4, 4), None), Err(Error::Undecodable));
}

/// A sequence of numbers that is always the same (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

#[test]
fn bent_and_cut_units_come_to_an_error_or_a_picture_within_bounds() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut pictures, mut errors) = (0, 0);
    for round in 0..1_500 {
        let mut unit = if round % 2 == 0 { SMALL } else { HIGH }.to_vec();
        for _ in 0..=dice.roll(6) {
            let at = dice.roll(unit.len());
            match dice.roll(4) {
                0 => unit[at] = dice.roll(256) as u8,
                1 => unit[at] ^= 1 << dice.roll(8),
                2 => unit.truncate(at.max(8)),
                // Between two equal lengths everything is moved on.
                _ => unit[at..].rotate_left(1),
            }
        }
        match jpeg(&unit, Some(32)) {
            Ok(jpeg) => {
                assert!(jpeg.width <= 32 && jpeg.height <= 4096);
                pictures += 1;
            }
            Err(_) => errors += 1,
        }
    }
    // Both, or this would show nothing.
    assert!(
        pictures > 50 && errors > 50,
        "{pictures} pictures, {errors} errors"
    );
}
