//! What one round brought, ordered by stream and by session. Reports are shared, not copied: a list of a thousand streams
//! costs what its page costs. How it is written as JSON is in `path`, `sessions` and `nodes`.

use crate::view::SessionKind;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use weft_bus::Registered;
use weft_wire::{
    ConnectionReport, Guest, HubReport, MuxerReport, NodeName, NodeRecord, NodeReport, PublisherReport,
    ReaderReport, SessionId, StreamName, StreamState,
};

/// A node as known now.
#[derive(Debug, Clone)]
pub(crate) struct NodeState {
    /// What its lease says; for this node what it says itself.
    pub(crate) record: NodeRecord,
    /// How long ago that was heard.
    pub(crate) heard: Duration,
    /// It gave its report in this round.
    pub(crate) answering: bool,
    /// This node.
    pub(crate) own: bool,
}

/// Where something is in the reports: which report, which entry.
type Place = (usize, usize);

/// Where a stream is.
#[derive(Debug, Clone, Default)]
struct Places {
    owner: Option<Place>,
    hubs: Vec<Place>,
    record: Option<usize>,
}

/// The fabric at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    nodes: BTreeMap<NodeName, NodeState>,
    reports: Vec<(NodeName, Arc<NodeReport>)>,
    records: Option<Arc<Vec<Registered>>>,
    streams: BTreeMap<StreamName, Places>,
    age: Option<Duration>,
}

/// One stream of a snapshot.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    /// Its name.
    pub(crate) name: &'a StreamName,
    /// The publisher that counts, and its node.
    pub(crate) owner: Option<(&'a NodeName, &'a PublisherReport)>,
    /// The registry's record, where the node that it names gave no report.
    pub(crate) record: Option<&'a Registered>,
    /// Where it is open for readers; a node may have several entries.
    pub(crate) hubs: Vec<(&'a NodeName, &'a HubReport)>,
}

impl Stream<'_> {
    /// The stream after it was found that nobody on the bus owns it: what is left of it, if anything. A publisher without
    /// media yet is not on the bus.
    pub(crate) fn without_owner(&self) -> Option<Self> {
        let waits = |p: &PublisherReport| p.info.state == StreamState::Waiting;
        let left = Self {
            name: self.name,
            owner: self.owner.filter(|(_, publisher)| waits(publisher)),
            record: self.record,
            hubs: self.hubs.clone(),
        };
        let some = left.owner.is_some() || left.record.is_some() || !left.hubs.is_empty();
        some.then_some(left)
    }
}

/// One session of a snapshot.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Session<'a> {
    /// Somebody who publishes.
    Publisher(&'a NodeName, &'a PublisherReport),
    /// Somebody who reads this stream.
    Reader(&'a NodeName, &'a StreamName, &'a ReaderReport),
    /// Somebody who would read this stream and does not yet.
    Idle(&'a NodeName, &'a StreamName, &'a ReaderReport),
}

/// One RTSP connection of a snapshot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connection<'a> {
    /// Where it is.
    pub(crate) node: &'a NodeName,
    /// What its node says of it.
    pub(crate) report: &'a ConnectionReport,
}

impl<'a> Session<'a> {
    pub(crate) fn id(&self) -> SessionId {
        match self {
            Self::Publisher(_, publisher) => publisher.info.session,
            Self::Reader(_, _, reader) | Self::Idle(_, _, reader) => reader.session,
        }
    }

    pub(crate) fn node(&self) -> &'a NodeName {
        match self {
            Self::Publisher(node, _) | Self::Reader(node, _, _) | Self::Idle(node, _, _) => node,
        }
    }

    /// What it speaks, by its word in lists; what a node pulls itself is no session.
    pub(crate) fn kind(&self) -> Option<SessionKind> {
        let word = match self {
            Self::Publisher(_, publisher) => publisher_kind(publisher),
            Self::Reader(_, _, reader) | Self::Idle(_, _, reader) => &reader.kind,
        };
        match word {
            "rtspSession" => Some(SessionKind::Rtsp),
            "rtspsSession" => Some(SessionKind::Rtsps),
            "webRTCSession" => Some(SessionKind::WebRtc),
            _ => None,
        }
    }

    fn created(&self) -> i64 {
        match self {
            Self::Publisher(_, publisher) => publisher.created,
            Self::Reader(_, _, reader) | Self::Idle(_, _, reader) => reader.since,
        }
    }
}

/// What lists call a publisher; nodes of former releases had one kind only and do not say it.
pub(crate) fn publisher_kind(publisher: &PublisherReport) -> &str {
    match publisher.detail.kind.as_str() {
        "" => "webRTCSession",
        kind => kind,
    }
}

impl Snapshot {
    pub(super) fn new(
        nodes: BTreeMap<NodeName, NodeState>,
        reports: Vec<(NodeName, Arc<NodeReport>)>,
        records: Option<Arc<Vec<Registered>>>,
        age: Option<Duration>,
    ) -> Self {
        let mut streams: BTreeMap<StreamName, Places> = BTreeMap::new();
        for (r, (_, report)) in reports.iter().enumerate() {
            for (p, publisher) in report.publishers.iter().enumerate() {
                let rank = |p: &PublisherReport| (p.info.epoch, p.created);
                let places = streams.entry(publisher.stream.clone()).or_default();
                let outranks = |(r, p): Place| rank(&reports[r].1.publishers[p]) < rank(publisher);
                if places.owner.is_none_or(outranks) {
                    places.owner = Some((r, p));
                }
            }
            for (h, hub) in report.hubs.iter().enumerate() {
                streams.entry(hub.stream.clone()).or_default().hubs.push((r, h));
            }
        }
        let reported = |node: &NodeName| reports.iter().any(|(name, _)| name == node);
        for (i, registered) in records.iter().flat_map(|records| records.iter()).enumerate() {
            // Who reports knows best what it has.
            if reported(&registered.record.node) {
                continue;
            }
            let places = streams.entry(registered.stream.clone()).or_default();
            let outranked = |(r, p): Place| reports[r].1.publishers[p].info.epoch > registered.epoch;
            if !places.owner.is_some_and(outranked) {
                places.owner = None;
                places.record = Some(i);
            }
        }
        Self {
            nodes,
            reports,
            records,
            streams,
            age,
        }
    }

    /// How old it is, in whole seconds, upwards; 0: it is of now.
    pub(crate) fn age_seconds(&self) -> u64 {
        let up = |age: Duration| age.as_secs() + u64::from(age.subsec_nanos() > 0);
        self.age.map_or(0, |age| up(age).max(1))
    }

    /// CPU time that a node's process has used, in ms; 0: not known.
    pub(crate) fn cpu_ms(&self, name: &NodeName) -> u64 {
        let report = self.reports.iter().find(|(node, _)| node == name);
        report.map_or(0, |(_, report)| report.cpu_ms)
    }

    /// Nodes by name.
    pub(crate) fn nodes(&self) -> &BTreeMap<NodeName, NodeState> {
        &self.nodes
    }

    /// Names of streams, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &StreamName> {
        self.streams.keys()
    }

    /// One stream.
    pub(crate) fn stream(&self, name: &StreamName) -> Option<Stream<'_>> {
        let (name, places) = self.streams.get_key_value(name)?;
        let owner = places.owner.map(|(r, p)| {
            let (node, report) = &self.reports[r];
            (node, &report.publishers[p])
        });
        let hub = |(r, h): &Place| {
            let (node, report) = &self.reports[*r];
            (node, &report.hubs[*h])
        };
        let records = self.records.as_deref();
        Some(Stream {
            name,
            owner,
            record: places.record.and_then(|i| records.and_then(|r| r.get(i))),
            hubs: places.hubs.iter().map(hub).collect(),
        })
    }

    /// Sessions that speak this, oldest first.
    pub(crate) fn sessions(&self, kind: SessionKind) -> Vec<Session<'_>> {
        let mut seen = BTreeSet::new();
        let of_kind = self.all_sessions().filter(|s| s.kind() == Some(kind));
        let mut sessions: Vec<Session<'_>> = of_kind.filter(|s| seen.insert(s.id())).collect();
        sessions.sort_by_key(|session| (session.created(), session.id()));
        sessions
    }

    /// The session of this id.
    pub(crate) fn session(&self, id: SessionId) -> Option<Session<'_>> {
        self.all_sessions().find(|session| session.id() == id)
    }

    fn all_sessions(&self) -> impl Iterator<Item = Session<'_>> {
        self.reports.iter().flat_map(|(node, report)| {
            let publishers = report.publishers.iter().map(move |p| Session::Publisher(node, p));
            let readers = report.hubs.iter().flat_map(move |hub| {
                let reader = move |reader| Session::Reader(node, &hub.stream, reader);
                hub.readers.iter().map(reader)
            });
            let idle = report.idle.iter();
            let idle = idle.map(move |idle| Session::Idle(node, &idle.stream, &idle.reader));
            // One that has begun to read between two looks is there as a reader first.
            publishers.chain(readers).chain(idle)
        })
    }

    /// The streams that are made into HLS, each with its muxers by node, that of the oldest first.
    pub(crate) fn muxers(&self) -> Vec<Vec<(&NodeName, &MuxerReport)>> {
        let mut streams: BTreeMap<&StreamName, Vec<(&NodeName, &MuxerReport)>> = BTreeMap::new();
        for (node, report) in &self.reports {
            for muxer in &report.muxers {
                streams.entry(&muxer.stream).or_default().push((node, muxer));
            }
        }
        let mut all: Vec<_> = streams.into_values().collect();
        all.sort_by_key(|muxers| muxers.iter().map(|(_, muxer)| muxer.created).min());
        all
    }

    /// RTSP connections with TLS or without, oldest first.
    pub(crate) fn connections(&self, tls: bool) -> Vec<Connection<'_>> {
        let mut all: Vec<Connection<'_>> = self.all_connections().filter(|c| c.report.tls == tls).collect();
        all.sort_by_key(|connection| (connection.report.created, connection.report.id));
        all.dedup_by_key(|connection| connection.report.id);
        all
    }

    /// The connection of this id.
    pub(crate) fn connection(&self, id: SessionId) -> Option<Connection<'_>> {
        self.all_connections()
            .find(|connection| connection.report.id == id)
    }

    fn all_connections(&self) -> impl Iterator<Item = Connection<'_>> {
        self.reports.iter().flat_map(|(node, report)| {
            let connection = move |report| Connection { node, report };
            report.connections.iter().map(connection)
        })
    }

    /// How full a node is, and how many publishers, readers and streams it has: by its report where it gave one.
    pub(crate) fn load(&self, name: &NodeName, state: &NodeState) -> (f64, NodeRecord, usize) {
        let mut record = state.record.clone();
        let mut streams = record.load.hubs.max(record.load.publishers) as usize;
        let report = self.reports.iter().find(|(node, _)| node == name);
        if let Some((_, report)) = report.filter(|_| state.answering) {
            let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            record.load.publishers = count(report.publishers.len());
            record.load.readers = count(report.hubs.iter().map(|hub| hub.readers.len()).sum());
            let mut names: Vec<&StreamName> = report.publishers.iter().map(|p| &p.stream).collect();
            names.extend(report.hubs.iter().map(|hub| &hub.stream));
            names.sort_unstable();
            names.dedup();
            streams = names.len();
        }
        (fullness(&record), record, streams)
    }
}

/// The fullest it is for any guest that its role takes.
pub(crate) fn fullness(record: &NodeRecord) -> f64 {
    use weft_wire::NodeRole::{Egress, Ingest, Standalone, Unknown};
    let (publisher, reader) = (record.fullness(Guest::Publisher), record.fullness(Guest::Reader));
    match record.role {
        Ingest => publisher,
        Egress => reader,
        Standalone | Unknown => publisher.max(reader),
    }
}
