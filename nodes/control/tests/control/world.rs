//! Made-up nodes on one memory bus: each with a service that answers from a list, a control face, and a link that can be cut.
//! What is asked of them is each test's business.

use actix_web::App;
use actix_web::body::to_bytes;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use serde_json::Value;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::Instant;
use weft_bus::faulty::{Faults, Faulty};
use weft_bus::memory::MemoryBus;
use weft_bus::nats::{NatsBus, NatsConfig};
use weft_bus::testing::NatsServer;
use weft_bus::{
    Bus, BusState, Claim, Members, NodeReply, NodeRequest, NodeService, NodesView, Publication, Registry,
    SeenNode, Serving,
};
use weft_control::{Control, Identity, NodeView, SessionKind, SessionLine};
use weft_histogram::Histogram;
use weft_wire::{
    ClockRate, CloseReply, CloseRequest, Codec, ConnectionReport, DrainReply, DrainRequest, Epoch, HubReport,
    IdleReport, Incarnation, MuxerReport, NodeAddresses, NodeLimits, NodeLoad, NodeName, NodeRecord,
    NodeReport, NodeRole, OwnerInfo, PublisherReport, ReaderReport, ReportRequest, SessionDetail, SessionId,
    StreamEvent, StreamName, StreamRecord, StreamState, TrackId, TrackInfo,
};

/// When everything began.
pub(crate) const SINCE: i64 = 1_693_875_600_500_000;

pub(crate) fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

pub(crate) fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

/// An id whose text is the number's two digits repeated.
pub(crate) fn session(number: u8) -> SessionId {
    SessionId([number; 16])
}

/// A made-up node.
pub(crate) struct Fake {
    pub(crate) name: NodeName,
    pub(crate) publishers: Mutex<Vec<PublisherReport>>,
    pub(crate) hubs: Mutex<Vec<HubReport>>,
    /// With the first page.
    pub(crate) idle: Mutex<Vec<IdleReport>>,
    pub(crate) connections: Mutex<Vec<ConnectionReport>>,
    pub(crate) muxers: Mutex<Vec<MuxerReport>>,
    pub(crate) problems: Mutex<Vec<String>>,
    pub(crate) events: Mutex<Vec<(StreamName, StreamEvent)>>,
    pub(crate) cpu_ms: AtomicU64,
    pub(crate) record: Mutex<NodeRecord>,
    pub(crate) closed: Mutex<Vec<CloseRequest>>,
    pub(crate) drained: Mutex<Vec<DrainRequest>>,
    /// Entries of one page of its report.
    pub(crate) page: AtomicUsize,
    /// Pages it has given.
    pub(crate) asked: AtomicUsize,
    /// It hears and says nothing.
    pub(crate) hangs: AtomicBool,
}

impl Fake {
    fn report(&self, request: ReportRequest) -> NodeReport {
        self.asked.fetch_add(1, Relaxed);
        if let Some(stream) = &request.events_of {
            let events = self.events.lock().unwrap();
            let of_it = events.iter().filter(|(name, _)| name == stream);
            return NodeReport {
                events: of_it.map(|(_, event)| event.clone()).collect(),
                ..NodeReport::default()
            };
        }
        let (publishers, hubs) = (self.publishers.lock().unwrap(), self.hubs.lock().unwrap());
        let from = request.from as usize;
        let to = from.saturating_add(self.page.load(Relaxed));
        let all = publishers.len() + hubs.len();
        let cut = |at: usize, n: usize| at.saturating_sub(publishers.len()).min(n);
        NodeReport {
            publishers: publishers[from.min(publishers.len())..to.min(publishers.len())].to_vec(),
            hubs: hubs[cut(from, hubs.len())..cut(to, hubs.len())].to_vec(),
            next: (to < all).then(|| u32::try_from(to).unwrap()),
            idle: if from == 0 {
                self.idle.lock().unwrap().clone()
            } else {
                vec![]
            },
            connections: if from == 0 {
                self.connections.lock().unwrap().clone()
            } else {
                vec![]
            },
            cpu_ms: self.cpu_ms.load(Relaxed),
            events: vec![],
            muxers: if from == 0 {
                self.muxers.lock().unwrap().clone()
            } else {
                vec![]
            },
        }
    }

    fn close(&self, request: CloseRequest) -> CloseReply {
        let mut publishers = self.publishers.lock().unwrap();
        let mut hubs = self.hubs.lock().unwrap();
        let mut idle = self.idle.lock().unwrap();
        let count = |p: &[PublisherReport], h: &[HubReport], i: &[IdleReport]| {
            p.len() + h.iter().map(|h| h.readers.len()).sum::<usize>() + i.len()
        };
        let before = count(&publishers, &hubs, &idle);
        idle.retain(|i| i.reader.session != request.session);
        publishers.retain(|p| p.info.session != request.session);
        for hub in hubs.iter_mut() {
            hub.readers.retain(|r| r.session != request.session);
        }
        let found = count(&publishers, &hubs, &idle) < before;
        self.closed.lock().unwrap().push(request);
        CloseReply { found }
    }
}

/// The face that a node shows to the others.
pub(crate) struct Desk(pub(crate) Arc<Fake>);

impl NodeService for Desk {
    fn answer(&self, request: NodeRequest) -> BoxFuture<'static, NodeReply> {
        if self.0.hangs.load(Relaxed) {
            return std::future::pending().boxed();
        }
        let reply = match request {
            NodeRequest::Report(request) => NodeReply::Report(self.0.report(request)),
            NodeRequest::Close(request) => NodeReply::Close(self.0.close(request)),
            NodeRequest::Demand(_) => NodeReply::Demand(weft_wire::DemandReply { taken: false }),
            NodeRequest::Drain(request) => {
                self.0.drained.lock().unwrap().push(request);
                NodeReply::Drain(DrainReply {
                    publishers: 2,
                    readers: 3,
                })
            }
            other => panic!("control does not ask this: {other:?}"),
        };
        ready(reply).boxed()
    }
}

impl NodeView for Desk {
    fn identity(&self) -> Identity {
        Identity {
            name: self.0.name.clone(),
            role: self.0.record.lock().unwrap().role.token(),
            version: "v9",
            started: UNIX_EPOCH + Duration::from_secs(1),
        }
    }

    fn problems(&self) -> Vec<String> {
        self.0.problems.lock().unwrap().clone()
    }

    fn sessions(&self) -> BoxFuture<'_, Vec<SessionLine>> {
        let line = SessionLine {
            kind: SessionKind::Rtsp,
            id: "r1".to_owned(),
            state: "read",
            path: "demo".to_owned(),
            remote: "127.0.0.1:9".to_owned(),
            inbound_bytes: 0,
            inbound_packets: 0,
            inbound_lost: 0,
            outbound_bytes: 77,
            outbound_packets: 3,
        };
        ready(vec![line]).boxed()
    }

    fn counters(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
        visit("weft_things_total", "Things.", 4);
    }

    fn histograms(&self, visit: &mut dyn FnMut(&'static str, &'static str, &Histogram)) {
        let histogram = Histogram::default();
        for us in [100, 700, 9_000_000] {
            histogram.note(Duration::from_micros(us));
        }
        visit("weft_waits_seconds", "Waits.", &histogram);
    }
}

/// A node with its face and its link to the others.
pub(crate) struct Place {
    pub(crate) fake: Arc<Fake>,
    pub(crate) link: Arc<Faulty>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) control: Control,
    _serving: Serving,
}

/// Some nodes on one bus.
pub(crate) struct World {
    pub(crate) bus: MemoryBus,
    pub(crate) view: watch::Sender<Arc<NodesView>>,
    /// What `publish` has put on the bus.
    pub(crate) publications: Mutex<Vec<Publication>>,
    pub(crate) places: BTreeMap<&'static str, Place>,
}

pub(crate) fn record(role: NodeRole) -> NodeRecord {
    NodeRecord {
        role,
        incarnation: Incarnation(1),
        version: "v9".to_owned(),
        addresses: NodeAddresses {
            rtsp: "192.0.2.1:8554".to_owned(),
            ..NodeAddresses::default()
        },
        load: NodeLoad::default(),
        limits: NodeLimits {
            publishers: 4,
            readers: 10,
            bits_per_second: 0,
        },
        draining: false,
        started: SINCE,
    }
}

impl World {
    /// Nodes by name and role, all in each other's sight.
    pub(crate) async fn new(nodes: &[(&'static str, NodeRole)]) -> Self {
        let now = Instant::now();
        let seen = nodes.iter().map(|(name, role)| {
            let seen = SeenNode {
                record: record(*role),
                heard: now,
            };
            (node(name), seen)
        });
        let view = NodesView {
            nodes: seen.collect(),
            as_of: Some(now),
        };
        let mut world = Self {
            bus: MemoryBus::new(),
            view: watch::Sender::new(Arc::new(view)),
            publications: Mutex::default(),
            places: BTreeMap::new(),
        };
        for (name, role) in nodes {
            let (bus, registry) = (Arc::new(world.bus.clone()), Arc::new(world.bus.clone()));
            let place = world.place(name, *role, bus, registry).await;
            world.places.insert(name, place);
        }
        world
    }

    /// The same nodes in the same sight, over a real server instead.
    pub(crate) async fn over(mut self, server: &NatsServer) -> Self {
        for (name, place) in std::mem::take(&mut self.places) {
            let role = place.fake.record.lock().unwrap().role;
            let config = NatsConfig::new(vec![server.url()], role.token(), node(name));
            let (bus, registry, _) = NatsBus::connect(config).await.unwrap();
            let connected = |state: &BusState| matches!(state, BusState::Connected(_));
            bus.state().wait_for(connected).await.unwrap();
            let place = self.place(name, role, bus, registry).await;
            self.places.insert(name, place);
        }
        self
    }

    /// One standalone node `a`.
    pub(crate) async fn alone() -> Self {
        Self::new(&[("a", NodeRole::Standalone)]).await
    }

    async fn place(
        &self,
        name: &'static str,
        role: NodeRole,
        bus: Arc<dyn Bus>,
        registry: Arc<dyn Registry>,
    ) -> Place {
        let fake = Arc::new(Fake {
            name: node(name),
            publishers: Mutex::default(),
            hubs: Mutex::default(),
            idle: Mutex::default(),
            connections: Mutex::default(),
            muxers: Mutex::default(),
            problems: Mutex::default(),
            events: Mutex::default(),
            cpu_ms: AtomicU64::new(0),
            record: Mutex::new(record(role)),
            closed: Mutex::default(),
            drained: Mutex::default(),
            page: AtomicUsize::new(2),
            asked: AtomicUsize::new(0),
            hangs: AtomicBool::new(false),
        });
        let desk = Arc::new(Desk(fake.clone()));
        let serving = bus.serve(node(name), desk.clone()).await.unwrap();
        let link = Faulty::wrap(bus, Faults::default());
        let described = fake.clone();
        let describe = Arc::new(move || described.record.lock().unwrap().clone());
        let control = Control::new(
            desk.clone(),
            desk,
            link.clone(),
            link.registry(registry.clone()),
            Members::seeing(node(name), describe, self.view.subscribe()),
        );
        Place {
            fake,
            link,
            registry,
            control,
            _serving: serving,
        }
    }

    pub(crate) fn fake(&self, name: &str) -> &Fake {
        &self.places[name].fake
    }

    /// A publisher of `name` on a node, and its record.
    pub(crate) async fn publish(&self, at: &str, name: &str, number: u8, state: StreamState) -> Epoch {
        let record = StreamRecord {
            node: node(at),
            incarnation: Incarnation(1),
            session: session(number),
            since: SINCE,
        };
        let held = self.bus.lookup(stream(name)).await.unwrap();
        let claim = held.map_or(Claim::Vacant, |held| Claim::Over(held.epoch));
        let epoch = self.bus.claim(stream(name), record, claim).await.unwrap();
        self.report_publisher(at, name, number, state, epoch);
        if state != StreamState::Waiting {
            let owner = super::orders::Owner::of(at, session(number), state, epoch);
            let publication = self.bus.publish(stream(name), owner).await.unwrap();
            self.publications.lock().unwrap().push(publication);
        }
        epoch
    }

    /// A publisher that has no record.
    pub(crate) fn report_publisher(
        &self,
        at: &str,
        name: &str,
        number: u8,
        state: StreamState,
        epoch: Epoch,
    ) {
        let publisher = PublisherReport {
            stream: stream(name),
            info: owner(at, session(number), state, epoch),
            created: SINCE + i64::from(number),
            detail: SessionDetail {
                query: "quality=hd".to_owned(),
                user: "student".to_owned(),
                user_agent: "Browser/1".to_owned(),
                local: "192.0.2.1:8189".to_owned(),
                jitter_us: 1_500,
                rtcp_received: 4,
                ..SessionDetail::default()
            },
        };
        self.fake(at).publishers.lock().unwrap().push(publisher);
    }

    /// A stream open at a node, with readers of these numbers.
    pub(crate) fn open(&self, at: &str, name: &str, readers: &[u8], bytes_sent: u64) {
        let readers = readers.iter().map(|number| ReaderReport {
            session: session(*number),
            kind: "rtspSession".to_owned(),
            remote: "127.0.0.1:9".to_owned(),
            since: SINCE + i64::from(*number),
            packets: 3,
            bytes: 77,
            detail: SessionDetail {
                query: "worker=1".to_owned(),
                user: "worker".to_owned(),
                user_agent: "FFmpeg".to_owned(),
                transport: "TCP".to_owned(),
                connection: Some(SessionId([0xc0; 16])),
                rtcp_received: 2,
                rtcp_sent: 3,
                reported_lost: 5,
                discarded: 6,
                ..SessionDetail::default()
            },
        });
        let hub = HubReport {
            stream: stream(name),
            epoch: Epoch::default(),
            ready: true,
            bytes_sent,
            readers: readers.collect(),
        };
        self.fake(at).hubs.lock().unwrap().push(hub);
    }

    /// A stream that a node makes into HLS, opened and last asked for so many seconds after the beginning.
    pub(crate) fn mux(&self, at: &str, name: &str, opened: i64, asked: i64, bytes_sent: u64) {
        let muxer = MuxerReport {
            stream: stream(name),
            id: session(0x31),
            created: SINCE + opened * 1_000_000,
            last_request: SINCE + asked * 1_000_000,
            bytes_sent,
            discarded: 3,
        };
        self.fake(at).muxers.lock().unwrap().push(muxer);
    }

    pub(crate) async fn call(&self, at: &str, request: TestRequest) -> ServiceResponse {
        let app = init_service(App::new().configure(self.places[at].control.api())).await;
        call_service(&app, request.to_request()).await
    }

    pub(crate) async fn get(&self, at: &str, uri: &str) -> (StatusCode, Value) {
        let response = self.call(at, TestRequest::get().uri(uri)).await;
        json(response).await
    }

    /// A request for a change from the node's own host.
    pub(crate) async fn post(&self, at: &str, uri: &str) -> (StatusCode, Value) {
        let request = TestRequest::post()
            .uri(uri)
            .peer_addr("127.0.0.1:5".parse().unwrap());
        json(self.call(at, request).await).await
    }

    /// What the metrics' port of a node shows.
    pub(crate) async fn metrics(&self, at: &str) -> String {
        let app = init_service(App::new().configure(self.places[at].control.metrics())).await;
        let here = TestRequest::get()
            .uri("/metrics")
            .peer_addr("127.0.0.1:5".parse().unwrap());
        let response = call_service(&app, here.to_request()).await;
        assert_eq!(response.status(), StatusCode::OK);
        let body = to_bytes(response.into_body()).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }
}

pub(crate) async fn json(response: ServiceResponse) -> (StatusCode, Value) {
    let status = response.status();
    let body = to_bytes(response.into_body()).await.unwrap();
    let value = serde_json::from_slice(&body);
    (
        status,
        value.unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned())),
    )
}

/// What a publisher's session says of itself.
pub(crate) fn owner(at: &str, session: SessionId, state: StreamState, epoch: Epoch) -> OwnerInfo {
    let track = |id, codec, rate, channels, sets| TrackInfo {
        id: TrackId(id),
        codec,
        clock_rate: ClockRate(NonZeroU32::new(rate).unwrap()),
        channels,
        parameter_sets: sets,
        width: if channels == 0 { 1920 } else { 0 },
        height: if channels == 0 { 1080 } else { 0 },
    };
    OwnerInfo {
        node: node(at),
        incarnation: Incarnation(1),
        session,
        epoch,
        state,
        since: SINCE,
        tracks: vec![
            track(0, Codec::H264, 90_000, 0, vec![vec![0x67, 66, 0xe0, 31].into()]),
            track(1, Codec::Opus, 48_000, 2, vec![]),
        ],
        inbound_bytes: 1234,
        inbound_packets: 12,
        packets_lost: 1,
        units_in_error: 2,
        units: 5,
        media_age_ms: 10,
        remote: "127.0.0.1:5".to_owned(),
    }
}
