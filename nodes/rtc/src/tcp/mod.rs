//! ICE over TCP (RFC 6544), the passive side: one listener for all peers, whose connections go to the shard of their peer.
//! What the packets on them mean is decided as for UDP, by the same demultiplexer and the same sessions.

mod connection;
mod directory;
mod frame;
mod listener;
mod table;

pub(crate) use directory::Directory;
pub(crate) use frame::{HEADER, first};
pub(crate) use listener::{Arrival, Listener, bind};
pub(crate) use table::Table;
