//! The RTSP server: listener, a task per connection, TCP interleaved and UDP, sessions and their views.
//! Streams come from a [`PlayHandler`]; a handler for RECORD will stand beside it, on the same listener.

mod access;
mod config;
mod connection;
mod connections;
mod counters;
mod datagrams;
mod ending;
mod error;
mod limiter;
mod liveness;
mod outbox;
mod play;
mod playback;
mod reception;
mod requests;
mod server;
mod sessions;
mod stream;
mod tcp;
mod udp;

pub use config::{ServerConfig, TlsListener, UdpAddresses};
pub use connections::ConnectionView;
pub use counters::Counters;
pub use error::Error;
pub use play::{
    DescribeRequest, Joined, PlayHandler, PlayReader, PlaySource, ReaderEvent, ReaderSpec, Refusal, RtpLine,
    TrackStart,
};
pub use server::{Addresses, Handle, Server};
pub use sessions::SessionView;
