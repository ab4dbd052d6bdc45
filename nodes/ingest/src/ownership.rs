//! What a session asks of the registry and the bus over its life: take the name, tell the loser, check a kick, let go.
//! Each is a future the session actor spawns; none of them is on the media's way.

use crate::IngestConfig;
use crate::claim::{self, Lost, Rules, Won};
use crate::live::{Live, utc_now};
use crate::sweep::Leftovers;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use weft_bus::{Bus, LEASE_RENEWAL, NodeReply, NodeRequest, Publication, Registry, StreamOwner};
use weft_wire::{
    CloseReason, CloseRequest, Epoch, Incarnation, Kick, NodeName, SessionId, StreamName, StreamRecord,
    StreamState,
};

/// Wait before something is tried again while the registry or the bus is away.
const RETRY: Duration = Duration::from_millis(500);
/// Of so many attempts in a row one is logged: every 10 s while something is away.
const LOG_EVERY: u32 = 20;
/// A former owner's node that has not confirmed is told again after this, then ever more rarely.
const TOLD_AGAIN: Duration = Duration::from_secs(1);
const TOLD_AGAIN_MAX: Duration = Duration::from_secs(30);
/// The time its answer gets.
const TOLD_PATIENCE: Duration = Duration::from_secs(1);
/// The time an owner without a record gets to say so; "nobody there" is known at once.
const OWNER_PATIENCE: Duration = Duration::from_millis(300);
/// Attempts to remove a record; what is left after them is the sweep's.
const REMOVE_ATTEMPTS: usize = 3;
/// A view of the nodes older than this says nothing about who is gone.
const VIEW_FRESH: Duration = LEASE_RENEWAL.saturating_mul(3);

/// What all sessions of a node stand on.
#[derive(Clone)]
pub(crate) struct Fabric {
    pub(crate) config: Arc<IngestConfig>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) members: weft_bus::Members,
    /// Records of sessions that ended while the registry could not be reached.
    pub(crate) leftovers: Arc<Leftovers>,
}

impl Fabric {
    pub(crate) fn new(
        config: Arc<IngestConfig>,
        bus: Arc<dyn Bus>,
        registry: Arc<dyn Registry>,
        members: weft_bus::Members,
    ) -> Self {
        Self {
            config,
            bus,
            registry,
            members,
            leftovers: Arc::default(),
        }
    }

    /// Whether this run of a node holds its lease; `None` while the table of nodes is out of reach.
    pub(crate) fn is_live(&self, node: &NodeName, incarnation: Incarnation) -> Option<bool> {
        let view = self.members.view();
        let fresh = view.as_of.is_some_and(|at| at.elapsed() <= VIEW_FRESH);
        let seen = view.nodes.get(node);
        fresh.then(|| seen.is_some_and(|seen| seen.record.incarnation == incarnation))
    }
}

/// How a claim ended.
pub(crate) enum Claiming {
    /// The name is ours and the bus has taken the stream up.
    Won {
        won: Won,
        publication: Publication,
        /// The bus was away after the claim: nobody could tell us of a later one.
        late: bool,
    },
    /// The name is ours, but the session ended meanwhile or the bus will never publish.
    Useless(Won),
    /// Somebody else's for good, or the session ended before it was won.
    Lost(CloseReason),
}

/// The record by which a session holds its name.
pub(crate) fn record(live: &Live, since: i64) -> StreamRecord {
    StreamRecord {
        node: live.identity.name.clone(),
        incarnation: live.identity.incarnation,
        session: live.id,
        since,
    }
}

/// Claims the name and takes up publishing, trying as long as the session lives. Its units are held meanwhile, within the
/// bounds of the units kept for joins.
pub(crate) async fn take(fabric: Fabric, live: Arc<Live>, moves: Option<SessionId>) -> Claiming {
    let record = record(&live, utc_now().0);
    let rules = Rules {
        override_publisher: fabric.config.overrides(&live.stream),
        moves,
    };
    let mut attempts = 0_u32;
    let mut over = None;
    let mut won = loop {
        let (bus, registry) = (&*fabric.bus, &*fabric.registry);
        match claim::claim(bus, registry, &live.stream, &record, rules, &mut over).await {
            Ok(won) => break won,
            Err(Lost::Conflict) => return Claiming::Lost(CloseReason::Conflict),
            Err(Lost::Overtaken) => return Claiming::Lost(CloseReason::TakenOver),
            Err(Lost::Away(error)) if attempts.is_multiple_of(LOG_EVERY) => {
                tracing::warn!(stream = %live.stream, session = %live.id, %error, "name not claimed yet");
            }
            Err(Lost::Away(_)) => {}
        }
        attempts += 1;
        if let Some(reason) = live.status().ended {
            return Claiming::Lost(reason);
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
    if won.over.is_none() {
        won.over = unrecorded(&fabric, &live).await;
    }
    attempts = 0;
    loop {
        if live.status().ended.is_some() {
            return Claiming::Useless(won);
        }
        let owner: Arc<dyn StreamOwner> = live.clone();
        match fabric.bus.publish(live.stream.clone(), owner).await {
            Ok(publication) => {
                let late = attempts > 0;
                return Claiming::Won {
                    won,
                    publication,
                    late,
                };
            }
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

/// An owner that answers though the name was free: its record has vanished, and nothing tells it of ours. Asked before
/// this session answers itself.
async fn unrecorded(fabric: &Fabric, live: &Live) -> Option<StreamRecord> {
    let asked = timeout(OWNER_PATIENCE, fabric.bus.owner(live.stream.clone())).await;
    let owner = asked.ok()?.ok()?;
    (owner.session != live.id).then_some(StreamRecord {
        node: owner.node,
        incarnation: owner.incarnation,
        session: owner.session,
        since: owner.since,
    })
}

/// Tells the session that lost the name on another node: on the stream's subject, and by its id, until its node says that
/// it has it no more, or that node's lease is gone, or the winner ends too.
pub(crate) async fn tell_loser(fabric: Fabric, live: Arc<Live>, loser: StreamRecord) {
    let mut pause = TOLD_AGAIN;
    let node = live.identity.name.clone();
    let reason = CloseReason::TakenOver;
    while live.status().ended.is_none() {
        let kick = Kick {
            node: node.clone(),
            reason,
        };
        // Ours hears it too and finds that it is the owner.
        if let Err(error) = fabric.bus.kick(live.stream.clone(), kick).await {
            tracing::debug!(stream = %live.stream, session = %live.id, other = %loser.node, %error, "former owner not told");
        }
        let close = NodeRequest::Close(CloseRequest {
            node: node.clone(),
            session: loser.session,
            reason,
        });
        let asked = fabric.bus.ask(loser.node.clone(), close, TOLD_PATIENCE).await;
        match asked {
            Ok(NodeReply::Close(reply)) if !reply.found => return,
            // It closes: whether it did is asked again.
            Ok(_) => {}
            Err(_) if fabric.is_live(&loser.node, loser.incarnation) == Some(false) => return,
            Err(error) => {
                tracing::debug!(stream = %live.stream, session = %live.id, other = %loser.node, %error, "former owner's node silent");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(TOLD_AGAIN_MAX);
    }
}

/// True when somebody else holds the name by a later claim than `own`. Not knowing is no loss: media that flows goes on.
pub(crate) async fn is_lost(fabric: Fabric, live: Arc<Live>, own: Epoch) -> bool {
    match fabric.registry.lookup(live.stream.clone()).await {
        Ok(Some(held)) => held.record.session != live.id && held.epoch > own,
        Ok(None) | Err(_) => is_outranked(&fabric, &live, own).await,
    }
}

/// True when another session answers for the stream with a higher epoch.
pub(crate) async fn is_outranked(fabric: &Fabric, live: &Live, own: Epoch) -> bool {
    let owner = fabric.bus.owner(live.stream.clone()).await;
    owner.is_ok_and(|owner| owner.session != live.id && owner.epoch > own)
}

/// What a session that ends may have in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holding {
    /// Nothing.
    Nothing,
    /// A record of this epoch.
    Record(Epoch),
    /// Perhaps one: its claim was broken off.
    Unsure,
}

/// Removes the session's record, if it has one that is still its own.
pub(crate) async fn leave(fabric: Fabric, live: Arc<Live>, holding: Holding) {
    if holding == Holding::Nothing {
        return;
    }
    for attempt in 1..=REMOVE_ATTEMPTS {
        match let_go(&*fabric.registry, &live, holding).await {
            Ok(()) => return,
            Err(error) if attempt == REMOVE_ATTEMPTS => {
                tracing::warn!(stream = %live.stream, session = %live.id, %error, "record not removed yet");
                fabric.leftovers.add(live.stream.clone(), live.id);
            }
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

async fn let_go(registry: &dyn Registry, live: &Live, holding: Holding) -> Result<(), weft_bus::Error> {
    if let Holding::Record(epoch) = holding
        && registry.remove(live.stream.clone(), epoch).await?
    {
        return Ok(());
    }
    // Gone, somebody else's by now, or ours by a claim whose answer never came.
    remove_if_of(registry, &live.stream, live.id).await
}

/// Removes a stream's record if it is this session's.
pub(crate) async fn remove_if_of(
    registry: &dyn Registry,
    stream: &StreamName,
    session: SessionId,
) -> Result<(), weft_bus::Error> {
    match registry.lookup(stream.clone()).await? {
        Some(held) if held.record.session == session => {
            registry.remove(stream.clone(), held.epoch).await.map(|_| ())
        }
        _ => Ok(()),
    }
}
