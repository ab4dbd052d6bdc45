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

/// RFC 3339 in UTC with milliseconds; years before 0 and after 9999 are none that RFC 3339 can write.
impl std::fmt::Display for CaptureTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (days, in_day) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY) / 1000);
        // Days from 1 March 0000 on, in eras of 400 years, so that the day that leap years add is a year's last.
        let from_march = days + 719_468;
        let (era, day) = (from_march.div_euclid(146_097), from_march.rem_euclid(146_097));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let in_year = day - (365 * year + year / 4 - year / 100);
        let month = (5 * in_year + 2) / 153;
        let in_month = in_year - (153 * month + 2) / 5 + 1;
        let (month, later) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        write!(
            f,
            "{:04}-{month:02}-{in_month:02}T{:02}:{:02}:{:02}.{:03}Z",
            era * 400 + year + later,
            in_day / 3_600_000,
            in_day / 60_000 % 60,
            in_day / 1000 % 60,
            in_day % 1000
        )
    }
}

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

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
    /// Its word in headers and lists.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Arrival => "arrival",
            Self::SenderReport => "sender-report",
            Self::AbsCapture => "abs-capture-time",
        }
    }

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
    fn a_capture_time_is_written_as_people_read_it() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000_000, "2000-03-01T00:00:00.000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
            (1_795_995_637_123_456, "2026-11-29T23:40:37.123Z"),
        ] {
            assert_eq!(CaptureTime(micros).to_string(), text);
        }
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
