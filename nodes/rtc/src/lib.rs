//! WebRTC peers on shared UDP ports: shards, ICE, DTLS, SRTP in front of a receiver that gets RTP and says what it misses.
//! What the media is, who may send it and where it goes is for `weft-ingest` (and later WHEP) to know.

mod answer_sdp;
mod candidates;
mod certificate;
mod config;
mod counters;
mod deadlines;
mod demux;
mod engine;
mod error;
mod handle;
mod link;
mod negotiate;
mod peer;
mod restart;
mod session;
mod shard;
mod shards;
mod socket;
mod sources;
mod stun;
mod tap;

pub use config::RtcConfig;
pub use counters::Counters;
pub use error::Error;
pub use handle::{PeerHandle, PeerStats};
pub use negotiate::MakeReceiver;
pub use peer::{Answer, Feedback, MediaReceiver, NegotiatedTrack, PeerAddresses, ReceivedRtp, SenderReport};
pub use shards::{ShardHandle, Shards};

/// Log directives for the crates below: they warn about every bad packet, which is for an attacker to decide.
pub const QUIET: &str = "rtc=error,rtc_ice=error,rtc_dtls=error,rtc_srtp=error,rtc_interceptor=error,rtc_stun=error,\
    rtc_mdns=error,rtc_sctp=error,rtc_shared=error,rtc_rtp=error,rtc_rtcp=error,webrtc=error";
