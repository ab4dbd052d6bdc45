//! Calls the roll of the nodes: makes of the entries in the table of leases who was heard when.
//! Who is gone for good is decided by the view's own rules: the server's word that leases expired takes nobody away.

use super::bucket::{Bucket, Found};
use super::follow::{News, Reader, What, keep_up};
use crate::Counters;
use crate::table::Table;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use weft_wire::{Message, NodeName, NodeRecord};

/// Follows the table for ever.
pub(super) async fn watch(bucket: Arc<Bucket>, table: Arc<Table>, life: Duration) {
    let heartbeat = (life / 20).clamp(Duration::from_millis(100), Duration::from_secs(1));
    let roll = Roll {
        bucket: bucket.clone(),
        table,
        revisions: HashMap::new(),
        generation: 0,
    };
    keep_up(bucket, heartbeat, roll).await;
}

struct Roll {
    bucket: Arc<Bucket>,
    table: Arc<Table>,
    /// Of each node, the revision it was last heard at: what is listed again was not heard again.
    revisions: HashMap<NodeName, u64>,
    /// Of the bucket they are of: one made anew counts from 1 again.
    generation: u64,
}

impl Reader for Roll {
    fn begins(&mut self, found: &Found) {
        if found.generation != self.generation {
            self.generation = found.generation;
            self.revisions.clear();
        }
    }

    /// A list says of each node how long before the newest of them it wrote: so much earlier it was heard.
    fn listed(&mut self, list: Vec<News>) {
        let now = Instant::now();
        let newest = list.iter().map(|entry| entry.written).max().unwrap_or_default();
        for entry in list {
            let before = u64::try_from(newest - entry.written).unwrap_or_default();
            let heard = now.checked_sub(Duration::from_micros(before)).unwrap_or(now);
            self.apply(entry, heard);
        }
    }

    fn news(&mut self, news: News) {
        self.apply(news, Instant::now());
    }

    fn in_reach(&mut self) {
        let now = Instant::now();
        self.table.in_reach(now);
        self.table.sweep(now);
    }
}

impl Roll {
    fn apply(&mut self, news: News, heard: Instant) {
        let Some(node) = NodeName::from_escaped(&news.key) else {
            return;
        };
        let bytes = match news.what {
            What::Put(bytes) => bytes,
            What::Removed => {
                self.revisions.remove(&node);
                return self.table.released(&node);
            }
            What::Expired => {
                self.revisions.remove(&node);
                return;
            }
        };
        match NodeRecord::decode(&bytes) {
            Ok(record) => {
                let known = self.revisions.insert(node.clone(), news.revision);
                if known != Some(news.revision) || self.table.seen(&node).is_none() {
                    self.table.heard(node, record, heard);
                }
            }
            Err(error) => {
                Counters::one(&self.bucket.link.counters.malformed);
                tracing::warn!(other = %node, %error, "a lease cannot be read");
                self.revisions.remove(&node);
            }
        }
    }
}
