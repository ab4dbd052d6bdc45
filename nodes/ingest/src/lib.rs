//! The ingest role: WHIP publishers (RFC 9725) become streams on the bus. HTTP handlers, one session actor per publisher,
//! the way from RTP packets to published units; sockets and encryption are `weft-rtc`'s, readers the egress's.

mod channels;
mod claim;
mod config;
mod counters;
mod error;
mod events;
mod gop_cache;
#[cfg(test)]
mod gop_cache_tests;
mod http;
mod ingest;
mod keyframe;
mod live;
mod messages;
mod opening;
mod owner;
mod ownership;
mod placement;
mod receive;
mod remote;
mod rules;
mod service;
mod session;
#[cfg(test)]
mod session_tests;
mod sessions;
mod source;
mod standing;
mod steer;
mod sweep;
#[cfg(any(test, feature = "testing"))]
pub mod synthetic;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(
    not(test),
    allow(dead_code, reason = "most of it is for this crate's own tests")
)]
#[allow(clippy::unwrap_used, reason = "all of it is for tests")]
mod testing;
mod view;

pub use config::{Identity, IngestConfig};
pub use counters::Counters;
pub use error::Error;
pub use ingest::Ingest;
pub use view::SessionView;
pub use weft_rtc::IceServer;
