//! The messages between the HTTP handlers, the `Sessions` actor and the `Session` actors.
//! Each is small and rare; no media byte is in any of them.

use crate::Error;
use crate::live::{Client, Live};
use crate::session::Session;
use crate::steer::Peer;
use actix::{Addr, Message};
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;
use weft_limits::Share;
use weft_rtc::PeerAddresses;
use weft_wire::{CloseReason, Epoch, SessionId, StreamName};

/// To `Sessions`: an offer to publish.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Published, Error>")]
pub(crate) struct Publish {
    pub(crate) stream: StreamName,
    pub(crate) offer: String,
    pub(crate) client: Client,
    /// Our address as the request reached it.
    pub(crate) reached_at: Option<IpAddr>,
    /// The session whose publisher this is, by that session's secret: to it this one is no conflict.
    pub(crate) moves: Option<SessionId>,
}

/// An accepted offer.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) answer: String,
    pub(crate) secret: Uuid,
    pub(crate) live: Arc<Live>,
}

/// To `Sessions`: whose secret is this?
#[derive(Debug, Message)]
#[rtype(result = "Found")]
pub(crate) struct Find(pub(crate) Uuid);

/// What a secret stands for.
#[derive(Debug)]
pub(crate) enum Found {
    Open(Entry),
    /// Closed less than a minute ago.
    Closed(CloseReason),
    Unknown,
}

/// A running session as `Sessions` knows it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) live: Arc<Live>,
    pub(crate) actor: Addr<Session>,
    pub(crate) peer: Arc<dyn Peer>,
    /// What it takes of what its client's address may have; `None` where that is not known, and for pulled sources.
    pub(crate) _share: Option<Arc<Share>>,
}

/// To `Sessions`: all running sessions.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Entry>")]
pub(crate) struct List;

/// Where a publisher is sent when this node drains, by its session and that session's secret.
pub(crate) type MoveUrl = Arc<dyn Fn(&Live, Uuid) -> String + Send + Sync>;

/// To `Sessions`: take nobody new and tell everybody to move. Said again it changes nothing.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Drain {
    pub(crate) url: MoveUrl,
}

/// To `Sessions`: take nobody new and close everybody.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CloseAll(pub(crate) CloseReason);

/// To `Sessions`, by a session: the name is mine since this claim.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Claimed {
    pub(crate) secret: Uuid,
    pub(crate) stream: StreamName,
    pub(crate) epoch: Epoch,
}

/// To `Sessions`, by a session: I am closing. Its URL tells the reason from now on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Closing {
    pub(crate) secret: Uuid,
    pub(crate) reason: CloseReason,
}

/// To `Sessions`, by a session: nothing of me is left.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Gone(pub(crate) Uuid);

/// To a `Session`: end, for this reason. The stream has ended when the answer comes; only of a name said to be taken
/// over the session makes sure first.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Close(pub(crate) CloseReason);

/// To a `Session`, by `Sessions`: another session of this node holds the name since this claim.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Outranked(pub(crate) Epoch);

/// To a `Session`, by the receiver on its thread.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum Event {
    /// DTLS is up.
    Connected(PeerAddresses),
    /// The first unit that a reader can start with is there.
    Claimable,
    /// A key unit arrived.
    Key,
    /// Units are withheld until a key unit comes.
    KeyNeeded,
    /// The peer is closed.
    Ended(CloseReason),
}
