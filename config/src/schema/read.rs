//! From what is written to JSON values of the kinds that keys want; what is wrong is collected, not stopped at.
//! What values mean together is checked where they are used.

use super::{Key, Kind, find, joined, places};
use crate::duration::Span;
use crate::nearest::{in_list, nearest, shortened};
use crate::secret::REDACTED;
use crate::tree::{At, Block, Node, Raw};
use crate::{IpRule, ListenAddress};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wrong {
    pub(crate) at: At,
    /// The key with its place.
    pub(crate) place: String,
    pub(crate) text: String,
    /// It is a key that there is not.
    pub(crate) unknown: bool,
}

/// Reads blocks by their keys; keeps what is wrong, and where each value was written.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) wrong: Vec<Wrong>,
    pub(crate) places: BTreeMap<String, At>,
    /// Numbers and switches must come as such, not as texts: JSON.
    pub(crate) strict: bool,
    /// Places that an unknown key is compared with too.
    pub(crate) elsewhere: Vec<String>,
}

impl Reader {
    pub(crate) fn say(&mut self, at: &At, place: &str, text: impl Into<String>) {
        self.wrong.push(Wrong {
            at: at.clone(),
            place: place.to_owned(),
            text: text.into(),
            unknown: false,
        });
    }

    /// The keys that are written, with their values; a key of `null` is as if it were not written.
    pub(crate) fn block(&mut self, keys: &[Key], block: &Block, parent: &str) -> Map<String, Value> {
        let mut values = Map::new();
        for entry in &block.0 {
            let place = joined(parent, &entry.key);
            let Some(key) = find(keys, &entry.key) else {
                self.unknown(keys, &entry.key, &entry.at, parent);
                continue;
            };
            self.places.insert(place.clone(), entry.at.clone());
            if entry.node.raw == Raw::Null {
                continue;
            }
            if let Some(value) = self.value(&key.kind, &entry.node, &place) {
                values.insert(entry.key.clone(), value);
            }
        }
        values
    }

    fn unknown(&mut self, keys: &[Key], written: &str, at: &At, parent: &str) {
        let here = places(keys, parent);
        // An entry of a list has few keys, and those of other blocks are no better for it.
        let of_list = in_list(parent)
            .then(|| shortened(written, here.iter().map(String::as_str)))
            .flatten();
        let near = of_list.or_else(|| {
            nearest(
                written,
                here.iter().map(String::as_str),
                self.elsewhere.iter().map(String::as_str),
            )
        });
        let text = match near {
            Some(near) => format!("unknown key; did you mean '{near}'?"),
            None => "unknown key; config/weft.yml lists every key there is".to_owned(),
        };
        self.wrong.push(Wrong {
            at: at.clone(),
            place: joined(parent, written),
            text,
            unknown: true,
        });
    }

    /// One value; `None` when it is wrong, which is then kept.
    pub(crate) fn value(&mut self, kind: &Kind, node: &Node, place: &str) -> Option<Value> {
        match kind {
            Kind::List(inner) => return self.list(inner, node, place),
            Kind::Block(keys) => {
                return match &node.raw {
                    Raw::Block(block) => Some(Value::Object(self.block(keys, block, place))),
                    _ => self.not(node, place, "expected keys with values in a block of their own"),
                };
            }
            Kind::Record(keys) => return self.record(keys, node, place),
            _ => {}
        }
        match scalar(kind, &node.raw, self.strict) {
            Ok(value) => Some(value),
            Err(text) => self.not(node, place, &text),
        }
    }

    fn not(&mut self, node: &Node, place: &str, text: &str) -> Option<Value> {
        self.say(&node.at, place, text);
        None
    }

    fn list(&mut self, inner: &Kind, node: &Node, place: &str) -> Option<Value> {
        let Raw::List(items) = &node.raw else {
            let text = "expected a list; write it as '[a, b]', a single value as '[a]'";
            return self.not(node, place, text);
        };
        let before = self.wrong.len();
        let values = items.iter().enumerate().filter_map(|(n, item)| match inner {
            Kind::Record(_) => {
                let place = format!("{place}.{n}");
                self.places.insert(place.clone(), item.at.clone());
                self.value(inner, item, &place)
            }
            _ => self.value(inner, item, place),
        });
        let values: Vec<Value> = values.collect();
        (self.wrong.len() == before).then_some(Value::Array(values))
    }

    fn record(&mut self, keys: &[Key], node: &Node, place: &str) -> Option<Value> {
        let first;
        let block = match (&node.raw, keys.first()) {
            (Raw::Block(block), _) => block,
            (Raw::Text(_), Some(key)) if matches!(key.kind, Kind::Word(_)) => {
                first = {
                    let mut block = Block::default();
                    block.put(key.name, node.clone());
                    block
                };
                &first
            }
            _ => return self.not(node, place, "expected keys with values in a block of their own"),
        };
        let values = self.block(keys, block, place);
        Some(Value::Object(super::filled(keys, &[&values])))
    }
}

/// A value that is neither list nor block.
fn scalar(kind: &Kind, raw: &Raw, strict: bool) -> Result<Value, String> {
    let text = match (raw, kind) {
        (Raw::Switch(on), Kind::Switch) => return Ok(Value::Bool(*on)),
        (Raw::Switch(on), Kind::Encryption) => return Ok(if *on { "strict" } else { "no" }.into()),
        (Raw::Switch(on), Kind::Demand) => return Ok(if *on { "true" } else { "" }.into()),
        (Raw::Number(number), Kind::Count) if number.is_u64() => return Ok(Value::Number(number.clone())),
        (Raw::Number(number), Kind::Number) => return Ok(Value::Number(number.clone())),
        (Raw::Number(number), Kind::Count) => {
            return Err(format!("{number} is not a whole number above zero, or zero"));
        }
        (Raw::Number(_) | Raw::Switch(_), _) => return Err(format!("expected {}", kind.expected())),
        (Raw::Null, _) => "",
        (Raw::List(_) | Raw::Block(_), _) => {
            return Err("expected one value, not a list or a block".to_owned());
        }
        (Raw::Text(_), Kind::Switch | Kind::Count | Kind::Number) if strict => {
            return Err(format!("expected {}, not a text", kind.expected()));
        }
        (Raw::Text(text), _) => text.as_str(),
    };
    of_text(kind, text)
}

fn of_text(kind: &Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Switch => switch(text)
            .map(Value::Bool)
            .ok_or_else(|| format!("'{text}' is neither yes nor no")),
        Kind::Count => text
            .parse::<u64>()
            .map(Value::from)
            .map_err(|_| format!("'{text}' is not a whole number")),
        Kind::Number => text
            .parse::<f64>()
            .ok()
            .and_then(number)
            .map(Value::Number)
            .ok_or_else(|| format!("'{text}' is not a number")),
        Kind::Span => text
            .parse::<Span>()
            .map(|span| Value::from(span.to_string()))
            .map_err(|e| e.to_string()),
        Kind::Address => text
            .parse::<ListenAddress>()
            .map(|address| Value::from(address.to_string()))
            .map_err(|e| e.to_string()),
        Kind::Ip => text
            .parse::<IpRule>()
            .map(|rule| Value::from(rule.to_string()))
            .map_err(|e| e.to_string()),
        Kind::Encryption => match switch(text) {
            Some(true) => Ok("strict".into()),
            Some(false) => Ok("no".into()),
            None if matches!(text, "optional" | "strict") => Ok(text.into()),
            None => Err(format!("'{text}' is not one of no, optional, strict")),
        },
        Kind::Demand => Ok(match switch(text) {
            Some(true) => "true".into(),
            Some(false) => "".into(),
            None => text.into(),
        }),
        Kind::Word(words) if words.contains(&text) => Ok(text.into()),
        Kind::Word(words) => Err(match text {
            "syslog" => {
                "the system log is not written to; write 'stdout', which the service manager keeps".into()
            }
            _ => format!("'{text}' is not one of {}", words.join(", ")),
        }),
        Kind::Secret | Kind::Url if text.contains(REDACTED) => Err(format!(
            "'{REDACTED}' is what is shown in place of a secret; write the secret itself, or leave the key out"
        )),
        Kind::Text | Kind::Secret | Kind::Url => Ok(text.into()),
        Kind::List(_) | Kind::Record(_) | Kind::Block(_) => Err("expected a list or a block".to_owned()),
    }
}

/// YAML 1.1's words for switches, as MediaMTX takes them.
fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" => Some(true),
        "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// A whole number stays whole: `30`, not `30.0`.
fn number(value: f64) -> Option<Number> {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

/// A text of an environment variable, a flag or a default as a node of this kind: lists by their commas.
pub(crate) fn node_of_text(kind: &Kind, text: &str, at: &At) -> Node {
    match kind {
        Kind::List(Kind::Record(_)) if text.starts_with('[') => match serde_json::from_str(text) {
            Ok(value) => Node::of_json(&value, at),
            Err(_) => Node::text(text, at),
        },
        Kind::List(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Node {
                at: at.clone(),
                raw: Raw::List(items.map(|item| Node::text(item, at)).collect()),
            }
        }
        _ => Node::text(text, at),
    }
}

/// A key's default.
pub(crate) fn of_default(key: &Key) -> Value {
    let mut reader = Reader::default();
    // An action has no default; an entry without one is refused where entries are read.
    if key.default.is_empty() && matches!(key.kind, Kind::Word(_)) {
        return "".into();
    }
    let node = node_of_text(&key.kind, key.default, &At::Nowhere);
    let value = reader.value(&key.kind, &node, key.name);
    value.unwrap_or(Value::Null)
}

impl Kind {
    /// In words.
    pub(crate) fn expected(&self) -> &'static str {
        match self {
            Self::Switch => "true or false",
            Self::Count | Self::Number => "a number",
            Self::Text | Self::Secret | Self::Url | Self::Word(_) | Self::Demand => "a text",
            Self::Span => "a duration as a text, such as \"10s\"",
            Self::Address => "an address as a text, such as \":8889\"",
            Self::Ip => "an IP address or a network as a text",
            Self::Encryption => "\"no\", \"optional\" or \"strict\"",
            Self::List(_) => "a list",
            Self::Record(_) | Self::Block(_) => "a block",
        }
    }
}
