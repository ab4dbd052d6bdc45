//! A second kind of reader: it takes whole access units with their place on the hub's line instead of packets, for faces that
//! write files. Like any reader it begins with the running group of pictures, and nobody waits for it.

use crate::counters::{Counters, add};
use crate::egress::Seat;
use crate::hub::Shared;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::sync::Notify;
use uuid::Uuid;
use weft_wire::{CaptureTime, CloseReason, Epoch, MediaKind, SessionId, TrackId, TrackInfo};

/// Bounds of a queue, beyond the group it began with: some seconds of anything reasonable.
const MAX_UNITS: usize = 1024;
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Who taps a stream.
#[derive(Debug, Clone)]
pub(crate) struct TapSpec {
    pub(crate) id: Uuid,
    /// What lists call it.
    pub(crate) kind: &'static str,
}

/// One access unit, placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TapUnit {
    pub(crate) track: TrackId,
    pub(crate) kind: MediaKind,
    /// Decoding may start here.
    pub(crate) key: bool,
    /// Ticks of the track's clock since the hub's origin, the same instant for every track.
    pub(crate) pts: i64,
    /// The same of decoding; rises strictly, over all sessions.
    pub(crate) dts: i64,
    /// UTC at capture, by the hub's line.
    pub(crate) capture: CaptureTime,
    /// As in [`weft_wire::AccessUnit::data`]; shared, not copied.
    pub(crate) data: Bytes,
}

/// Whose units follow, and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) session: Option<SessionId>,
    pub(crate) epoch: Epoch,
    /// The tracks of the present session, parameter sets as known now.
    pub(crate) tracks: Vec<TrackInfo>,
}

/// What a tap yields, in order.
#[derive(Debug, Clone)]
pub(crate) enum TapEvent {
    /// Another session's units follow, or those of the present one are described anew.
    Described(Arc<Description>),
    /// A unit.
    Unit(Arc<TapUnit>),
    /// The end; nothing follows.
    Closed(CloseReason),
}

/// What the hub and the tap share.
#[derive(Debug)]
pub(crate) struct TapQueue {
    pub(crate) spec: TapSpec,
    pub(crate) since: SystemTime,
    counters: Arc<Counters>,
    state: Mutex<State>,
    ready: Notify,
    gone: AtomicBool,
    units: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<TapEvent>,
    units: usize,
    bytes: usize,
    /// What is left of the group it began with, allowed on top of the bounds.
    burst: usize,
    /// Pictures wait for the next key unit.
    awaits_key: bool,
    closed: Option<CloseReason>,
}

impl TapQueue {
    /// A queue that begins with `burst`; without one its pictures begin at the next key unit.
    pub(crate) fn new(
        spec: TapSpec,
        counters: Arc<Counters>,
        first: Arc<Description>,
        burst: Vec<TapUnit>,
    ) -> Self {
        let mut state = State {
            awaits_key: burst.is_empty(),
            burst: burst.len(),
            ..State::default()
        };
        state.events.push_back(TapEvent::Described(first));
        for unit in burst {
            state.push(Arc::new(unit));
        }
        Self {
            spec,
            since: SystemTime::now(),
            counters,
            state: Mutex::new(state),
            ready: Notify::new(),
            gone: AtomicBool::new(false),
            units: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under this lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a unit, unless the tap waits for something else.
    pub(crate) fn push(&self, unit: &Arc<TapUnit>) {
        let mut state = self.lock();
        if state.closed.is_some() {
            return;
        }
        if state.awaits_key && unit.kind == MediaKind::Video {
            if !unit.key {
                self.drop_units(1);
                return;
            }
            state.awaits_key = false;
        }
        state.push(Arc::clone(unit));
        if state.units > MAX_UNITS + state.burst
            || state.bytes > MAX_BYTES + state.burst * (MAX_BYTES / MAX_UNITS)
        {
            // overflow: the tap skips to a later key unit; what is older is dropped and counted.
            add(&self.counters.tap_skips, 1);
            self.drop_units(state.skip());
        }
        drop(state);
        self.ready.notify_one();
    }

    fn drop_units(&self, count: usize) {
        let count = count as u64;
        self.dropped.fetch_add(count, Relaxed);
        add(&self.counters.tap_dropped, count);
    }

    /// Queues a description, in order with the units around it.
    pub(crate) fn describe(&self, description: &Arc<Description>) {
        let mut state = self.lock();
        if state.closed.is_none() {
            state
                .events
                .push_back(TapEvent::Described(Arc::clone(description)));
        }
        drop(state);
        self.ready.notify_one();
    }

    /// Ends the tap after what is queued. False when it had ended before.
    pub(crate) fn close(&self, reason: CloseReason) -> bool {
        let mut state = self.lock();
        let first = state.closed.is_none();
        state.closed.get_or_insert(reason);
        drop(state);
        self.ready.notify_one();
        first
    }

    /// True once the tap has been dropped.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    /// Units and bytes taken, units dropped, units waiting.
    pub(crate) fn traffic(&self) -> (u64, u64, u64, usize) {
        let waiting = self.lock().units;
        (
            self.units.load(Relaxed),
            self.bytes.load(Relaxed),
            self.dropped.load(Relaxed),
            waiting,
        )
    }

    fn take(&self) -> Option<TapEvent> {
        let mut state = self.lock();
        let event = state.pop();
        if let Some(TapEvent::Unit(unit)) = &event {
            self.units.fetch_add(1, Relaxed);
            self.bytes.fetch_add(unit.data.len() as u64, Relaxed);
        }
        event.or_else(|| state.closed.map(TapEvent::Closed))
    }
}

impl State {
    fn push(&mut self, unit: Arc<TapUnit>) {
        self.units += 1;
        self.bytes += unit.data.len();
        self.events.push_back(TapEvent::Unit(unit));
    }

    fn pop(&mut self) -> Option<TapEvent> {
        let event = self.events.pop_front()?;
        if let TapEvent::Unit(unit) = &event {
            self.units -= 1;
            self.bytes -= unit.data.len();
            self.burst = self.burst.saturating_sub(1);
        }
        Some(event)
    }

    /// Drops the units before the newest key unit, all of them where there is none, and says how many. Of the descriptions
    /// in front the newest stays.
    fn skip(&mut self) -> usize {
        let is_key =
            |event: &TapEvent| matches!(event, TapEvent::Unit(u) if u.key && u.kind == MediaKind::Video);
        let newest = self.events.iter().rposition(is_key).filter(|at| *at > 0);
        let from = newest.unwrap_or(self.events.len());
        let before = self.units;
        let kept = self.events.split_off(from);
        let old = std::mem::replace(&mut self.events, kept);
        let is_description = |event: &TapEvent| matches!(event, TapEvent::Described(_));
        if let Some(described) = old.into_iter().rfind(is_description) {
            self.events.push_front(described);
        }
        let units = || {
            self.events
                .iter()
                .filter_map(|e| if let TapEvent::Unit(u) = e { Some(u) } else { None })
        };
        self.units = units().count();
        self.bytes = units().map(|u| u.data.len()).sum();
        self.burst = 0;
        self.awaits_key = newest.is_none();
        before - self.units
    }
}

/// The taker's end of a queue; dropping it leaves the stream.
pub(crate) struct Tap {
    pub(crate) queue: Arc<TapQueue>,
    pub(crate) hub: Arc<Shared>,
    /// Its place among the egress' readers.
    pub(crate) _seat: Seat,
}

impl Tap {
    /// The next event. Cancel-safe.
    pub(crate) async fn next(&mut self) -> TapEvent {
        loop {
            if let Some(event) = self.queue.take() {
                return event;
            }
            // A notice given since then is kept for us: we are the only one waiting.
            self.queue.ready.notified().await;
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.queue.gone.store(true, Relaxed);
        self.hub.nudge.notify_one();
    }
}

#[cfg(test)]
#[path = "tap_tests.rs"]
mod tests;
