//! The running group of pictures as packets, sound in between included, so that a reader that joins sees a picture at once.
//! Blocks are copies made by the packetiser: nothing here keeps a bus message's buffer alive.

use crate::timeline::Position;
use std::sync::Arc;
use weft_rtp::PacketBlock;
use weft_wire::MediaKind;

/// Bounds of the cache; beyond either it is empty until the next key unit.
const MAX_BYTES: usize = 8 * 1024 * 1024;
const MAX_SECONDS: i64 = 10;
const VIDEO_HZ: i64 = 90_000;

/// One unit of the group.
#[derive(Debug, Clone)]
pub(crate) struct Cached {
    pub(crate) block: Arc<PacketBlock>,
    pub(crate) position: Position,
    pub(crate) kind: MediaKind,
}

/// The group, from its key unit on.
#[derive(Debug, Default)]
pub(crate) struct GopCache {
    units: Vec<Cached>,
    bytes: usize,
}

impl GopCache {
    /// Adds a unit: a key unit begins anew, others follow if there is a beginning.
    pub(crate) fn push(&mut self, block: &Arc<PacketBlock>, position: Position, kind: MediaKind) {
        if kind == MediaKind::Video && block.key {
            self.clear();
        } else if self.units.is_empty() {
            return;
        }
        self.bytes += block.bytes.len();
        self.units.push(Cached {
            block: Arc::clone(block),
            position,
            kind,
        });
        // overflow: emptied until the next key unit; a reader that joins meanwhile waits for that.
        if self.bytes > MAX_BYTES || self.ticks() > MAX_SECONDS * VIDEO_HZ {
            self.clear();
        }
    }

    /// The units from the key on; empty when there is no beginning.
    pub(crate) fn units(&self) -> &[Cached] {
        &self.units
    }

    /// Length of the group so far in ticks of the video clock.
    pub(crate) fn ticks(&self) -> i64 {
        let video = |u: &&Cached| u.kind == MediaKind::Video;
        match (self.units.first(), self.units.iter().rev().find(video)) {
            (Some(first), Some(last)) => last.position.0 - first.position.0,
            _ => 0,
        }
    }

    /// Bytes of packets kept.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets all, until the next key unit.
    pub(crate) fn clear(&mut self) {
        self.units = Vec::new();
        self.bytes = 0;
    }
}
