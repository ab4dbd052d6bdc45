//! What a sequence parameter set says about the picture (ITU-T H.264 §7.3.2.1.1): profile, level, size, colours.
//! The rest of it is the decoder's business.

use super::bits::BitReader;

/// Largest side of a picture believed, in pixels (level 6.2 ends at 16,880 for the extreme shape).
const MAX_SIDE: u32 = 16_880;

/// The useful part of an SPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpsInfo {
    /// `profile_idc`.
    pub profile: u8,
    /// The `constraint_set` flags as they stand in the byte after the profile.
    pub constraints: u8,
    /// `level_idc`: ten times the level.
    pub level: u8,
    /// Width in pixels, cropping applied.
    pub width: u32,
    /// Height in pixels, cropping applied.
    pub height: u32,
    /// Most frames a decoder keeps for reference.
    pub reference_frames: u32,
    /// Width in pixels before cropping: what a decoder works with.
    pub coded_width: u32,
    /// Height in pixels before cropping.
    pub coded_height: u32,
    /// Levels go from 0 to 255 (§E.2.1 `video_full_range_flag`).
    pub full_range: bool,
    /// `matrix_coefficients` (table E-5), where it says.
    pub matrix: Option<u8>,
}

impl SpsInfo {
    /// Reads an SPS NAL unit, header byte included; `None` if it is none or lies about itself.
    #[must_use]
    pub fn parse(nal: &[u8]) -> Option<Self> {
        let [header, profile, constraints, level, rest @ ..] = nal else {
            return None;
        };
        if header & 0x1f != 7 {
            return None;
        }
        let mut r = BitReader::new(rest);
        if r.ue()? > 31 {
            return None;
        }
        let mut chroma_format = 1;
        if matches!(
            profile,
            100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
        ) {
            chroma_format = high_profile_fields(&mut r)?;
        }
        r.ue()?; // log2_max_frame_num_minus4
        order_count_fields(&mut r)?;
        let reference_frames = r.ue()?;
        r.bit()?; // gaps_in_frame_num_value_allowed_flag
        let width = (r.ue()?.checked_add(1)?).checked_mul(16)?;
        let map_height = (r.ue()?.checked_add(1)?).checked_mul(16)?;
        let frames_only = r.bit()?;
        if !frames_only {
            r.bit()?; // mb_adaptive_frame_field_flag
        }
        let field_factor = if frames_only { 1 } else { 2 };
        let height = map_height.checked_mul(field_factor)?;
        r.bit()?; // direct_8x8_inference_flag
        let mut crop = [0; 4];
        if r.bit()? {
            for edge in &mut crop {
                *edge = r.ue()?;
            }
        }
        // Table 6-1: units of cropping.
        let (unit_x, unit_y) = match chroma_format {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let cropped = |side: u32, a: u32, b: u32, unit: u32| {
            let off = a.checked_add(b)?.checked_mul(unit)?;
            side.checked_sub(off).filter(|s| (1..=MAX_SIDE).contains(s))
        };
        let (full_range, matrix) = colours(&mut r).unwrap_or_default();
        Some(Self {
            profile: *profile,
            constraints: *constraints,
            level: *level,
            width: cropped(width, crop[0], crop[1], unit_x)?,
            height: cropped(height, crop[2], crop[3], unit_y * field_factor)?,
            reference_frames,
            coded_width: width,
            coded_height: height,
            full_range,
            matrix,
        })
    }

    /// `profile-level-id` as in SDP (RFC 6184 §8.1): six hex digits.
    #[must_use]
    pub fn profile_level_id(&self) -> String {
        format!("{:02x}{:02x}{:02x}", self.profile, self.constraints, self.level)
    }
}

/// Range and matrix of the VUI's beginning (§E.1.1); `None` where there is none, or it is cut off.
fn colours(r: &mut BitReader<'_>) -> Option<(bool, Option<u8>)> {
    const EXTENDED_SAR: u32 = 255;
    if !r.bit()? {
        return None;
    }
    if r.bit()? && r.bits(8)? == EXTENDED_SAR {
        r.bits(16)?;
        r.bits(16)?;
    }
    if r.bit()? {
        r.bit()?; // overscan_appropriate_flag
    }
    if !r.bit()? {
        return None;
    }
    r.bits(3)?; // video_format
    let full_range = r.bit()?;
    if !r.bit()? {
        return Some((full_range, None));
    }
    r.bits(8)?; // colour_primaries
    r.bits(8)?; // transfer_characteristics
    Some((full_range, u8::try_from(r.bits(8)?).ok()))
}

/// Fields that only the high profiles have; returns `chroma_format_idc`, 0 where planes are separate.
fn high_profile_fields(r: &mut BitReader<'_>) -> Option<u32> {
    let mut chroma_format = r.ue()?;
    if chroma_format > 3 {
        return None;
    }
    let lists = if chroma_format == 3 { 12 } else { 8 };
    if chroma_format == 3 && r.bit()? {
        chroma_format = 0;
    }
    r.ue()?; // bit_depth_luma_minus8
    r.ue()?; // bit_depth_chroma_minus8
    r.bit()?; // qpprime_y_zero_transform_bypass_flag
    if r.bit()? {
        for list in 0..lists {
            if r.bit()? {
                skip_scaling_list(r, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(chroma_format)
}

/// §7.3.2.1.1.1.
fn skip_scaling_list(r: &mut BitReader<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8_i32, 8_i32);
    for _ in 0..size {
        if next != 0 {
            next = last.checked_add(r.se()?)?.checked_add(256)?.rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

fn order_count_fields(r: &mut BitReader<'_>) -> Option<()> {
    match r.ue()? {
        0 => {
            r.ue()?;
        }
        1 => {
            r.bit()?;
            r.se()?;
            r.se()?;
            let cycle = r.ue()?;
            if cycle > 255 {
                return None;
            }
            for _ in 0..cycle {
                r.se()?;
            }
        }
        2 => {}
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn what_x264_writes_is_read() {
        for (sps, id, width, height) in [
            (
                "67640028acd940780227e5c044000003000400000300c83c60c658",
                "640028",
                1_920,
                1_080,
            ),
            (
                "67f4000d919b282a10f1f1f808800000030080000019078a14cb",
                "f4000d",
                322,
                242,
            ),
            (
                "674d401eeca0503db011000003000100000300321f142996",
                "4d401e",
                640,
                480,
            ),
            (
                "6742c00dd90150878888c044000003000400000300c83c50a920",
                "42c00d",
                322,
                242,
            ),
            (
                "677a0015b6cd941b1fe4f011000003000100000300320f162d96",
                "7a0015",
                426,
                240,
            ),
        ] {
            let info = SpsInfo::parse(&hex(sps)).unwrap();
            assert_eq!(
                (info.profile_level_id().as_str(), info.width, info.height),
                (id, width, height)
            );
        }
    }

    fn from_bits(profile: u8, bits: &[&str]) -> Vec<u8> {
        let mut bits = bits.concat();
        bits += &"0".repeat(8 - bits.len() % 8);
        let byte = |i: usize| u8::from_str_radix(&bits[i * 8..i * 8 + 8], 2).unwrap();
        [0x67, profile, 0, 10]
            .into_iter()
            .chain((0..bits.len() / 8).map(byte))
            .collect()
    }

    #[test]
    fn colours_are_read_where_the_parameters_say_them() {
        // Id, order count type 2, one reference, two macroblocks by one, no crop; then the VUI.
        let basic = ["1", "1", "011", "010", "0", "010", "1", "1", "1", "0"].concat();
        for (vui, full_range, matrix) in [
            ("0", false, None),
            ("1000", false, None),
            // No aspect, no overscan; format 5, full range; primaries 1, transfer 1, matrix 1.
            ("1001101110000000100000001000000010", true, Some(1)),
            // An aspect of its own and overscan; limited range without more.
            ("1111111111000000000000000100000000000000011110100", false, None),
        ] {
            let info = SpsInfo::parse(&from_bits(66, &[&basic, vui])).unwrap();
            assert_eq!((info.full_range, info.matrix), (full_range, matrix), "{vui}");
            assert_eq!((info.coded_width, info.coded_height), (32, 16));
        }
    }

    #[test]
    fn scaling_lists_are_passed_over() {
        let every_delta_zero = "1".repeat(1 + 16);
        let default_at_once = "1000010001"; // present; -8
        let lists = [&every_delta_zero, default_at_once, "000000"].concat();
        // Id, 4:2:0, 8 bits twice, no bypass, lists; order count type 2, one reference, 32x16, no crop.
        let sps = from_bits(
            100,
            &[
                "1", "010", "1", "1", "0", "1", &lists, "1", "011", "010", "0", "010", "1", "1", "1", "0",
            ],
        );
        let info = SpsInfo::parse(&sps).unwrap();
        assert_eq!((info.width, info.height, info.reference_frames), (32, 16, 1));
    }

    #[test]
    fn cut_or_foreign_bytes_are_no_sps() {
        let sps = hex("6742c01ed9005005bb0110000003001000000303c0f162e480");
        assert!(SpsInfo::parse(&sps).is_some());
        for len in 0..9 {
            assert_eq!(SpsInfo::parse(&sps[..len]), None, "{len}");
        }
        assert_eq!(SpsInfo::parse(&[0x67, 100, 0, 31, 0, 0, 0, 0, 0]), None);
        assert_eq!(SpsInfo::parse(&[0x68, 66, 0, 31, 0xff, 0xff, 0xff, 0xff]), None);
    }

    #[test]
    fn a_crop_larger_than_the_picture_is_a_lie() {
        // Id, order count type 2, one reference, one macroblock; cropped by 100 on the left.
        let sps = from_bits(
            66,
            &[
                "1",
                "1",
                "011",
                "010",
                "0",
                "1",
                "1",
                "1",
                "1",
                "1",
                "0000001100101",
                "111",
            ],
        );
        assert_eq!(SpsInfo::parse(&sps), None);
    }
}
