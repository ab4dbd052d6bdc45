//! The egress: one hub per stream that is read here, from the bus to each reader's queue, packetised once for all of them.
//! Sockets and sequence numbers are the servers' business (`weft-rtsp-server`, `weft-rtc`); units come from `weft-bus`.
//!
//! The way of a unit: `repair` (epoch fence, age, holes) ▶ `feed` (gate) ▶ `timeline` ▶ `tracks` (packets) ▶ `gop` (cache) ▶
//! `reader` (queues). `placement` says where a newcomer reads, `opening` finds the stream, `task` waits and ends, `join` lets
//! readers in, `life` knows how long they are held, `wishes` asks for key units, `rules` is what paths say to readers,
//! `whep` the face of readers over WebRTC. Beside it all `stills` keeps the newest key unit of streams whose pictures are asked for.

mod age;
mod allowance;
mod config;
mod counters;
mod demand;
mod egress;
mod feed;
mod gop;
mod held;
mod hls;
mod hub;
mod join;
mod life;
mod opening;
mod placement;
mod question;
mod reader;
mod repair;
mod report;
mod rules;
mod stills;
mod tap;
mod task;
mod timeline;
mod tracks;
mod unpack;
mod views;
mod wakeup;
mod whep;
mod wishes;

pub use config::EgressConfig;
pub use counters::Counters;
pub use egress::Egress;
pub use hls::Hls;
pub use life::HubState;
pub use stills::{STILL_ROUTES, StillCounters, StillRoutes, Stills};
pub use views::{HubView, ReaderView, TapView};
pub use whep::{Whep, WhepConfig};
