//! RTP for the fabric: packets in, access units out, and back again; own code because the network side is hostile.
//! Sockets, clocks and encryption are elsewhere: `now` is an argument here.

mod block;

pub use block::{INTERLEAVE_HEADER, PacketBlock};
