//! The table of nodes of a single process: the node itself, and in tests the others that share its bus.
//! It keeps the rules of the table in NATS, so that what works here works there.

use super::MemoryBus;
use crate::table::Table;
use crate::{Error, LEASE_LIFE, LeaseError, Leases, NodesView};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use weft_wire::{NodeName, NodeRecord};

/// How often it is looked whose lease is over.
const SWEEP: Duration = Duration::from_millis(500);

pub(super) struct NodeTable {
    table: Table,
    life: Duration,
    /// Looking and writing are one step.
    write: Mutex<()>,
    swept: AtomicBool,
}

impl NodeTable {
    pub(super) fn new(life: Duration) -> Arc<Self> {
        Arc::new(Self {
            table: Table::new(life),
            life,
            write: Mutex::new(()),
            swept: AtomicBool::new(false),
        })
    }

    fn keep(self: &Arc<Self>, node: NodeName, record: NodeRecord) -> Result<(), LeaseError> {
        self.sweep_on();
        let _writing = self.write.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let held = self
            .table
            .seen(&node)
            .filter(|seen| seen.record.incarnation != record.incarnation && now - seen.heard < self.life);
        if let Some(held) = held {
            return Err(LeaseError::Held(Box::new(held.record)));
        }
        self.table.heard(node, record, now);
        self.table.in_reach(now);
        Ok(())
    }

    fn release(&self, node: &NodeName, record: &NodeRecord) {
        let _writing = self.write.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.table.seen(node);
        if held.is_some_and(|held| held.record.incarnation == record.incarnation) {
            self.table.released(node);
        }
    }

    /// Begins to look whose lease is over, with the first one there is: a table without leases costs no task.
    fn sweep_on(self: &Arc<Self>) {
        if self.swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let (table, every) = (Arc::downgrade(self), SWEEP.min(self.life / 4));
        tokio::spawn(async move {
            loop {
                sleep(every).await;
                let Some(table) = Weak::upgrade(&table) else {
                    return;
                };
                let now = Instant::now();
                table.table.in_reach(now);
                table.table.sweep(now);
            }
        });
    }
}

impl MemoryBus {
    /// A bus whose leases live for `life` instead of [`LEASE_LIFE`]: for tests.
    #[must_use]
    pub fn with_lease_life(life: Duration) -> Self {
        Self::made(NodeTable::new(life))
    }

    pub(super) fn usual_leases() -> Arc<NodeTable> {
        NodeTable::new(LEASE_LIFE)
    }
}

impl Leases for MemoryBus {
    fn keep(&self, node: NodeName, record: NodeRecord) -> BoxFuture<'_, Result<(), LeaseError>> {
        async move { self.shared.leases.keep(node, record) }.boxed()
    }

    fn release(&self, node: NodeName, record: NodeRecord) -> BoxFuture<'_, Result<(), Error>> {
        self.shared.leases.release(&node, &record);
        ready(Ok(())).boxed()
    }

    fn view(&self) -> watch::Receiver<Arc<NodesView>> {
        self.shared.leases.table.view()
    }
}
