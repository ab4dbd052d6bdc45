//! The view of all nodes as it is built up here: who was heard when, and when that is too long ago.
//! Where the news comes from is the business of each bus.

use crate::leases::{NodesView, SeenNode};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use weft_wire::{NodeName, NodeRecord};

/// One node's view of all nodes.
#[derive(Debug)]
pub(crate) struct Table {
    view: watch::Sender<Arc<NodesView>>,
    life: Duration,
    /// When the table came into reach again after it had been out of it.
    resumed: Mutex<Option<Instant>>,
}

impl Table {
    /// Nobody in it yet; `life` is how long a node stays after it was last heard.
    pub(crate) fn new(life: Duration) -> Self {
        Self {
            view: watch::Sender::new(Arc::default()),
            life,
            resumed: Mutex::new(None),
        }
    }

    /// Without a word for this long the table counts as out of reach: two renewals of each node.
    fn blind(&self) -> Duration {
        self.life * 2 / 5
    }

    /// The view now and at each change.
    pub(crate) fn view(&self) -> watch::Receiver<Arc<NodesView>> {
        self.view.subscribe()
    }

    /// The node as it is in the view.
    pub(crate) fn seen(&self, node: &NodeName) -> Option<SeenNode> {
        self.view.borrow().nodes.get(node).cloned()
    }

    /// A node was heard of at `heard`.
    pub(crate) fn heard(&self, node: NodeName, record: NodeRecord, heard: Instant) {
        self.view.send_modify(|view| {
            let nodes = &mut Arc::make_mut(view).nodes;
            nodes.insert(node, SeenNode { record, heard });
        });
    }

    /// A node gave its lease up.
    pub(crate) fn released(&self, node: &NodeName) {
        self.view.send_if_modified(|view| {
            let known = view.nodes.contains_key(node);
            if known {
                Arc::make_mut(view).nodes.remove(node);
            }
            known
        });
    }

    /// The table was in reach at `now`.
    pub(crate) fn in_reach(&self, now: Instant) {
        let mut before = None;
        self.view.send_modify(|view| {
            let as_of = &mut Arc::make_mut(view).as_of;
            before = as_of.replace(now);
        });
        if before.is_some_and(|before| now.saturating_duration_since(before) > self.blind()) {
            *self.resumed() = Some(now);
        }
    }

    /// Takes out who was not heard for a whole life. The time that the table was out of reach says nothing about anybody:
    /// nobody is taken out during it, and whoever is still there after it has a whole life to be heard again.
    pub(crate) fn sweep(&self, now: Instant) {
        let resumed = *self.resumed();
        let gone = |heard: Instant| {
            let since = resumed.map_or(heard, |resumed| resumed.max(heard));
            now.saturating_duration_since(since) >= self.life
        };
        self.view.send_if_modified(|view| {
            let sees = view
                .as_of
                .is_some_and(|as_of| now.saturating_duration_since(as_of) <= self.blind());
            if !sees || !view.nodes.values().any(|seen| gone(seen.heard)) {
                return false;
            }
            let nodes = &mut Arc::make_mut(view).nodes;
            nodes.retain(|node, seen| {
                let stays = !gone(seen.heard);
                if !stays {
                    tracing::info!(other = %node, "a node was not heard of for the life of its lease");
                }
                stays
            });
            true
        });
    }

    fn resumed(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.resumed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_wire::{Incarnation, NodeAddresses, NodeLimits, NodeLoad, NodeRole};

    const LIFE: Duration = Duration::from_secs(20);

    fn name(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    fn record() -> NodeRecord {
        NodeRecord {
            role: NodeRole::Ingest,
            incarnation: Incarnation(1),
            version: String::new(),
            addresses: NodeAddresses::default(),
            load: NodeLoad::default(),
            limits: NodeLimits::default(),
            draining: false,
            started: 0,
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// In reach each second from `from` to `to`.
    fn watch(table: &Table, start: Instant, from: u64, to: u64) {
        for second in from..=to {
            table.in_reach(start + seconds(second));
            table.sweep(start + seconds(second));
        }
    }

    #[test]
    fn a_node_that_is_not_heard_leaves_after_the_life_of_its_lease() {
        let (table, start) = (Table::new(LIFE), Instant::now());
        table.heard(name("a"), record(), start);
        table.heard(name("b"), record(), start + seconds(3));
        watch(&table, start, 0, 19);
        assert_eq!(table.view().borrow().nodes.len(), 2);
        watch(&table, start, 20, 20);
        assert!(table.seen(&name("a")).is_none());
        assert!(table.seen(&name("b")).is_some());
    }

    #[test]
    fn the_time_out_of_reach_takes_nobody_away() {
        let (table, start) = (Table::new(LIFE), Instant::now());
        table.heard(name("a"), record(), start);
        watch(&table, start, 0, 5);
        for second in 6..100 {
            table.sweep(start + seconds(second));
        }
        assert!(table.seen(&name("a")).is_some(), "nothing is known of it");
        watch(&table, start, 100, 119);
        assert!(table.seen(&name("a")).is_some(), "it may still come back");
        watch(&table, start, 120, 120);
        assert!(table.seen(&name("a")).is_none());
    }

    #[test]
    fn a_short_silence_of_the_table_gives_nobody_more_time() {
        let (table, start) = (Table::new(LIFE), Instant::now());
        table.heard(name("a"), record(), start);
        watch(&table, start, 0, 5);
        watch(&table, start, 12, 20);
        assert!(table.seen(&name("a")).is_none());
    }
}
