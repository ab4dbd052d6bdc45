//! A stream as the API shows it, with MediaMTX's field names and types (its deprecated ones included).
//! Where the values come from is in `fabric`.

use crate::fabric::{Stream, publisher_kind};
use crate::rfc3339;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use weft_config::Paths;
use weft_wire::{
    Codec, Epoch, HubReport, NodeName, OwnerInfo, SessionId, StreamName, StreamState, TrackInfo,
};

/// A stream.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // the field names are MediaMTX's and documented there
pub struct Path {
    pub name: String,
    /// The configuration entry that it comes under; empty where there is none.
    pub conf_name: String,
    pub ready: bool,
    pub ready_time: Option<String>,
    pub available: bool,
    pub available_time: Option<String>,
    pub online: bool,
    pub online_time: Option<String>,
    pub source: Option<PathSource>,
    pub tracks: Vec<&'static str>,
    pub tracks2: Vec<PathTrack>,
    pub readers: Vec<PathReader>,
    /// How many of them each node serves; a node that holds the stream open without readers has 0. Ours.
    pub readers_by_node: BTreeMap<String, usize>,
    pub inbound_bytes: u64,
    pub outbound_bytes: u64,
    pub inbound_frames_in_error: u64,
    pub bytes_received: u64,
    pub bytes_sent: u64,
}

/// Who publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)] // as above
pub struct PathSource {
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
    /// The node that has it. Ours.
    pub node: String,
    /// Its claim on the name: a higher one fences a lower. Ours.
    pub epoch: String,
}

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)] // as above
pub struct PathReader {
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
    /// The node that serves it. Ours.
    pub node: String,
}

/// A track with what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // as above
pub struct PathTrack {
    pub codec: &'static str,
    pub codec_props: Option<Value>,
}

impl Path {
    /// A stream from what its owner, the nodes that have it open and, where they are silent, the registry know of it.
    pub(crate) fn new(stream: &Stream<'_>) -> Self {
        let owner = stream.owner.map(|(node, publisher)| (node, &publisher.info));
        let source = owner.map(|(node, info)| (info.session, node, info.epoch));
        let recorded = stream.record.map(|r| (r.record.session, &r.record.node, r.epoch));
        let source = source
            .or(recorded)
            .map(|found| (kind(Some(stream), found.0), found));
        Self::made(stream.name, owner.map(|(_, info)| info), source, &stream.hubs)
    }

    /// A path of the configuration that has no stream now.
    pub(crate) fn idle(name: &StreamName) -> Self {
        Self::made(name, None, None, &[])
    }

    /// The same with the name of its configuration entry.
    pub(crate) fn under(self, paths: &Paths) -> Self {
        let name = StreamName::new(self.name.as_str()).ok();
        let found = name.and_then(|name| paths.find(&name));
        Self {
            conf_name: found.map(|found| found.conf.name.clone()).unwrap_or_default(),
            ..self
        }
    }

    /// A stream as its owner has just told it, with the nodes that have it open.
    pub(crate) fn of_owner(name: &StreamName, info: &OwnerInfo, stream: Option<&Stream<'_>>) -> Self {
        let hubs = stream.map_or(&[][..], |stream| &stream.hubs);
        let source = (kind(stream, info.session), (info.session, &info.node, info.epoch));
        Self::made(name, Some(info), Some(source), hubs)
    }

    fn made(
        name: &StreamName,
        owner: Option<&OwnerInfo>,
        source: Option<(&str, (SessionId, &NodeName, Epoch))>,
        hubs: &[(&NodeName, &HubReport)],
    ) -> Self {
        let ready = owner.is_some_and(|o| o.state == StreamState::Live);
        let since = owner.map(|o| o.since).filter(|_| ready).map(rfc3339::from_micros);
        let inbound = owner.map_or(0, |o| o.inbound_bytes);
        let tracks = owner.map_or(&[][..], |o| &o.tracks);
        let (mut readers, mut readers_by_node) = (Vec::new(), BTreeMap::new());
        let (mut sent, mut seen) = (BTreeMap::new(), BTreeSet::new());
        for (node, hub) in hubs {
            // A crowded stream has several entries of a report, of which the first has the bytes; and between two pages an
            // entry may be there twice.
            let bytes = sent.entry(*node).or_insert(0);
            *bytes = hub.bytes_sent.max(*bytes);
            let count = readers_by_node.entry(node.to_string()).or_insert(0);
            for reader in hub.readers.iter().filter(|reader| seen.insert(reader.session)) {
                *count += 1;
                readers.push(PathReader {
                    kind: reader.kind.clone(),
                    id: reader.session.to_string(),
                    node: node.to_string(),
                });
            }
        }
        let outbound = sent.values().sum();
        Self {
            name: name.to_string(),
            conf_name: String::new(),
            ready,
            ready_time: since.clone(),
            available: ready,
            available_time: since.clone(),
            online: ready,
            online_time: since,
            source: source.map(|(kind, (id, node, epoch))| PathSource {
                kind: kind.to_owned(),
                id: id.to_string(),
                node: node.to_string(),
                epoch: epoch.to_string(),
            }),
            tracks: tracks.iter().map(|t| t.codec.label()).collect(),
            tracks2: tracks.iter().map(track).collect(),
            readers,
            readers_by_node,
            inbound_bytes: inbound,
            outbound_bytes: outbound,
            inbound_frames_in_error: owner.map_or(0, |o| o.units_in_error),
            bytes_received: inbound,
            bytes_sent: outbound,
        }
    }
}

/// What lists call a stream's publisher, as far as it is known.
fn kind<'a>(stream: Option<&Stream<'a>>, session: SessionId) -> &'a str {
    let publisher = stream.and_then(|stream| stream.owner).map(|(_, p)| p);
    publisher
        .filter(|publisher| publisher.info.session == session)
        .map_or("webRTCSession", publisher_kind)
}

fn track(info: &TrackInfo) -> PathTrack {
    let codec_props = match info.codec {
        Codec::H264 => info.parameter_sets.first().map(|sps| {
            // Rec. ITU-T H.264 §7.3.2.1.1: profile_idc, constraint flags and level_idc follow the NAL header.
            let byte = |i: usize| sps.get(i).copied().unwrap_or(0);
            json!({
                "width": info.width,
                "height": info.height,
                "profile": profile(byte(1)),
                "level": level(byte(3)),
            })
        }),
        Codec::Opus => Some(json!({ "channelCount": info.channels })),
        _ => None,
    };
    PathTrack {
        codec: info.codec.label(),
        codec_props,
    }
}

/// Names of `profile_idc` (Rec. ITU-T H.264 Annex A).
fn profile(idc: u8) -> String {
    match idc {
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 => "High",
        110 => "High 10",
        122 => "High 4:2:2",
        244 => "High 4:4:4 Predictive",
        other => return other.to_string(),
    }
    .to_owned()
}

/// `level_idc` is ten times the level.
fn level(idc: u8) -> String {
    match (idc / 10, idc % 10) {
        (whole, 0) => whole.to_string(),
        (whole, part) => format!("{whole}.{part}"),
    }
}
