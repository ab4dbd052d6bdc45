//! Records of this node's own sessions that ended while the registry could not be reached, kept until they are removed.
//! Those of other nodes and of earlier runs are the sweep's.

use crate::live::lock;
use crate::ownership::remove_if_of;
use std::collections::VecDeque;
use std::sync::Mutex;
use weft_bus::Registry;
use weft_wire::{SessionId, StreamName};

/// Most records kept in mind.
const MOST: usize = 10_000;

/// Records still to be removed.
#[derive(Debug, Default)]
pub(crate) struct Leftovers(Mutex<VecDeque<(StreamName, SessionId)>>);

impl Leftovers {
    /// Keeps a record in mind.
    pub(crate) fn add(&self, stream: StreamName, session: SessionId) {
        let mut left = lock(&self.0);
        left.push_back((stream, session));
        // overflow: the oldest is forgotten; its record falls with this run's lease.
        if left.len() > MOST {
            left.pop_front();
        }
    }

    /// Removes what can be removed now.
    pub(crate) async fn retry(&self, registry: &dyn Registry) {
        let waiting = lock(&self.0).len();
        for _ in 0..waiting {
            let Some((stream, session)) = lock(&self.0).pop_front() else {
                return;
            };
            if remove_if_of(registry, &stream, session).await.is_err() {
                // Still away: the others would fare no better.
                lock(&self.0).push_front((stream, session));
                return;
            }
        }
    }
}
