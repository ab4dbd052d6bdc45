//! The HTTP face: MediaMTX's contract, and what several nodes do together. Offers are answered by a fake; sessions and
//! bus are the real ones. Here is what the tests share.

mod access;
mod addresses;
mod contract;
mod events;
mod moves;
mod paths;
mod placement;
mod quiet;
mod remote;

use crate::testing::{OFFER, ingest, ingest_among, memory};
use crate::{Ingest, IngestConfig};
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::{App, test};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use weft_bus::{Bus, Members, NodeReply, NodeRequest, NodeService, NodesView, Registry, SeenNode, Serving};
use weft_wire::{
    CloseReply, Incarnation, NodeAddresses, NodeLimits, NodeLoad, NodeName, NodeRecord, NodeRole,
};

const SDP: (&str, &str) = ("Content-Type", "application/sdp");
const FRAGMENT: (&str, &str) = ("Content-Type", "application/trickle-ice-sdpfrag");
const UUID: &str = "00000000-0000-4000-8000-000000000000";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn node(config: IngestConfig) -> Ingest {
    let (bus, registry) = memory();
    ingest(config, bus, registry, "here")
}

fn name(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

/// An answer, taken apart.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, v)| v.as_str())
    }

    fn error(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body["status"], "error", "{}", self.body);
        body["error"].as_str().unwrap().to_owned()
    }
}

async fn request(
    ingest: &Ingest,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> ServiceResponse<impl MessageBody + use<>> {
    let app = test::init_service(App::new().configure(ingest.routes())).await;
    let mut request = test::TestRequest::default()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .peer_addr("192.0.2.7:4000".parse().unwrap())
        .uri(url);
    for header in headers {
        request = request.insert_header(*header);
    }
    app.call(request.set_payload(body.to_owned()).to_request())
        .await
        .unwrap()
}

async fn call(ingest: &Ingest, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let response = request(ingest, method, url, headers, body).await;
    Answer {
        status: response.status().as_u16(),
        headers: (response.headers().iter())
            .map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()))
            .collect(),
        body: String::from_utf8(test::read_body(response).await.to_vec()).unwrap(),
    }
}

/// Publishes `cam/1`; the session's URL.
async fn published(ingest: &Ingest) -> String {
    let answer = call(ingest, "POST", "/cam/1/whip", &[SDP], OFFER).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.header("Location").unwrap().to_owned()
}

/// Nodes on one bus that see each other.
struct Fabric {
    bus: Arc<dyn Bus>,
    registry: Arc<dyn Registry>,
    view: watch::Sender<Arc<NodesView>>,
}

/// One of them, and all it was asked by others.
struct Node {
    ingest: Ingest,
    record: Arc<Mutex<NodeRecord>>,
    asked: Arc<Mutex<Vec<NodeRequest>>>,
    serving: Option<Serving>,
}

impl Fabric {
    fn new() -> Self {
        let (bus, registry) = memory();
        Self {
            bus,
            registry,
            view: watch::Sender::default(),
        }
    }

    /// Starts a node with a place for ten publishers, of which `publishers` are taken.
    async fn node(&self, node: &str, publishers: u32, config: IngestConfig) -> Node {
        self.node_on(self.bus.clone(), node, publishers, config).await
    }

    /// The same, by its own way to the bus.
    async fn node_on(&self, bus: Arc<dyn Bus>, node: &str, publishers: u32, config: IngestConfig) -> Node {
        let record = Arc::new(Mutex::new(record(publishers)));
        let shown = Arc::clone(&record);
        let describe = Arc::new(move || shown.lock().unwrap().clone());
        let members = Members::seeing(name(node), describe, self.view.subscribe());
        let ingest = ingest_among(config, bus.clone(), self.registry.clone(), members);
        let asked = Arc::<Mutex<Vec<NodeRequest>>>::default();
        let service = Answers {
            ingest: ingest.clone(),
            asked: Arc::clone(&asked),
        };
        let serving = bus.serve(name(node), Arc::new(service)).await.unwrap();
        self.show(node, record.lock().unwrap().clone());
        Node {
            ingest,
            record,
            asked,
            serving: Some(serving),
        }
    }

    /// Everybody hears this of a node.
    fn show(&self, node: &str, record: NodeRecord) {
        self.view.send_modify(|view| {
            let mut nodes: BTreeMap<_, _> = view.nodes.clone();
            let heard = Instant::now();
            nodes.insert(name(node), SeenNode { record, heard });
            *view = Arc::new(NodesView {
                nodes,
                as_of: Some(heard),
            });
        });
    }

    /// A node that is seen, and asked, and never answers.
    async fn hanging(&self, node: &str) -> Serving {
        self.show(node, record(0));
        self.bus.serve(name(node), Arc::new(Hanging)).await.unwrap()
    }
}

impl Node {
    /// How often others asked it to take a publisher.
    fn offers(&self) -> usize {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|r| matches!(r, NodeRequest::Offer(_)))
            .count()
    }

    /// Dies without a word.
    fn die(&mut self) {
        self.serving = None;
    }
}

fn record(publishers: u32) -> NodeRecord {
    NodeRecord {
        role: NodeRole::Ingest,
        incarnation: Incarnation(7),
        version: "0".to_owned(),
        addresses: NodeAddresses {
            webrtc: "node.example:8889".to_owned(),
            ..NodeAddresses::default()
        },
        load: NodeLoad {
            publishers,
            ..NodeLoad::default()
        },
        limits: NodeLimits {
            publishers: 10,
            ..NodeLimits::default()
        },
        draining: false,
        started: 0,
    }
}

struct Answers {
    ingest: Ingest,
    asked: Arc<Mutex<Vec<NodeRequest>>>,
}

impl NodeService for Answers {
    fn answer(&self, request: NodeRequest) -> BoxFuture<'static, NodeReply> {
        self.asked.lock().unwrap().push(request.clone());
        let ingest = self.ingest.clone();
        async move {
            match request {
                NodeRequest::Offer(offer) => NodeReply::Offer(ingest.offer(offer).await),
                NodeRequest::Resource(resource) => NodeReply::Resource(ingest.resource(resource).await),
                NodeRequest::Close(close) => NodeReply::Close(CloseReply {
                    found: ingest.close(close.session, close.reason).await,
                }),
                other => unreachable!("{other:?} is not ingest's"),
            }
        }
        .boxed()
    }
}

struct Hanging;

impl NodeService for Hanging {
    fn answer(&self, _: NodeRequest) -> BoxFuture<'static, NodeReply> {
        std::future::pending().boxed()
    }
}
