//! Both layers together: every key with its value, and what deserves a word about those that are written.
//! What values mean is `typed`'s business.

use super::{Change, Scope, sheet::Sheet};
use crate::schema::global::GLOBAL;
use crate::schema::path::PATH;
use crate::schema::{Key, Role, filled, find, merge};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Every key with its value.
pub(crate) struct Effective {
    /// Those above paths; none is missing.
    pub(crate) global: Map<String, Value>,
    /// What paths take that do not say otherwise; none is missing.
    pub(crate) path_defaults: Map<String, Value>,
    /// Each path; none is missing.
    pub(crate) paths: BTreeMap<String, Map<String, Value>>,
    /// What each path says itself.
    pub(crate) own: BTreeMap<String, Map<String, Value>>,
    /// Somebody wrote `authInternalUsers`.
    pub(crate) users_are_written: bool,
    /// What is written above paths.
    written: Map<String, Value>,
    /// What is written in `pathDefaults`.
    pub(crate) written_defaults: Map<String, Value>,
    old_names: Vec<String>,
    /// The line about keys of what is not served that the file has with the values they have anyway.
    usual: Option<String>,
}

impl Effective {
    /// What a node's own layer says with these changes above it.
    pub(crate) fn of(sheet: &Sheet, changes: &BTreeMap<Scope, Change>) -> Self {
        let mut written = sheet.global.clone();
        let mut written_defaults = sheet.path_defaults.clone();
        let mut own = sheet.paths.clone();
        for (scope, change) in changes {
            match (scope, change) {
                (Scope::Global, Change::Patch(keys) | Change::Whole(keys)) => {
                    merge(GLOBAL, &mut written, keys)
                }
                (Scope::PathDefaults, Change::Patch(keys) | Change::Whole(keys)) => {
                    merge(PATH, &mut written_defaults, keys);
                }
                (Scope::Global | Scope::PathDefaults, Change::Deleted) => {}
                (Scope::Path(name), Change::Patch(keys)) => {
                    merge(PATH, own.entry(name.clone()).or_default(), keys);
                }
                (Scope::Path(name), Change::Whole(keys)) => {
                    own.insert(name.clone(), keys.clone());
                }
                (Scope::Path(name), Change::Deleted) => {
                    own.remove(name);
                }
            }
        }
        let path_defaults = filled(PATH, &[&written_defaults]);
        // A path has no blocks in it, so what it says stands above the defaults key by key.
        let path = |keys: &Map<String, Value>| {
            let mut all = path_defaults.clone();
            merge(PATH, &mut all, keys);
            all
        };
        Self {
            global: filled(GLOBAL, &[&written]),
            paths: own
                .iter()
                .map(|(name, keys)| (name.clone(), path(keys)))
                .collect(),
            own,
            path_defaults,
            users_are_written: written.contains_key("authInternalUsers"),
            written,
            written_defaults,
            old_names: sheet.notices.clone(),
            usual: usual(sheet),
        }
    }

    /// One line about each old name and each key that is written and has no effect.
    pub(crate) fn notices(&self) -> Vec<String> {
        let mut places: BTreeMap<&str, (&Key, Vec<String>)> = BTreeMap::new();
        let paths = self
            .own
            .iter()
            .map(|(name, keys)| (format!("paths.{name}"), PATH, keys));
        let rest = [
            (String::new(), GLOBAL, &self.written),
            ("pathDefaults".to_owned(), PATH, &self.written_defaults),
        ];
        for (place, keys, written) in rest.into_iter().chain(paths) {
            for (name, value) in written {
                if let Some(key) = find(keys, name).filter(|key| is_idle(key, value)) {
                    let (_, places) = places.entry(key.name).or_insert((key, Vec::new()));
                    places.extend(Some(place.clone()).filter(|place| !place.is_empty()));
                }
            }
        }
        let idle = places.into_iter().map(|(name, (key, places))| {
            let places = match places.as_slice() {
                [] => String::new(),
                places => format!(" (in {})", places.join(", ")),
            };
            match key.role {
                Role::Unserved(what) => {
                    format!("{name}{places}: {what}: not served yet; the key has no effect")
                }
                Role::Gone(what) => {
                    format!("{name}{places}: {what}: no longer served; the key has no effect")
                }
                Role::Fixed(why) => format!("{name}{places}: the key has no effect; {why}"),
                Role::Shared | Role::Own | Role::Old | Role::Quiet => format!("{name}{places}: an old name"),
            }
        });
        self.old_names
            .iter()
            .cloned()
            .chain(idle)
            .chain(self.usual.clone())
            .collect()
    }

    /// What is written, for who prints it: keys that Weft obeys with their values, the others where they are written.
    pub(crate) fn shown(&self) -> Map<String, Value> {
        let mut all = shown(GLOBAL, &self.global, &self.written);
        let defaults = shown(PATH, &self.path_defaults, &self.written_defaults);
        all.insert("pathDefaults".to_owned(), Value::Object(defaults));
        let paths = self.own.iter().map(|(name, keys)| {
            let mut keys = keys.clone();
            crate::schema::show::redact(PATH, &mut keys);
            (name.clone(), Value::Object(keys))
        });
        all.insert("paths".to_owned(), Value::Object(paths.collect()));
        all
    }
}

/// One line for all [`usual_idle`] keys of a node's own layer.
fn usual(sheet: &Sheet) -> Option<String> {
    let above = [(GLOBAL, &sheet.global), (PATH, &sheet.path_defaults)];
    let all = above
        .into_iter()
        .chain(sheet.paths.values().map(|keys| (PATH, keys)));
    let found = all.flat_map(|(keys, written)| {
        let pairs = written.iter();
        pairs.filter_map(move |(name, value)| usual_idle(find(keys, name)?, value))
    });
    let (names, of): (BTreeSet<&str>, BTreeSet<&str>) = found.map(|(key, what)| (key.name, what)).unzip();
    let list = |words: BTreeSet<&str>| words.into_iter().collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then(|| {
        format!(
            "{}: of what is not served yet ({}); written with the values that they have anyway, without effect",
            list(names),
            list(of)
        )
    })
}

/// The key and what it is of, where it is not served and the value, which is not `off`, is the one it has anyway: such keys
/// stand in files by the dozen and are told of together.
fn usual_idle<'a>(key: &'a Key, value: &Value) -> Option<(&'a Key, &'a str)> {
    match key.role {
        Role::Unserved(what) if !is_off(value) && *value == key.default_value() => Some((key, what)),
        _ => None,
    }
}

fn is_off(value: &Value) -> bool {
    match value {
        Value::Bool(on) => !on,
        Value::String(text) => matches!(text.as_str(), "" | "no"),
        Value::Array(items) => items.is_empty(),
        Value::Null => true,
        _ => false,
    }
}

/// True for a value that its key does not have anyway, of a key without effect. To switch off what is not served is no mistake.
fn is_idle(key: &Key, value: &Value) -> bool {
    match key.role {
        Role::Unserved(_) | Role::Gone(_) => !is_off(value) && *value != key.default_value(),
        Role::Fixed(_) => *value != key.default_value(),
        Role::Shared | Role::Own | Role::Old | Role::Quiet => false,
    }
}

fn shown(keys: &[Key], all: &Map<String, Value>, written: &Map<String, Value>) -> Map<String, Value> {
    let obeyed = |name: &str| {
        let role = find(keys, name).map(|key| key.role);
        matches!(role, Some(Role::Shared | Role::Own)) || written.contains_key(name)
    };
    let mut shown: Map<_, _> = all
        .iter()
        .filter(|(name, _)| obeyed(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    crate::schema::show::redact(keys, &mut shown);
    shown
}
