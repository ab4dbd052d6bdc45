//! A reader's bounded queue: the hub puts packet blocks in, the RTSP server takes them out, and a reader that is too slow
//! skips to a later key unit by itself. Sockets and their time limits are the server's business.

use crate::counters::{Counters, add};
use crate::egress::Seat;
use crate::gop::Cached;
use crate::hub::Shared;
use crate::wakeup::Wakeup;
use crate::whep::WEBRTC;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio::time::Instant;
use weft_rtp::PacketBlock;
use weft_rtsp_server::{PlayReader, ReaderEvent, ReaderSpec, RtpLine};
use weft_wire::{CloseReason, MediaKind, SessionId, TrackId};

/// Bounds of a queue, beyond the burst it began with: the send buffer below it holds about 2 s more.
const MAX_BLOCKS: usize = 512;
const MAX_BYTES: usize = 4 * 1024 * 1024;
const MAX_LAG: Duration = Duration::from_secs(3);
/// The same of a reader over WebRTC, who has no send buffer and wants to see what happens now.
const MAX_LAG_WEBRTC: Duration = Duration::from_secs(1);

/// What a reader over TCP has as its transport.
const INTERLEAVED: &str = "TCP";

/// Called when there is something for a reader that waits for nothing itself. Must return at once.
pub(crate) type Wake = Box<dyn Fn() + Send + Sync>;

/// A [`Wake`] that can be shown.
struct Waker(Wake);

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waker")
    }
}

/// What the hub and the reader share.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) spec: ReaderSpec,
    pub(crate) since: SystemTime,
    counters: Arc<Counters>,
    state: Mutex<State>,
    ready: Notify,
    waker: OnceLock<Waker>,
    /// The reader has left.
    gone: AtomicBool,
    packets: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
    /// When it asked to be let in.
    pub(crate) asked: Instant,
    /// It is the first reader here of this publisher's session, whose trace is told.
    pub(crate) first_of: Option<SessionId>,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Queued>,
    blocks: usize,
    bytes: usize,
    /// What is left of the burst it began with, allowed on top of the bounds.
    burst_blocks: usize,
    burst_bytes: usize,
    /// It is over WebRTC.
    brief: bool,
    wakeup: Wakeup,
    flow: Flow,
}

#[derive(Debug)]
struct Queued {
    at: Instant,
    /// When a live unit was published, see [`crate::age::Age::published`].
    published: Option<Instant>,
    /// A key unit of video: a late reader may go on here.
    key: bool,
    event: ReaderEvent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Flow {
    #[default]
    Playing,
    /// Video waits for the next key unit.
    AwaitingKey,
    Paused,
    Closed(CloseReason),
}

impl Queue {
    /// A queue that begins with `burst`; without one, its video begins at the next key unit.
    pub(crate) fn new(spec: ReaderSpec, counters: Arc<Counters>, now: Instant, burst: &[Cached]) -> Self {
        let mut state = State {
            flow: if burst.is_empty() {
                Flow::AwaitingKey
            } else {
                Flow::Playing
            },
            brief: spec.transport == WEBRTC,
            ..State::default()
        };
        for unit in burst.iter().filter(|u| spec.tracks.contains(&u.block.track)) {
            state.push(now, None, Arc::clone(&unit.block), unit.kind);
        }
        state.burst_blocks = state.blocks;
        state.burst_bytes = state.bytes;
        Self {
            spec,
            since: SystemTime::now(),
            counters,
            state: Mutex::new(state),
            ready: Notify::new(),
            waker: OnceLock::new(),
            gone: AtomicBool::new(false),
            packets: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            asked: now,
            first_of: None,
        }
    }

    /// Has `wake` called whenever something is queued.
    pub(crate) fn wake_by(&self, wake: Wake) {
        // Once, by the one who takes.
        self.waker.set(Waker(wake)).ok();
    }

    fn notify(&self) {
        self.ready.notify_one();
        if let Some(Waker(wake)) = self.waker.get() {
            wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under this lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues the packets of a unit that was published then, unless the reader waits for something else. False: it has not
    /// set up that track.
    pub(crate) fn push(
        &self,
        (published, now): (Instant, Instant),
        block: &Arc<PacketBlock>,
        kind: MediaKind,
    ) -> bool {
        if !self.spec.tracks.contains(&block.track) {
            return false;
        }
        let mut state = self.lock();
        match state.flow {
            Flow::Paused | Flow::Closed(_) => return true,
            Flow::AwaitingKey if kind == MediaKind::Video => {
                if !block.key {
                    self.drop_units(1);
                    return true;
                }
                state.flow = Flow::Playing;
            }
            Flow::AwaitingKey | Flow::Playing => {}
        }
        // What was published before it came is no delay.
        let published = Some(published).filter(|at| *at >= self.asked);
        state.push(now, published, Arc::clone(block), kind);
        self.skip_if_late(&mut state, now);
        // Only over TCP is one write for both cheaper than two.
        let due = self.spec.transport != INTERLEAVED || state.wakeup.is_due(now, kind);
        drop(state);
        if due {
            self.notify();
        }
        true
    }

    /// Queues a report, in order with the packets around it.
    pub(crate) fn report(&self, now: Instant, track: TrackId, line: RtpLine) {
        if !self.spec.tracks.contains(&track) {
            return;
        }
        let mut state = self.lock();
        if matches!(state.flow, Flow::Paused | Flow::Closed(_)) {
            return;
        }
        state.events.push_back(Queued::report(now, track, line));
        drop(state);
        self.notify();
    }

    /// Ends the reader: after what is queued when the stream ended, at once otherwise. False when it had ended before.
    pub(crate) fn close(&self, reason: CloseReason) -> bool {
        let mut state = self.lock();
        if matches!(state.flow, Flow::Closed(_)) {
            return false;
        }
        if reason != CloseReason::StreamEnded {
            state.clear();
        }
        state.flow = Flow::Closed(reason);
        drop(state);
        self.notify();
        true
    }

    /// Why it was closed; `None` while it is not.
    pub(crate) fn closed(&self) -> Option<CloseReason> {
        match self.lock().flow {
            Flow::Closed(reason) => Some(reason),
            Flow::Playing | Flow::AwaitingKey | Flow::Paused => None,
        }
    }

    /// True once the reader has left.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    /// Packets and bytes sent, units dropped.
    pub(crate) fn traffic(&self) -> (u64, u64, u64) {
        (
            self.packets.load(Relaxed),
            self.bytes.load(Relaxed),
            self.dropped.load(Relaxed),
        )
    }

    /// Units and bytes queued.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let state = self.lock();
        (state.blocks, state.bytes)
    }

    /// overflow: the reader skips to a later key unit; what is older is dropped and counted.
    fn skip_if_late(&self, state: &mut State, now: Instant) {
        if state.is_late(now) {
            add(&self.counters.reader_skips, 1);
            self.drop_units(state.skip(now));
        }
    }

    fn drop_units(&self, count: usize) {
        let count = count as u64;
        self.dropped.fetch_add(count, Relaxed);
        add(&self.counters.reader_dropped, count);
    }

    fn take(&self) -> Option<ReaderEvent> {
        let now = Instant::now();
        let mut state = self.lock();
        // A node that stood still finds here what was new when it stopped.
        if state.flow == Flow::Playing {
            self.skip_if_late(&mut state, now);
        }
        let (taken, flow) = (state.pop(), state.flow);
        drop(state);
        match (taken, flow) {
            (Some(queued), _) => {
                if let Some(published) = queued.published {
                    self.counters.way.note(now.saturating_duration_since(published));
                }
                Some(queued.event)
            }
            (None, Flow::Closed(reason)) => Some(ReaderEvent::Closed(reason)),
            (None, _) => None,
        }
    }
}

impl Queued {
    fn report(at: Instant, track: TrackId, line: RtpLine) -> Self {
        Self {
            at,
            published: None,
            key: false,
            event: ReaderEvent::Report(track, line),
        }
    }
}

impl State {
    fn push(&mut self, at: Instant, published: Option<Instant>, block: Arc<PacketBlock>, kind: MediaKind) {
        self.blocks += 1;
        self.bytes += block.bytes.len();
        self.events.push_back(Queued {
            at,
            published,
            key: block.key && kind == MediaKind::Video,
            event: ReaderEvent::Block(block),
        });
    }

    fn pop(&mut self) -> Option<Queued> {
        let queued = self.events.pop_front()?;
        if let ReaderEvent::Block(block) = &queued.event {
            self.blocks -= 1;
            self.bytes -= block.bytes.len();
            self.burst_blocks = self.burst_blocks.saturating_sub(1);
            self.burst_bytes = self.burst_bytes.saturating_sub(block.bytes.len());
        }
        Some(queued)
    }

    fn clear(&mut self) {
        let (flow, brief) = (self.flow, self.brief);
        *self = Self {
            flow,
            brief,
            ..Self::default()
        };
    }

    fn is_late(&self, now: Instant) -> bool {
        let most = if self.brief { MAX_LAG_WEBRTC } else { MAX_LAG };
        self.blocks > MAX_BLOCKS + self.burst_blocks
            || self.bytes > MAX_BYTES + self.burst_bytes
            || self
                .events
                .iter()
                // Reports kept by a skip stand in front, and are new.
                .find(|queued| matches!(queued.event, ReaderEvent::Block(_)))
                .is_some_and(|queued| now.duration_since(queued.at) > most)
    }

    /// Drops what is older than the newest key unit queued; everything, when there is none or it is not new enough. The
    /// newest report of each track stays. Returns how many units were dropped.
    fn skip(&mut self, now: Instant) -> usize {
        let newest_key = self.events.iter().rposition(|q| q.key).filter(|i| *i > 0);
        let before = self.blocks;
        let kept = self.events.split_off(newest_key.unwrap_or(self.events.len()));
        let old = std::mem::take(&mut self.events);
        self.blocks = 0;
        self.bytes = 0;
        self.burst_blocks = 0;
        self.burst_bytes = 0;
        let mut reports: Vec<(TrackId, RtpLine)> = Vec::new();
        for queued in old {
            if let ReaderEvent::Report(track, line) = queued.event {
                reports.retain(|(t, _)| *t != track);
                reports.push((track, line));
            }
        }
        let reports = reports.into_iter().map(|(t, l)| Queued::report(now, t, l));
        self.events = reports.chain(kept).collect();
        for queued in &self.events {
            if let ReaderEvent::Block(block) = &queued.event {
                self.blocks += 1;
                self.bytes += block.bytes.len();
            }
        }
        if newest_key.is_none() {
            self.flow = Flow::AwaitingKey;
        }
        if self.is_late(now) {
            // Even the newest group of pictures is too much.
            self.events.retain(|q| matches!(q.event, ReaderEvent::Report(..)));
            self.blocks = 0;
            self.bytes = 0;
            self.flow = Flow::AwaitingKey;
        }
        before - self.blocks
    }
}

/// The server's end of a queue.
pub(crate) struct Reader {
    pub(crate) queue: Arc<Queue>,
    pub(crate) hub: Arc<Shared>,
    /// Its place among the egress' readers.
    pub(crate) _seat: Seat,
}

impl Reader {
    /// It gets its first packet now.
    fn served(&self) {
        let Queue {
            counters,
            asked,
            first_of,
            ..
        } = &*self.queue;
        let took_us = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        add(&counters.join_us, took_us);
        add(&counters.joined, 1);
        if let Some(session) = first_of {
            let (stream, reader) = (&self.hub.stream, self.queue.spec.id);
            tracing::info!(target: "span", name = "first reader", %session, %stream, %reader, took_us);
        }
    }
}

impl PlayReader for Reader {
    fn try_next(&mut self) -> Option<ReaderEvent> {
        self.queue.take()
    }

    fn ready(&self) -> &Notify {
        &self.queue.ready
    }

    fn set_paused(&mut self, paused: bool) {
        let mut state = self.queue.lock();
        match (state.flow, paused) {
            (Flow::Closed(_), _) => return,
            (_, true) => {
                state.clear();
                state.flow = Flow::Paused;
            }
            (Flow::Paused, false) => state.flow = Flow::AwaitingKey,
            (Flow::Playing | Flow::AwaitingKey, false) => {}
        }
        drop(state);
        self.hub.resumed();
    }

    fn sent(&self, packets: u64, bytes: u64) {
        if self.queue.packets.fetch_add(packets, Relaxed) == 0 {
            self.served();
        }
        self.queue.bytes.fetch_add(bytes, Relaxed);
        add(&self.queue.counters.sent_packets, packets);
        add(&self.queue.counters.sent_bytes, bytes);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.queue.gone.store(true, Relaxed);
        self.hub.nudge.notify_one();
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
