//! Calls the roll of the nodes: lists the table of leases and follows it, and begins anew whenever anything was missed.
//! Who is gone for good is decided by the view's own rules: the server's word that leases expired takes nobody away.

use super::bucket::{Bucket, STEP};
use super::link::Health;
use crate::Counters;
use crate::table::Table;
use crate::throttle::Throttle;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, push};
use async_nats::{HeaderMap, Message as NatsMessage, StatusCode, jetstream};
use futures::StreamExt;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use weft_wire::{Message, NodeName, NodeRecord};

/// Between two attempts.
const RETRY: Duration = Duration::from_millis(250);
/// A consumer that nobody listens to any more is ended by the server after this long.
const ABANDONED: Duration = Duration::from_secs(10);
const LOG_PERIOD: Duration = Duration::from_secs(30);

/// Why the roll is called anew.
type Why = String;

/// Follows the table for ever: across reconnects, changes of leader, servers that come back without their store.
pub(super) async fn watch(bucket: Arc<Bucket>, table: Arc<Table>, life: Duration) {
    let mut roll = Roll {
        bucket,
        table,
        heartbeat: (life / 20).clamp(Duration::from_millis(100), Duration::from_secs(1)),
        revisions: HashMap::new(),
        generation: 0,
    };
    let mut say = Throttle::new(LOG_PERIOD);
    loop {
        let mut health = roll.bucket.link.health();
        // The sender lives as long as the link.
        if health
            .wait_for(|health| matches!(health, Health::Up(_)))
            .await
            .is_err()
        {
            return;
        }
        health.mark_unchanged();
        let why = tokio::select! {
            why = roll.follow() => why,
            _ = health.changed() => "the connection changed".to_owned(),
        };
        if say.allow() {
            tracing::debug!(%why, "the nodes are listed anew");
        }
        sleep(RETRY).await;
    }
}

struct Roll {
    bucket: Arc<Bucket>,
    table: Arc<Table>,
    /// The server says this often that there is no news: that is news too.
    heartbeat: Duration,
    /// Of each node, the revision it was last heard at: what is listed again was not heard again.
    revisions: HashMap<NodeName, u64>,
    /// Of the bucket they are of: one made anew counts from 1 again.
    generation: u64,
}

/// One entry of the table.
struct Entry {
    node: NodeName,
    revision: u64,
    /// µs since 1970 by the server's clock.
    written: i64,
    what: What,
}

enum What {
    Lease(NodeRecord),
    /// Given up by its node.
    Released,
    /// Expired, says the server; or not to be read.
    Nothing,
}

impl Roll {
    /// Lists the table and follows it until something is missed.
    async fn follow(&mut self) -> Why {
        match self.following().await {
            Ok(never) => match never {},
            Err(why) => why,
        }
    }

    async fn following(&mut self) -> Result<std::convert::Infallible, Why> {
        let found = self.bucket.find().await.map_err(|e| e.to_string())?;
        if found.generation != self.generation {
            self.generation = found.generation;
            self.revisions.clear();
        }
        let prefix = found.store.prefix.clone();
        let link = self.bucket.link.clone();
        let inbox = link.client.new_inbox();
        let mut news = link.subscribe(inbox.clone()).await.map_err(|e| e.to_string())?;
        let consumer = found.store.stream.create_consumer(push::Config {
            deliver_subject: inbox,
            deliver_policy: DeliverPolicy::LastPerSubject,
            ack_policy: AckPolicy::None,
            filter_subject: format!("{prefix}>"),
            idle_heartbeat: self.heartbeat,
            inactive_threshold: ABANDONED,
            memory_storage: true,
            num_replicas: 1,
            ..push::Config::default()
        });
        let consumer = match consumer.await {
            Ok(consumer) => consumer,
            Err(e) => {
                self.bucket.forget().await;
                return Err(e.to_string());
            }
        };
        let patience = (self.heartbeat * 3).max(STEP);
        let mut last = 0;
        let mut listed = Vec::new();
        let mut listing = consumer.cached_info().num_pending > 0;
        if !listing {
            self.heard_of_table();
        }
        loop {
            let message = match timeout(patience, news.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => return Err("the subscription ended".into()),
                Err(_) => return Err("the server says nothing any more".into()),
            };
            if message.status == Some(StatusCode::IDLE_HEARTBEAT) {
                if header(&message, "Nats-Last-Consumer").and_then(|n| n.parse().ok()) != Some(last) {
                    return Err("news was lost".into());
                }
            } else {
                let message = jetstream::Message {
                    message,
                    context: self.bucket.context.clone(),
                };
                let info = message.info().map_err(|e| e.to_string())?;
                if info.consumer_sequence != last + 1 {
                    return Err("news was lost".into());
                }
                last = info.consumer_sequence;
                let written = i64::try_from(info.published.unix_timestamp_nanos() / 1000).unwrap_or_default();
                let (revision, pending) = (info.stream_sequence, info.pending);
                if let Some(entry) = self.read(&message, &prefix, revision, written) {
                    if listing {
                        listed.push(entry);
                    } else {
                        self.apply(entry, Instant::now());
                    }
                }
                listing &= pending > 0;
            }
            if !listing {
                self.apply_list(std::mem::take(&mut listed));
                self.heard_of_table();
            }
        }
    }

    fn heard_of_table(&self) {
        let now = Instant::now();
        self.table.in_reach(now);
        self.table.sweep(now);
    }

    fn read(&self, message: &NatsMessage, prefix: &str, revision: u64, written: i64) -> Option<Entry> {
        let key = message.subject.strip_prefix(prefix)?;
        let node = NodeName::from_escaped(key)?;
        let what = if header(message, "Nats-Marker-Reason").is_some() {
            What::Nothing
        } else if header(message, "KV-Operation").is_some() {
            What::Released
        } else {
            match NodeRecord::decode(&message.payload) {
                Ok(record) => What::Lease(record),
                Err(error) => {
                    Counters::one(&self.bucket.link.counters.malformed);
                    tracing::warn!(%node, %error, "a lease cannot be read");
                    What::Nothing
                }
            }
        };
        Some(Entry {
            node,
            revision,
            written,
            what,
        })
    }

    /// A list says of each node how long before the newest of them it wrote: so much earlier it was heard.
    fn apply_list(&mut self, list: Vec<Entry>) {
        let now = Instant::now();
        let newest = list.iter().map(|entry| entry.written).max().unwrap_or_default();
        for entry in list {
            let before = u64::try_from(newest - entry.written).unwrap_or_default();
            let heard = now.checked_sub(Duration::from_micros(before)).unwrap_or(now);
            self.apply(entry, heard);
        }
    }

    fn apply(&mut self, entry: Entry, heard: Instant) {
        match entry.what {
            What::Lease(record) => {
                let known = self.revisions.insert(entry.node.clone(), entry.revision);
                if known != Some(entry.revision) || self.table.seen(&entry.node).is_none() {
                    self.table.heard(entry.node, record, heard);
                }
            }
            What::Released => {
                self.revisions.remove(&entry.node);
                self.table.released(&entry.node);
            }
            What::Nothing => {
                self.revisions.remove(&entry.node);
            }
        }
    }
}

fn header<'a>(message: &'a NatsMessage, name: &str) -> Option<&'a str> {
    let headers: &HeaderMap = message.headers.as_ref()?;
    headers.get(name).map(async_nats::HeaderValue::as_str)
}
