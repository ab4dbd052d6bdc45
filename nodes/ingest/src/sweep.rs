//! Records that nobody stands behind any more are removed here: those of nodes that died, by one node of the fabric, and
//! those this node's own sessions could not remove. Design §7's conditions for it; live media is never touched.

mod leftovers;
#[cfg(test)]
mod tests;

pub(crate) use leftovers::Leftovers;

use crate::config::Identity;
use crate::counters::{Counters, add};
use crate::ownership::Fabric;
use futures::StreamExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use weft_bus::{NodesView, Registered, RequestError};
use weft_wire::{Incarnation, NodeName, NodeRole};

/// How often the view of the nodes is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Time between the two questions for an owner.
const APART: Duration = Duration::from_secs(10);
/// The table must have had its leader, and this node its connection, for so long.
const STEADY: Duration = Duration::from_secs(30);
/// Time to the next look while there are records without a lease that somebody answers for.
const AGAIN: Duration = Duration::from_secs(60);
/// Records asked about at once.
const AT_ONCE: usize = 16;
/// The time an owner gets to answer; "nobody there" is known at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs for the life of the node.
pub(crate) async fn run(fabric: Fabric, identity: Identity, counters: Arc<Counters>) {
    let mut sweep = Sweep {
        fabric,
        identity,
        counters,
        seen: BTreeMap::new(),
        due: true,
        not_before: Instant::now(),
    };
    loop {
        sleep(LOOK).await;
        sweep.fabric.leftovers.retry(&*sweep.fabric.registry).await;
        sweep.look().await;
    }
}

struct Sweep {
    fabric: Fabric,
    identity: Identity,
    counters: Arc<Counters>,
    /// The runs of nodes that held a lease at the last look.
    seen: BTreeMap<NodeName, Incarnation>,
    /// A lease has gone since the records were looked through last; true at the start, for what went before.
    due: bool,
    not_before: Instant,
}

impl Sweep {
    async fn look(&mut self) {
        let view = self.fabric.members.view();
        if view.as_of.is_none() {
            return;
        }
        let now: BTreeMap<_, _> = (view.nodes.iter())
            .map(|(name, node)| (name.clone(), node.record.incarnation))
            .collect();
        let stays = |(name, run): (&NodeName, &Incarnation)| now.get(name) == Some(run);
        if !self.seen.iter().all(stays) {
            self.due = true;
            self.not_before = Instant::now();
        }
        self.seen = now;
        if !self.due || !self.leads(&view) || Instant::now() < self.not_before {
            return;
        }
        match self.pass().await {
            Ok(Done { removed, left }) => {
                // One that answers without a lease may go later, and no lease will tell.
                self.due = left;
                if left {
                    self.not_before = Instant::now() + AGAIN;
                }
                if removed > 0 {
                    add(&self.counters.records_removed, removed);
                    tracing::info!(removed, "records of nodes that are gone removed");
                }
            }
            Err(Put::Off(wait)) => self.not_before = Instant::now() + wait,
        }
    }

    /// One node does it for all: of the live ones that take publishers, the first by name.
    fn leads(&self, view: &NodesView) -> bool {
        let ingest = |role| matches!(role, NodeRole::Ingest | NodeRole::Standalone);
        let first = view.nodes.iter().find(|(_, node)| ingest(node.record.role));
        first.is_some_and(|(name, _)| *name == self.identity.name)
    }

    /// One look through all records.
    async fn pass(&self) -> Result<Done, Put> {
        self.steady().await?;
        if self
            .fabric
            .is_live(&self.identity.name, self.identity.incarnation)
            .is_none()
        {
            return Err(Put::Off(APART));
        }
        let listed = self.fabric.registry.list().await.map_err(|_| Put::Off(APART))?;
        let orphans: Vec<_> = listed.into_iter().filter(|r| self.is_orphan(r)).collect();
        let all = orphans.len();
        let mut orphans = self.unanswered(orphans).await?;
        if !orphans.is_empty() {
            sleep(APART).await;
            orphans = self.unanswered(orphans).await?;
            self.steady().await?;
        }
        let left = orphans.len() < all;
        // The node may be back by now, or another one at this work.
        orphans.retain(|r| self.is_orphan(r) && self.leads(&self.fabric.members.view()));
        let mut removed = 0;
        for orphan in orphans {
            let Registered { stream, epoch, .. } = orphan;
            let gone = self.fabric.registry.remove(stream.clone(), epoch).await;
            if gone.map_err(|_| Put::Off(APART))? {
                removed += 1;
                tracing::debug!(%stream, %epoch, session = %orphan.record.session, other = %orphan.record.node, "record removed");
            }
        }
        Ok(Done { removed, left })
    }

    async fn steady(&self) -> Result<(), Put> {
        match self.fabric.registry.steady().await {
            Ok(steady) if steady >= STEADY => Ok(()),
            Ok(steady) => Err(Put::Off(STEADY - steady)),
            Err(_) => Err(Put::Off(APART)),
        }
    }

    /// A record whose node's run is known to hold no lease. This run's own are never orphans, lease or not.
    fn is_orphan(&self, held: &Registered) -> bool {
        let (node, run) = (&held.record.node, held.record.incarnation);
        let own = *node == self.identity.name && run == self.identity.incarnation;
        !own && self.fabric.is_live(node, run) == Some(false)
    }

    /// Those of `records` whose owner's subject nobody answers on.
    async fn unanswered(&self, records: Vec<Registered>) -> Result<Vec<Registered>, Put> {
        let asked = futures::stream::iter(records).map(|held| async move {
            let owner = timeout(PATIENCE, self.fabric.bus.owner(held.stream.clone())).await;
            match owner {
                Ok(Err(RequestError::NoOwner)) => Ok(Some(held)),
                Ok(Err(RequestError::Bus(_))) => Err(Put::Off(APART)),
                // Somebody is there, well or not.
                Ok(_) | Err(_) => Ok(None),
            }
        });
        let answers: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
        answers.into_iter().filter_map(Result::transpose).collect()
    }
}

/// What a look through the records did.
#[derive(Debug)]
struct Done {
    removed: u64,
    /// There are records without a lease that somebody answers for.
    left: bool,
}

/// Not now.
#[derive(Debug)]
enum Put {
    /// Again after this.
    Off(Duration),
}
