//! The stamp of each picture: an SEI message (user_data_unregistered, ITU-T H.264 clause D.1.6) with the stream's number, the
//! unit's number and when its first packet left. All digits are hexadecimal, so none needs emulation prevention; the clock
//! is this process's own, so only it can tell an age by it.

use std::sync::OnceLock;
use std::time::Instant;

/// Marks the message as ours.
const UUID: [u8; 16] = *b"weft-load-units1";
/// Type 6, user_data_unregistered, size, and the mark.
const HEAD: [u8; 3] = [6, 5, (UUID.len() + DIGITS) as u8];
/// Of stream (8), unit (8) and time (16).
const DIGITS: usize = 32;

/// Bytes of the NAL unit.
pub const SIZE: usize = HEAD.len() + UUID.len() + DIGITS + 1;

/// What a picture carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Number of the stream.
    pub stream: u32,
    /// Number of the unit in the stream, from 0.
    pub unit: u32,
    /// When its first packet left, in ns since this process began to count.
    pub sent: u64,
}

/// Nanoseconds since this process began to count.
#[must_use]
pub fn now() -> u64 {
    nanos(Instant::now())
}

/// An instant on the same scale; 0 for what was before.
#[must_use]
pub fn nanos(at: Instant) -> u64 {
    static ZERO: OnceLock<Instant> = OnceLock::new();
    let zero = *ZERO.get_or_init(Instant::now);
    u64::try_from(at.saturating_duration_since(zero).as_nanos()).unwrap_or(u64::MAX)
}

/// The NAL unit with nothing in it yet.
#[must_use]
pub fn blank() -> Vec<u8> {
    let mut nal = [&HEAD[..], &UUID, &[b'0'; DIGITS]].concat();
    // rbsp_trailing_bits (clause 7.3.2.11)
    nal.push(0x80);
    nal
}

/// Writes a stamp into a NAL unit that [`blank`] made.
pub fn write(nal: &mut [u8], stamp: Stamp) {
    let Some(digits) = nal.get_mut(HEAD.len() + UUID.len()..SIZE - 1) else {
        return;
    };
    let mut put = |from: usize, count: usize, mut value: u64| {
        for digit in digits[from..from + count].iter_mut().rev() {
            *digit = b"0123456789abcdef"[(value & 15) as usize];
            value >>= 4;
        }
    };
    put(0, 8, u64::from(stamp.stream));
    put(8, 8, u64::from(stamp.unit));
    put(16, 16, stamp.sent);
}

/// The stamp in a NAL unit, if it is one of ours.
#[must_use]
pub fn read(nal: &[u8]) -> Option<Stamp> {
    let digits = nal.strip_prefix(&HEAD)?.strip_prefix(&UUID)?.get(..DIGITS)?;
    let value = |digits: &[u8]| {
        digits.iter().try_fold(0u64, |value, digit| {
            let digit = char::from(*digit).to_digit(16)?;
            Some((value << 4) | u64::from(digit))
        })
    };
    Some(Stamp {
        stream: u32::try_from(value(&digits[..8])?).ok()?,
        unit: u32::try_from(value(&digits[8..16])?).ok()?,
        sent: value(&digits[16..])?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let stamp = Stamp {
            stream: 7,
            unit: 0xdead_beef,
            sent: 0x0123_4567_89ab_cdef,
        };
        let mut nal = blank();
        assert_eq!(nal.len(), SIZE);
        write(&mut nal, stamp);
        assert_eq!(read(&nal), Some(stamp));
        assert!(!nal.windows(2).any(|two| two == [0, 0]));
        assert_eq!(read(&nal[..40]), None);
        assert_eq!(read(&[6, 5, 1, 0]), None);
    }

    #[test]
    fn the_clock_goes_on() {
        let first = now();
        assert!(now() >= first);
    }
}
