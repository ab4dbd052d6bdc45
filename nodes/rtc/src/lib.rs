//! WebRTC peers on shared UDP ports and one TCP port: shards, ICE, DTLS, SRTP in front of a receiver that gets RTP and says
//! what it misses, or behind a source whose packets go out. What the media is, and who may send or read it, is for ingest
//! and egress to know.

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
mod ice_servers;
mod link;
mod negotiate;
mod out;
mod peer;
mod remote;
mod restart;
mod session;
mod shard;
mod shards;
mod socket;
mod sources;
mod stun;
mod tap;
mod tcp;
mod watch;

pub use config::RtcConfig;
pub use counters::Counters;
pub use error::Error;
pub use handle::{PeerHandle, PeerStats};
pub use ice_servers::IceServer;
pub use negotiate::{MakeReceiver, MakeSource};
pub use peer::{
    Answer, Feedback, MediaReceiver, MediaSource, NegotiatedTrack, Outbound, PeerAddresses, ReceivedRtp,
    SenderReport, WatchAnswer,
};
pub use remote::Transport;
pub use shards::{ShardHandle, Shards};

/// Log directives for the crates below: they warn about every bad packet, which is for an attacker to decide.
pub const QUIET: &str = "rtc=error,rtc_ice=error,rtc_dtls=error,rtc_srtp=error,rtc_interceptor=error,rtc_stun=error,\
    rtc_mdns=error,rtc_sctp=error,rtc_shared=error,rtc_rtp=error,rtc_rtcp=error,webrtc=error";
