//! What the API and the metrics see of hubs and readers: copies, taken when asked for.
//! Their form as JSON or text is the control face's business.

use crate::life::HubState;
use crate::reader::Queue;
use crate::tap::TapQueue;
use std::net::SocketAddr;
use std::time::SystemTime;
use uuid::Uuid;
use weft_wire::{Epoch, SessionId, StreamName, TrackId, TrackInfo};

/// One stream at this egress.
#[derive(Debug, Clone)]
pub struct HubView {
    /// Which stream.
    pub stream: StreamName,
    /// What it is doing.
    pub state: HubState,
    /// True while media flows.
    pub ready: bool,
    /// The publisher session that reaches the readers; `None` before its first unit.
    pub session: Option<SessionId>,
    /// That session's epoch.
    pub epoch: Epoch,
    /// Its tracks.
    pub tracks: Vec<TrackInfo>,
    /// Its readers.
    pub readers: Vec<ReaderView>,
    /// Those that take whole units instead of packets.
    pub taps: Vec<TapView>,
    /// Bytes of the cached group of pictures.
    pub gop_bytes: usize,
    /// Bytes of RTP sent to its readers, those that left included.
    pub bytes_sent: u64,
    /// The hub's own counters: (metric name, value).
    pub counters: Vec<(&'static str, u64)>,
}

/// One reader of a hub.
#[derive(Debug, Clone)]
pub struct ReaderView {
    /// The session's id.
    pub id: Uuid,
    /// The client's address.
    pub peer: SocketAddr,
    /// `TCP`, `UDP` or `WebRTC`.
    pub transport: &'static str,
    /// Over TLS.
    pub secure: bool,
    /// What followed `?` in its URL.
    pub query: String,
    /// Its `User-Agent`; may be empty.
    pub user_agent: String,
    /// As whom it was let in; empty where nobody need be anybody.
    pub principal: String,
    /// Tracks it reads.
    pub tracks: Vec<TrackId>,
    /// When it joined.
    pub since: SystemTime,
    /// RTP packets sent to it.
    pub packets: u64,
    /// Bytes of RTP sent to it.
    pub bytes: u64,
    /// Units kept from it because it was too slow.
    pub dropped: u64,
    /// Units that wait for it.
    pub queued_units: usize,
    /// Bytes of packets that wait for it.
    pub queued_bytes: usize,
}

/// One face that takes whole units of a hub.
#[derive(Debug, Clone)]
pub struct TapView {
    /// Its own id.
    pub id: Uuid,
    /// What lists call it.
    pub kind: &'static str,
    /// When it joined.
    pub since: SystemTime,
    /// Units it took.
    pub units: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Units kept from it because it was too slow.
    pub dropped: u64,
    /// Units that wait for it.
    pub queued_units: usize,
}

impl TapView {
    pub(crate) fn of(queue: &TapQueue) -> Self {
        let (units, bytes, dropped, queued_units) = queue.traffic();
        Self {
            id: queue.spec.id,
            kind: queue.spec.kind,
            since: queue.since,
            units,
            bytes,
            dropped,
            queued_units,
        }
    }
}

impl ReaderView {
    /// True for one over WebRTC.
    #[must_use]
    pub fn is_webrtc(&self) -> bool {
        self.transport == crate::whep::WEBRTC
    }

    pub(crate) fn of(queue: &Queue) -> Self {
        let (packets, bytes, dropped) = queue.traffic();
        let (queued_units, queued_bytes) = queue.depth();
        Self {
            id: queue.spec.id,
            peer: queue.spec.peer,
            transport: queue.spec.transport,
            secure: queue.spec.secure,
            query: queue.spec.query.clone(),
            user_agent: queue.spec.user_agent.clone(),
            principal: queue.spec.principal.clone(),
            tracks: queue.spec.tracks.clone(),
            since: queue.since,
            packets,
            bytes,
            dropped,
            queued_units,
            queued_bytes,
        }
    }
}
