//! All lines of one second, and what has changed since the second before. Both are written as text once, however many
//! listen; who listens is in `live`.

use super::lines::{self, Line};
use super::rates::{Counters, Looks};
use crate::fabric::Snapshot;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use weft_config::Paths;
use weft_wire::{Incarnation, NodeName, SessionId, StreamName};

type Lines = BTreeMap<String, Line>;

/// Lines that are new or have changed, the latter with their name and the fields that did, and names that are gone.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Difference {
    pub(crate) changed: Vec<Line>,
    pub(crate) gone: Vec<String>,
}

/// One second.
#[derive(Debug)]
pub(crate) struct Tick {
    now: u64,
    age: u64,
    pub(crate) nodes: Lines,
    pub(crate) streams: Lines,
    changed_nodes: Difference,
    changed_streams: Difference,
    whole: OnceLock<Bytes>,
    change: OnceLock<Bytes>,
}

/// What is known from the seconds before.
#[derive(Default)]
pub(crate) struct Maker {
    streams: Looks<StreamName, Option<SessionId>>,
    nodes: Looks<NodeName, Incarnation>,
    last: Option<Arc<Tick>>,
}

impl Maker {
    /// The next second. `problems` are this node's.
    pub(crate) fn tick(&mut self, snapshot: &Snapshot, paths: &Paths, problems: &[String]) -> Arc<Tick> {
        let now = Instant::now();
        let mut streams = Lines::new();
        for conf in paths.iter().filter(|conf| conf.is_static()) {
            streams.insert(conf.name.clone(), lines::idle(&conf.name));
        }
        for name in snapshot.names() {
            let Some(stream) = snapshot.stream(name) else {
                continue;
            };
            let session = stream.owner.map(|(_, publisher)| publisher.info.session);
            let rates = |counters| self.streams.look(name, session, now, counters);
            streams.insert(name.to_string(), lines::stream(&stream, rates));
        }
        let mut nodes = Lines::new();
        for (name, state) in snapshot.nodes() {
            let counters = Counters {
                cpu_ms: snapshot.cpu_ms(name),
                ..Counters::default()
            };
            let rates = self.nodes.look(name, state.record.incarnation, now, counters);
            // A release that does not tell it has used none.
            let cpu = rates.filter(|_| counters.cpu_ms > 0).map(|rates| rates.cpu);
            nodes.insert(
                name.to_string(),
                lines::node(snapshot, name, state, cpu, problems),
            );
        }
        self.streams.forget(now);
        self.nodes.forget(now);
        let empty = Lines::new();
        let (old_nodes, old_streams) = match &self.last {
            Some(last) => (&last.nodes, &last.streams),
            None => (&empty, &empty),
        };
        let tick = Arc::new(Tick {
            now: utc_ms(),
            age: snapshot.age_seconds(),
            changed_nodes: difference(old_nodes, &nodes),
            changed_streams: difference(old_streams, &streams),
            nodes,
            streams,
            whole: OnceLock::new(),
            change: OnceLock::new(),
        });
        self.last = Some(tick.clone());
        tick
    }
}

fn utc_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn difference(old: &Lines, new: &Lines) -> Difference {
    let changed = new.iter().filter_map(|(name, line)| match old.get(name) {
        None => Some(line.clone()),
        Some(before) => changed(before, line),
    });
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    Difference {
        changed: changed.collect(),
        gone: gone.cloned().collect(),
    }
}

/// The name and the fields that are not as before; every line of a kind has the same fields.
pub(super) fn changed(before: &Line, line: &Line) -> Option<Line> {
    let differs = |(field, value): &(&String, &Value)| before.get(*field) != Some(*value);
    let mut fields: Line = line
        .iter()
        .filter(differs)
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect();
    if fields.is_empty() {
        return None;
    }
    if let Some(name) = line.get("name") {
        fields.insert("name".to_owned(), name.clone());
    }
    Some(fields)
}

/// One server-sent event; JSON has no line breaks of its own.
pub(super) fn event(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

impl Tick {
    /// Everything, as an event.
    pub(crate) fn whole(&self) -> Bytes {
        let made = self.whole.get_or_init(|| self.everything(|_| true));
        made.clone()
    }

    /// What has changed since the second before, as an event.
    pub(crate) fn change(&self) -> Bytes {
        let made = self.change.get_or_init(|| self.changes(|_| true));
        made.clone()
    }

    /// Everything of the nodes and of some streams.
    pub(crate) fn everything(&self, is_wanted: impl Fn(&str) -> bool) -> Bytes {
        let streams = self.streams.iter().filter(|(name, _)| is_wanted(name));
        let data = json!({
            "now": self.now,
            "age": self.age,
            "nodes": self.nodes.values().collect::<Vec<_>>(),
            "streams": streams.map(|(_, line)| line).collect::<Vec<_>>(),
        });
        event("snapshot", &data)
    }

    /// What has changed of the nodes and of some streams.
    pub(crate) fn changes(&self, is_wanted: impl Fn(&str) -> bool) -> Bytes {
        let Difference { changed, gone } = &self.changed_streams;
        let named = |line: &&Line| line.get("name").and_then(Value::as_str).is_some_and(&is_wanted);
        let streams: Vec<&Line> = changed.iter().filter(named).collect();
        let gone: Vec<&String> = gone.iter().filter(|name| is_wanted(name)).collect();
        let data = json!({
            "now": self.now,
            "age": self.age,
            "nodes": self.changed_nodes.changed,
            "goneNodes": self.changed_nodes.gone,
            "streams": streams,
            "goneStreams": gone,
        });
        event("change", &data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(of: &[(&str, Value)]) -> Lines {
        let line = |(name, value): &(&str, Value)| {
            let mut line = value.as_object().cloned().unwrap();
            line.insert("name".to_owned(), json!(name));
            ((*name).to_owned(), line)
        };
        of.iter().map(line).collect()
    }

    #[test]
    fn a_difference_has_new_lines_whole_changed_ones_by_field_and_the_names_of_those_gone() {
        let before = lines(&[
            ("a", json!({"fps": 30.0, "state": "live"})),
            ("b", json!({"fps": 30.0, "state": "live"})),
            ("c", json!({"fps": null, "state": "held"})),
        ]);
        let after = lines(&[
            ("a", json!({"fps": 30.0, "state": "live"})),
            ("b", json!({"fps": 29.5, "state": "live"})),
            ("d", json!({"fps": null, "state": "waiting"})),
        ]);
        let found = difference(&before, &after);
        assert_eq!(
            json!(found.changed),
            json!([
                {"name": "b", "fps": 29.5},
                {"name": "d", "fps": null, "state": "waiting"},
            ])
        );
        assert_eq!(found.gone, ["c"]);
        assert_eq!(difference(&after, &after), Difference::default());
    }
}
