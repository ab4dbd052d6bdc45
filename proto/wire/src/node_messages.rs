//! Questions that one node asks another, and their answers: an offer passed on, a session's URL asked for at the wrong
//! node, a close, an order to drain. Reports are in `report`; who asks when is the business of ingest and control.

use crate::positional::positional;
use crate::{CloseReason, Message, NodeName, SessionId, StreamName};
use serde::{Deserialize, Serialize};

/// The secret part of a publisher's session URL: who knows it may steer the session. Never logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionSecret(pub [u8; 16]);

impl std::fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionSecret(..)")
    }
}

impl Serialize for SessionSecret {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for SessionSecret {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        serde_bytes::ByteArray::<16>::deserialize(d).map(|b| Self(b.into_array()))
    }
}

positional! {
    /// "Take this publisher": an offer that a full or draining node passes on. The client has been authenticated; its
    /// credential stays where it was shown.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OfferRequest {
        /// The node that asks.
        pub node: NodeName,
        /// The stream's name.
        pub stream: StreamName,
        /// As whom the client was authenticated; empty where nobody need be.
        pub principal: String,
        /// The client's address, `ip:port`.
        pub client: String,
        /// What followed `?` in its URL.
        pub query: String,
        /// Its `User-Agent`.
        pub user_agent: String,
        /// The SDP offer.
        pub offer: String,
        /// The session it comes from, where it has shown that session's secret: such a move is never a conflict.
        pub moves: Option<SessionId>,
    }
}

positional! {
    /// The answer: 201 with the SDP answer, or the HTTP status and words of a refusal.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OfferReply {
        /// HTTP status.
        pub status: u16,
        /// The SDP answer, or what is wrong.
        pub body: String,
        /// The new session, with 201.
        pub session: Option<SessionId>,
        /// Its secret, with 201.
        pub secret: Option<SessionSecret>,
    }
}

/// What is asked of a session's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ResourceMethod {
    /// Trickle ICE or a restart.
    Patch,
    /// The publisher leaves.
    Delete,
    /// Nothing, or the reason of its end.
    Get,
    /// Whether there is such a session, which one, and what was said to its publisher last.
    Events,
}

positional! {
    /// A request to a session's URL that reached another node.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ResourceRequest {
        /// The node that asks.
        pub node: NodeName,
        /// Which session.
        pub secret: SessionSecret,
        /// What is asked.
        pub method: ResourceMethod,
        /// The request's body.
        pub body: String,
    }
}

positional! {
    /// The answer to pass back.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ResourceReply {
        /// HTTP status.
        pub status: u16,
        /// `Content-Type`; empty: none.
        pub content_type: String,
        /// `ETag`; empty: none.
        pub etag: String,
        /// The body.
        pub body: String,
        /// The session, where it runs.
        pub session: Option<SessionId>,
        /// Its stream, where it runs.
        pub stream: Option<StreamName>,
        /// What its publisher was told last, to `Events`.
        pub said: Option<PublisherWord>,
    }
}

/// What a publisher is told on its events channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PublisherWord {
    /// Go to this URL: post an offer there, and close the old session once the new one's media flows.
    Move(String),
    /// The session is closed.
    Closed(CloseReason),
}

positional! {
    /// Something said to a publisher, for the node that holds its events channel.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct PublisherEvent {
        /// Whose publisher.
        pub session: SessionId,
        /// What.
        pub word: PublisherWord,
    }
}

positional! {
    /// "Close this publisher or reader if it is yours."
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct CloseRequest {
        /// The node that asks.
        pub node: NodeName,
        /// The session, as lists show it.
        pub session: SessionId,
        /// Why.
        pub reason: CloseReason,
    }
}

positional! {
    /// Whether it was there.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct CloseReply {
        /// True: it is closed now.
        pub found: bool,
    }
}

positional! {
    /// "Take nobody new, move your publishers, and end when everybody has gone or the time is over."
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct DrainRequest {
        /// The node that asks.
        pub node: NodeName,
        /// The longest it may take, in ms; 0: as long as it takes.
        pub timeout_ms: u64,
    }
}

positional! {
    /// The drain has begun, or had begun before.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DrainReply {
        /// Publishers still there.
        pub publishers: u32,
        /// Readers still there.
        pub readers: u32,
    }
}

impl Message for OfferRequest {}
impl Message for OfferReply {}
impl Message for ResourceRequest {}
impl Message for ResourceReply {}
impl Message for PublisherEvent {}
impl Message for CloseRequest {}
impl Message for CloseReply {}
impl Message for DrainRequest {}
impl Message for DrainReply {}
