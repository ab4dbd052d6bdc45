//! A publisher's session as the API shows it: MediaMTX's `WebRTCSession` and what a path needs of its source.
//! Field names on the wire are the control face's choice.

use crate::counters::get;
use crate::live::Live;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::Instant;
use weft_wire::{CaptureTime, Epoch, SessionId, StreamName, StreamState, TrackInfo};

/// One session at one moment.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// The session's id, as in the `ID` header of its answer.
    pub id: SessionId,
    /// The stream it publishes or will publish.
    pub stream: StreamName,
    /// What the stream is doing.
    pub state: StreamState,
    /// The claim it holds; the default before the first.
    pub epoch: Epoch,
    /// When the offer was answered, UTC.
    pub created: CaptureTime,
    /// When the stream became live, UTC; `None` before.
    pub live_since: Option<CaptureTime>,
    /// Our end of the media; `None` before ICE and DTLS are done.
    pub local: Option<SocketAddr>,
    /// The publisher's end; `None` before ICE and DTLS are done.
    pub remote: Option<SocketAddr>,
    /// This node pulls it from its path's source: nobody was let in.
    pub pulled: bool,
    /// As whom it was let in; empty where nobody need be anybody.
    pub principal: String,
    /// The address of the request that opened it; `None` where it is not known.
    pub client: Option<IpAddr>,
    /// Query of the request that opened it.
    pub query: String,
    /// User agent of that request.
    pub user_agent: String,
    /// Its tracks as known now.
    pub tracks: Vec<TrackInfo>,
    /// Time since the last media packet.
    pub media_age: Duration,
    /// Bytes of RTP payload received.
    pub inbound_bytes: u64,
    /// RTP packets received.
    pub inbound_packets: u64,
    /// RTP packets that never came.
    pub inbound_packets_lost: u64,
    /// Interarrival jitter in seconds.
    pub inbound_jitter: f64,
    /// RTCP sender reports received.
    pub inbound_rtcp_packets: u64,
    /// Key frame requests sent.
    pub keyframe_requests: u64,
    /// Retransmissions asked for.
    pub nacked: u64,
    /// Access units received whole.
    pub units: u64,
    /// Access units dropped because a packet was missing or malformed.
    pub units_in_error: u64,
    /// Access units withheld while waiting for a key frame.
    pub units_withheld: u64,
}

impl SessionView {
    pub(crate) fn of(live: &Live) -> Self {
        let status = live.status().clone();
        let counters = &live.counters;
        Self {
            id: live.id,
            stream: live.stream.clone(),
            state: status.state,
            epoch: status.epoch,
            created: live.created_utc,
            live_since: (status.since != 0).then_some(CaptureTime(status.since)),
            local: status.local,
            remote: status.remote,
            pulled: live.is_pulled(),
            principal: live.client.principal.clone(),
            client: live.client.ip,
            query: live.client.query.clone(),
            user_agent: live.client.user_agent.clone(),
            tracks: status.tracks,
            media_age: live.media_age(Instant::now()),
            inbound_bytes: get(&counters.bytes),
            inbound_packets: get(&counters.packets),
            inbound_packets_lost: get(&counters.packets_lost),
            inbound_jitter: get(&counters.jitter_us) as f64 / 1e6,
            inbound_rtcp_packets: get(&counters.rtcp_packets),
            keyframe_requests: get(&counters.keyframe_requests),
            nacked: get(&counters.nacked),
            units: get(&counters.units),
            units_in_error: get(&counters.units_in_error),
            units_withheld: get(&counters.units_withheld),
        }
    }
}
