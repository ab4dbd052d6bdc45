//! What is kept of one stream: its newest key unit, snapshots of it, and when somebody asked last.
//! Its task (`follow`) replaces the picture; requests only look.

use super::Missing;
use super::snapshots::Variants;
use super::still::Still;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use weft_wire::StreamName;

/// What there is to be had.
#[derive(Debug, Clone)]
pub(crate) enum State {
    /// None has come yet.
    Waiting,
    Picture(Arc<Still>),
    /// No more will come here; the next request begins anew.
    Over(Missing),
}

/// One stream.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) stream: StreamName,
    pub(crate) since: Instant,
    pub(crate) state: watch::Sender<State>,
    /// Its place is given to another stream.
    pub(crate) dismissed: Notify,
    pub(crate) variants: Mutex<Variants>,
    asked: Mutex<Instant>,
}

impl Kept {
    pub(crate) fn new(stream: StreamName, now: Instant) -> Self {
        Self {
            stream,
            since: now,
            state: watch::Sender::new(State::Waiting),
            dismissed: Notify::new(),
            variants: Mutex::default(),
            asked: Mutex::new(now),
        }
    }

    /// Somebody asked.
    pub(crate) fn asked(&self, now: Instant) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// When somebody asked last.
    pub(crate) fn last_asked(&self) -> Instant {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(*self.state.borrow(), State::Over(_))
    }
}
