//! Where a session's units go: numbered, kept, and, once the name is claimed, handed to the bus.
//! Shared by the receiver, which pushes, and the session actor, which opens and ends it; it never waits for anything.

use super::timeline::Placed;
use crate::counters::{Counters, add};
use crate::live::Live;
use crate::receive::capture::Stamp;
use bytes::Bytes;
use std::sync::Arc;
use tokio::time::Instant;
use weft_bus::{DropReason, Publication, Sent};
use weft_wire::{
    AccessUnit, CloseReason, Epoch, GopSeq, MediaClass, MediaKind, StreamEnded, TrackId, UnitBatch, UnitFlags,
};

enum Phase {
    /// The name is not claimed: units are only kept.
    Held,
    /// Units are kept, then published.
    Open { publication: Publication, epoch: Epoch },
    /// The session ended.
    Over,
}

/// A unit with its place in time, not yet in the session's order.
#[derive(Debug)]
pub(crate) struct NewUnit {
    pub(crate) track: TrackId,
    pub(crate) kind: MediaKind,
    pub(crate) flags: UnitFlags,
    pub(crate) placed: Placed,
    pub(crate) stamp: Stamp,
    pub(crate) data: Bytes,
}

/// The session's way out.
pub(crate) struct Outlet {
    live: Arc<Live>,
    phase: Phase,
    gop: GopSeq,
}

impl Outlet {
    pub(crate) fn new(live: Arc<Live>) -> Self {
        Self {
            live,
            phase: Phase::Held,
            gop: GopSeq(0),
        }
    }

    /// Numbers a unit, keeps it and, if the name is ours, publishes it.
    pub(crate) fn push(&mut self, now: Instant, new: NewUnit) {
        if matches!(self.phase, Phase::Over) {
            return;
        }
        if new.flags.contains(UnitFlags::KEY) {
            self.gop = self.gop.next();
        }
        let mut cache = self.live.cache();
        let unit = AccessUnit {
            track: new.track,
            seq: cache.next(),
            gop: self.gop,
            pts: new.placed.pts,
            dts: new.placed.dts,
            capture: new.stamp.capture,
            capture_source: new.stamp.source,
            capture_offset: new.stamp.offset,
            sent: self.live.sent(now),
            flags: new.flags,
            data: new.data,
        };
        let given_up = cache.given_up();
        // Kept before it is published: what a hub asks for while this goes on is in one of the two.
        cache.push(unit.clone());
        let given_up = cache.given_up() - given_up;
        drop(cache);
        add(&self.live.node.gops_given_up, given_up);
        self.publish(class(new.kind, &unit), unit);
    }

    /// The name is ours: publishes what was held from the newest key unit on, then everything. False when no group of
    /// pictures to begin with was held and a key unit must be asked for.
    pub(crate) fn open(&mut self, publication: Publication, epoch: Epoch) -> bool {
        if matches!(self.phase, Phase::Over) {
            return true;
        }
        self.phase = Phase::Open { publication, epoch };
        let (held, joinable) = {
            let mut cache = self.live.cache();
            // Nothing came while the claim was waited for, perhaps for long.
            cache.expire(self.live.sent(Instant::now()));
            if cache.joinable() {
                (cache.running_gop(), true)
            } else if cache.had_key() {
                (Vec::new(), false)
            } else {
                // Sound alone: each unit stands for itself.
                (cache.all(), true)
            }
        };
        for unit in held {
            let kind = self.kind(unit.track);
            self.publish(class(kind, &unit), unit);
        }
        joinable
    }

    /// Units carry another claim from now on; the bus, the numbering and the readers stay.
    pub(crate) fn renew(&mut self, claim: Epoch) {
        if let Phase::Open { epoch, .. } = &mut self.phase {
            *epoch = claim;
        }
    }

    /// True while somebody wants the stream, or while it waits to be claimed.
    pub(crate) fn wanted(&self) -> bool {
        match &self.phase {
            Phase::Held => true,
            Phase::Open { publication, .. } => publication.wanted(),
            Phase::Over => false,
        }
    }

    /// The last word: hubs are told why, the bus lets go of the stream, what was kept is forgotten.
    pub(crate) fn end(&mut self, reason: CloseReason) {
        if let Phase::Open {
            mut publication,
            epoch,
        } = std::mem::replace(&mut self.phase, Phase::Over)
        {
            // Best effort: a hub that misses it sees the owner gone.
            let _ = publication.end(StreamEnded {
                session: self.live.id,
                epoch,
                reason,
            });
        }
        self.live.cache().clear();
    }

    fn kind(&self, track: TrackId) -> MediaKind {
        let status = self.live.status();
        let info = status.tracks.iter().find(|t| t.id == track);
        info.map_or(MediaKind::Audio, |t| t.codec.kind())
    }

    fn publish(&mut self, class: MediaClass, unit: AccessUnit) {
        let Phase::Open { publication, epoch } = &mut self.phase else {
            return;
        };
        let sent = publication.send(
            class,
            UnitBatch {
                session: self.live.id,
                epoch: *epoch,
                units: vec![unit],
            },
        );
        count(&self.live.node, sent);
    }
}

fn class(kind: MediaKind, unit: &AccessUnit) -> MediaClass {
    match kind {
        MediaKind::Audio => MediaClass::Audio,
        MediaKind::Video if unit.is_key() => MediaClass::Key,
        MediaKind::Video => MediaClass::Delta,
    }
}

fn count(counters: &Counters, sent: Sent) {
    // overflow: a unit the bus cannot take is dropped there and counted here; hubs ask for it again by `seq`.
    let counter = match sent {
        Sent::Published => &counters.published,
        Sent::Paused => &counters.paused,
        Sent::Dropped(DropReason::Away) => &counters.dropped_away,
        Sent::Dropped(DropReason::Full) => &counters.dropped_full,
        Sent::Dropped(DropReason::TooLarge) => &counters.dropped_too_large,
    };
    add(counter, 1);
}
