//! What the control face asks of the node it stands in. The program implements it over its parts.
//! What other nodes may ask as well (reports, orders) comes from the node's `NodeService` instead.

use futures::future::BoxFuture;
use std::time::SystemTime;
use weft_histogram::Histogram;
use weft_wire::NodeName;

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

/// What a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// WHIP.
    WebRtc,
    /// RTSP.
    Rtsp,
    /// RTSP over TLS.
    Rtsps,
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
    /// Sessions of publishers and readers.
    fn sessions(&self) -> BoxFuture<'_, Vec<SessionLine>>;
    /// Every counter of its parts: metric name, help, value.
    fn counters(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64));
    /// Every histogram of its parts: metric name, help, what was measured.
    fn histograms(&self, visit: &mut dyn FnMut(&'static str, &'static str, &Histogram));
}
