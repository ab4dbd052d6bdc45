//! Which node is told that somebody wants a stream, as nodes come and go.
//! What such a node does about it is ingest's business.

use crate::viewer::*;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use weft_bus::memory::MemoryBus;
use weft_bus::{Bus, Members, NodeReply, NodeRequest, NodeService, NodesView, SeenNode};
use weft_config::{Command, Config, Live, OnDemand, PathConf, Paths};
use weft_egress::{Egress, EgressConfig};
use weft_rtsp_server::PlayHandler;
use weft_wire::*;

/// Which nodes were told, in order.
type Told = Arc<Mutex<Vec<NodeName>>>;

struct Ingest(NodeName, Told);

impl NodeService for Ingest {
    fn answer(&self, request: NodeRequest) -> BoxFuture<'static, NodeReply> {
        assert!(matches!(request, NodeRequest::Demand(_)), "{request:?}");
        self.1.lock().unwrap().push(self.0.clone());
        Box::pin(async { NodeReply::Demand(DemandReply { taken: true }) })
    }
}

fn record(role: NodeRole) -> NodeRecord {
    NodeRecord {
        role,
        incarnation: Incarnation(1),
        version: String::new(),
        addresses: NodeAddresses::default(),
        load: NodeLoad::default(),
        limits: NodeLimits::default(),
        draining: false,
        started: 0,
    }
}

fn node(number: usize) -> NodeName {
    NodeName::new(format!("ingest-{number}")).unwrap()
}

fn view(numbers: impl Iterator<Item = usize>) -> Arc<NodesView> {
    let now = Instant::now();
    let seen = |number| {
        let record = record(NodeRole::Ingest);
        (node(number), SeenNode { record, heard: now })
    };
    Arc::new(NodesView {
        nodes: numbers.map(seen).collect::<BTreeMap<_, _>>(),
        as_of: Some(now),
    })
}

#[tokio::test(start_paused = true)]
async fn who_sees_to_a_stream_goes_on_when_others_join_and_another_takes_over_when_it_goes() {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new());
    let (nodes, seen) = watch::channel(view(0..1));
    let own = NodeName::new("egress").unwrap();
    let members = Members::seeing(own, Arc::new(|| record(NodeRole::Egress)), seen);
    let command = Command {
        line: "publish".to_owned(),
        restart: false,
    };
    let path = PathConf {
        on_demand: OnDemand::Run(command),
        on_demand_start_timeout: Duration::from_secs(60),
        ..PathConf::named("all_others")
    };
    let config = EgressConfig {
        settings: Live::fixed(Config {
            paths: Paths::new(vec![path]),
            ..Config::default()
        }),
        ..EgressConfig::default()
    };
    let told = Told::default();
    let mut serving = Vec::new();
    for number in 0..30 {
        let ingest = Arc::new(Ingest(node(number), told.clone()));
        serving.push(bus.serve(node(number), ingest).await.unwrap());
    }
    let take = || std::mem::take(&mut *told.lock().unwrap());
    let egress = Egress::start(config, bus.clone(), members);
    let waits = tokio::spawn(async move { egress.describe(request()).await.is_ok() });
    sleep(Duration::from_secs(5)).await;
    assert_eq!(take(), vec![node(0); 3]);
    // Of thirty the first is hardly in charge.
    nodes.send_replace(view(0..30));
    sleep(Duration::from_secs(6)).await;
    assert_eq!(take(), vec![node(0); 3]);
    nodes.send_replace(view(1..30));
    sleep(Duration::from_secs(4)).await;
    let next = take();
    assert_eq!(next.len(), 2);
    assert!(next[0] != node(0) && next[0] == next[1], "{next:?}");
    // It answers no more, but is still in the list.
    let gone: usize = next[0].as_str()["ingest-".len()..].parse().unwrap();
    drop(serving.swap_remove(gone));
    sleep(Duration::from_secs(4)).await;
    let others = take();
    assert_eq!(others.len(), 2);
    assert!(others[0] != next[0] && others[0] == others[1], "{others:?}");
    waits.abort();
}
