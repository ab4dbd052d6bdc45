//! The actor that knows every publisher of this node, on an arbiter of its own. Owns: reservations, secrets, the reasons
//! of recent closes; what a session does with its media is the session's own business.

use crate::config::{CLOSED_MEMORY, CLOSED_MEMORY_MAX, Identity};
use crate::counters::{Counters, add};
use crate::error::Error;
use crate::live::Client;
use crate::messages::{
    Claimed, Close, CloseAll, Closing, Drain, Entry, Find, Found, Gone, List, MoveUrl, Outranked, Publish,
    Published,
};
use crate::opening::{Opening, answer};
use crate::ownership::Fabric;
use crate::rules::Bounds;
use crate::steer::Answerer;
use actix::fut::wrap_future;
use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, MessageResult, ResponseActFuture, WrapFuture,
};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;
use weft_bus::BusState;
use weft_limits::{Address, Share};
use weft_wire::{CloseReason, PublisherWord, StreamState};

/// Mailbox; senders wait for room.
const MAILBOX: usize = 256;
/// How often what is over is swept out.
const SWEEP: Duration = Duration::from_secs(1);

/// All publishers of this node.
pub(crate) struct Sessions {
    fabric: Fabric,
    identity: Identity,
    answerer: Arc<dyn Answerer>,
    counters: Arc<Counters>,
    open: HashMap<Uuid, Entry>,
    /// Offers being answered, and whose they are.
    pending: HashMap<Uuid, Option<Address>>,
    closed: HashMap<Uuid, CloseReason>,
    /// Secrets in `closed` in order of their close.
    closed_order: VecDeque<(Instant, Uuid)>,
    shutting: Option<CloseReason>,
    /// Set once the node drains: where its publishers are sent.
    draining: Option<MoveUrl>,
    /// Sessions and offers not yet over.
    count: watch::Sender<usize>,
}

impl Sessions {
    pub(crate) fn new(
        fabric: Fabric,
        identity: Identity,
        answerer: Arc<dyn Answerer>,
        counters: Arc<Counters>,
        count: watch::Sender<usize>,
    ) -> Self {
        Self {
            fabric,
            identity,
            answerer,
            counters,
            open: HashMap::new(),
            pending: HashMap::new(),
            closed: HashMap::new(),
            closed_order: VecDeque::new(),
            shutting: None,
            draining: None,
            count,
        }
    }

    /// Whether one more publisher may come, and what it takes of its address's share.
    fn admit(&self, client: &Client) -> Result<Option<Share>, Error> {
        if self.shutting.is_some() {
            return Err(Error::Unavailable("this node is shutting down".to_owned()));
        }
        if self.draining.is_some() {
            return Err(Error::Draining);
        }
        let bounds = self.fabric.config.bounds();
        // First, so that whoever has its share already is sent to no other node either.
        let share = client.ip.map(|ip| self.share(ip, &bounds)).transpose()?;
        let all = self.open.len() + self.pending.len();
        if all >= bounds.publishers {
            return Err(Error::Full(
                "as many publishers as fabric.limits.publishers allows",
            ));
        }
        // Counted only when it could matter: it looks into every session.
        if all >= bounds.waiting {
            let waiting = self.open.values().filter(|entry| waits(entry)).count();
            if waiting + self.pending.len() >= bounds.waiting {
                return Err(Error::Full(
                    "as many publishers without media yet as fabric.limits.pendingPublishers allows",
                ));
            }
        }
        if self.fabric.members.own().is_over_bits() {
            return Err(Error::Full(
                "as many bits per second as fabric.limits.bitsPerSecond allows",
            ));
        }
        match *self.fabric.bus.state().borrow() {
            BusState::Away => Err(Error::Unavailable("the bus is away".to_owned())),
            BusState::Connected(_) => Ok(share),
        }
    }

    /// One more for this address, where that may have it.
    fn share(&self, ip: IpAddr, bounds: &Bounds) -> Result<Share, Error> {
        let share = (self.fabric.config.shares.take(ip, bounds.of_address)).ok_or(Error::OfAddress(
            "this address has as many sessions as it may (fabric.limits.sessionsPerAddress)",
        ))?;
        // As above.
        if self.open.len() + self.pending.len() >= bounds.waiting_of_address {
            let address = Address::from(ip);
            let asked = self.pending.values().filter(|of| **of == Some(address));
            let there = self.open.values().filter(|entry| {
                let of = entry.live.client.ip.map(Address::from);
                of == Some(address) && waits(entry)
            });
            if asked.count() + there.count() >= bounds.waiting_of_address {
                return Err(Error::OfAddress(
                    "this address has as many publishers without media yet as it may (half of fabric.limits.pendingPublishers)",
                ));
            }
        }
        Ok(share)
    }

    fn remember(&mut self, secret: Uuid, reason: CloseReason) {
        if self.closed.insert(secret, reason).is_none() {
            self.closed_order.push_back((Instant::now(), secret));
        }
        // overflow: the oldest is forgotten; its URL then answers 404.
        while self.closed_order.len() > CLOSED_MEMORY_MAX {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, secret)) = self.closed_order.pop_front() {
            self.closed.remove(&secret);
        }
    }

    fn sweep(&mut self) {
        let now = Instant::now();
        while (self.closed_order.front()).is_some_and(|(at, _)| now.duration_since(*at) >= CLOSED_MEMORY) {
            self.forget_oldest();
        }
        // An actor that ended before it was entered here, or with its thread.
        self.open.retain(|_, entry| entry.actor.connected());
        self.recount();
    }

    /// Enters an answered publisher, unless the node began to shut down meanwhile.
    fn enter(&mut self, secret: Uuid, answer: String, entry: Entry, ctx: &mut Context<Self>) -> Published {
        add(&self.counters.sessions_opened, 1);
        if let Some(reason) = self.shutting {
            Self::close(&entry, reason, ctx);
        }
        self.send_on(secret, &entry);
        let live = Arc::clone(&entry.live);
        if entry.actor.connected() {
            self.open.insert(secret, entry);
        }
        Published { answer, secret, live }
    }

    /// Tells a publisher to move if the node drains.
    fn send_on(&self, secret: Uuid, entry: &Entry) {
        if let Some(url) = &self.draining {
            let word = PublisherWord::Move(url(&entry.live, secret));
            entry.live.say(&*self.fabric.bus, word);
        }
    }

    fn recount(&self) {
        self.count.send_replace(self.open.len() + self.pending.len());
    }

    /// Closes without waiting for it.
    fn close(entry: &Entry, reason: CloseReason, ctx: &mut Context<Self>) {
        let sent = entry.actor.send(Close(reason));
        // Fails only when the session is over.
        ctx.spawn(wrap_future(sent).map(|_, _, _| ()));
    }
}

/// Its media has not come yet.
fn waits(entry: &Entry) -> bool {
    entry.live.status().state == StreamState::Waiting
}

impl Actor for Sessions {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(SWEEP, |sessions, _| sessions.sweep());
    }
}

impl Handler<Publish> for Sessions {
    // Offers are answered side by side: `self` is touched only before and after.
    type Result = ResponseActFuture<Self, Result<Published, Error>>;

    fn handle(&mut self, publish: Publish, ctx: &mut Self::Context) -> Self::Result {
        let share = match self.admit(&publish.client) {
            Ok(share) => share,
            Err(refused) => return Box::pin(async { Err(refused) }.into_actor(self)),
        };
        let secret = Uuid::new_v4();
        self.pending.insert(secret, publish.client.ip.map(Address::from));
        self.recount();
        let opening = Opening {
            stream: publish.stream,
            client: publish.client,
            share,
            moves: publish.moves,
            secret,
            identity: self.identity.clone(),
            fabric: self.fabric.clone(),
            counters: Arc::clone(&self.counters),
            sessions: ctx.address(),
            arbiter: actix_rt::Arbiter::current(),
        };
        let answered = answer(
            opening,
            publish.offer,
            publish.reached_at,
            Arc::clone(&self.answerer),
        );
        // A task of its own: a panic in it must not end this actor.
        let task = actix_rt::spawn(answered);
        Box::pin(task.into_actor(self).map(move |answered, sessions, ctx| {
            sessions.pending.remove(&secret);
            let entered = match answered {
                Ok(Ok((answer, entry))) => Ok(sessions.enter(secret, answer, entry, ctx)),
                Ok(Err(error)) => Err(error),
                Err(panicked) => Err(Error::Internal(panicked.to_string())),
            };
            sessions.recount();
            entered
        }))
    }
}

impl Handler<Find> for Sessions {
    type Result = MessageResult<Find>;

    fn handle(&mut self, find: Find, _: &mut Self::Context) -> Self::Result {
        let closed = self.closed.get(&find.0).copied().map(Found::Closed);
        let open = || self.open.get(&find.0).cloned().map(Found::Open);
        MessageResult(closed.or_else(open).unwrap_or(Found::Unknown))
    }
}

impl Handler<List> for Sessions {
    type Result = Vec<Entry>;

    fn handle(&mut self, _: List, _: &mut Self::Context) -> Self::Result {
        self.open.values().cloned().collect()
    }
}

impl Handler<Claimed> for Sessions {
    type Result = ();

    fn handle(&mut self, claimed: Claimed, ctx: &mut Self::Context) {
        for (secret, entry) in &self.open {
            // One that has claimed nothing yet is no loser; one whose claim is under way finds out.
            if entry.live.stream == claimed.stream && *secret != claimed.secret {
                let told = entry.actor.send(Outranked(claimed.epoch));
                // Fails only when the session is over.
                ctx.spawn(wrap_future(told).map(|_, _, _| ()));
            }
        }
    }
}

impl Handler<Closing> for Sessions {
    type Result = ();

    fn handle(&mut self, closing: Closing, _: &mut Self::Context) {
        self.remember(closing.secret, closing.reason);
    }
}

impl Handler<Gone> for Sessions {
    type Result = ();

    fn handle(&mut self, gone: Gone, _: &mut Self::Context) {
        self.open.remove(&gone.0);
        self.recount();
    }
}

impl Handler<Drain> for Sessions {
    type Result = ();

    fn handle(&mut self, drain: Drain, _: &mut Self::Context) {
        if self.draining.is_none() {
            self.draining = Some(drain.url);
            for (secret, entry) in &self.open {
                self.send_on(*secret, entry);
            }
        }
    }
}

impl Handler<CloseAll> for Sessions {
    type Result = ();

    fn handle(&mut self, all: CloseAll, ctx: &mut Self::Context) {
        self.shutting = Some(all.0);
        for entry in self.open.values() {
            Self::close(entry, all.0, ctx);
        }
    }
}
