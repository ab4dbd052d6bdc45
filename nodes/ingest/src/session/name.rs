//! How a session gets its name, keeps it and loses it: the claim, the looks at its record, what others say of it.
//! The questions themselves are `ownership`'s and `standing`'s; what an end does is the session's.

use super::{Parts, Phase, Session};
use crate::claim::Won;
use crate::counters::add;
use crate::live::lock;
use crate::messages::{Claimed, Outranked};
use crate::ownership::{self, Claiming, Holding};
use crate::standing::{self, LOOK_AGAIN, LOOK_EVERY, Standing};
use actix::{ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use std::sync::Arc;
use std::time::Duration;
use weft_bus::BusState;
use weft_hooks::Happening;
use weft_wire::{CloseReason, Epoch};

impl Session {
    pub(super) fn claim(&mut self, ctx: &mut Context<Self>) {
        if self.phase != Phase::Reserved {
            return;
        }
        self.phase = Phase::Claiming;
        let Parts {
            fabric, live, moves, ..
        } = &self.parts;
        let claiming = ownership::take(fabric.clone(), Arc::clone(live), *moves);
        ctx.spawn(claiming.into_actor(self).map(Self::claimed));
    }

    fn claimed(claiming: Claiming, session: &mut Self, ctx: &mut Context<Self>) {
        match (claiming, session.phase) {
            (Claiming::Won { won, .. } | Claiming::Useless(won), Phase::Closing) => {
                session.leave(Holding::Record(won.epoch), ctx);
            }
            // A claim whose answer did not come may have been made all the same.
            (Claiming::Lost(_), Phase::Closing) => session.leave(Holding::Unsure, ctx),
            (Claiming::Won { won, .. }, _) if won.epoch < session.outranked => {
                session.phase = Phase::Owner(won.epoch);
                session.finish(CloseReason::TakenOver, ctx);
            }
            (
                Claiming::Won {
                    won,
                    publication,
                    late,
                },
                _,
            ) => {
                session.own(won, publication, ctx);
                session.watch_claim(if late { Duration::ZERO } else { LOOK_EVERY }, late, ctx);
            }
            (Claiming::Useless(won), _) => {
                session.phase = Phase::Owner(won.epoch);
                session.finish(CloseReason::Internal, ctx);
            }
            (Claiming::Lost(reason), _) => {
                session.phase = Phase::Reserved;
                session.finish(reason, ctx);
            }
        }
    }

    fn own(&mut self, won: Won, publication: weft_bus::Publication, ctx: &mut Context<Self>) {
        let Parts { live, outlet, .. } = &self.parts;
        self.phase = Phase::Owner(won.epoch);
        add(&live.node.sessions_live, 1);
        tracing::info!(
            stream = %live.stream, session = %live.id, epoch = %won.epoch, tracks = live.status().tracks.len(),
            "publisher live"
        );
        tracing::info!(
            target: "span", name = "first key unit", session = %live.id, stream = %live.stream, took_us = live.age_us()
        );
        let joinable = lock(outlet).open(publication, won.epoch);
        self.parts.fabric.config.hooks.happened(Happening::Available {
            stream: live.stream.clone(),
            source_type: live.source_type(),
            source: live.id,
            query: live.client.query.clone(),
            principal: live.client.principal.clone(),
        });
        // One on this node hears of it from `Sessions`.
        if let Some(loser) = won.over.filter(|loser| loser.node != live.identity.name) {
            let kicks = ownership::tell_loser(self.parts.fabric.clone(), Arc::clone(live), loser);
            ctx.spawn(kicks.into_actor(self));
        }
        self.claimed_at(won.epoch, ctx);
        if !joinable {
            self.need_key(ctx);
        }
    }

    /// Others of this name on this node lose it.
    fn claimed_at(&self, epoch: Epoch, ctx: &mut Context<Self>) {
        let claimed = Claimed {
            secret: self.parts.secret,
            stream: self.parts.live.stream.clone(),
            epoch,
        };
        self.tell(claimed, ctx);
    }

    /// Has the record looked at when it is due: `patience` from now at the latest.
    fn watch_claim(&mut self, patience: Duration, thorough: bool, ctx: &mut Context<Self>) {
        let state = self.parts.fabric.bus.state();
        if let (None, BusState::Connected(number)) = (self.connection, *state.borrow()) {
            self.connection = Some(number);
        }
        let due = standing::due(state, self.connection, patience).into_actor(self);
        ctx.spawn(due.map(move |(connection, anew), session, ctx| {
            session.connection = connection;
            if matches!(session.phase, Phase::Owner(_)) {
                session.looking = true;
                let Parts { fabric, live, .. } = &session.parts;
                let look = standing::look(fabric.clone(), Arc::clone(live), thorough || anew);
                ctx.spawn(look.into_actor(session).map(Self::looked));
            }
        }));
    }

    fn looked(standing: Standing, session: &mut Self, ctx: &mut Context<Self>) {
        session.looking = false;
        if session.phase == Phase::Closing {
            // The end waited for this, see `finish`.
            let epoch = match standing {
                Standing::Anew(epoch) => epoch,
                _ => session.parts.live.status().epoch,
            };
            return session.leave(Holding::Record(epoch), ctx);
        }
        match standing {
            Standing::Kept => session.watch_claim(LOOK_EVERY, false, ctx),
            Standing::Unknown => session.watch_claim(LOOK_AGAIN, true, ctx),
            Standing::Anew(epoch) => {
                session.renew(epoch, ctx);
                session.watch_claim(LOOK_EVERY, false, ctx);
            }
            Standing::Lost => session.finish(CloseReason::TakenOver, ctx),
        }
    }

    /// The same session by a new claim: its numbering goes on, readers notice nothing.
    fn renew(&mut self, epoch: Epoch, ctx: &mut Context<Self>) {
        let Parts { live, outlet, .. } = &self.parts;
        self.phase = Phase::Owner(epoch);
        // Before any unit of it travels: every answer carries the claim.
        live.status().epoch = epoch;
        lock(outlet).renew(epoch);
        add(&live.node.claims_anew, 1);
        tracing::warn!(stream = %live.stream, session = %live.id, %epoch, "record had vanished, name claimed anew");
        self.claimed_at(epoch, ctx);
    }

    /// Ends the session as somebody else asks.
    pub(super) fn end(&mut self, reason: CloseReason, ctx: &mut Context<Self>) {
        match (reason, self.phase) {
            // Said by whoever won a claim, perhaps an older one than ours: the registry knows.
            (CloseReason::TakenOver, Phase::Owner(epoch)) => {
                let Parts { fabric, live, .. } = &self.parts;
                let lost = ownership::is_lost(fabric.clone(), Arc::clone(live), epoch);
                ctx.spawn(lost.into_actor(self).map(|lost, session, ctx| {
                    if lost {
                        session.finish(CloseReason::TakenOver, ctx);
                    }
                }));
            }
            (CloseReason::TakenOver, _) => {}
            (reason, _) => self.finish(reason, ctx),
        }
    }
}

impl Handler<Outranked> for Session {
    type Result = ();

    fn handle(&mut self, by: Outranked, ctx: &mut Self::Context) {
        // Also of a claim still under way, which is judged when its epoch is known.
        self.outranked = self.outranked.max(by.0);
        if matches!(self.phase, Phase::Owner(own) if own < by.0) {
            self.finish(CloseReason::TakenOver, ctx);
        }
    }
}
