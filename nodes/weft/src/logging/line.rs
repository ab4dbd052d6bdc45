//! One event as one line: text with `key=value` fields, or a JSON object. Nothing that a client has sent can begin a second
//! line or colour a terminal. Where lines go is the others' business.

use std::fmt::Write;
use std::time::SystemTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime as Clock};

/// The most of a message or a field that is shown, in bytes.
const SHOWN: usize = 4 * 1024;

/// Keys of a JSON line that are no fields.
const OURS: [&str; 5] = ["timestamp", "level", "target", "message", "node"];

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Text.
    Plain,
    /// Text with the level in colour.
    Coloured,
    /// A JSON object with the fields beside `timestamp`, `level`, `target`, `message` and `node`.
    Json,
}

/// An event taken apart.
pub(super) struct Line<'a> {
    time: String,
    level: Level,
    target: &'a str,
    node: &'a str,
    fields: Fields,
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: Vec<(&'static str, serde_json::Value)>,
}

impl<'a> Line<'a> {
    pub(super) fn of(event: &Event<'a>, node: &'a str) -> Self {
        let metadata: &'static Metadata<'static> = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        Self {
            time: now(),
            level: *metadata.level(),
            target: metadata.target(),
            node,
            fields,
        }
    }

    /// The line with its end.
    pub(super) fn bytes(&self, style: Style) -> Vec<u8> {
        let mut text = match style {
            Style::Json => self.json(),
            Style::Plain => self.text(false),
            Style::Coloured => self.text(true),
        };
        text.push('\n');
        text.into_bytes()
    }

    fn text(&self, coloured: bool) -> String {
        let Self { time, target, .. } = self;
        let level = self.level.as_str();
        let mut text = match coloured {
            false => format!("{time} {level:>5} {target}: "),
            true => format!("{time} \u{1b}[{}m{level:>5}\u{1b}[0m {target}: ", self.colour()),
        };
        text.push_str(&one_line(&self.fields.message));
        // Writing to a string does not fail.
        let doubled = |name: &str| name == "node" && !self.node.is_empty();
        for (name, value) in self.fields.rest.iter().filter(|(name, _)| !doubled(name)) {
            _ = match value.as_str() {
                Some(value) => write!(text, " {name}={}", word(value)),
                None => write!(text, " {name}={value}"),
            };
        }
        if !self.node.is_empty() {
            _ = write!(text, " node={}", word(self.node));
        }
        text
    }

    fn colour(&self) -> u8 {
        match self.level {
            Level::ERROR => 31,
            Level::WARN => 33,
            Level::INFO => 32,
            Level::DEBUG => 34,
            Level::TRACE => 35,
        }
    }

    fn json(&self) -> String {
        let level = self.level.as_str().to_lowercase();
        let mut text = String::from("{");
        let mut put = |name: &str, value: &dyn std::fmt::Display| {
            let comma = if text.len() > 1 { "," } else { "" };
            // Writing to a string does not fail.
            _ = write!(text, "{comma}{}:{value}", serde_json::Value::from(name));
        };
        let quoted = |value: &str| serde_json::Value::from(value);
        // The time first, so that lines of several nodes can be sorted.
        put("timestamp", &quoted(&self.time));
        put("level", &quoted(&level));
        put("target", &quoted(self.target));
        put("message", &quoted(&self.fields.message));
        for (name, value) in &self.fields.rest {
            if !OURS.contains(name) {
                put(name, value);
            }
        }
        if !self.node.is_empty() {
            put("node", &quoted(self.node));
        }
        text.push('}');
        text
    }
}

/// The time of day, UTC, to the microsecond (RFC 3339).
fn now() -> String {
    let mut text = String::new();
    if Clock.format_time(&mut Writer::new(&mut text)).is_err() {
        // Only the order is left.
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        text = since.as_micros().to_string();
    }
    text
}

fn one_line(text: &str) -> String {
    let control = |c: char| c.is_control();
    match text.contains(control) {
        true => text.escape_debug().to_string(),
        false => text.to_owned(),
    }
}

/// A value as it is where it is one word, else quoted.
fn word(value: &str) -> String {
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && c != '"' && c != '=';
    match !value.is_empty() && value.chars().all(plain) {
        true => value.to_owned(),
        false => format!("{value:?}"),
    }
}

fn cut(mut text: String) -> String {
    if text.len() > SHOWN {
        let mut at = SHOWN;
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.truncate(at);
        text.push_str("...");
    }
    text
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, value.to_string());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.rest.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.rest.push((field.name(), value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.rest.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.rest.push((field.name(), value.into()));
    }
}

impl Fields {
    fn put(&mut self, field: &Field, text: String) {
        let text = cut(text);
        match field.name() {
            "message" => self.message = text,
            name => self.rest.push((name, text.into())),
        }
    }
}
