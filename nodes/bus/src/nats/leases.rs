//! The table of nodes in NATS: a KV bucket whose entries the server forgets after the life of a lease, each written by its
//! own node only, by compare-and-set. How the table is watched is the work of the file `roll`.
//!
//! What a node's credentials must allow for it, whatever its role, `{inbox}` being the prefix of its control connection:
//! publish to `$KV.weft_nodes.{node}` (`$KV.weft_nodes.>` where one user serves for many nodes),
//! `$JS.API.STREAM.INFO.KV_weft_nodes`, `$JS.API.CONSUMER.CREATE.KV_weft_nodes` and `$JS.API.CONSUMER.CREATE.KV_weft_nodes.>`,
//! `$JS.API.DIRECT.GET.KV_weft_nodes.>`, and, to make the bucket where there is none, `$JS.API.INFO` and
//! `$JS.API.STREAM.CREATE.KV_weft_nodes`; subscribe to `{inbox}.>`. Nothing is subscribed to under `$KV`, no consumer is
//! deleted: one that nobody listens to ends by itself.

use super::bucket::{Bucket, Found, Written, within};
use super::config::NatsConfig;
use super::link::Link;
use super::roll;
use crate::table::Table;
use crate::{Counters, Error, LeaseError, Leases, NodesView};
use async_nats::jetstream::kv::{self, Operation};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use weft_wire::{Incarnation, Message, NodeName, NodeRecord};

const BUCKET: &str = "weft_nodes";

/// The leases over JetStream.
pub(super) struct NatsLeases {
    bucket: Arc<Bucket>,
    /// What was last written for whom: in a program one node, in tests some.
    own: Mutex<HashMap<NodeName, Own>>,
    table: Arc<Table>,
    watching: JoinHandle<()>,
}

/// A lease of this process as last written.
#[derive(Clone, Copy)]
struct Own {
    incarnation: Incarnation,
    generation: u64,
    revision: u64,
}

/// What stands where a lease would be.
enum Standing {
    /// A lease of this incarnation, at this revision.
    Ours(u64),
    /// Nothing that counts; a write must name this revision.
    Vacant(u64),
    /// Another incarnation's lease.
    Others(Box<NodeRecord>),
}

impl NatsLeases {
    /// Begins to watch the table. Must be called inside a Tokio runtime.
    pub(super) fn new(link: Arc<Link>, config: &NatsConfig) -> Self {
        let bucket = kv::Config {
            bucket: BUCKET.into(),
            description: "Weft: the nodes there are, what they carry and where they are reached".into(),
            history: 1,
            num_replicas: config.replicas,
            max_age: config.lease_life,
            limit_markers: Some(config.marker_life),
            ..kv::Config::default()
        };
        let bucket = Arc::new(Bucket::new(link, bucket));
        let table = Arc::new(Table::new(config.lease_life));
        let watching = tokio::spawn(roll::watch(bucket.clone(), table.clone(), config.lease_life));
        Self {
            bucket,
            own: Mutex::default(),
            table,
            watching,
        }
    }

    fn own(&self) -> MutexGuard<'_, HashMap<NodeName, Own>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The revision this process wrote last for this incarnation into this bucket.
    fn remembered(&self, found: &Found, node: &NodeName, incarnation: Incarnation) -> Option<u64> {
        let own = self.own().get(node).copied();
        own.filter(|own| own.incarnation == incarnation && own.generation == found.generation)
            .map(|own| own.revision)
    }

    async fn standing(
        &self,
        found: &Found,
        node: &NodeName,
        incarnation: Incarnation,
    ) -> Result<Standing, Error> {
        let Some(entry) = self.bucket.entry(found, &node.escaped()).await? else {
            return Ok(Standing::Vacant(0));
        };
        if entry.operation != Operation::Put {
            return Ok(Standing::Vacant(entry.revision));
        }
        Ok(match NodeRecord::decode(&entry.value) {
            // After a reconnect, or after an answer that was lost: written by us, and we go on from there.
            Ok(record) if record.incarnation == incarnation => Standing::Ours(entry.revision),
            Ok(record) => Standing::Others(Box::new(record)),
            Err(error) => {
                Counters::one(&self.bucket.link.counters.malformed);
                tracing::warn!(other = %node, %error, "a lease cannot be read; taken as vacant");
                Standing::Vacant(entry.revision)
            }
        })
    }

    async fn keep_now(&self, node: NodeName, record: NodeRecord) -> Result<(), LeaseError> {
        let found = self.bucket.find().await?;
        let (key, value) = (node.escaped(), record.encode());
        let put = async |revision| {
            let result = found.store.update(&key, value.clone(), revision).await;
            self.bucket.written(result).await
        };
        let known = self.remembered(&found, &node, record.incarnation);
        let mut written = put(known.unwrap_or(0)).await?;
        if written == Written::Outrun {
            written = match self.standing(&found, &node, record.incarnation).await? {
                Standing::Others(held) => return Err(LeaseError::Held(held)),
                Standing::Ours(revision) | Standing::Vacant(revision) => put(revision).await?,
            };
        }
        let Written::At(revision) = written else {
            let why = "the lease was written by somebody else at the same moment";
            return Err(Error::Away(why.into()).into());
        };
        let own = Own {
            incarnation: record.incarnation,
            generation: found.generation,
            revision,
        };
        self.own().insert(node, own);
        Ok(())
    }

    async fn release_now(&self, node: NodeName, record: NodeRecord) -> Result<(), Error> {
        let found = self.bucket.find().await?;
        let key = node.escaped();
        let purge = async |revision| self.bucket.purge(&found, &key, revision).await;
        let known = self.remembered(&found, &node, record.incarnation);
        self.own().remove(&node);
        if let Some(revision) = known
            && purge(revision).await? != Written::Outrun
        {
            return Ok(());
        }
        if let Standing::Ours(revision) = self.standing(&found, &node, record.incarnation).await? {
            // Outrun again: it is somebody else's by now.
            let _written = purge(revision).await?;
        }
        Ok(())
    }
}

impl Drop for NatsLeases {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Leases for NatsLeases {
    fn keep(&self, node: NodeName, record: NodeRecord) -> BoxFuture<'_, Result<(), LeaseError>> {
        within(self.keep_now(node, record)).boxed()
    }

    fn release(&self, node: NodeName, record: NodeRecord) -> BoxFuture<'_, Result<(), Error>> {
        within(self.release_now(node, record)).boxed()
    }

    fn view(&self) -> watch::Receiver<Arc<NodesView>> {
        self.table.view()
    }
}
