//! The two ends of a WebRTC peer as its user sees them: a receiver that the shard calls with what arrives, and a handle
//! that others hold to steer it. What the media means is the user's business (ingest, WHEP).

use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use weft_rtp::PacketBlock;
use weft_wire::{CaptureTime, CloseReason, Codec, TrackId};

/// A media line that the answer accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiatedTrack {
    /// Place of the accepted track: 0 for the first, in the order of the offer's media lines.
    pub index: usize,
    /// Its codec.
    pub codec: Codec,
    /// Ticks per second.
    pub clock_rate: u32,
    /// Audio channels, 0 for video.
    pub channels: u8,
    /// The `fmtp` parameters agreed on, as written in the answer.
    pub fmtp: String,
    /// True when the publisher will retransmit what we ask for (RTX or plain NACK agreed).
    pub nack: bool,
    /// True when the publisher obeys PLI.
    pub pli: bool,
}

/// One RTP packet of the publisher, decrypted, unwrapped from RTX.
#[derive(Debug, Clone)]
pub struct ReceivedRtp {
    /// [`NegotiatedTrack::index`].
    pub track: usize,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Sequence number (RFC 3550 §5.1).
    pub seq: u16,
    /// Media timestamp.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// Payload without padding; empty for padding-only packets.
    pub payload: Bytes,
    /// abs-capture-time extension as NTP 64 bits, where present.
    pub abs_capture: Option<u64>,
}

/// A sender report of the publisher (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy)]
pub struct SenderReport {
    /// [`NegotiatedTrack::index`].
    pub track: usize,
    /// The publisher's clock, NTP 64 bits.
    pub ntp: u64,
    /// The same instant on the track's media clock.
    pub rtp_timestamp: u32,
}

/// What the receiver wants sent back to the publisher; collected during a call, sent after it.
#[derive(Debug, Default)]
pub struct Feedback {
    /// Sequence numbers to retransmit, by track index (RFC 4585 §6.2.1).
    pub nack: Vec<(usize, Vec<u16>)>,
    /// Tracks whose publisher is to send a key unit (PLI, RFC 4585 §6.3.1).
    pub keyframe: Vec<usize>,
    /// Close the peer after this call.
    pub close: Option<CloseReason>,
}

/// Where the media goes, once ICE has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddresses {
    /// By which way.
    pub transport: crate::Transport,
    /// Our side.
    pub local: SocketAddr,
    /// The publisher's side as we see it.
    pub remote: SocketAddr,
}

/// The user's end of a peer. Called by its shard only; must never block or wait.
pub trait MediaReceiver: Send {
    /// DTLS is up; media may follow.
    fn connected(&mut self, now: Instant, addresses: PeerAddresses);
    /// A packet arrived.
    fn rtp(&mut self, now: Instant, packet: ReceivedRtp, feedback: &mut Feedback);
    /// A sender report arrived.
    fn sender_report(&mut self, now: Instant, report: SenderReport);
    /// The round trip to the publisher was measured.
    fn round_trip(&mut self, rtt: Duration);
    /// The loop itself did not run for this long: count it out of every time limit; packets older than 500 ms are gone.
    fn loop_stalled(&mut self, now: Instant, pause: Duration, feedback: &mut Feedback);
    /// The deadline given last has come. Called once at the start and after `connected`, `rtp` and `loop_stalled` too;
    /// returns the next deadline, which replaces the last.
    fn poll(&mut self, now: Instant, feedback: &mut Feedback) -> Option<Instant>;
    /// The peer is closed; the last call.
    fn closed(&mut self, reason: CloseReason);
}

/// What a source has for its reader.
#[derive(Debug, Clone)]
pub enum Outbound {
    /// The packets of one access unit, cut; source, payload type and sequence numbers are put in place here.
    Unit(Arc<PacketBlock>),
    /// One point of a track's line, for a sender report (RFC 3550 §6.4.1).
    Report {
        /// Which track.
        track: TrackId,
        /// RTP timestamp.
        rtp_time: u32,
        /// UTC at capture.
        capture: CaptureTime,
    },
    /// The end; nothing follows.
    Closed(CloseReason),
}

/// The user's end of a peer that is sent to. Called by its shard only; must never block or wait.
/// `PeerHandle::media_ready` has it asked.
pub trait MediaSource: Send {
    /// DTLS is up; media may be sent.
    fn connected(&mut self, now: Instant, addresses: PeerAddresses);
    /// What goes out next, if there is something. Not asked while the path takes no more: what waits is the source's to
    /// bound.
    fn next(&mut self, now: Instant) -> Option<Outbound>;
    /// The reader cannot go on without a key unit.
    fn keyframe(&mut self, now: Instant);
    /// RTP packets that went out since the last call, and their bytes with RTP headers.
    fn sent(&mut self, packets: u64, bytes: u64);
    /// The loop itself did not run for this long: count it out of every time limit.
    fn loop_stalled(&mut self, now: Instant, pause: Duration);
    /// The peer is closed; the last call.
    fn closed(&mut self, reason: CloseReason);
}

/// What a finished negotiation gives.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The complete SDP answer, candidates included.
    pub sdp: String,
    /// Accepted tracks, in the order of the offer.
    pub tracks: Vec<NegotiatedTrack>,
    /// To steer the peer.
    pub peer: crate::PeerHandle,
}

/// What a finished negotiation with a reader gives.
#[derive(Debug, Clone)]
pub struct WatchAnswer {
    /// The complete SDP answer, candidates included.
    pub sdp: String,
    /// To steer the peer.
    pub peer: crate::PeerHandle,
}
