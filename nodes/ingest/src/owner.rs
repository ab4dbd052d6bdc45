//! The session's answers to the bus: units of the past, who it is, and wishes passed on to its actor.
//! Called on the bus's threads; it reads shared state and never waits (see `weft_bus::StreamOwner`).

use crate::counters::get;
use crate::live::{Ask, Live};
use tokio::time::Instant;
use weft_bus::{StreamOwner, UnitsAnswer};
use weft_wire::{KeyframeRequest, Kick, OwnerInfo, StreamState, UnitsEnd, UnitsFrom, UnitsRequest};

/// Most units in one batch of an answer.
pub(crate) const BATCH_UNITS: usize = 32;
/// Most bytes of data in one batch of an answer, unless a single unit is larger.
pub(crate) const BATCH_BYTES: usize = 256 * 1024;

impl StreamOwner for Live {
    fn units(&self, request: &UnitsRequest) -> UnitsAnswer {
        let (epoch, tracks) = {
            let status = self.status();
            (status.epoch, status.tracks.clone())
        };
        let sent = self.sent(Instant::now());
        let other = request.session.is_some_and(|session| session != self.id);
        let (found, next, key_age_ms, joinable) = {
            let mut cache = self.cache();
            cache.expire(sent);
            let mut found = (!other).then(|| cache.find(request));
            if let Some(found) = found.as_mut().filter(|_| request.key_only) {
                found.units.retain(weft_wire::AccessUnit::is_key);
            }
            (found, cache.next(), cache.key_age_ms(sent), cache.joinable())
        };
        let joins = matches!(request.from, UnitsFrom::NewestGop | UnitsFrom::Live);
        if joins && !joinable {
            // The asker repeats its request if this is lost.
            let _ = self.ask(Ask::Joined);
        }
        let gone = found.as_ref().is_none_or(|f| f.gone);
        UnitsAnswer {
            batches: found.map_or_else(Vec::new, |f| f.into_batches(self.id, epoch)),
            end: UnitsEnd {
                session: self.id,
                epoch,
                next,
                gone,
                sent,
                tracks,
                key_age_ms,
            },
        }
    }

    fn keyframe(&self, request: KeyframeRequest) {
        // Hubs renew their wishes, so one that is lost is heard the next time.
        let _ = self.ask(Ask::Keyframe(request));
    }

    fn owner(&self) -> OwnerInfo {
        let status = self.status().clone();
        let age = self.media_age(Instant::now()).as_millis();
        OwnerInfo {
            node: self.identity.name.clone(),
            incarnation: self.identity.incarnation,
            session: self.id,
            epoch: status.epoch,
            state: match status.state {
                StreamState::Live if status.ended.is_some() => StreamState::Stalled,
                state => state,
            },
            since: status.since,
            tracks: status.tracks,
            inbound_bytes: get(&self.counters.bytes),
            inbound_packets: get(&self.counters.packets),
            packets_lost: get(&self.counters.packets_lost),
            units_in_error: get(&self.counters.units_in_error),
            units: get(&self.counters.units),
            media_age_ms: u32::try_from(age).unwrap_or(u32::MAX),
            remote: status.remote.map(|r| r.to_string()).unwrap_or_default(),
        }
    }

    fn kick(&self, kick: Kick) {
        let _ = self.ask(Ask::Kick(kick));
    }
}
