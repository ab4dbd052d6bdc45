//! Why a peer could not be made or steered.
//! Why a peer that was made has ended is a `CloseReason`.

use std::io;
use std::net::SocketAddr;
use weft_wire::CloseReason;

/// What can go wrong before a peer is up, or when it is steered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A port cannot be had.
    #[error("{protocol} {address}: {source}")]
    Bind {
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A shard's thread could not be started.
    #[error("cannot start a shard: {0}")]
    Thread(io::Error),
    /// The certificate cannot be read, written or made.
    #[error("DTLS certificate: {0}")]
    Certificate(String),
    /// The offer is refused; its own status and words go to the publisher.
    #[error(transparent)]
    Offer(#[from] weft_sdp::offer::OfferError),
    /// The WebRTC core refused the offer (400).
    #[error("bad SDP: {0}")]
    Negotiation(String),
    /// Too many peers, or too many that are still connecting (503).
    #[error("too many WebRTC sessions on this node")]
    Full,
    /// Whoever wanted the peer does not want it any more.
    #[error("refused: {}", .0.token())]
    Refused(CloseReason),
    /// The peer is closed (410).
    #[error("the session is closed")]
    Closed,
    /// The shard has stopped.
    #[error("the node is shutting down")]
    Stopped,
}
