//! What a sequence parameter set says about the picture (ITU-T H.264 §7.3.2.1.1): profile, level, size.
//! The rest of it, VUI included, is the decoder's business.

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
        Some(Self {
            profile: *profile,
            constraints: *constraints,
            level: *level,
            width: cropped(width, crop[0], crop[1], unit_x)?,
            height: cropped(height, crop[2], crop[3], unit_y * field_factor)?,
            reference_frames,
        })
    }

    /// `profile-level-id` as in SDP (RFC 6184 §8.1): six hex digits.
    #[must_use]
    pub fn profile_level_id(&self) -> String {
        format!("{:02x}{:02x}{:02x}", self.profile, self.constraints, self.level)
    }
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
        // Baseline, id 0, frame_num 4 bits, order count type 2, 1 reference, 1x1 macroblocks, crop left 100.
        // 1 1 011 010 0 1 1 1 1 1 000000 1100101 ...
        let mut bits = String::from("1" /* id */);
        bits += "1"; // log2_max_frame_num
        bits += "011"; // type 2
        bits += "010"; // 1 reference frame
        bits += "0"; // no gaps
        bits += "1"; // 16 wide
        bits += "1"; // 16 high
        bits += "1"; // frames only
        bits += "1"; // direct 8x8
        bits += "1"; // cropping
        bits += "0000001100101"; // 100
        bits += "111"; // others 0
        bits += "0".repeat(8 - bits.len() % 8).as_str();
        let mut sps = vec![0x67, 66, 0, 10];
        sps.extend((0..bits.len() / 8).map(|i| u8::from_str_radix(&bits[i * 8..i * 8 + 8], 2).unwrap()));
        assert_eq!(SpsInfo::parse(&sps), None);
    }
}
