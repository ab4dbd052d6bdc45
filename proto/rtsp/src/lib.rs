//! RTSP 1.0 (RFC 2326) as bytes and state: framing, messages, the headers that carry values, one session's states.
//! No socket, clock or stream: the server node moves the bytes, finds the stream and does what an [`Action`] asks.

mod authorization;
mod framer;
mod message;
mod range;
mod session;
mod status;
mod target;
mod transport;

pub use authorization::{Digest, REALM, basic_challenge, digest_challenge, user_info};
pub use framer::{Frame, Framer, MAX_BODY, MAX_HEAD, MAX_HEADERS};
pub use message::{Headers, Method, Request, Response, Version};

pub use session::{Action, Limits, PUBLIC, Session, SetUp, State};
pub use status::Status;
pub use target::{Target, TargetError};
pub use transport::{Allowed, Chosen, Lower, ServerPorts, TransportOffer, choose, parse_transports};

/// Why bytes from a client are no RTSP. The connection answers [`Error::status`] and closes: what follows cannot be framed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first byte begins neither a message nor an interleaved frame.
    #[error("byte 0x{0:02x} begins neither a request nor an interleaved frame{hint}", hint = hint(*.0))]
    NotRtsp(u8),
    /// The first line is no `METHOD URI RTSP/x.y`.
    #[error("the request line is malformed")]
    RequestLine,
    /// A header line without a name, a colon, or with a forbidden character.
    #[error("a header line is malformed")]
    Header,
    /// Request line and headers exceed [`MAX_HEAD`] bytes or [`MAX_HEADERS`] lines.
    #[error("request line and headers exceed {MAX_HEAD} bytes or {MAX_HEADERS} lines")]
    HeadTooLarge,
    /// `Content-Length` is no number, or two of them differ.
    #[error("Content-Length is malformed")]
    ContentLength,
    /// `Content-Length` exceeds [`MAX_BODY`].
    #[error("a body of {0} bytes exceeds {MAX_BODY}")]
    BodyTooLarge(u64),
}

/// The first byte of a TLS handshake (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 0x16;

fn hint(first: u8) -> &'static str {
    match first {
        HANDSHAKE => ": the client speaks TLS, which has a port of its own (rtspEncryption, rtspsAddress)",
        _ => "",
    }
}

impl Error {
    /// What the client is told.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::BodyTooLarge(_) => Status::ENTITY_TOO_LARGE,
            _ => Status::BAD_REQUEST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_speaks_tls_to_the_plain_port_is_told_so() {
        assert!(
            Error::NotRtsp(HANDSHAKE)
                .to_string()
                .ends_with("(rtspEncryption, rtspsAddress)")
        );
        assert!(Error::NotRtsp(0).to_string().ends_with("interleaved frame"));
    }
}
