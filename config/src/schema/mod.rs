//! Which keys there are: their names, what may stand there, their defaults, and whether Weft does what they say.
//! The lists are `global`, `path` and `fabric`; reading values is `read`.

pub(crate) mod fabric;
pub(crate) mod global;
pub(crate) mod path;
pub(crate) mod read;
pub(crate) mod show;

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What may stand at a key.
#[derive(Debug)]
pub(crate) enum Kind {
    /// `yes` or `no`.
    Switch,
    /// A whole number, not below zero.
    Count,
    /// A number.
    Number,
    /// Any text.
    Text,
    /// A text that must not be seen.
    Secret,
    /// A URL, which may hold a login that must not be seen.
    Url,
    /// A duration.
    Span,
    /// `:8889`, `127.0.0.1:8889`.
    Address,
    /// An IP address or a network.
    Ip,
    /// `no`, `optional` or `strict`; `yes` is `strict`.
    Encryption,
    /// A command, or `yes`: wait for a publisher.
    Demand,
    /// One of these.
    Word(&'static [&'static str]),
    /// Any number of these.
    List(&'static Kind),
    /// An entry of a list, all keys of which are there; given as a text it is its first key.
    Record(&'static [Key]),
    /// Keys of their own.
    Block(&'static [Key]),
}

/// Whether Weft does what a key says, and who may say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It does; the API may change it for all nodes.
    Shared,
    /// It does; each node has its own, which the API cannot change.
    Own,
    /// Of a protocol or feature of MediaMTX that Weft does not serve (yet): has no effect.
    Unserved(&'static str),
    /// Weft always does one thing, whatever it says.
    Fixed(&'static str),
    /// An old name, rewritten before anything is read; never shown.
    Old,
    /// As `Unserved`, and never shown: MediaMTX has given it up.
    Gone(&'static str),
    /// As `Shared`, but shown only where it was written, as MediaMTX does with its old ones.
    Quiet,
}

/// A key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// As in an environment variable: lists with commas; of records as JSON.
    pub(crate) default: &'static str,
    pub(crate) role: Role,
}

/// A key that Weft obeys.
pub(crate) const fn key(name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        role: Role::Shared,
    }
}

/// The same, of the node itself.
pub(crate) const fn own(name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        role: Role::Own,
    }
}

/// A key without effect.
pub(crate) const fn unserved(
    what: &'static str,
    name: &'static str,
    kind: Kind,
    default: &'static str,
) -> Key {
    Key {
        name,
        kind,
        default,
        role: Role::Unserved(what),
    }
}

/// A key that says what Weft does anyway, or never does.
pub(crate) const fn fixed(why: &'static str, name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        role: Role::Fixed(why),
    }
}

/// An old name.
pub(crate) const fn old(name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        default: "",
        role: Role::Old,
    }
}

/// The key of this name.
pub(crate) fn find<'a>(keys: &'a [Key], name: &str) -> Option<&'a Key> {
    keys.iter().find(|key| key.name == name)
}

impl Key {
    /// Its default as JSON.
    pub(crate) fn default_value(&self) -> Value {
        match &self.kind {
            Kind::Block(keys) => Value::Object(filled(keys, &[])),
            _ => read::of_default(self),
        }
    }

    /// True when it is shown although nobody wrote it.
    fn always_shown(&self) -> bool {
        !matches!(self.role, Role::Old | Role::Quiet | Role::Gone(_))
    }
}

/// All of these keys: their defaults, and above them what layers say, the last the most.
pub(crate) fn filled(keys: &[Key], layers: &[&Map<String, Value>]) -> Map<String, Value> {
    let mut all = Map::new();
    for key in keys {
        let written = layers.iter().rev().find_map(|layer| layer.get(key.name));
        let value = match (&key.kind, written) {
            (Kind::Block(inner), _) => {
                let inner_layers: Vec<_> = layers
                    .iter()
                    .filter_map(|layer| layer.get(key.name).and_then(Value::as_object))
                    .collect();
                Value::Object(filled(inner, &inner_layers))
            }
            (_, Some(value)) => value.clone(),
            (_, None) if key.always_shown() => key.default_value(),
            (_, None) => continue,
        };
        all.insert(key.name.to_owned(), value);
    }
    all
}

/// Puts the keys of `over` above those of `under`; blocks within are merged key by key.
pub(crate) fn merge(keys: &[Key], under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (name, value) in over {
        // A key that another version kept is none of ours.
        let Some(key) = find(keys, name) else { continue };
        match (&key.kind, under.get_mut(name), value) {
            (Kind::Block(inner), Some(Value::Object(under)), Value::Object(over)) => {
                merge(inner, under, over);
            }
            _ => {
                under.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Every key with its place, blocks and what is in them, without old names.
pub(crate) fn places(keys: &[Key], parent: &str) -> Vec<String> {
    let mut places = Vec::new();
    for key in keys.iter().filter(|key| key.role != Role::Old) {
        let place = joined(parent, key.name);
        if let Kind::Block(inner) = &key.kind {
            places.extend(self::places(inner, &place));
        }
        places.push(place);
    }
    places
}

/// `parent.name`.
pub(crate) fn joined(parent: &str, name: &str) -> String {
    match parent {
        "" => name.to_owned(),
        parent => format!("{parent}.{name}"),
    }
}

/// Every key that has an effect, with its place (`fabric.nats.servers`, `pathDefaults.source`).
#[must_use]
pub fn obeyed_keys() -> Vec<String> {
    let mut all = obeyed(global::GLOBAL, "");
    all.extend(obeyed(path::PATH, "pathDefaults"));
    all
}

fn obeyed(keys: &[Key], parent: &str) -> Vec<String> {
    let ours = keys
        .iter()
        .filter(|key| matches!(key.role, Role::Shared | Role::Own));
    ours.flat_map(|key| match &key.kind {
        Kind::Block(inner) => obeyed(inner, &joined(parent, key.name)),
        _ => vec![joined(parent, key.name)],
    })
    .collect()
}

/// MediaMTX's keys that have no effect, by what they are of or why, those of paths as `pathDefaults.record`.
#[must_use]
pub fn idle_keys() -> BTreeMap<&'static str, Vec<String>> {
    let mut all: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (keys, parent) in [(global::GLOBAL, ""), (path::PATH, "pathDefaults")] {
        for key in keys {
            if let Role::Unserved(what) | Role::Fixed(what) | Role::Gone(what) = key.role {
                all.entry(what).or_default().push(joined(parent, key.name));
            }
        }
    }
    all
}

/// Old names that are rewritten, those of paths as `pathDefaults.runOnReady`.
#[must_use]
pub fn old_keys() -> Vec<String> {
    let of = |keys: &[Key], parent: &str| -> Vec<String> {
        let old = keys
            .iter()
            .filter(|key| matches!(key.role, Role::Old | Role::Quiet));
        old.map(|key| joined(parent, key.name)).collect()
    };
    let mut all = of(global::GLOBAL, "");
    all.extend(of(path::PATH, "pathDefaults"));
    all
}
