//! What a cut takes away from the bus and a heal gives back: a publication, and a node's answering of questions.
//! While it is away, others find nobody there.

use super::{Shared, lock};
use crate::{Bus, DropReason, NodeService, Publication, Publish, Sent, Serving, StreamOwner};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use weft_wire::{MediaClass, NodeName, StreamEnded, StreamName, UnitBatch};

/// A publication that a cut takes away from the bus and a heal gives back.
pub(super) struct FaultyPublication {
    pub(super) inner: Arc<Mutex<Option<Publication>>>,
    pub(super) shared: Arc<Shared>,
    pub(super) keeper: tokio::task::JoinHandle<()>,
}

impl Publish for FaultyPublication {
    fn send(&mut self, class: MediaClass, batch: UnitBatch) -> Sent {
        match &mut *lock(&self.inner) {
            Some(publication) if !self.shared.is_cut() => publication.send(class, batch),
            _ => Sent::Dropped(DropReason::Away),
        }
    }

    fn end(&mut self, notice: StreamEnded) -> Sent {
        match &mut *lock(&self.inner) {
            Some(publication) if !self.shared.is_cut() => publication.end(notice),
            _ => Sent::Dropped(DropReason::Away),
        }
    }

    fn wanted(&self) -> bool {
        lock(&self.inner)
            .as_ref()
            .is_none_or(|publication| publication.wanted())
    }
}

impl Drop for FaultyPublication {
    fn drop(&mut self) {
        self.keeper.abort();
        lock(&self.inner).take();
    }
}

/// Takes the publication away at each cut and up again at each heal.
pub(super) async fn keep(
    bus: Arc<dyn Bus>,
    mut cut: watch::Receiver<bool>,
    stream: StreamName,
    owner: Arc<dyn StreamOwner>,
    publication: Arc<Mutex<Option<Publication>>>,
) {
    while cut.changed().await.is_ok() {
        if *cut.borrow_and_update() {
            lock(&publication).take();
        } else if let Ok(again) = bus.publish(stream.clone(), owner.clone()).await {
            *lock(&publication) = Some(again);
        }
    }
}

/// Takes the answering of a node's questions away at each cut and up again at each heal; ends when dropped.
pub(super) async fn keep_serving(
    bus: Arc<dyn Bus>,
    mut cut: watch::Receiver<bool>,
    node: NodeName,
    service: Arc<dyn NodeService>,
    first: Serving,
) {
    let mut serving = Some(first);
    while cut.changed().await.is_ok() {
        if *cut.borrow_and_update() {
            serving.take();
        } else if serving.is_none() {
            serving = bus.serve(node.clone(), service.clone()).await.ok();
        }
    }
}
