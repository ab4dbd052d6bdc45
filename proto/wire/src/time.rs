//! Instants of three clocks that never mix: a track's media clock, UTC at the camera, a sender's monotonic clock.
//! No operator adds two of them; conversions name their rate.

use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::time::Duration;

/// Ticks per second of a track's media clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClockRate(pub NonZeroU32);

impl ClockRate {
    /// 90 kHz: every video codec (RFC 3551 §5).
    pub const VIDEO: Self = Self(NonZeroU32::new(90_000).unwrap());
    /// 48 kHz: Opus (RFC 7587 §4.1).
    pub const OPUS: Self = Self(NonZeroU32::new(48_000).unwrap());

    /// Ticks per second.
    #[must_use]
    pub fn hz(self) -> u32 {
        self.0.get()
    }

    /// A span of this clock in microseconds, rounded towards zero.
    #[must_use]
    pub fn ticks_to_micros(self, ticks: i64) -> i64 {
        i64::try_from(i128::from(ticks) * 1_000_000 / i128::from(self.hz())).unwrap_or(i64::MAX)
    }

    /// Microseconds as a span of this clock, rounded towards zero.
    #[must_use]
    pub fn micros_to_ticks(self, micros: i64) -> i64 {
        i64::try_from(i128::from(micros) * i128::from(self.hz()) / 1_000_000).unwrap_or(i64::MAX)
    }
}

/// An instant on a track's media clock, in ticks of that track's [`ClockRate`], unwrapped from RTP's 32 bits and starting
/// anywhere. Instants of different tracks or sessions must not be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaTime(pub i64);

impl MediaTime {
    /// Ticks from `earlier` to this one, of the same track and session.
    #[must_use]
    pub fn ticks_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant moved by `ticks`.
    #[must_use]
    pub fn shifted(self, ticks: i64) -> Self {
        Self(self.0.saturating_add(ticks))
    }
}

/// When a unit was captured: microseconds of UTC since 1970, by the best clock known ([`CaptureSource`] says which).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaptureTime(pub i64);

impl CaptureTime {
    /// Microseconds from `earlier` to this one.
    #[must_use]
    pub fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant moved by `micros`.
    #[must_use]
    pub fn shifted(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// As NTP's 64 bits (seconds since 1900 and a binary fraction; RFC 3550 §4).
    #[must_use]
    pub fn to_ntp(self) -> u64 {
        const UNIX_IN_NTP_SECONDS: i64 = 2_208_988_800;
        let seconds = self.0.div_euclid(1_000_000) + UNIX_IN_NTP_SECONDS;
        let micros = self.0.rem_euclid(1_000_000) as u64;
        ((seconds as u64) << 32) | ((micros << 32) / 1_000_000)
    }

    /// From NTP's 64 bits, taken to lie in the era that began in 1900.
    #[must_use]
    pub fn from_ntp(ntp: u64) -> Self {
        const UNIX_IN_NTP_SECONDS: i64 = 2_208_988_800;
        let seconds = (ntp >> 32) as i64 - UNIX_IN_NTP_SECONDS;
        let micros = ((ntp & 0xffff_ffff) * 1_000_000 + (1 << 31)) >> 32;
        Self(seconds * 1_000_000 + micros as i64)
    }
}

/// Where a capture time comes from, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum CaptureSource {
    /// The ingest node's clock when the unit arrived.
    #[default]
    Arrival = 0,
    /// The publisher's RTCP sender reports (RFC 3550 §6.4.1).
    SenderReport = 1,
    /// The abs-capture-time header extension.
    AbsCapture = 2,
}

impl CaptureSource {
    /// From its wire value; values of newer versions read as the best source known here.
    #[must_use]
    pub fn from_wire(value: u8) -> Self {
        match value {
            0 => Self::Arrival,
            1 => Self::SenderReport,
            _ => Self::AbsCapture,
        }
    }
}

/// Monotonic microseconds of the sender's incarnation when a unit was handed to the bus. Only differences of one
/// incarnation mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SentTime(pub u64);

impl SentTime {
    /// From the time since the sender's incarnation began.
    #[must_use]
    pub fn from_elapsed(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_round_trip_keeps_the_microsecond() {
        for t in [0, 1, 999_999, 1_693_875_600_123_456] {
            assert_eq!(CaptureTime::from_ntp(CaptureTime(t).to_ntp()).0, t);
        }
        assert_eq!(
            CaptureTime(500_000).to_ntp(),
            (2_208_988_800_u64 << 32) | 0x8000_0000
        );
    }

    #[test]
    fn media_clock_spans_convert_without_overflow() {
        assert_eq!(ClockRate::VIDEO.ticks_to_micros(90_000), 1_000_000);
        assert_eq!(ClockRate::OPUS.micros_to_ticks(20_000), 960);
        // Ten years of ticks, times a million, is far beyond 64 bits on the way.
        let ten_years = 10 * 366 * 86_400;
        assert_eq!(
            ClockRate::VIDEO.ticks_to_micros(ten_years * 90_000),
            ten_years * 1_000_000
        );
    }
}
