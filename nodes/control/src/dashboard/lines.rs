//! How a stream and a node are told to the pages: one flat object each, so that what changes can be told field by field.
//! What is counted is in the fabric's snapshot, what is a rate in `rates`.

use super::rates::{Counters, Rates};
use crate::fabric::{NodeState, Snapshot, Stream, publisher_kind};
use crate::nodes::{Node, NodeAddresses, NodeLimits};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use weft_wire::{MediaKind, NodeName, StreamState};

/// An object of fields, of which `name` is one.
pub(crate) type Line = Map<String, Value>;

/// A stream.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct StreamLine<'a> {
    name: &'a str,
    /// `live`, `waiting` (for its first picture), `stalled`, `held` (its readers wait for a publisher) or `offline`.
    state: &'static str,
    /// The owner.
    node: &'a str,
    session: String,
    kind: &'a str,
    user: &'a str,
    /// ms UTC; 0: it is not live.
    since: i64,
    tracks: Vec<&'static str>,
    width: u32,
    height: u32,
    fps: Option<f64>,
    bits: Option<u64>,
    bits_out: Option<u64>,
    loss: Option<f64>,
    errors: u64,
    readers: usize,
    /// Nodes that have it open for readers.
    open: Vec<&'a str>,
}

/// A node.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeLine {
    name: String,
    role: &'static str,
    version: String,
    own: bool,
    /// `ready`, `draining` or `silent`.
    state: &'static str,
    /// ms UTC.
    started: i64,
    fullness: f64,
    publishers: u32,
    readers: u32,
    streams: usize,
    bits: u64,
    cpu: Option<u64>,
    addresses: NodeAddresses,
    limits: NodeLimits,
    problems: Vec<String>,
}

fn line(value: impl Serialize) -> Line {
    match serde_json::to_value(value) {
        Ok(Value::Object(line)) => line,
        // Both types are objects of plain values.
        _ => Line::new(),
    }
}

/// The counters of a stream, its readers, and the nodes that have it open.
fn counted<'a>(stream: &Stream<'a>) -> (Counters, usize, Vec<&'a str>) {
    // A crowded stream has several entries of a report, of which one has the bytes; and a reader may be seen twice.
    let (mut sent, mut seen) = (BTreeMap::new(), BTreeSet::new());
    for (node, hub) in &stream.hubs {
        let bytes = sent.entry(node.as_str()).or_insert(0);
        *bytes = hub.bytes_sent.max(*bytes);
        seen.extend(hub.readers.iter().map(|reader| reader.session));
    }
    let mut counters = Counters {
        sent: sent.values().sum(),
        ..Counters::default()
    };
    if let Some((_, publisher)) = stream.owner {
        counters.received = publisher.info.inbound_bytes;
        counters.packets = publisher.info.inbound_packets;
        counters.lost = publisher.info.packets_lost;
        counters.pictures = publisher.detail.pictures;
    }
    (counters, seen.len(), sent.into_keys().collect())
}

fn state(stream: &Stream<'_>, readers: usize) -> &'static str {
    let flows = stream.hubs.iter().any(|(_, hub)| hub.ready);
    match stream.owner.map(|(_, publisher)| publisher.info.state) {
        Some(StreamState::Live) => "live",
        Some(StreamState::Stalled | StreamState::Unknown) => "stalled",
        // Its node does not answer, and its readers get pictures.
        None if stream.record.is_some() && flows => "live",
        _ if readers > 0 => "held",
        Some(StreamState::Waiting) => "waiting",
        None => "offline",
    }
}

/// A stream; `rates` makes rates of its counters, while it has an owner.
pub(crate) fn stream(stream: &Stream<'_>, rates: impl FnOnce(Counters) -> Option<Rates>) -> Line {
    let (counters, readers, open) = counted(stream);
    let mut made = StreamLine {
        name: stream.name.as_str(),
        state: state(stream, readers),
        readers,
        open,
        ..StreamLine::default()
    };
    if let Some(record) = stream.record {
        made.node = record.record.node.as_str();
        made.session = record.record.session.to_string();
    }
    if let Some((node, publisher)) = stream.owner {
        let info = &publisher.info;
        let video = info.tracks.iter().find(|t| t.codec.kind() == MediaKind::Video);
        made.node = node.as_str();
        made.session = info.session.to_string();
        made.kind = publisher_kind(publisher);
        made.user = &publisher.detail.user;
        made.since = info.since / 1_000;
        made.tracks = info.tracks.iter().map(|track| track.codec.label()).collect();
        (made.width, made.height) = video.map_or((0, 0), |video| (video.width, video.height));
        made.errors = info.units_in_error;
        if let Some(rates) = rates(counters) {
            // A release that does not count pictures yet has none.
            made.fps = (counters.pictures > 0).then_some(rates.pictures);
            made.bits = Some(rates.bits_in);
            made.bits_out = Some(rates.bits_out);
            made.loss = Some(rates.loss);
        }
    }
    line(made)
}

/// A path of the configuration that has no stream now.
pub(crate) fn idle(name: &str) -> Line {
    line(StreamLine {
        name,
        state: "offline",
        ..StreamLine::default()
    })
}

/// A node; `problems` are those of this one.
pub(crate) fn node(
    snapshot: &Snapshot,
    name: &NodeName,
    state: &NodeState,
    cpu: Option<u64>,
    problems: &[String],
) -> Line {
    let node = Node::new(snapshot, name, state);
    let word = match (node.answering, node.draining) {
        (false, _) => "silent",
        (true, true) => "draining",
        (true, false) => "ready",
    };
    let mut all = if state.own { problems.to_vec() } else { Vec::new() };
    if !node.answering {
        all.push("it does not answer; what it carries is not known".to_owned());
    }
    if node.fullness >= 1.0 {
        all.push("it is at one of its limits and takes nobody new".to_owned());
    }
    line(NodeLine {
        name: node.name,
        role: node.role,
        version: node.version,
        own: node.own,
        state: word,
        started: state.record.started / 1_000,
        fullness: node.fullness,
        publishers: node.load.publishers,
        readers: node.load.readers,
        streams: node.load.streams,
        bits: node.load.bits_per_second,
        cpu,
        addresses: node.addresses,
        limits: node.limits,
        problems: all,
    })
}
