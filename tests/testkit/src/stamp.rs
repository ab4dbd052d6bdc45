//! The stamp in a clip's pictures: an SEI message (user_data_unregistered, ITU-T H.264 clause D.1.6) that tells when the
//! picture was due, in microseconds of UTC. Who writes it sends it; here it is read.

use std::time::{SystemTime, UNIX_EPOCH};

/// Marks the message as ours.
pub const UUID: [u8; 16] = *b"weft-stamp-utcus";
const SEI: u8 = 6;
const USER_DATA_UNREGISTERED: u8 = 5;
const DIGITS: usize = 16;

/// Microseconds since 1970 by this machine's clock.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The SEI NAL unit with a stamp. The number is in hexadecimal digits, so that no byte of it needs emulation prevention.
pub fn nal(stamp: u64) -> Vec<u8> {
    let size = u8::try_from(UUID.len() + DIGITS).unwrap_or(u8::MAX);
    let mut nal = vec![SEI, USER_DATA_UNREGISTERED, size];
    nal.extend_from_slice(&UUID);
    nal.extend_from_slice(format!("{stamp:0DIGITS$x}").as_bytes());
    nal.push(0x80);
    nal
}

/// The stamp in a picture's NAL units, if there is one.
pub fn of<'a>(nals: impl IntoIterator<Item = &'a [u8]>) -> Option<u64> {
    nals.into_iter().find_map(|nal| {
        let rest = nal.strip_prefix(&[SEI, USER_DATA_UNREGISTERED])?.get(1..)?;
        let digits = rest.strip_prefix(&UUID)?.get(..DIGITS)?;
        u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_found_among_other_nal_units() {
        let (other, sei) = ([6, 1, 1, 0, 0x80], nal(0x1234_0000_5678));
        assert_eq!(of([&other[..], &sei]), Some(0x1234_0000_5678));
        assert_eq!(of([&other[..]]), None);
        assert!(!sei.windows(2).any(|two| two == [0, 0]));
    }
}
