//! The session actor, one per reader over WebRTC. Owns the way into the hub, the time for it and the end;
//! hears of its peer and of whoever closes it. No media passes here: that goes from the hub's queue to the peer's feeder.

use super::feeder::{Feed, Inlet};
use super::sessions::{Known, Sessions};
use crate::hub::Source;
use actix::fut::wrap_future;
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use weft_rtc::{PeerAddresses, PeerHandle};
use weft_rtsp_server::{PlaySource, ReaderSpec, Refusal};
use weft_wire::{CloseReason, TrackId};

/// Mailbox: a handful of messages come in a session's life.
const MAILBOX: usize = 16;
/// The hub answers at once, or with the next key unit.
const JOINING: Duration = Duration::from_secs(5);
/// How often a session looks whether its peer is still there: the peer's own end is told by the feeder.
const TICK: Duration = Duration::from_secs(1);
/// What a reader is called in the hub's lists.
pub(crate) const TRANSPORT: &str = "WebRTC";

/// DTLS is up.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Connected(pub(crate) PeerAddresses);

/// The peer is closed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Ended(pub(crate) CloseReason);

/// It is to be closed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Close(pub(crate) CloseReason);

/// One reader's session.
pub(crate) struct Session {
    pub(super) known: Arc<Known>,
    pub(super) peer: PeerHandle,
    /// Keeps the hub open until the reader has joined.
    pub(super) source: Option<Source>,
    pub(super) tracks: Vec<TrackId>,
    pub(super) inlet: Inlet,
    pub(super) sessions: Arc<Sessions>,
    pub(super) began: Instant,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

impl Session {
    fn join(&mut self, addresses: PeerAddresses, ctx: &mut Context<Self>) {
        let Some(source) = self.source.take() else {
            return;
        };
        let known = &self.known;
        let spec = ReaderSpec {
            id: known.id,
            peer: addresses.remote,
            transport: TRANSPORT,
            secure: true,
            tracks: self.tracks.clone(),
            query: known.query.clone(),
            user_agent: known.user_agent.clone(),
            principal: known.principal.clone(),
        };
        let id = known.id;
        let joining = async move {
            let joined = timeout(JOINING, source.join(spec)).await;
            let joined = joined.unwrap_or(Err(Refusal::NotFound))?;
            // The reader holds the hub from here on.
            Ok::<_, Refusal>((joined, source.hub_of()))
        };
        let joined = wrap_future(joining).map(move |joined, session: &mut Self, _| match joined {
            Ok((joined, hub)) => {
                let peer = session.peer.clone();
                hub.wake_reader(id, Box::new(move || peer.media_ready()));
                session.inlet.open(Feed::new(joined, hub));
                session.peer.media_ready();
            }
            Err(refusal) => {
                let reason = match refusal {
                    Refusal::NotFound => CloseReason::StreamEnded,
                    _ => CloseReason::NoMedia,
                };
                tracing::info!(stream = %session.known.stream, session = %id, ?refusal, "reader not let in");
                session.peer.close(reason);
            }
        });
        ctx.spawn(joined);
    }

    fn end(&mut self, reason: CloseReason, ctx: &mut Context<Self>) {
        self.inlet.close();
        self.sessions.leave(self.known.secret, reason);
        let stats = self.peer.stats();
        tracing::info!(
            stream = %self.known.stream,
            session = %self.known.id,
            reason = reason.token(),
            seconds = self.began.elapsed().as_secs(),
            packets = stats.packets,
            lost = stats.reported_lost,
            "reader closed"
        );
        ctx.stop();
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        // A word of the peer's end that found the mailbox full is not lost.
        ctx.run_interval(TICK, |session, ctx| {
            if let Some(reason) = session.peer.stats().closed {
                session.end(reason, ctx);
            }
        });
    }
}

impl Handler<Connected> for Session {
    type Result = ();

    fn handle(&mut self, Connected(addresses): Connected, ctx: &mut Self::Context) {
        // Set once: a peer connects once.
        self.known.addresses.set(addresses).ok();
        tracing::info!(
            stream = %self.known.stream,
            session = %self.known.id,
            peer = %addresses.remote,
            ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "reader connected"
        );
        self.join(addresses, ctx);
    }
}

impl Handler<Ended> for Session {
    type Result = ();

    fn handle(&mut self, Ended(reason): Ended, ctx: &mut Self::Context) {
        self.end(reason, ctx);
    }
}

impl Handler<Close> for Session {
    type Result = ();

    fn handle(&mut self, Close(reason): Close, _: &mut Self::Context) {
        // `Ended` follows.
        self.peer.close(reason);
    }
}
