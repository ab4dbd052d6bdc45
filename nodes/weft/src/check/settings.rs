//! What live media wants of a NATS server, and what is wrong with one that is set otherwise.
//! Where the values come from, a file or a monitoring port, is the others' business.

use super::nats_conf::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest that a client which takes nothing may hold back others' messages.
const WRITE_DEADLINE: Duration = Duration::from_secs(2);
/// The most kept for one slow client; twice the shipped value is still sensible.
const MAX_PENDING: u64 = 32 << 20;
/// The largest access unit.
const MAX_PAYLOAD: u64 = 4 << 20;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Readers who did nothing wrong will suffer, or nothing will work.
    Wrong,
    /// It works; there is something to know.
    Note,
}

/// Something to say about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How bad it is.
    pub(crate) weight: Weight,
    /// What, and what to write instead.
    pub(crate) text: String,
}

/// A setting as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known<T> {
    /// It is so; the server's default where nothing is written.
    Is(T),
    /// It cannot be seen from here.
    Hidden,
}

/// The settings that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) jetstream: bool,
    pub(crate) no_fast_producer_stall: Known<bool>,
    pub(crate) write_deadline: Duration,
    /// Bytes.
    pub(crate) max_pending: u64,
    /// Bytes.
    pub(crate) max_payload: u64,
    /// Whether clients must prove themselves.
    pub(crate) guarded: bool,
}

impl Settings {
    /// From a file; what is not written is the server's default.
    pub(crate) fn of_file(values: &BTreeMap<String, Value>) -> Self {
        let of = |key: &str| values.get(key);
        let bytes = |key, default| of(key).and_then(Value::bytes).unwrap_or(default);
        let guards = ["authorization", "accounts", "operator", "tls"];
        Self {
            jetstream: !matches!(of("jetstream"), None | Some(Value::Text(_)))
                || of("jetstream").and_then(Value::truth) == Some(true),
            no_fast_producer_stall: Known::Is(
                of("no_fast_producer_stall").and_then(Value::truth) == Some(true),
            ),
            write_deadline: of("write_deadline")
                .and_then(Value::duration)
                .unwrap_or(Duration::from_secs(10)),
            max_pending: bytes("max_pending", 64 << 20),
            max_payload: bytes("max_payload", 1 << 20),
            guarded: guards[..3].iter().any(|key| of(key).is_some()),
        }
    }
}

/// What is wrong, the worst first.
pub(crate) fn judge(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |weight, text: String| findings.push(Finding { weight, text });
    if !settings.jetstream {
        say(
            Weight::Wrong,
            "JetStream is off; it keeps the table of names: write `jetstream {}`".into(),
        );
    }
    if settings.no_fast_producer_stall == Known::Is(false) {
        say(
            Weight::Wrong,
            "one reader that hangs slows down all publishers on its server: write `no_fast_producer_stall: true`".into(),
        );
    }
    if settings.write_deadline > WRITE_DEADLINE {
        say(
            Weight::Wrong,
            format!(
                "a client that takes nothing is kept for {:?}, with as much of old media: write `write_deadline: \"2s\"`",
                settings.write_deadline
            ),
        );
    }
    if settings.max_pending > MAX_PENDING {
        say(
            Weight::Wrong,
            format!(
                "{} MB are kept for one slow client, a flood of old pictures when it wakes up: write `max_pending: 16MB`",
                settings.max_pending >> 20
            ),
        );
    }
    if settings.max_payload < MAX_PAYLOAD {
        say(
            Weight::Note,
            format!(
                "messages are at most {} kB; larger pictures travel in parts. `max_payload: 4MB` spares that",
                settings.max_payload >> 10
            ),
        );
    }
    if !settings.guarded {
        say(
            Weight::Note,
            "whoever reaches the port may publish and read everything: give each role a user, as compose/nats.conf does"
                .into(),
        );
    }
    if settings.no_fast_producer_stall == Known::Hidden {
        say(
            Weight::Note,
            "no_fast_producer_stall cannot be seen from the monitoring port: `weft check --nats-conf FILE` looks into the file"
                .into(),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::nats_conf::parse;

    fn of(text: &str) -> Vec<Finding> {
        let values = parse(text, &mut |_| Err("no includes here".into())).unwrap();
        judge(&Settings::of_file(&values))
    }

    #[test]
    fn a_server_without_any_settings_is_wrong_in_all_that_matters() {
        let findings = of("port: 4222");
        let text: Vec<&str> = findings.iter().map(|f| f.text.as_str()).collect();
        for word in [
            "jetstream {}",
            "no_fast_producer_stall: true",
            "write_deadline",
            "max_pending: 16MB",
        ] {
            assert!(
                findings
                    .iter()
                    .any(|f| f.weight == Weight::Wrong && f.text.contains(word)),
                "{word}: {text:?}"
            );
        }
        assert_eq!(
            findings.iter().filter(|f| f.weight == Weight::Note).count(),
            2,
            "{text:?}"
        );
    }

    #[test]
    fn each_good_setting_takes_its_finding_away() {
        let good = "jetstream: enabled\nno_fast_producer_stall = yes\nwrite_deadline 1500ms\nmax_pending: 16777216\n\
                    max_payload = 4MB\nauthorization { token: x }";
        assert_eq!(of(good), []);
        assert_eq!(of(&good.replace("= yes", "= no")).len(), 1);
        assert_eq!(of(&good.replace("1500ms", "5s")).len(), 1);
        assert_eq!(of(&good.replace("enabled", "disabled")).len(), 1);
        assert_eq!(of(&good.replace("16777216", "64MB")).len(), 1);
        assert_eq!(of(&good.replace("4MB", "1MB")).len(), 1);
    }
}
