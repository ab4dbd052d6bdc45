//! What the gate is asked, and what it answers.
//! Judging is the gate's work.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use weft_config::{IpRule, Secret};
use weft_wire::SessionId;

pub use weft_config::Action;

/// What the client speaks; MediaMTX's words, which the HTTP callback is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RTSP, with TLS or without.
    Rtsp,
    /// WHIP and WHEP.
    WebRtc,
    /// HLS.
    Hls,
    /// API and metrics: no protocol of media.
    Http,
}

impl Protocol {
    /// The word for the callback; empty where MediaMTX says nothing.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rtsp => "rtsp",
            Self::WebRtc => "webrtc",
            Self::Hls => "hls",
            Self::Http => "",
        }
    }
}

/// The answer to an RTSP digest challenge (RFC 7616 without qop, RFC 2326 section 11).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the field names are the RFC's
pub struct DigestAnswer {
    pub username: String,
    pub realm: String,
    pub nonce: String,
    pub uri: String,
    pub response: String,
    /// Of the request that carries it.
    pub method: String,
}

/// What a client shows; all of it may be there at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// User and password: Basic, or `Bearer user:pass`.
    pub login: Option<(String, Secret)>,
    /// A token: Bearer, `?jwt=`, `?token=`.
    pub token: Option<Secret>,
    /// The token stood in the URL.
    pub token_in_url: bool,
    /// A digest whose nonce is one that this server gave to this very connection; checked by the RTSP server.
    pub digest: Option<DigestAnswer>,
}

/// Somebody wants to do something.
#[derive(Debug, Clone)]
pub struct Request {
    /// What.
    pub action: Action,
    /// With which stream; empty for `api` and `metrics`.
    pub path: String,
    /// What the client speaks.
    pub protocol: Protocol,
    /// The session, where it has an id already.
    pub session: Option<SessionId>,
    /// The client's address, a trusted proxy's word included.
    pub ip: IpAddr,
    /// What followed `?` in its URL.
    pub query: String,
    /// Its `User-Agent`; may be empty.
    pub user_agent: String,
    /// What it shows.
    pub credentials: Credentials,
}

/// It may.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// As whom; empty where nobody need be anybody. Goes into API and logs: never a secret.
    pub principal: String,
}

/// It may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// It shows nothing and must: 401 with a challenge.
    #[error("authentication needed")]
    NoCredentials,
    /// What it shows is wrong, expired, or does not allow this: 401 without a challenge. One answer for all of them, so
    /// that nothing is learnt from it; the log says which.
    #[error("authentication error")]
    Wrong,
    /// Its address has failed too often: 429 with Retry-After.
    #[error("too many failed logins from this address, try again in {} s", .0.as_secs().max(1))]
    TooMany(Duration),
    /// Whoever knows (callback, keys) does not answer: 503 with Retry-After.
    #[error("authentication is not available now: {0}")]
    Unavailable(String),
}

/// The client's address: the peer's, or, where the peer is a trusted proxy, the last address in `X-Forwarded-For` (all of
/// its lines joined by commas) that is none. What is no address ends the search: the proxy that let it through is the client.
#[must_use]
pub fn client_ip(peer: IpAddr, forwarded_for: Option<&str>, trusted: &[IpRule]) -> IpAddr {
    let trusts = |ip: IpAddr| trusted.iter().any(|rule| rule.contains(ip));
    let mut client = peer.to_canonical();
    for hop in forwarded_for.unwrap_or_default().rsplit(',') {
        let hop = hop.trim();
        if !trusts(client) || hop.is_empty() {
            break;
        }
        // Some proxies write the port too.
        let address = hop
            .parse()
            .ok()
            .or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()));
        let Some(address) = address else { break };
        client = IpAddr::to_canonical(&address);
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxys_word_about_the_client_counts() {
        let trusted: Vec<IpRule> = ["10.0.0.0/8", "::1"].map(|r| r.parse().unwrap()).to_vec();
        for (peer, forwarded, client) in [
            ("192.0.2.1", None, "192.0.2.1"),
            ("192.0.2.1", Some("198.51.100.7"), "192.0.2.1"),
            ("::ffff:10.0.0.1", Some("198.51.100.7"), "198.51.100.7"),
            ("::ffff:10.0.0.1", None, "10.0.0.1"),
            (
                "10.0.0.1",
                Some("6.6.6.6, 198.51.100.7, 10.0.0.2"),
                "198.51.100.7",
            ),
            ("10.0.0.1", Some("198.51.100.7:4711"), "198.51.100.7"),
            ("10.0.0.1", Some("[2001:db8::1]:80"), "2001:db8::1"),
            ("10.0.0.1", Some("6.6.6.6, unknown, 10.0.0.2"), "10.0.0.2"),
            ("10.0.0.1", Some("10.0.0.3, 10.0.0.2"), "10.0.0.3"),
            ("10.0.0.1", Some(""), "10.0.0.1"),
            ("::1", Some("2001:db8::2"), "2001:db8::2"),
        ] {
            let ip = client_ip(peer.parse().unwrap(), forwarded, &trusted);
            assert_eq!(ip, client.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }
}
