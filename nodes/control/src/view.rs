//! What the control face asks of the node it stands in. The program implements it over its parts.
//! What concerns the whole fabric comes from bus and registry instead.

use futures::future::BoxFuture;
use std::time::SystemTime;
use weft_wire::{NodeName, StreamName};

/// Who the node is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name in the fabric.
    pub name: NodeName,
    /// `standalone`, `ingest` or `egress`.
    pub role: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// When it started.
    pub started: SystemTime,
}

/// A reader of a stream on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderLine {
    /// MediaMTX's word for its kind, such as `rtspSession`.
    pub kind: &'static str,
    /// Its session's id.
    pub id: String,
}

/// A stream that this node has open for readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubLine {
    /// Which stream.
    pub stream: StreamName,
    /// Its readers on this node.
    pub readers: Vec<ReaderLine>,
    /// Bytes sent to readers of this stream by this node, those that have left included where known.
    pub bytes_sent: u64,
}

/// What a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// WHIP.
    WebRtc,
    /// RTSP.
    Rtsp,
}

/// A publisher's or reader's session on this node.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionLine {
    /// What it speaks.
    pub kind: SessionKind,
    /// Its id in the API.
    pub id: String,
    /// `publish`, `read` or `idle`.
    pub state: &'static str,
    /// The stream's name.
    pub path: String,
    /// The peer, `ip:port`.
    pub remote: String,
    /// Bytes of RTP received.
    pub inbound_bytes: u64,
    /// RTP packets received.
    pub inbound_packets: u64,
    /// RTP packets that never came.
    pub inbound_lost: u64,
    /// Bytes of RTP sent.
    pub outbound_bytes: u64,
    /// RTP packets sent.
    pub outbound_packets: u64,
}

/// This node, as its control face sees it. Calls answer from memory and never wait long.
pub trait NodeView: Send + Sync + 'static {
    /// Who it is.
    fn identity(&self) -> Identity;
    /// Why it should not get new work now, in sentences; empty when it is ready.
    fn problems(&self) -> Vec<String>;
    /// Streams open for readers.
    fn hubs(&self) -> Vec<HubLine>;
    /// Sessions of publishers and readers.
    fn sessions(&self) -> BoxFuture<'_, Vec<SessionLine>>;
    /// Every counter of its parts: metric name, help, value.
    fn counters(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64));
}
