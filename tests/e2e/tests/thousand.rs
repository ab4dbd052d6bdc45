//! A thousand streams on one NATS server: they cost the bus nothing while nobody reads, each can be joined at once, and one
//! request lists them all. The publishers are synthetic, everything behind them is real.

use crate::fight::{connect, in_system};
use anyhow::{Context, Result, bail, ensure};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use rand::seq::SliceRandom;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use weft_bus::testing::{NatsServer, NatsServerOptions};
use weft_bus::{Bus, Members, NodeReply, NodeRequest, NodeService, Registry};
use weft_egress::{Egress, EgressConfig};
use weft_ingest::synthetic::{Pace, SyntheticNode, SyntheticPublisher};
use weft_ingest::{Ingest, IngestConfig};
use weft_rtsp_server::{DescribeRequest, PlayHandler, ReaderEvent, ReaderSpec};
use weft_testkit::node::{Plan, Role};
use weft_testkit::{figure, http, median, until};
use weft_wire::{
    CloseReply, DrainReply, Incarnation, NodeName, NodeReport, NodeRole, OfferReply, ResourceReply,
};
use weft_wire::{StreamName, TrackId};

const STREAMS: usize = 1_000;
/// Joined one after another, picked at random.
const JOINS: usize = 40;
/// How long the bus is watched while nobody reads.
const WATCH: Duration = Duration::from_secs(5);

/// Answers for the synthetic node as the program does, as far as lists ask.
struct Reports(Ingest);

impl NodeService for Reports {
    fn answer(&self, request: NodeRequest) -> BoxFuture<'static, NodeReply> {
        let ingest = self.0.clone();
        async move {
            let no = "not here".to_owned();
            match request {
                NodeRequest::Report(request) => {
                    let (from, page) = (request.from as usize, 300);
                    let all = ingest.report().await;
                    let next = (from + page < all.len()).then_some(request.from + 300);
                    let publishers = all.into_iter().skip(from).take(page).collect();
                    NodeReply::Report(NodeReport {
                        publishers,
                        next,
                        ..NodeReport::default()
                    })
                }
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
                NodeRequest::Demand(_) => NodeReply::Demand(weft_wire::DemandReply { taken: false }),
                NodeRequest::Drain(_) => NodeReply::Drain(DrainReply {
                    publishers: 0,
                    readers: 0,
                }),
            }
        }
        .boxed()
    }
}

fn name(number: usize) -> Result<StreamName> {
    Ok(StreamName::new(format!("exam/{number:04}"))?)
}

async fn publish(node: &SyntheticNode) -> Result<Vec<SyntheticPublisher>> {
    // Five pictures of 1 kB a second, a key unit every 2 s: 40 Mbit/s in all.
    let pace = |number: usize| Pace {
        interval: Duration::from_millis(200),
        gop: 10,
        bytes: 1_000,
        first: Some(Duration::from_millis(number as u64 % 200)),
        mark: number as u64,
    };
    let mut all = Vec::new();
    for hundred in 0..STREAMS / 100 {
        let batch = (0..100).map(|i| async move {
            let number = hundred * 100 + i;
            Ok::<_, anyhow::Error>(node.publish(name(number)?, pace(number)).await?)
        });
        for publisher in join_all(batch).await {
            all.push(publisher?);
        }
    }
    Ok(all)
}

/// Time from the first request to the first picture, which must be a key unit.
async fn join(egress: &Egress, stream: StreamName) -> Result<Duration> {
    let start = Instant::now();
    let peer = "127.0.0.1:1".parse()?;
    let request = DescribeRequest {
        stream: stream.clone(),
        query: None,
        peer,
        user_agent: None,
        principal: String::new(),
    };
    let Ok(source) = egress.describe(request).await else {
        bail!("{stream} cannot be described")
    };
    let spec = ReaderSpec {
        id: uuid::Uuid::new_v4(),
        peer,
        transport: "TCP",
        secure: false,
        tracks: vec![TrackId(0)],
        query: String::new(),
        user_agent: String::new(),
        principal: String::new(),
    };
    let Ok(mut joined) = source.join(spec).await else {
        bail!("{stream} cannot be joined")
    };
    loop {
        match tokio::time::timeout(Duration::from_secs(5), joined.reader.next()).await? {
            ReaderEvent::Block(block) => {
                ensure!(block.key, "{stream} begins with a picture that is no beginning");
                return Ok(start.elapsed());
            }
            ReaderEvent::Report(..) => {}
            ReaderEvent::Closed(reason) => bail!("{stream}: closed: {reason:?}"),
        }
    }
}

/// Messages and bytes that have come into and gone out of the server so far.
async fn traffic(monitor: &str) -> Result<(f64, f64)> {
    let varz = http::get(monitor, "/varz").await?.json()?;
    let number = |key: &str| varz[key].as_f64().context("a number");
    Ok((
        number("in_msgs")? + number("out_msgs")?,
        number("in_bytes")? + number("out_bytes")?,
    ))
}

#[test]
fn a_thousand_streams_cost_nothing_unread_are_joined_at_once_and_listed_at_once() -> Result<()> {
    in_system(async {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let monitor = format!("127.0.0.1:{port}");
        let nats = NatsServer::start_with(NatsServerOptions {
            extra: format!("http: \"{monitor}\"\n"),
            ..NatsServerOptions::default()
        })
        .await?;
        let (bus, registry, members) = fabric_node(&nats, "synthetic").await?;
        let mut settings = weft_config::Config::default();
        // All come at once, from nowhere.
        settings.fabric.limits.publishers = STREAMS;
        settings.fabric.limits.pending_publishers = 2 * STREAMS;
        let config = IngestConfig {
            max_waiting: usize::MAX,
            settings: weft_config::Live::fixed(settings),
            ..IngestConfig::default()
        };
        let own = NodeName::new("synthetic")?;
        let node = SyntheticNode::start(config, bus.clone(), registry.clone(), own.clone(), Incarnation(1));
        let _serving = bus.serve(own, Arc::new(Reports(node.ingest().clone()))).await?;
        let publishers = publish(&node).await?;
        let started = Instant::now();
        until("a thousand claims", Duration::from_secs(60), || async {
            (registry.list().await.ok()?.len() == STREAMS).then_some(())
        })
        .await?;
        figure(format!(
            "{STREAMS} streams claimed {:.1?} after the last offer",
            started.elapsed()
        ));

        unread(&monitor).await?;
        joined(&nats).await?;
        listed(&nats).await?;
        ensure!(
            publishers.iter().all(|p| p.closed().is_none()),
            "a publisher was closed meanwhile"
        );
        drop((publishers, members));
        node.stop().await;
        Ok(())
    })
}

/// A node of ours with its lease.
async fn fabric_node(
    nats: &NatsServer,
    name: &str,
) -> Result<(Arc<dyn Bus>, Arc<dyn Registry>, weft_bus::Keeper)> {
    use weft_bus::nats::{NatsBus, NatsConfig};
    let node = NodeName::new(name)?;
    let config = NatsConfig::new(vec![nats.url()], "ingest", node.clone());
    let (bus, registry, leases) = NatsBus::connect(config).await?;
    let mut record = Members::alone(node.clone()).own();
    record.role = NodeRole::Ingest;
    record.incarnation = Incarnation(1);
    let (_members, keeper) = Members::join(leases, node, Arc::new(move || record.clone())).await?;
    Ok((bus, registry, keeper))
}

/// With nobody reading, everything on the bus: at most 100 messages and 100 kB a second.
async fn unread(monitor: &str) -> Result<()> {
    // A stream is paused after two refusals at least 1 s apart.
    sleep(Duration::from_secs(6)).await;
    let before = traffic(monitor).await?;
    sleep(WATCH).await;
    let after = traffic(monitor).await?;
    let seconds = WATCH.as_secs_f64();
    let (messages, bytes) = ((after.0 - before.0) / seconds, (after.1 - before.1) / seconds);
    figure(format!(
        "nobody reads: {messages:.0} messages/s, {:.1} kB/s on the bus",
        bytes / 1e3
    ));
    ensure!(
        messages <= 100.0 && bytes <= 100e3,
        "{messages:.0} messages/s, {bytes:.0} B/s"
    );
    Ok(())
}

async fn joined(nats: &NatsServer) -> Result<()> {
    let (bus, _) = connect(nats, "egress", "reader").await?;
    let egress = Egress::start(
        EgressConfig::default(),
        bus,
        Members::alone(NodeName::new("reader")?),
    );
    let mut numbers: Vec<usize> = (0..STREAMS).collect();
    numbers.shuffle(&mut rand::rng());
    let mut times = Vec::new();
    for number in &numbers[..JOINS] {
        times.push(join(&egress, name(*number)?).await?);
    }
    let (middle, worst) = (median(times.clone()), times.into_iter().max().unwrap_or_default());
    figure(format!(
        "{JOINS} streams joined: first picture after {middle:.1?} (median), {worst:.1?} (worst)"
    ));
    ensure!(middle <= Duration::from_millis(300), "median {middle:?}");
    Ok(())
}

/// `GET /v3/paths/list` of all streams at another node: at most 100 ms.
async fn listed(nats: &NatsServer) -> Result<()> {
    let egress = Plan::new(Role::Egress).nats(&nats.url()).start().await?;
    let api = egress.address("api")?;
    let mut times = Vec::new();
    for _ in 0..7 {
        // An answer is shared by whoever asks within 200 ms: this is not to be one of those.
        sleep(Duration::from_millis(300)).await;
        let start = Instant::now();
        let answer = http::get(api, "/v3/paths/list?itemsPerPage=1000").await?;
        times.push(start.elapsed());
        let list = answer.json()?;
        let ready = list["items"]
            .as_array()
            .context("items")?
            .iter()
            .filter(|item| item["ready"] == true);
        ensure!(
            ready.count() == STREAMS,
            "not all are ready: {}",
            list["itemCount"]
        );
    }
    let (middle, worst) = (median(times.clone()), times.into_iter().max().unwrap_or_default());
    figure(format!(
        "all {STREAMS} listed in {middle:.0?} (median), {worst:.0?} (worst)"
    ));
    ensure!(middle <= Duration::from_millis(100), "median {middle:?}");
    Ok(())
}
