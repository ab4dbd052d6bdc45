//! Spans of time as MediaMTX writes them: Go's `10s`, `1h0m0s`, `500ms`, plus `1d`.
//! Which spans make sense for which key is checked in `validate`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration with Go's text form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// Not a duration of this form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a duration; write it as '10s', '500ms' or '1h30m0s'")]
pub(crate) struct SpanError(String);

/// Units and their length in nanoseconds; `ms` stands before `m` so that it is found first.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3_600e9),
    ("d", 86_400e9),
];

/// The longest span taken, so that adding spans to instants never overflows.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let wrong = || SpanError(text.to_owned());
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let mut rest = text;
        let mut nanos = 0.0;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .ok_or_else(wrong)?;
            let (number, tail) = rest.split_at(digits);
            let number: f64 = number.parse().map_err(|_| wrong())?;
            let (unit, length) = UNITS
                .iter()
                .find(|(unit, _)| tail.starts_with(unit))
                .ok_or_else(wrong)?;
            nanos += number * length;
            rest = &tail[unit.len()..];
        }
        let span = Duration::from_nanos(nanos.round() as u64);
        if span > LONGEST {
            Err(wrong())
        } else {
            Ok(Self(span))
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        let (days, seconds) = (all / 86_400, all % 86_400);
        if days > 0 {
            write!(f, "{days}d")?;
            if seconds == 0 && nanos == 0 {
                return Ok(());
            }
        }
        if seconds == 0 && nanos != 0 {
            return if nanos % 1_000_000 == 0 {
                write!(f, "{}ms", nanos / 1_000_000)
            } else if nanos % 1_000 == 0 {
                write!(f, "{}us", nanos / 1_000)
            } else {
                write!(f, "{nanos}ns")
            };
        }
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        let fraction = format!("{nanos:09}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}s", seconds % 60),
            fraction => write!(f, "{}.{fraction}s", seconds % 60),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them_and_days_as_mediamtx_does() {
        for text in [
            "10s", "1h0m0s", "500ms", "1m0s", "1.5s", "0s", "20us", "1d", "2d1h0m0s", "1d500ms",
        ] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!("24h0m0s".parse::<Span>().unwrap().to_string(), "1d");
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for bad in ["", "10", "s", "-1s", "1w", "1 s", "1.2.3s", "9999d", "1e9s"] {
            let error = bad.parse::<Span>().unwrap_err().to_string();
            assert!(error.contains("'10s'"), "{error}");
        }
    }
}
