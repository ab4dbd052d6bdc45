//! The small messages: questions to a stream's owner, their answers, and the record of who owns a name.
//! Each is a positional array with the version first; `encode`/`decode` are the only way in and out.

use crate::positional::positional;
use crate::track::KnownTracks;
use crate::{
    Epoch, Error, GopSeq, Incarnation, NodeName, SentTime, SessionId, TrackInfo, UnitSeq, WIRE_VERSION,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A message with one MessagePack form.
pub trait Message: Serialize + DeserializeOwned {
    /// Its bytes.
    fn encode(&self) -> Bytes {
        // Writing to a Vec cannot fail, and every type here has a MessagePack form.
        Bytes::from(
            rmp_serde::to_vec(&(WIRE_VERSION, self)).expect("a message always has a MessagePack form"),
        )
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the bytes are not this message, [`Error::Version`] for version 0.
    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (version, message): (u64, Self) = rmp_serde::from_slice(bytes)?;
        if version == 0 {
            Err(Error::Version(0))
        } else {
            Ok(message)
        }
    }
}

impl Serialize for Epoch {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (self.generation, self.revision).serialize(s)
    }
}

impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        <(u64, u64)>::deserialize(d).map(|(generation, revision)| Self { generation, revision })
    }
}

/// Where in the past an answer to `units` begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnitsFrom {
    /// The first unit of the newest group of pictures that is complete from its key on.
    NewestGop,
    /// The first unit of this group of pictures, or of the oldest kept if it is gone.
    Gop(GopSeq),
    /// This unit exactly; if it is gone the answer holds no units and says so.
    Seq(UnitSeq),
    /// The last key unit captured at or before this instant (µs UTC).
    Capture(i64),
    /// No units of the past: only wake the stream and learn the next live one.
    Live,
}

positional! {
    /// "Give me units of the past, and publish the live ones": joins, repairs, look-back, waking.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct UnitsRequest {
        /// Where to begin.
        pub from: UnitsFrom,
        /// The last unit wanted; `None`: up to the newest.
        pub until: Option<UnitSeq>,
        /// The session the sequence numbers belong to; another one answers without units.
        pub session: Option<SessionId>,
        /// Only key units, of the past and live: who asks listens to those alone. Releases that do not know of it send all.
        pub key_only: bool = false,
    }
}

positional! {
    /// Ends every answer to [`UnitsRequest`].
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct UnitsEnd {
        /// The owner's session.
        pub session: SessionId,
        /// Its epoch.
        pub epoch: Epoch,
        /// The next unit that will be published live.
        pub next: UnitSeq,
        /// True when what was asked for is no longer kept.
        pub gone: bool,
        /// The owner's clock now, as in `sent` of its units: a base for the age of units.
        pub sent: SentTime,
        /// The stream's tracks as known now.
        pub tracks: Vec<TrackInfo> as KnownTracks,
        /// Age of the newest key unit in ms; `u32::MAX` when there was none yet.
        pub key_age_ms: u32,
    }
}

positional! {
    /// "Get me a fresh key unit soon, and one at least this often from now on."
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct KeyframeRequest {
        /// The node that asks; wishes are kept per node.
        pub node: NodeName,
        /// True: ask the publisher now (throttled by the owner).
        pub now: bool,
        /// The longest keyframe interval its readers want, in ms; 0: no wish. Lapses when not renewed for 10 s.
        pub interval_ms: u32,
    }
}

positional! {
    /// "Who owns this stream?"
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OwnerRequest {
        /// The node that asks.
        pub node: NodeName,
    }
}

/// What a stream is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamState {
    /// Accepted, no complete key unit yet.
    Waiting,
    /// Media flows.
    Live,
    /// No media for some seconds; the session is still there.
    Stalled,
    /// What a state of a later release reads as: not known to be ready.
    #[serde(other)]
    Unknown,
}

positional! {
    /// The owner's answer: itself, its tracks, its counters.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OwnerInfo {
        /// The node that owns it.
        pub node: NodeName,
        /// That node's run.
        pub incarnation: Incarnation,
        /// The publisher's session.
        pub session: SessionId,
        /// Its epoch.
        pub epoch: Epoch,
        /// What the stream is doing.
        pub state: StreamState,
        /// When the stream became live, µs UTC; 0 before.
        pub since: i64,
        /// Its tracks.
        pub tracks: Vec<TrackInfo> as KnownTracks,
        /// Bytes of RTP payload received from the publisher.
        pub inbound_bytes: u64,
        /// RTP packets received.
        pub inbound_packets: u64,
        /// RTP packets that never came.
        pub packets_lost: u64,
        /// Units dropped because a packet of theirs was missing or broken.
        pub units_in_error: u64,
        /// Units made.
        pub units: u64,
        /// Time since the last media packet, in ms.
        pub media_age_ms: u32,
        /// The publisher's address as seen, `ip:port`; empty before ICE is done.
        pub remote: String,
    }
}

/// Why a session or a reader was closed, as its peer may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer ended it (DELETE, TEARDOWN, DTLS close).
    PeerLeft,
    /// The peer vanished.
    PeerLost,
    /// Nothing came within the time for it.
    NoMedia,
    /// Another publisher has taken the name.
    TakenOver,
    /// An operator ended it.
    Kicked,
    /// The node is shutting down.
    Shutdown,
    /// The stream changed in a way the session cannot follow.
    CodecChanged,
    /// The stream ended.
    StreamEnded,
    /// The reader did not take what was sent.
    TooSlow,
    /// The name was in use, and whoever has it is not to be replaced.
    Conflict,
    /// What it does is not allowed any more, or its path is gone: the configuration has changed.
    NotAllowed,
    /// A fault of ours; also what a reason of a later release reads as.
    #[serde(other)]
    Internal,
}

impl CloseReason {
    /// The reason as one token, for logs, API and metrics.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::PeerLeft => "peer-left",
            Self::PeerLost => "peer-lost",
            Self::NoMedia => "no-media",
            Self::TakenOver => "taken-over",
            Self::Kicked => "kicked",
            Self::Shutdown => "shutdown",
            Self::CodecChanged => "codec-changed",
            Self::StreamEnded => "stream-ended",
            Self::TooSlow => "too-slow",
            Self::Conflict => "conflict",
            Self::NotAllowed => "not-allowed",
            Self::Internal => "internal",
        }
    }
}

positional! {
    /// "End this stream's publisher."
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Kick {
        /// The node that asks.
        pub node: NodeName,
        /// Why.
        pub reason: CloseReason,
    }
}

positional! {
    /// The registry's record of a stream: who owns the name. Its epoch is the revision it was written at.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct StreamRecord {
        /// The owner's node.
        pub node: NodeName,
        /// That node's run.
        pub incarnation: Incarnation,
        /// The publisher's session.
        pub session: SessionId,
        /// When it was claimed, µs UTC.
        pub since: i64,
    }
}

positional! {
    /// The owner's last word on a stream's media subject: its publisher ended, and why.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct StreamEnded {
        /// The session that ended.
        pub session: SessionId,
        /// Its epoch.
        pub epoch: Epoch,
        /// Why.
        pub reason: CloseReason,
    }
}

impl Message for StreamEnded {}
impl Message for UnitsRequest {}
impl Message for UnitsEnd {}
impl Message for KeyframeRequest {}
impl Message for OwnerRequest {}
impl Message for OwnerInfo {}
impl Message for Kick {}
impl Message for StreamRecord {}
