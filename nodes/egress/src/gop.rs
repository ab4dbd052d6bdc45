//! The running group of pictures as packets, sound in between included, so that a reader that joins sees a picture at once.
//! Blocks are copies made by the packetiser: nothing here keeps a bus message's buffer alive.

use crate::timeline::Position;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use weft_rtp::PacketBlock;
use weft_wire::MediaKind;

/// Bounds of the cache; beyond either it is empty until the next key unit.
const MAX_BYTES: usize = 8 * 1024 * 1024;
const MAX_SECONDS: i64 = 10;
const VIDEO_HZ: i64 = 90_000;
/// The same bound by the clock: sound that goes on without pictures is no group to begin with.
const MAX_AGE: Duration = Duration::from_secs(10);

/// One unit of the group.
#[derive(Debug, Clone)]
pub(crate) struct Cached {
    pub(crate) block: Arc<PacketBlock>,
    pub(crate) position: Position,
    pub(crate) dts: Position,
    pub(crate) kind: MediaKind,
}

/// The group, from its key unit on.
#[derive(Debug, Default)]
pub(crate) struct GopCache {
    units: Vec<Cached>,
    bytes: usize,
    /// When its key unit came.
    begun: Option<Instant>,
}

impl GopCache {
    /// Adds a unit: a key unit begins anew, others follow if there is a beginning.
    pub(crate) fn push(
        &mut self,
        now: Instant,
        block: &Arc<PacketBlock>,
        (position, dts): (Position, Position),
        kind: MediaKind,
    ) {
        self.expire(now);
        if kind == MediaKind::Video && block.key {
            self.clear();
            self.begun = Some(now);
        } else if self.units.is_empty() {
            return;
        }
        self.bytes += block.bytes.len();
        self.units.push(Cached {
            block: Arc::clone(block),
            position,
            dts,
            kind,
        });
        // overflow: emptied until the next key unit; a reader that joins meanwhile waits for that.
        if self.bytes > MAX_BYTES || self.ticks() > MAX_SECONDS * VIDEO_HZ {
            self.clear();
        }
    }

    /// Empties it when its key unit came too long ago; to be called before it is read.
    pub(crate) fn expire(&mut self, now: Instant) {
        if self
            .begun
            .is_some_and(|at| now.saturating_duration_since(at) > MAX_AGE)
        {
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
        self.begun = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use weft_wire::TrackId;

    const AT: (Position, Position) = (Position(0), Position(0));

    fn block(key: bool) -> Arc<PacketBlock> {
        Arc::new(PacketBlock {
            track: TrackId(u8::from(!key)),
            key,
            rtp_time: 0,
            bytes: Bytes::from_static(&[0; 100]),
            offsets: vec![0],
            payload_bytes: 84,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn sound_alone_does_not_keep_an_old_picture() {
        let (mut gop, start) = (GopCache::default(), Instant::now());
        gop.push(start, &block(true), AT, MediaKind::Video);
        for i in 1..=500 {
            let now = start + Duration::from_millis(20 * i);
            gop.push(now, &block(false), AT, MediaKind::Audio);
        }
        assert_eq!(gop.units().len(), 501);
        let over = start + Duration::from_millis(10_020);
        gop.expire(over);
        assert!(gop.units().is_empty(), "a reader that joins gets nothing so old");
        gop.push(over, &block(false), AT, MediaKind::Audio);
        assert_eq!(gop.bytes(), 0);
        gop.push(over, &block(true), AT, MediaKind::Video);
        assert_eq!(gop.units().len(), 1);
    }
}
