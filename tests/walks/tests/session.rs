//! The life of one publisher's session: it takes the name at its first key unit, publishes, looks whether it still stands,
//! and lets go. The rules of claiming and standing are `weft-ingest`'s own files.

use crate::camera::FRAME;
use crate::claim::{self, Lost, Rules};
use crate::live::Live;
use crate::ownership::{Fabric, is_lost, record};
use crate::standing::{self, LOOK_AGAIN, LOOK_EVERY, Standing};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};
use weft_bus::{Publication, StreamOwner};
use weft_wire::{CloseReason, Kick, SessionId, StreamEnded, UnitBatch};

const RETRY: Duration = Duration::from_millis(500);

/// A session and its task.
pub(crate) struct Session {
    pub(crate) live: Arc<Live>,
    task: JoinHandle<()>,
}

impl Session {
    pub(crate) fn start(fabric: Fabric, live: Arc<Live>, rules: Rules) -> Self {
        let task = tokio::spawn(run(fabric, live.clone(), rules));
        Self { live, task }
    }

    /// Its node dies: not a word, and its record stays.
    pub(crate) fn vanish(self) {
        self.task.abort();
        self.live.end(CloseReason::PeerLost);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(fabric: Fabric, live: Arc<Live>, rules: Rules) {
    if let Some(mut publication) = take(&fabric, &live, rules).await {
        publish(&fabric, &live, &mut publication).await;
        let (session, epoch) = (live.id, live.status().epoch);
        let reason = live.status().ended.unwrap_or(CloseReason::StreamEnded);
        publication.end(StreamEnded {
            session,
            epoch,
            reason,
        });
    }
    // Tried as a sweep would, for as long as the node lives.
    while remove(&fabric, live.id, &live).await.is_err() {
        sleep(RETRY).await;
    }
}

/// Claims the name and takes up publishing; `None` if it ends before.
async fn take(fabric: &Fabric, live: &Arc<Live>, rules: Rules) -> Option<Publication> {
    let own = record(live, 0);
    let mut over = None;
    let won = loop {
        if live.is_over() {
            return None;
        }
        let (bus, registry) = (&*fabric.bus, &*fabric.registry);
        match claim::claim(bus, registry, &live.stream, &own, rules, &mut over).await {
            Ok(won) => break won,
            Err(Lost::Conflict) => live.end(CloseReason::Conflict),
            Err(Lost::Overtaken) => live.end(CloseReason::TakenOver),
            Err(Lost::Away(_)) => sleep(RETRY).await,
        }
    };
    live.status().epoch = won.epoch;
    let publication = loop {
        if live.is_over() {
            return None;
        }
        let owner: Arc<dyn StreamOwner> = live.clone();
        match fabric.bus.publish(live.stream.clone(), owner).await {
            Ok(publication) => break publication,
            Err(_) => sleep(RETRY).await,
        }
    };
    if won.over.is_some() {
        tokio::spawn(tell_loser(fabric.clone(), live.clone()));
    }
    Some(publication)
}

/// Says on the stream's subject that the name has a new owner; whoever hears it looks for himself.
async fn tell_loser(fabric: Fabric, live: Arc<Live>) {
    for pause in [1, 2, 4] {
        let kick = Kick {
            node: live.node.clone(),
            reason: CloseReason::TakenOver,
        };
        // Not told is told again; whoever was out of reach looks when he is back.
        drop(fabric.bus.kick(live.stream.clone(), kick).await);
        sleep(Duration::from_secs(pause)).await;
    }
}

async fn publish(fabric: &Fabric, live: &Arc<Live>, publication: &mut Publication) {
    let mut clock = interval(FRAME);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looking = look_on(fabric.clone(), live.clone());
    tokio::pin!(looking);
    while !live.is_over() {
        tokio::select! {
            _ = clock.tick() => {
                let (session, epoch) = (live.id, live.status().epoch);
                if let Some((class, unit)) = live.camera().picture() {
                    publication.send(class, UnitBatch { session, epoch, units: vec![unit] });
                }
            }
            () = &mut looking => return,
        }
    }
}

/// Looks whether the session still stands, when it is told otherwise and when it is due; returns when it does not.
async fn look_on(fabric: Fabric, live: Arc<Live>) {
    let (mut seen, mut patience) = (None, LOOK_EVERY);
    loop {
        tokio::select! {
            () = live.kicked.notified() => {
                let own = live.status().epoch;
                if is_lost(&fabric, &live, own).await {
                    break;
                }
            }
            (number, new) = standing::due(fabric.bus.state(), seen, patience) => {
                seen = number;
                patience = LOOK_EVERY;
                match standing::look(fabric.clone(), live.clone(), new).await {
                    Standing::Kept => {}
                    Standing::Unknown => patience = LOOK_AGAIN,
                    Standing::Anew(epoch) => live.status().epoch = epoch,
                    Standing::Lost => break,
                }
            }
        }
    }
    live.end(CloseReason::TakenOver);
}

async fn remove(fabric: &Fabric, session: SessionId, live: &Live) -> Result<(), weft_bus::Error> {
    match fabric.registry.lookup(live.stream.clone()).await? {
        Some(held) if held.record.session == session => fabric
            .registry
            .remove(live.stream.clone(), held.epoch)
            .await
            .map(drop),
        _ => Ok(()),
    }
}
