//! A publisher's session as the rules of ownership see it: who it is, which epoch it holds, whether it has ended.
//! It stands where `weft-ingest`'s own stands, so that the files `claim` and `standing` of that crate are walked as they are.

use crate::camera::Camera;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;
use weft_bus::{StreamOwner, UnitsAnswer};
use weft_wire::{
    CloseReason, Epoch, Incarnation, KeyframeRequest, Kick, NodeName, OwnerInfo, SessionId, StreamName,
    StreamRecord, StreamState, UnitsRequest,
};

/// What changes of a session.
#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(crate) epoch: Epoch,
    pub(crate) since: i64,
    pub(crate) ended: Option<CloseReason>,
}

/// One session.
pub(crate) struct Live {
    pub(crate) id: SessionId,
    pub(crate) stream: StreamName,
    pub(crate) node: NodeName,
    pub(crate) incarnation: Incarnation,
    status: Mutex<Status>,
    camera: Mutex<Camera>,
    /// Somebody said that the name is his: looked at by the session.
    pub(crate) kicked: tokio::sync::Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    pub(crate) fn new(
        number: u32,
        began: Instant,
        stream: StreamName,
        node: NodeName,
        incarnation: Incarnation,
    ) -> Arc<Self> {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        Arc::new(Self {
            id: SessionId(id),
            stream,
            node,
            incarnation,
            status: Mutex::default(),
            camera: Mutex::new(Camera::new(number, began)),
            kicked: tokio::sync::Notify::new(),
        })
    }

    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        lock(&self.status)
    }

    pub(crate) fn camera(&self) -> MutexGuard<'_, Camera> {
        lock(&self.camera)
    }

    /// Ends it, unless it has ended before.
    pub(crate) fn end(&self, reason: CloseReason) {
        self.status().ended.get_or_insert(reason);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.status().ended.is_some()
    }

    pub(crate) fn record(&self, since: i64) -> StreamRecord {
        StreamRecord {
            node: self.node.clone(),
            incarnation: self.incarnation,
            session: self.id,
            since,
        }
    }
}

impl StreamOwner for Live {
    fn units(&self, request: &UnitsRequest) -> UnitsAnswer {
        let epoch = self.status().epoch;
        self.camera().answer(self.id, epoch, request)
    }

    fn keyframe(&self, request: KeyframeRequest) {
        self.camera().key_wanted |= request.now;
    }

    fn owner(&self) -> OwnerInfo {
        let epoch = self.status().epoch;
        let camera = self.camera();
        OwnerInfo {
            node: self.node.clone(),
            incarnation: self.incarnation,
            session: self.id,
            epoch,
            state: StreamState::Live,
            since: 0,
            tracks: vec![Camera::track()],
            inbound_bytes: 0,
            inbound_packets: 0,
            packets_lost: 0,
            units_in_error: 0,
            units: camera.next,
            media_age_ms: camera.media_age_ms(),
            remote: String::new(),
        }
    }

    fn kick(&self, kick: Kick) {
        match kick.reason {
            CloseReason::TakenOver => self.kicked.notify_one(),
            reason => self.end(reason),
        }
    }
}
