//! A fabric with many streams for the pages to show: one synthetic node with the publishers, everything behind it real.
//! What the pages make of it is looked at by the tests.

use anyhow::Result;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use std::sync::Arc;
use std::time::Duration;
use weft_bus::nats::{NatsBus, NatsConfig};
use weft_bus::testing::NatsServer;
use weft_bus::{Bus, Keeper, Members, NodeReply, NodeRequest, NodeService, Registry, Serving};
use weft_ingest::synthetic::{Pace, SyntheticNode, SyntheticPublisher};
use weft_ingest::{Ingest, IngestConfig};
use weft_wire::{
    CloseReply, DemandReply, DrainReply, Incarnation, NodeName, NodeReport, NodeRole, OfferReply,
    ResourceReply, StreamName,
};

/// Entries of one page of the report.
const PAGE: u32 = 300;

/// A node and its publishers, until it is dropped.
pub(crate) struct Crowd {
    pub(crate) publishers: Vec<SyntheticPublisher>,
    _node: SyntheticNode,
    _serving: Serving,
    _keeper: Keeper,
}

/// Answers for the synthetic node as the program does, as far as the pages ask.
struct Reports(Ingest);

impl NodeService for Reports {
    fn answer(&self, request: NodeRequest) -> BoxFuture<'static, NodeReply> {
        let ingest = self.0.clone();
        async move {
            let no = "not here".to_owned();
            match request {
                NodeRequest::Report(request) if request.events_of.is_none() => {
                    let all = ingest.report().await;
                    let (from, page) = (request.from as usize, PAGE as usize);
                    let next = (from + page < all.len()).then_some(request.from + PAGE);
                    NodeReply::Report(NodeReport {
                        publishers: all.into_iter().skip(from).take(page).collect(),
                        next,
                        cpu_ms: weft_control::cpu_ms(),
                        ..NodeReport::default()
                    })
                }
                NodeRequest::Report(_) => NodeReply::Report(NodeReport::default()),
                NodeRequest::Offer(_) => NodeReply::Offer(OfferReply {
                    status: 503,
                    body: no,
                    session: None,
                    secret: None,
                }),
                NodeRequest::Resource(_) => NodeReply::Resource(ResourceReply {
                    status: 404,
                    content_type: String::new(),
                    etag: String::new(),
                    body: no,
                    session: None,
                    stream: None,
                    said: None,
                }),
                NodeRequest::Close(_) => NodeReply::Close(CloseReply { found: false }),
                NodeRequest::Demand(_) => NodeReply::Demand(DemandReply { taken: false }),
                NodeRequest::Drain(_) => NodeReply::Drain(DrainReply {
                    publishers: 0,
                    readers: 0,
                }),
            }
        }
        .boxed()
    }
}

/// The name of a stream by its number.
pub(crate) fn name(number: usize) -> String {
    format!("exam_123_{number:04}")
}

/// So many publishers, two pictures a second each: what they send is not what the pages cost.
pub(crate) async fn crowd(nats: &NatsServer, streams: usize) -> Result<Crowd> {
    let own = NodeName::new("synthetic")?;
    let config = NatsConfig::new(vec![nats.url()], "ingest", own.clone());
    let (bus, registry, leases) = NatsBus::connect(config).await?;
    let (bus, registry): (Arc<dyn Bus>, Arc<dyn Registry>) = (bus, registry);
    let mut record = Members::alone(own.clone()).own();
    record.role = NodeRole::Ingest;
    record.incarnation = Incarnation(1);
    let (_, keeper) = Members::join(leases, own.clone(), Arc::new(move || record.clone())).await?;
    let mut settings = weft_config::Config::default();
    // All come at once, from nowhere.
    settings.fabric.limits.publishers = streams;
    settings.fabric.limits.pending_publishers = 2 * streams;
    let config = IngestConfig {
        max_waiting: usize::MAX,
        settings: weft_config::Live::fixed(settings),
        ..IngestConfig::default()
    };
    let node = SyntheticNode::start(config, bus.clone(), registry, own.clone(), Incarnation(1));
    let serving = bus.serve(own, Arc::new(Reports(node.ingest().clone()))).await?;
    let mut publishers = Vec::new();
    for hundred in (0..streams).step_by(100) {
        let batch = (hundred..streams.min(hundred + 100)).map(|number| {
            let pace = Pace {
                interval: Duration::from_millis(500),
                gop: 4,
                bytes: 800,
                first: Some(Duration::from_millis(number as u64 % 500)),
                mark: number as u64,
            };
            let node = &node;
            async move { Ok::<_, anyhow::Error>(node.publish(StreamName::new(name(number))?, pace).await?) }
        });
        for publisher in join_all(batch).await {
            publishers.push(publisher?);
        }
    }
    Ok(Crowd {
        publishers,
        _node: node,
        _serving: serving,
        _keeper: keeper,
    })
}
