//! `GET /v3/nodes/list` and `/v3/nodes/get/{name}`: who the nodes of the fabric are, how full they are, who of them answers.
//! What a lease says is decided by each node.

use crate::fabric::{NodeState, Snapshot};
use crate::rfc3339;
use schemars::JsonSchema;
use serde::Serialize;
use weft_wire::NodeName;

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its name.
    pub name: String,
    /// True for the node that answers this request.
    pub own: bool,
    /// `standalone`, `ingest` or `egress`; `unknown` for a role of a later release.
    pub role: &'static str,
    /// The program's version.
    pub version: String,
    /// When it started, by its own clock.
    pub started: String,
    /// It takes nobody new and will end.
    pub draining: bool,
    /// Where clients reach it.
    pub addresses: NodeAddresses,
    /// What it carries.
    pub load: NodeLoad,
    /// What it will carry at most.
    pub limits: NodeLimits,
    /// 0 is empty, 1 at one of its limits.
    pub fullness: f64,
    /// How long ago its lease was heard of, in seconds; 0 for this node.
    pub last_heard_seconds: f64,
    /// It answered when it was asked for its streams just now.
    pub answering: bool,
}

/// `host:port` of each service; empty where it does not listen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)] // named as in the configuration
pub struct NodeAddresses {
    pub webrtc: String,
    pub ice: String,
    pub rtsp: String,
    pub api: String,
}

/// What a node carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeLoad {
    /// Publishers, those without media yet included.
    pub publishers: u32,
    /// Readers.
    pub readers: u32,
    /// Streams that are published or read there.
    pub streams: usize,
    /// Bits of media per second, in and out together, as of its lease.
    pub bits_per_second: u64,
}

/// What a node may carry; 0 is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // as in the load
pub struct NodeLimits {
    pub publishers: u32,
    pub readers: u32,
    pub bits_per_second: u64,
}

impl Node {
    pub(crate) fn new(snapshot: &Snapshot, name: &NodeName, state: &NodeState) -> Self {
        let (fullness, record, streams) = snapshot.load(name, state);
        let addresses = record.addresses;
        Self {
            name: name.to_string(),
            own: state.own,
            role: record.role.token(),
            version: record.version,
            started: rfc3339::from_micros(record.started),
            draining: record.draining,
            addresses: NodeAddresses {
                webrtc: addresses.webrtc,
                ice: addresses.ice,
                rtsp: addresses.rtsp,
                api: addresses.api,
            },
            load: NodeLoad {
                publishers: record.load.publishers,
                readers: record.load.readers,
                streams,
                bits_per_second: record.load.bits_per_second,
            },
            limits: NodeLimits {
                publishers: record.limits.publishers,
                readers: record.limits.readers,
                bits_per_second: record.limits.bits_per_second,
            },
            fullness: (fullness * 1e4).round() / 1e4,
            last_heard_seconds: (state.heard.as_secs_f64() * 10.0).round() / 10.0,
            answering: state.answering,
        }
    }
}
