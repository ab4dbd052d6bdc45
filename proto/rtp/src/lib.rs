//! RTP for the fabric: packets in, access units out, and back again; own code because the network side is hostile.
//! Sockets, clocks and encryption are elsewhere: `now` is an argument here, a [`core::time::Duration`] since any fixed start.
//!
//! The way in: [`Reorder`] -> [`Depacketiser`] -> [`KeyGate`]. The way out: [`Packetiser`] -> [`PacketBlock`].
//! Beside both: [`rtcp`].

mod block;
mod depacketise;
mod error;
mod extension;
mod gate;
mod h264;
mod header;
mod nack;
mod opus;
mod packet;
mod packetise;
mod reorder;
pub mod rtcp;
mod unwrap;

pub use block::{INTERLEAVE_HEADER, PacketBlock};
pub use depacketise::{Damage, Depacketised, DepacketisedUnit, Depacketiser};
pub use error::Error;
pub use extension::{AbsCaptureTime, Extension, Extensions};
pub use gate::KeyGate;
pub use h264::{H264Depacketiser, NalKind, ParameterSets, SpsInfo};
pub use header::{RTP_HEADER, RtpHeader, RtpView};
pub use nack::{NackScheduler, NackStats};
pub use opus::{OpusDepacketiser, opus_duration};
pub use packet::Packet;
pub use packetise::{DEFAULT_MTU, MIN_MTU, Packetiser};
pub use reorder::{Ordered, Reorder, ReorderStats};
pub use unwrap::{SeqUnwrapper, TimestampUnwrapper};
