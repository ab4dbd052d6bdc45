//! The session actor, one per publisher. Owns the time limits, the key frame requests and the end,
//! and in `name` the claim; receives `Event` from the receiver, `Ask` from the bus, `Close`. No media byte passes here.

mod name;

use crate::config::{FIRST_KEY_TIMEOUT, FIRST_MEDIA_TIMEOUT, LOST_AFTER, STALLED_AFTER, TICK};
use crate::counters::{add, get};
use crate::keyframe::Keyframes;
use crate::live::{Ask, Live, lock};
use crate::messages::{Close, Closing, Event, Gone};
use crate::ownership::{self, Fabric, Holding};
use crate::receive::Outlet;
use crate::sessions::Sessions;
use crate::steer::Peer;
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, SpawnHandle, WrapFuture,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;
use weft_hooks::Happening;
use weft_wire::{CloseReason, Epoch, KeyframeRequest, PublisherWord, SessionId, StreamState};

/// Mailbox: a handful of events a second arrive; a full one means that the thread stands still.
const MAILBOX: usize = 64;
/// A tick this late was held up with the whole thread: it judges nothing, since packets wait unread.
const LATE_TICK: Duration = Duration::from_millis(500);
/// A stalled stream whose media is back is live after this even if no key unit came: its video may be off.
const BACK_WITHOUT_KEY: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The name is reserved; there is no unit to start with yet.
    Reserved,
    /// The claim is on its way; units are held.
    Claiming,
    /// The name is ours.
    Owner(Epoch),
    /// Ended; the record is being removed.
    Closing,
}

/// What a session is made of.
pub(crate) struct Parts {
    pub(crate) live: Arc<Live>,
    pub(crate) secret: Uuid,
    /// The session it comes from, which it may replace.
    pub(crate) moves: Option<SessionId>,
    pub(crate) fabric: Fabric,
    pub(crate) peer: Arc<dyn Peer>,
    /// The video track whose publisher obeys key frame requests.
    pub(crate) pli: Option<usize>,
    pub(crate) outlet: Arc<Mutex<Outlet>>,
    pub(crate) sessions: Addr<Sessions>,
}

/// One publisher's session.
pub(crate) struct Session {
    parts: Parts,
    phase: Phase,
    keyframes: Keyframes,
    keyframe_timer: Option<SpawnHandle>,
    ticked: Instant,
    /// Time in which media came but no unit to start with.
    keyless: Duration,
    /// Time for which media has flown again since the stream stalled.
    back: Duration,
    /// The connection of the bus on which the record was looked at last.
    connection: Option<u64>,
    /// A look at the record is under way; it may claim anew.
    looking: bool,
    /// The highest claim of another session on this node that was heard of.
    outranked: Epoch,
}

impl Session {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            parts,
            phase: Phase::Reserved,
            keyframes: Keyframes::default(),
            keyframe_timer: None,
            ticked: Instant::now(),
            keyless: Duration::ZERO,
            back: Duration::ZERO,
            connection: None,
            looking: false,
            outranked: Epoch::default(),
        }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let late = now.saturating_duration_since(self.ticked) > TICK + LATE_TICK;
        self.ticked = now;
        let ended = self.parts.live.status().ended;
        if let Some(reason) = ended {
            self.finish(reason, ctx);
        } else if !late {
            self.judge(now, ctx);
        }
    }

    /// The time limits. Pauses of the loop are counted out of the media's age by the receiver.
    fn judge(&mut self, now: Instant, ctx: &mut Context<Self>) {
        let live = Arc::clone(&self.parts.live);
        let silent = live.media_age(now);
        if !live.has_media() {
            if silent >= FIRST_MEDIA_TIMEOUT {
                self.finish(CloseReason::NoMedia, ctx);
            }
            return;
        }
        if silent >= LOST_AFTER {
            return self.finish(CloseReason::PeerLost, ctx);
        }
        let state = live.status().state;
        match (self.phase, state) {
            (Phase::Reserved, _) => {
                self.keyless += TICK;
                if self.keyless >= FIRST_KEY_TIMEOUT {
                    self.finish(CloseReason::NoMedia, ctx);
                }
            }
            (Phase::Owner(_), StreamState::Live) if silent >= STALLED_AFTER => {
                live.status().state = StreamState::Stalled;
                self.back = Duration::ZERO;
                add(&live.node.stalls, 1);
                tracing::info!(stream = %live.stream, session = %live.id, "publisher stalled");
                self.parts.fabric.config.hooks.happened(Happening::Stalled {
                    stream: live.stream.clone(),
                    source: live.id,
                });
            }
            (Phase::Owner(_), StreamState::Stalled) if silent < Duration::from_secs(1) => {
                self.back += TICK;
                if self.back >= BACK_WITHOUT_KEY {
                    self.resume();
                }
            }
            _ => {}
        }
    }

    fn resume(&mut self) {
        let live = &self.parts.live;
        let mut status = live.status();
        if status.state == StreamState::Stalled {
            status.state = StreamState::Live;
            tracing::info!(stream = %live.stream, session = %live.id, "publisher resumed");
            drop(status);
            self.parts.fabric.config.hooks.happened(Happening::Resumed {
                stream: live.stream.clone(),
                source: live.id,
            });
        }
    }

    fn need_key(&mut self, ctx: &mut Context<Self>) {
        self.keyframes.need(Instant::now());
        self.request_keys(ctx);
    }

    fn wish(&mut self, wish: KeyframeRequest, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let interval = Duration::from_millis(u64::from(wish.interval_ms));
        self.keyframes.wish(wish.node, interval, now);
        if wish.now {
            self.keyframes.ask(now);
        }
        self.request_keys(ctx);
    }

    fn request_keys(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.keyframe_timer.take() {
            ctx.cancel_future(timer);
        }
        let (Some(track), false) = (self.parts.pli, self.phase == Phase::Closing) else {
            return;
        };
        let now = Instant::now();
        if !lock(&self.parts.outlet).wanted() {
            // Nobody reads: what is missing is asked for when somebody comes.
            self.keyframes.unread();
        }
        let due = self.keyframes.poll(now);
        if due.request {
            add(&self.parts.live.counters.keyframe_requests, 1);
            add(&self.parts.live.node.keyframe_requests, 1);
            self.parts.peer.keyframe(track);
        }
        self.keyframe_timer = due.again.map(|at| {
            ctx.run_later(at.saturating_duration_since(now), |session, ctx| {
                session.keyframe_timer = None;
                session.request_keys(ctx);
            })
        });
    }

    /// Ends the session: media at once, then the record, then the actor.
    fn finish(&mut self, reason: CloseReason, ctx: &mut Context<Self>) {
        let was = std::mem::replace(&mut self.phase, Phase::Closing);
        if was == Phase::Closing {
            return;
        }
        self.shut(reason);
        self.unavailable(was, reason);
        self.tell(
            Closing {
                secret: self.parts.secret,
                reason,
            },
            ctx,
        );
        match was {
            Phase::Owner(epoch) if !self.looking => self.leave(Holding::Record(epoch), ctx),
            Phase::Reserved => self.leave(Holding::Nothing, ctx),
            // The claim under way may still be won; its end is waited for, so that no record is left behind.
            Phase::Owner(_) | Phase::Claiming | Phase::Closing => {}
        }
    }

    /// What must be over at once, whatever else fails.
    fn shut(&self, reason: CloseReason) {
        let Parts {
            live,
            outlet,
            peer,
            fabric,
            ..
        } = &self.parts;
        live.status().ended.get_or_insert(reason);
        live.say(&*fabric.bus, PublisherWord::Closed(reason));
        lock(outlet).end(reason);
        peer.close(reason);
        live.node.closed(reason);
        let peer = live.status().remote.map(tracing::field::display);
        let units = get(&live.counters.units);
        tracing::info!(
            stream = %live.stream, session = %live.id, peer, reason = reason.token(),
            packets = get(&live.counters.packets), lost = get(&live.counters.packets_lost), units, "publisher closed"
        );
        tracing::info!(
            target: "span", name = "publish", root = true, session = %live.id, stream = %live.stream, took_us = live.age_us(),
            reason = reason.token(), units
        );
    }

    /// Hooks hear of the end of what they have heard of: a stream that was live.
    fn unavailable(&self, was: Phase, reason: CloseReason) {
        let Parts { live, fabric, .. } = &self.parts;
        if let Phase::Owner(_) = was {
            fabric.config.hooks.happened(Happening::Unavailable {
                stream: live.stream.clone(),
                source: live.id,
                reason,
            });
        }
    }

    fn leave(&mut self, holding: Holding, ctx: &mut Context<Self>) {
        let left = ownership::leave(self.parts.fabric.clone(), Arc::clone(&self.parts.live), holding);
        let (sessions, secret) = (self.parts.sessions.clone(), self.parts.secret);
        let gone = async move {
            left.await;
            // Fails only when `Sessions` is gone, and then nobody needs to know.
            sessions.send(Gone(secret)).await.ok();
        };
        ctx.spawn(gone.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }

    /// Tells `Sessions`, waiting for room in its mailbox beside everything else.
    fn tell<M>(&self, message: M, ctx: &mut Context<Self>)
    where
        M: actix::Message<Result = ()> + Send + 'static,
        Sessions: Handler<M>,
    {
        let sent = self.parts.sessions.send(message);
        ctx.spawn(sent.into_actor(self).map(|_, _, _| ()));
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.parts.live.set_actor(ctx.address().recipient());
        self.ticked = Instant::now();
        ctx.run_interval(TICK, Self::tick);
    }

    /// The only clean-up that also runs after a panic.
    fn stopped(&mut self, _: &mut Self::Context) {
        let was = std::mem::replace(&mut self.phase, Phase::Closing);
        if was == Phase::Closing {
            return;
        }
        let reason = CloseReason::Internal;
        self.shut(reason);
        self.unavailable(was, reason);
        let holding = match was {
            Phase::Owner(epoch) => Holding::Record(epoch),
            Phase::Claiming => Holding::Unsure,
            Phase::Reserved | Phase::Closing => Holding::Nothing,
        };
        let left = ownership::leave(self.parts.fabric.clone(), Arc::clone(&self.parts.live), holding);
        let (sessions, secret) = (self.parts.sessions.clone(), self.parts.secret);
        actix_rt::spawn(async move {
            sessions.send(Closing { secret, reason }).await.ok();
            left.await;
            sessions.send(Gone(secret)).await.ok();
        });
    }
}

impl Handler<Event> for Session {
    type Result = ();

    fn handle(&mut self, event: Event, ctx: &mut Self::Context) {
        let live = &self.parts.live;
        match event {
            Event::Connected(addresses) => {
                tracing::info!(
                    stream = %live.stream, session = %live.id, peer = %addresses.remote,
                    by = addresses.transport.as_str(), "publisher connected"
                );
            }
            Event::Claimable => self.claim(ctx),
            Event::Key => {
                self.keyframes.key_arrived(Instant::now());
                self.resume();
                self.request_keys(ctx);
            }
            Event::KeyNeeded => self.need_key(ctx),
            Event::Ended(reason) => self.finish(reason, ctx),
        }
    }
}

impl Handler<Ask> for Session {
    type Result = ();

    fn handle(&mut self, ask: Ask, ctx: &mut Self::Context) {
        match (ask, self.phase) {
            (_, Phase::Closing) => {}
            (Ask::Keyframe(wish), _) => self.wish(wish, ctx),
            (Ask::Joined, _) => {
                self.keyframes.ask(Instant::now());
                self.request_keys(ctx);
            }
            (Ask::Kick(kick), _) => self.end(kick.reason, ctx),
        }
    }
}

impl Handler<Close> for Session {
    type Result = ();

    fn handle(&mut self, close: Close, ctx: &mut Self::Context) {
        self.end(close.0, ctx);
    }
}
