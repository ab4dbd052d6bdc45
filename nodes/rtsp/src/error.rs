//! Why the server could not start.
//! What goes wrong on a single connection ends that connection and is counted, not returned.

use std::io;
use std::net::SocketAddr;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is taken, not ours, or not allowed.
    #[error("cannot listen for {purpose} on {address}: {source}")]
    Bind {
        /// `RTSP`, `RTSPS`, `RTP` or `RTCP`.
        purpose: &'static str,
        /// The address as configured.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No two adjacent free ports were found, the first one even.
    #[error("no two adjacent UDP ports are free on {0}")]
    NoPair(std::net::IpAddr),
}
