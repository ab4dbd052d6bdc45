//! A configuration as it was written: keys, lists and texts, each knowing where it comes from.
//! What may stand there is `schema`'s business.

pub(crate) mod environment;
pub(crate) mod yaml;

use serde_json::Value;
use std::fmt;

/// Where a value was written. The later of these wins over the earlier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum At {
    /// Nobody wrote it.
    #[default]
    Nowhere,
    /// 1-based line of the file.
    Line(u64),
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
    /// A request of the API.
    Api,
}

impl At {
    /// Which of two writers is heard.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Nowhere => 0,
            Self::Line(_) => 1,
            Self::Variable(_) => 2,
            Self::Flag(_) => 3,
            Self::Api => 4,
        }
    }
}

/// A value and where it stands.
#[derive(Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) raw: Raw,
}

/// A value as it was written.
#[derive(Clone, PartialEq)]
pub(crate) enum Raw {
    /// Nothing, `~` or `null`.
    Null,
    /// What stands in the file, quoted or not: its kind is known by its key alone.
    Text(String),
    /// From JSON, where kinds are told apart.
    Switch(bool),
    /// From JSON.
    Number(serde_json::Number),
    List(Vec<Node>),
    Block(Block),
}

/// A key with its value.
#[derive(Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: At,
    pub(crate) node: Node,
}

/// Keys with their values, in the order they were written; none comes twice.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct Block(pub(crate) Vec<Entry>);

impl Block {
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    /// Takes a key out.
    pub(crate) fn take(&mut self, key: &str) -> Option<Entry> {
        let at = self.0.iter().position(|entry| entry.key == key)?;
        Some(self.0.remove(at))
    }

    /// Puts a key in, in the place of what it said before.
    pub(crate) fn put(&mut self, key: &str, node: Node) {
        let entry = Entry {
            key: key.to_owned(),
            at: node.at.clone(),
            node,
        };
        match self.0.iter_mut().find(|entry| entry.key == key) {
            Some(old) => *old = entry,
            None => self.0.push(entry),
        }
    }

    /// The block under a key, made where there is none; `None` where something else stands there.
    pub(crate) fn block(&mut self, key: &str, at: &At) -> Option<&mut Self> {
        if self.get(key).is_none_or(|entry| entry.node.raw == Raw::Null) {
            let node = Node {
                at: at.clone(),
                raw: Raw::Block(Self::default()),
            };
            self.put(key, node);
        }
        let entry = self.0.iter_mut().find(|entry| entry.key == key)?;
        match &mut entry.node.raw {
            Raw::Block(block) => Some(block),
            _ => None,
        }
    }
}

impl Node {
    /// A text from somewhere.
    pub(crate) fn text(text: impl Into<String>, at: &At) -> Self {
        Self {
            at: at.clone(),
            raw: Raw::Text(text.into()),
        }
    }

    /// JSON as it came in a request.
    pub(crate) fn of_json(value: &Value, at: &At) -> Self {
        let raw = match value {
            Value::Null => Raw::Null,
            Value::Bool(switch) => Raw::Switch(*switch),
            Value::Number(number) => Raw::Number(number.clone()),
            Value::String(text) => Raw::Text(text.clone()),
            Value::Array(items) => Raw::List(items.iter().map(|item| Self::of_json(item, at)).collect()),
            Value::Object(map) => Raw::Block(Block(
                map.iter()
                    .map(|(key, value)| Entry {
                        key: key.clone(),
                        at: at.clone(),
                        node: Self::of_json(value, at),
                    })
                    .collect(),
            )),
        };
        Self { at: at.clone(), raw }
    }

    /// True when both say the same, wherever they stand.
    pub(crate) fn says(&self, other: &Self) -> bool {
        match (&self.raw, &other.raw) {
            (Raw::List(a), Raw::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.says(b)),
            (Raw::Block(Block(a)), Raw::Block(Block(b))) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|(a, b)| a.key == b.key && a.node.says(&b.node))
            }
            (a, b) => a == b,
        }
    }
}

impl fmt::Debug for Node {
    /// Its place alone: passwords are among the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({:?})", self.at)
    }
}
