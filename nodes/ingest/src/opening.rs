//! From an offer to a running session: the conflict check, the answer, and the parts put together.
//! Whether one more publisher may come at all was decided before.

use crate::claim;
use crate::config::Identity;
use crate::counters::{Counters, add};
use crate::error::Error;
use crate::live::{Client, Live};
use crate::messages::Entry;
use crate::ownership::Fabric;
use crate::receive::{Outlet, Receiver};
use crate::session::{Parts, Session};
use crate::sessions::Sessions;
use crate::steer::{Answerer, Peer};
use actix::{Actor, Addr};
use actix_rt::ArbiterHandle;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use uuid::Uuid;
use weft_limits::Share;
use weft_rtc::{MediaReceiver, NegotiatedTrack};
use weft_wire::{MediaKind, SessionId, StreamName};

/// What a session needs besides its peer.
pub(crate) struct Opening {
    pub(crate) stream: StreamName,
    pub(crate) client: Client,
    /// Let go of with the session, or with whatever part of it came to be.
    pub(crate) share: Option<Share>,
    /// The session it comes from: its name is no conflict.
    pub(crate) moves: Option<SessionId>,
    pub(crate) secret: Uuid,
    pub(crate) identity: Identity,
    pub(crate) fabric: Fabric,
    pub(crate) counters: Arc<Counters>,
    pub(crate) sessions: Addr<Sessions>,
    /// Where the session actor lives.
    pub(crate) arbiter: ArbiterHandle,
}

/// Refuses a newcomer where the owner of the name, wherever it is, is well, is not to be replaced, and is not the session
/// that the newcomer comes from.
///
/// # Errors
/// [`Error::Conflict`], or [`Error::Unavailable`] when it cannot be known.
pub(crate) async fn refuse_conflict(
    fabric: &Fabric,
    stream: &StreamName,
    moves: Option<SessionId>,
) -> Result<(), Error> {
    if fabric.config.overrides(stream) {
        return Ok(());
    }
    match claim::owner_is_well(&*fabric.bus, stream, moves, false).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::Conflict(stream.to_string())),
        Err(error) => Err(Error::Unavailable(error.to_string())),
    }
}

/// Answers an offer; the session runs when this returns.
pub(crate) async fn answer(
    opening: Opening,
    offer: String,
    reached_at: Option<IpAddr>,
    answerer: Arc<dyn Answerer>,
) -> Result<(String, Entry), Error> {
    refuse_conflict(&opening.fabric, &opening.stream, opening.moves).await?;
    let (opened, entry) = oneshot::channel();
    let make = Box::new(move |tracks: &[NegotiatedTrack], peer: Arc<dyn Peer>| {
        let (entry, receiver) = open(opening, tracks, peer);
        // The one who asked waits for it, or has gone and the session ends for want of media.
        opened.send(entry).ok();
        Ok(receiver)
    });
    let sdp = answerer.answer(offer, reached_at, make).await?;
    let entry = entry
        .await
        .map_err(|_| Error::Internal("the answered peer has no session".to_owned()))?;
    Ok((sdp, entry))
}

/// Puts a session together; runs on the peer's loop, where the receiver lives.
fn open(
    opening: Opening,
    tracks: &[NegotiatedTrack],
    peer: Arc<dyn Peer>,
) -> (Entry, Box<dyn MediaReceiver>) {
    let id = SessionId(*Uuid::new_v4().as_bytes());
    let live = Arc::new(Live::new(
        id,
        opening.stream,
        opening.client,
        opening.identity,
        opening.counters,
    ));
    let outlet = Arc::new(Mutex::new(Outlet::new(Arc::clone(&live))));
    let video = tracks.iter().find(|t| t.codec.kind() == MediaKind::Video);
    let parts = Parts {
        live: Arc::clone(&live),
        secret: opening.secret,
        moves: opening.moves,
        fabric: opening.fabric,
        peer: Arc::clone(&peer),
        pli: video.filter(|t| t.pli).map(|t| t.index),
        outlet: Arc::clone(&outlet),
        sessions: opening.sessions,
    };
    let actor = Session::start_in_arbiter(&opening.arbiter, move |_| Session::new(parts));
    let (mailbox, node) = (actor.clone(), Arc::clone(&live.node));
    let tell = move |event| {
        // overflow: counted, and the receiver says it again with the next unit; an end is also in the shared status.
        let told = mailbox.try_send(event).is_ok();
        add(&node.mailbox_full, u64::from(!told));
        told
    };
    let receiver = Receiver::new(Arc::clone(&live), tracks, outlet, Box::new(tell));
    let entry = Entry {
        live,
        actor,
        peer,
        _share: opening.share.map(Arc::new),
    };
    (entry, Box::new(receiver))
}
