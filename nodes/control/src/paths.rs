//! The streams of the fabric: names from the registry, what flows from their owners, readers from this node.
//! Readers on other nodes are not asked for yet.

use crate::error::Error;
use crate::path::Path;
use crate::view::{HubLine, NodeView};
use futures::StreamExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use weft_bus::{Bus, Registered, Registry};
use weft_wire::{OwnerInfo, StreamName};

/// Owners asked at once. A list of many streams must not flood the bus.
const ASKED_AT_ONCE: usize = 32;

/// Answers questions about streams.
#[derive(Clone)]
pub(crate) struct Paths {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) node: Arc<dyn NodeView>,
}

impl Paths {
    /// All streams, sorted by name.
    pub(crate) async fn list(&self) -> Result<Vec<Path>, Error> {
        let records = self.registry.list().await?;
        let owners: BTreeMap<StreamName, Option<OwnerInfo>> = futures::stream::iter(&records)
            .map(|r| async { (r.stream.clone(), self.owner(&r.stream).await) })
            .buffer_unordered(ASKED_AT_ONCE)
            .collect()
            .await;
        let mut hubs = self.hubs();
        let mut paths: Vec<Path> = records
            .iter()
            .map(|r| {
                let owner = owners.get(&r.stream).and_then(Option::as_ref);
                Path::merge(&r.stream, Some(&r.record), owner, hubs.remove(&r.stream).as_ref())
            })
            .collect();
        // Streams whose publisher is gone while readers are held.
        paths.extend(
            hubs.values()
                .map(|hub| Path::merge(&hub.stream, None, None, Some(hub))),
        );
        paths.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(paths)
    }

    /// One stream.
    pub(crate) async fn get(&self, name: &str) -> Result<Path, Error> {
        let name = StreamName::new(name).map_err(|e| Error::BadRequest(e.to_string()))?;
        let record: Option<Registered> = self.registry.lookup(name.clone()).await?;
        let hub = self.hubs().remove(&name);
        if record.is_none() && hub.is_none() {
            return Err(Error::NotFound("path"));
        }
        let owner = match &record {
            Some(_) => self.owner(&name).await,
            None => None,
        };
        Ok(Path::merge(
            &name,
            record.as_ref().map(|r| &r.record),
            owner.as_ref(),
            hub.as_ref(),
        ))
    }

    /// An owner that does not answer is shown as a stream that is not ready.
    async fn owner(&self, name: &StreamName) -> Option<OwnerInfo> {
        self.bus.owner(name.clone()).await.ok()
    }

    fn hubs(&self) -> BTreeMap<StreamName, HubLine> {
        let hubs = self.node.hubs().into_iter();
        hubs.map(|hub| (hub.stream.clone(), hub)).collect()
    }
}
