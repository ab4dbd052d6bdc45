//! The table of nodes in NATS.

use crate::table::Table;
use crate::{Error, LeaseError, Leases, NodesView};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use weft_wire::{NodeName, NodeRecord};

/// The leases over JetStream.
pub(super) struct NatsLeases {
    table: Arc<Table>,
}

impl NatsLeases {
    pub(super) fn new(life: Duration) -> Self {
        Self {
            table: Arc::new(Table::new(life)),
        }
    }
}

impl Leases for NatsLeases {
    fn keep(&self, _: NodeName, _: NodeRecord) -> BoxFuture<'_, Result<(), LeaseError>> {
        ready(Err(Error::Away("not there yet".into()).into())).boxed()
    }

    fn release(&self, _: NodeName, _: NodeRecord) -> BoxFuture<'_, Result<(), Error>> {
        ready(Ok(())).boxed()
    }

    fn view(&self) -> watch::Receiver<Arc<NodesView>> {
        self.table.view()
    }
}
