//! Spans of time in queries, as MediaMTX writes them: `30s`, `1m30s`, `500ms`.
//! The configuration reads its own.

use std::time::Duration;

/// The longest span taken.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// Reads a span; `None` for what is none, or is longer than a year.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut whole = Duration::ZERO;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let millis: u64 = match &tail[..unit] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let part = number.parse::<u64>().ok()?.checked_mul(millis)?;
        whole = whole.checked_add(Duration::from_millis(part))?;
        rest = &tail[unit..];
    }
    Some(whole).filter(|whole| *whole <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_the_configuration_writes_them() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("30s", 30_000),
            ("500ms", 500),
            ("1h0m1s", 3_601_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for wrong in [
            "",
            "s",
            "30",
            "-1s",
            "1.5s",
            "30 s",
            "1é",
            "99999999999999999999s",
            "400d",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
