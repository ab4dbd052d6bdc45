//! The peer's end of a reader: takes the hub's packets when the path has room for them, and brings its wishes for key units to
//! the hub. The peer calls it; it waits for nothing.

use super::session::{Connected, Ended, Session};
use crate::hub::Shared;
use actix::Addr;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use weft_rtc::{MediaSource, Outbound, PeerAddresses};
use weft_rtsp_server::{Joined, PlayReader, ReaderEvent};
use weft_wire::CloseReason;

/// A reader that asks for a key unit more often than this asks for one that is on its way already.
const KEY_SPACING: Duration = Duration::from_millis(500);

/// What a reader that has joined gets.
pub(super) struct Feed {
    /// Where each track begins: their sender reports go out before the first packet.
    starts: VecDeque<Outbound>,
    reader: Box<dyn PlayReader>,
    hub: Arc<Shared>,
}

impl Feed {
    pub(super) fn new(joined: Joined, hub: Arc<Shared>) -> Self {
        let report = |start: &weft_rtsp_server::TrackStart| Outbound::Report {
            track: start.track,
            rtp_time: start.line.rtp_time,
            capture: start.line.capture,
        };
        Self {
            starts: joined.starts.iter().map(report).collect(),
            reader: joined.reader,
            hub,
        }
    }
}

/// Shared between actor and feeder: the feed, once the reader has joined.
#[derive(Clone, Default)]
pub(super) struct Inlet(Arc<Mutex<Option<Feed>>>);

impl Inlet {
    fn lock(&self) -> MutexGuard<'_, Option<Feed>> {
        // Each change under this lock is whole in itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, feed: Feed) {
        *self.lock() = Some(feed);
    }

    /// Leaves the hub.
    pub(super) fn close(&self) {
        let feed = self.lock().take();
        // Its last words take locks of the hub.
        drop(feed);
    }
}

/// The source of one peer.
pub(super) struct Feeder {
    pub(super) inlet: Inlet,
    pub(super) actor: Addr<Session>,
    pub(super) asked: Option<Instant>,
}

impl MediaSource for Feeder {
    fn connected(&mut self, _: Instant, addresses: PeerAddresses) {
        // overflow: cannot be, it is the first message; the session would end for want of media.
        self.actor.try_send(Connected(addresses)).ok();
    }

    fn next(&mut self, _: Instant) -> Option<Outbound> {
        let mut feed = self.inlet.lock();
        let feed = feed.as_mut()?;
        if let Some(start) = feed.starts.pop_front() {
            return Some(start);
        }
        Some(match feed.reader.try_next()? {
            ReaderEvent::Block(block) => Outbound::Unit(block),
            ReaderEvent::Report(track, line) => Outbound::Report {
                track,
                rtp_time: line.rtp_time,
                capture: line.capture,
            },
            ReaderEvent::Closed(reason) => Outbound::Closed(reason),
        })
    }

    fn keyframe(&mut self, now: Instant) {
        if self
            .asked
            .is_some_and(|at| now.saturating_duration_since(at) < KEY_SPACING)
        {
            return;
        }
        if let Some(feed) = self.inlet.lock().as_ref() {
            self.asked = Some(now);
            feed.hub.key_wanted();
        }
    }

    fn sent(&mut self, packets: u64, bytes: u64) {
        if let Some(feed) = self.inlet.lock().as_ref() {
            feed.reader.sent(packets, bytes);
        }
    }

    fn loop_stalled(&mut self, _: Instant, _: Duration) {}

    fn closed(&mut self, reason: CloseReason) {
        self.inlet.close();
        // overflow: the actor sees it at its next tick.
        self.actor.try_send(Ended(reason)).ok();
    }
}
