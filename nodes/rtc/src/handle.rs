//! What others hold of a peer: a few commands, its end, its numbers. Cheap to clone, usable from any thread.
//! The commands are carried out by the shard that owns the peer.

use crate::Error;
use crate::counters::{Counters, count};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::AcqRel, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use weft_wire::CloseReason;

/// What a handle asks of its shard.
pub(crate) enum Command {
    /// A negotiated peer moves in.
    Adopt(Box<crate::negotiate::Negotiated>),
    /// Look at the flags of this peer.
    Look(u64),
    /// A PATCH for this peer.
    Patch {
        /// Which.
        peer: u64,
        /// Its body.
        fragment: String,
        /// The answer's body, if there is one.
        reply: oneshot::Sender<Result<Option<String>, Error>>,
    },
    /// A TCP connection whose first packet names a peer of this shard.
    Connection(Box<crate::tcp::Arrival>),
    /// Close all peers and stop.
    Stop(CloseReason),
}

/// The peer's numbers and wishes, shared between shard and handles.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Set once by whoever wants the peer closed; read by the shard.
    pub(crate) close: OnceLock<CloseReason>,
    /// Set once by the shard.
    pub(crate) closed: OnceLock<CloseReason>,
    /// One bit per track that wants a key frame.
    pub(crate) keyframes: AtomicU32,
    /// A reader's source has something to send; taken back when the shard looks.
    pub(crate) media: AtomicBool,
    pub(crate) connected: AtomicBool,
    pub(crate) packets: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) recovered: AtomicU64,
    pub(crate) reported_lost: AtomicU64,
    pub(crate) rtcp_received: AtomicU64,
    pub(crate) rtcp_sent: AtomicU64,
    pub(crate) round_trip_us: AtomicU64,
    pub(crate) remote: Mutex<Option<SocketAddr>>,
}

/// A snapshot of a peer's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerStats {
    /// DTLS is up.
    pub connected: bool,
    /// Where the publisher sends from, once ICE has chosen.
    pub remote: Option<SocketAddr>,
    /// RTP packets received, retransmissions included; of a reader those sent, without retransmissions.
    pub packets: u64,
    /// Bytes of RTP payload in them; of a reader with their headers.
    pub bytes: u64,
    /// Packets that came by retransmission.
    pub recovered: u64,
    /// Packets that a reader says it never got.
    pub reported_lost: u64,
    /// RTCP packets received; those of a compound count each.
    pub rtcp_received: u64,
    /// RTCP packets sent, without those that the core makes by itself (it makes none for a reader).
    pub rtcp_sent: u64,
    /// Last measured round trip, zero before the first.
    pub round_trip: Duration,
    /// Why it was closed, once it is.
    pub closed: Option<CloseReason>,
}

/// Steers one peer. Dropping it changes nothing: a peer lives until it is closed.
#[derive(Debug, Clone)]
pub struct PeerHandle {
    pub(crate) peer: u64,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) counters: Arc<Counters>,
    /// Tells the shard to look at every peer, when its queue had no room for a command.
    pub(crate) look_at_all: Arc<AtomicBool>,
}

impl PeerHandle {
    /// Asks the publisher for a key frame on a track (`NegotiatedTrack::index`, below 32).
    pub fn keyframe(&self, track: usize) {
        if let Some(bit) = u32::try_from(track).ok().and_then(|t| 1u32.checked_shl(t)) {
            self.shared.keyframes.fetch_or(bit, Relaxed);
            self.nudge();
        }
    }

    /// A reader's source has something to send: its shard asks it soon. Costs nothing while the shard has not looked yet.
    pub fn media_ready(&self) {
        if !self.shared.media.swap(true, AcqRel) {
            self.nudge();
        }
    }

    /// Closes the peer with a DTLS `close_notify`; its receiver hears `closed(reason)`. The first reason counts.
    pub fn close(&self, reason: CloseReason) {
        if self.shared.close.set(reason).is_ok() {
            self.nudge();
        }
    }

    /// Carries out the body of a WHIP PATCH (RFC 9725 §4.3): candidates give `None` (204), an ICE restart the body of the 200.
    ///
    /// # Errors
    /// [`Error::Offer`] for a bad fragment, [`Error::Closed`], [`Error::Negotiation`] if the core refuses the restart.
    pub async fn patch(&self, fragment: String) -> Result<Option<String>, Error> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Patch {
            peer: self.peer,
            fragment,
            reply,
        };
        self.commands.send(command).await.map_err(|_| Error::Stopped)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// The peer's numbers now.
    #[must_use]
    pub fn stats(&self) -> PeerStats {
        PeerStats {
            connected: self.shared.connected.load(Relaxed),
            remote: self.shared.remote.lock().ok().and_then(|r| *r),
            packets: self.shared.packets.load(Relaxed),
            bytes: self.shared.bytes.load(Relaxed),
            recovered: self.shared.recovered.load(Relaxed),
            reported_lost: self.shared.reported_lost.load(Relaxed),
            rtcp_received: self.shared.rtcp_received.load(Relaxed),
            rtcp_sent: self.shared.rtcp_sent.load(Relaxed),
            round_trip: Duration::from_micros(self.shared.round_trip_us.load(Relaxed)),
            closed: self.shared.closed.get().copied(),
        }
    }

    fn nudge(&self) {
        // overflow: the wish stands in `shared` already; the shard is told to look at all its peers instead.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.commands.try_send(Command::Look(self.peer)) {
            self.look_at_all.store(true, Relaxed);
            count(&self.counters.commands_deferred);
        }
    }
}
