//! What a session asks of the registry and the bus over its life: take the name, tell the loser, check a claim, let go.
//! Each is a future the session actor spawns; none of them is on the media's way.

use crate::IngestConfig;
use crate::claim::{self, Lost, Won};
use crate::live::{Live, utc_now};
use std::sync::Arc;
use std::time::Duration;
use weft_bus::{Bus, Publication, Registry, StreamOwner};
use weft_wire::{CloseReason, Epoch, Kick, NodeName, StreamName, StreamRecord, StreamState};

/// Wait before something is tried again while the registry or the bus is away.
const RETRY: Duration = Duration::from_millis(500);
/// Of so many attempts in a row one is logged: every 10 s while something is away.
const LOG_EVERY: u32 = 20;
/// The former owner's node is told at once, and again in case it was away.
const KICK_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];
/// Attempts to remove a record; what is left after them falls with the node's lease.
const REMOVE_ATTEMPTS: usize = 3;

/// What all sessions of a node stand on.
#[derive(Clone)]
pub(crate) struct Fabric {
    pub(crate) config: Arc<IngestConfig>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) registry: Arc<dyn Registry>,
    /// Read when an offer must go elsewhere.
    #[allow(dead_code, reason = "placement comes next")]
    pub(crate) members: weft_bus::Members,
}

/// How a claim ended.
pub(crate) enum Claiming {
    /// The name is ours and the bus has taken the stream up.
    Won(Won, Publication),
    /// The name is ours, but the session ended meanwhile or the bus will never publish.
    Useless(Won),
    /// Somebody else's for good, or the session ended before it was won.
    Taken,
}

/// Claims the name and takes up publishing, trying as long as the session lives. Its units are held meanwhile.
pub(crate) async fn take(fabric: Fabric, live: Arc<Live>) -> Claiming {
    let record = StreamRecord {
        node: live.identity.name.clone(),
        incarnation: live.identity.incarnation,
        session: live.id,
        since: utc_now().0,
    };
    let over = fabric.config.override_publisher;
    let mut attempts = 0_u32;
    let won = loop {
        match claim::claim(&*fabric.bus, &*fabric.registry, &live.stream, &record, over).await {
            Ok(won) => break won,
            Err(Lost::Taken) => return Claiming::Taken,
            Err(Lost::Away(error)) if attempts.is_multiple_of(LOG_EVERY) => {
                tracing::warn!(stream = %live.stream, session = %live.id, %error, "name not claimed yet");
            }
            Err(Lost::Away(_)) => {}
        }
        attempts += 1;
        if live.status().ended.is_some() {
            return Claiming::Taken;
        }
        tokio::time::sleep(RETRY).await;
    };
    {
        // Before the bus asks: every answer carries the claim.
        let mut status = live.status();
        status.epoch = won.epoch;
        status.since = record.since;
        status.state = StreamState::Live;
    }
    attempts = 0;
    loop {
        if live.status().ended.is_some() {
            return Claiming::Useless(won);
        }
        let owner: Arc<dyn StreamOwner> = live.clone();
        match fabric.bus.publish(live.stream.clone(), owner).await {
            Ok(publication) => return Claiming::Won(won, publication),
            Err(error @ weft_bus::Error::Refused(_)) => {
                tracing::error!(stream = %live.stream, session = %live.id, %error, "bus refused the stream");
                return Claiming::Useless(won);
            }
            Err(error) if attempts.is_multiple_of(LOG_EVERY) => {
                tracing::warn!(stream = %live.stream, session = %live.id, %error, "stream not published yet");
            }
            Err(_) => {}
        }
        attempts += 1;
        tokio::time::sleep(RETRY).await;
    }
}

/// Tells the session that lost the name on another node. Ours hears it too and finds that it is the owner.
pub(crate) async fn tell_loser(fabric: Fabric, live: Arc<Live>, loser: NodeName) {
    for pause in KICK_PAUSES {
        tokio::time::sleep(pause).await;
        if live.status().ended.is_some() {
            return;
        }
        let kick = Kick {
            node: live.identity.name.clone(),
            reason: CloseReason::TakenOver,
        };
        if let Err(error) = fabric.bus.kick(live.stream.clone(), kick).await {
            tracing::debug!(stream = %live.stream, node = %loser, %error, "former owner not told");
        }
    }
}

/// True when somebody holds the name by a later claim than `own`. Not knowing is no loss: media that flows goes on.
pub(crate) async fn is_lost(fabric: Fabric, stream: StreamName, own: Epoch) -> bool {
    match fabric.registry.lookup(stream.clone()).await {
        Ok(Some(held)) => held.epoch > own,
        Ok(None) | Err(_) => fabric
            .bus
            .owner(stream)
            .await
            .is_ok_and(|owner| owner.epoch > own),
    }
}

/// Removes the session's record, if it has one that is still its own.
pub(crate) async fn leave(fabric: Fabric, live: Arc<Live>, record: Option<Epoch>) {
    let Some(epoch) = record else { return };
    for attempt in 1..=REMOVE_ATTEMPTS {
        match fabric.registry.remove(live.stream.clone(), epoch).await {
            Ok(_) => return,
            Err(error) if attempt == REMOVE_ATTEMPTS => {
                tracing::warn!(stream = %live.stream, session = %live.id, %error, "record not removed");
            }
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}
