//! A change that a request of the API asks for: what it must be, and what it makes of what was kept before.
//! Whether the configuration is still one afterwards is judged by `Layers`.

use super::{Change, EditError, Effective, Scope, Verb};
use crate::rewrite::{self, Told};
use crate::schema::global::GLOBAL;
use crate::schema::path::PATH;
use crate::schema::read::{Reader, Wrong};
use crate::schema::show::redact;
use crate::schema::{Key, Kind, Role, find, joined, merge};
use crate::tree::{At, Node, Raw};
use serde_json::{Map, Value};

/// What is to be kept for the scope; `None`: nothing any more.
pub(super) fn edited(
    effective: &Effective,
    is_in_file: bool,
    kept: Option<&Change>,
    scope: &Scope,
    verb: Verb,
    body: &Value,
) -> Result<Option<Change>, EditError> {
    let there = match scope {
        Scope::Path(name) => effective.own.contains_key(name),
        Scope::Global | Scope::PathDefaults => true,
    };
    match (scope, verb) {
        (Scope::Path(_), _) | (_, Verb::Patch) => {}
        _ => return Err(EditError::Refused(format!("'{scope}' can be patched alone"))),
    }
    match verb {
        Verb::Patch | Verb::Delete if !there => return Err(EditError::NotFound),
        Verb::Add if there => return Err(EditError::Exists),
        Verb::Delete => return Ok(is_in_file.then_some(Change::Deleted)),
        Verb::Patch | Verb::Add | Verb::Replace => {}
    }
    let (keys, now) = match scope {
        Scope::Global => (GLOBAL, Some(&effective.global)),
        Scope::PathDefaults => (PATH, Some(&effective.path_defaults)),
        Scope::Path(name) => (PATH, effective.paths.get(name)),
    };
    let written = values(keys, scope, body, now)?;
    Ok(Some(match (verb, kept) {
        (Verb::Patch, Some(Change::Whole(before))) => Change::Whole(above(keys, before, &written)),
        (Verb::Patch, Some(Change::Patch(before))) => Change::Patch(above(keys, before, &written)),
        (Verb::Patch, _) => Change::Patch(written),
        _ => Change::Whole(written),
    }))
}

fn above(keys: &[Key], under: &Map<String, Value>, over: &Map<String, Value>) -> Map<String, Value> {
    let mut both = under.clone();
    merge(keys, &mut both, over);
    both
}

/// The body's keys, each value of its kind.
fn values(
    keys: &[Key],
    scope: &Scope,
    body: &Value,
    now: Option<&Map<String, Value>>,
) -> Result<Map<String, Value>, EditError> {
    let refused = |text: String| EditError::Refused(text);
    let Value::Object(mut body) = body.clone() else {
        return Err(refused("expected an object with the keys to change".to_owned()));
    };
    if let Some(now) = now {
        restore(keys, &mut body, now);
    }
    let node = Node::of_json(&Value::Object(body), &At::Api);
    let Raw::Block(mut block) = node.raw else {
        return Err(refused("expected an object with the keys to change".to_owned()));
    };
    let mut told = Told::default();
    match scope {
        Scope::Global => rewrite::global(&mut block, &mut told),
        Scope::PathDefaults | Scope::Path(_) => rewrite::path(&mut block, &mut told),
    }
    let mut reader = Reader {
        strict: true,
        ..Reader::default()
    };
    let mut values = reader.block(keys, &block, "");
    let wrong: Vec<Wrong> = told.wrong.into_iter().chain(reader.wrong).collect();
    if let Some(unknown) = wrong.iter().find(|wrong| wrong.unknown) {
        let field = unknown.place.rsplit('.').next().unwrap_or_default();
        return Err(refused(format!("json: unknown field \"{field}\"")));
    }
    if !wrong.is_empty() {
        let all: Vec<String> = wrong
            .iter()
            .map(|wrong| format!("{}: {}", wrong.place, wrong.text))
            .collect();
        return Err(refused(all.join("; ")));
    }
    let mut own = Vec::new();
    without_own(keys, &mut values, now, "", &mut own);
    match own.as_slice() {
        [] => Ok(values),
        own => Err(refused(format!(
            "{}: each node has its own; set it in the node's file and start it again",
            own.join(", ")
        ))),
    }
}

/// Takes a node's own keys out where they say what is so on this node, as a client does that sends back what it was given; the
/// others are named.
fn without_own(
    keys: &[Key],
    values: &mut Map<String, Value>,
    now: Option<&Map<String, Value>>,
    parent: &str,
    own: &mut Vec<String>,
) {
    values.retain(|name, value| {
        let Some(key) = find(keys, name) else { return true };
        let now = now.and_then(|now| now.get(name));
        let place = joined(parent, name);
        match (key.role, &key.kind, value) {
            (_, Kind::Block(inner), Value::Object(values)) => {
                without_own(inner, values, now.and_then(Value::as_object), &place, own);
                !values.is_empty()
            }
            (Role::Own, _, value) => {
                if now != Some(&*value) {
                    own.push(place);
                }
                false
            }
            _ => true,
        }
    });
}

/// Puts secrets back in place of what was shown instead of them, where a client sends back what it was given.
fn restore(keys: &[Key], body: &mut Map<String, Value>, now: &Map<String, Value>) {
    for (name, value) in body {
        let (Some(key), Some(now)) = (find(keys, name), now.get(name)) else {
            continue;
        };
        match (&key.kind, value, now) {
            (Kind::Secret | Kind::Url, value, now) => {
                let mut shown = Map::from_iter([(name.clone(), now.clone())]);
                redact(keys, &mut shown);
                if shown.get(name) == Some(&*value) {
                    *value = now.clone();
                }
            }
            (Kind::Block(inner), Value::Object(body), Value::Object(now)) => restore(inner, body, now),
            (Kind::List(Kind::Record(inner)), Value::Array(items), Value::Array(now)) => {
                restore_entries(inner, items, now);
            }
            _ => {}
        }
    }
}

/// Entries of a list are the same when their first keys are (`user`, `url`); among several of one name the order counts.
fn restore_entries(keys: &[Key], items: &mut [Value], now: &[Value]) {
    let first = keys.first().map_or("", |key| key.name);
    let mut left: Vec<&Value> = now.iter().collect();
    for item in items {
        let same = left.iter().position(|now| now.get(first) == item.get(first));
        let now = same.map(|at| left.remove(at));
        if let (Value::Object(item), Some(Value::Object(now))) = (item, now) {
            restore(keys, item, now);
        }
    }
}
