//! A small fabric: three nodes that take publishers, two that serve readers, each behind a switch that cuts it off.
//! Which of these things happens next is up to the walk.

use crate::claim::Rules;
use crate::live::Live;
use crate::model::Judged;
use crate::ownership::Fabric;
use crate::reader::{Bar, Claims, Reader};
use crate::session::Session;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use weft_bus::faulty::{Faults, Faulty};
use weft_bus::memory::MemoryBus;
use weft_bus::nats::{NatsBus, NatsConfig};
use weft_bus::testing::NatsServer;
use weft_bus::{Bus, BusState, Describe, Keeper, Leases, Members, Registry};
use weft_egress::{Egress, EgressConfig};
use weft_wire::{
    CloseReason, Incarnation, NodeAddresses, NodeLimits, NodeLoad, NodeName, NodeRecord, NodeRole, SessionId,
    StreamName,
};

pub(crate) const INGESTS: usize = 3;
pub(crate) const EGRESSES: usize = 2;

/// What one node stands on.
struct Ends {
    bus: Arc<dyn Bus>,
    registry: Arc<dyn Registry>,
    leases: Arc<dyn Leases>,
}

/// A node that takes publishers.
pub(crate) struct Ingest {
    name: NodeName,
    ends: Ends,
    pub(crate) bus: Arc<Faulty>,
    pub(crate) is_cut: bool,
    run: Option<Run>,
    pub(crate) sessions: Vec<Session>,
}

/// A run of such a node; none while it is down.
struct Run {
    incarnation: Incarnation,
    keeper: Keeper,
}

/// A node that serves readers.
pub(crate) struct Outlet {
    pub(crate) bus: Arc<Faulty>,
    pub(crate) egress: Egress,
    pub(crate) readers: Vec<Reader>,
}

pub(crate) struct World {
    pub(crate) stream: StreamName,
    /// What readers are judged by.
    pub(crate) bar: Bar,
    pub(crate) judged: Vec<Arc<Judged>>,
    pub(crate) ingests: Vec<Ingest>,
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) members: Members,
    sessions: u32,
    runs: u64,
}

fn describe(incarnation: u64) -> Describe {
    Arc::new(move || NodeRecord {
        role: NodeRole::Ingest,
        incarnation: Incarnation(incarnation),
        version: String::new(),
        addresses: NodeAddresses::default(),
        load: NodeLoad::default(),
        limits: NodeLimits::default(),
        draining: false,
        started: 0,
    })
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

impl World {
    /// All in one process.
    pub(crate) async fn memory() -> Self {
        let bus = MemoryBus::new();
        let bar = Bar {
            claims: Claims::default(),
            began: Instant::now(),
            oldest: 1_000_000,
        };
        let judged = Judged::new(Arc::new(bus.clone()), true, bar.claims.clone());
        let ends = || Ends {
            bus: Arc::new(bus.clone()),
            registry: judged.clone(),
            leases: Arc::new(bus.clone()),
        };
        let all = (0..INGESTS + EGRESSES).map(|_| ends()).collect();
        Self::of("walk", all, vec![judged.clone()], bar).await
    }

    /// Over a server; several worlds may share one.
    pub(crate) async fn nats(server: &NatsServer, number: u64) -> Self {
        let bar = Bar {
            claims: Claims::default(),
            began: Instant::now(),
            // A busy machine is late on its own account.
            oldest: 1_500_000,
        };
        let (mut all, mut tables) = (Vec::new(), Vec::new());
        for i in 0..INGESTS + EGRESSES {
            let name = node(&format!("w{number}n{i}"));
            let config = NatsConfig::new(vec![server.url()], "standalone", name);
            let (bus, registry, leases) = NatsBus::connect(config).await.unwrap();
            let mut state = bus.state();
            let connected = state.wait_for(|state| matches!(state, BusState::Connected(_)));
            connected.await.unwrap();
            let registry = Judged::new(registry, false, bar.claims.clone());
            tables.push(registry.clone());
            all.push(Ends {
                bus,
                registry,
                leases,
            });
        }
        Self::of(&format!("walk/{number}"), all, tables, bar).await
    }

    async fn of(stream: &str, mut all: Vec<Ends>, judged: Vec<Arc<Judged>>, bar: Bar) -> Self {
        let members = Members::seeing(node("outside"), describe(0), all[0].leases.view());
        let outlets = all.drain(INGESTS..).enumerate().map(|(i, ends)| {
            let bus = Faulty::wrap(ends.bus, Faults::default());
            let members = Members::alone(node(&format!("e{i}")));
            Outlet {
                egress: Egress::start(EgressConfig::default(), bus.clone(), members),
                bus,
                readers: Vec::new(),
            }
        });
        let outlets = outlets.collect();
        let mut world = Self {
            stream: StreamName::new(stream).unwrap(),
            bar,
            judged,
            ingests: Vec::new(),
            outlets,
            members,
            sessions: 0,
            runs: 0,
        };
        for (i, ends) in all.into_iter().enumerate() {
            let bus = Faulty::wrap(ends.bus.clone(), Faults::default());
            world.ingests.push(Ingest {
                name: node(&format!("{}i{i}", stream.replace('/', "-"))),
                ends,
                bus,
                is_cut: false,
                run: None,
                sessions: Vec::new(),
            });
            world.start(i).await;
        }
        world
    }

    /// Starts a node that is down, as another run of it; it waits for the lease of a run that died.
    pub(crate) async fn start(&mut self, at: usize) {
        self.runs += 1;
        let incarnation = self.runs;
        let ingest = &mut self.ingests[at];
        if ingest.run.is_some() || ingest.is_cut {
            return;
        }
        let (leases, name) = (ingest.ends.leases.clone(), ingest.name.clone());
        if let Ok((_, keeper)) = Members::join(leases, name, describe(incarnation)).await {
            let incarnation = Incarnation(incarnation);
            ingest.run = Some(Run { incarnation, keeper });
        }
    }

    /// A publisher comes to a node.
    pub(crate) fn publish(&mut self, at: usize, rules: Rules) {
        let ingest = &mut self.ingests[at];
        let Some(run) = &ingest.run else {
            return;
        };
        self.sessions += 1;
        let live = Live::new(
            self.sessions,
            self.bar.began,
            self.stream.clone(),
            ingest.name.clone(),
            run.incarnation,
        );
        let fabric = Fabric {
            bus: ingest.bus.clone(),
            registry: ingest.bus.registry(ingest.ends.registry.clone()),
        };
        ingest.sessions.push(Session::start(fabric, live, rules));
    }

    /// A node dies with all it has; its lease stays until its life is over.
    pub(crate) fn kill(&mut self, at: usize) {
        let ingest = &mut self.ingests[at];
        for session in ingest.sessions.drain(..) {
            session.vanish();
        }
        ingest.run = None;
    }

    /// A node is told to end: its publishers move to another one, the rest is closed after a while, its lease given up.
    pub(crate) async fn drain(&mut self, at: usize, to: usize, patience: Duration) {
        let moving: Vec<SessionId> = self.ingests[at].alive().map(|live| live.id).collect();
        for session in moving {
            let rules = Rules {
                override_publisher: false,
                moves: Some(session),
            };
            self.publish(to, rules);
        }
        tokio::time::sleep(patience).await;
        let ingest = &mut self.ingests[at];
        for live in ingest.alive() {
            live.end(CloseReason::Shutdown);
        }
        if let Some(run) = ingest.run.take() {
            // Cut off or not: the lease expires where it cannot be given up.
            drop(run.keeper.leave().await);
        }
    }

    pub(crate) fn cut(&mut self, at: usize, cut: bool) {
        match self.ingests.get_mut(at) {
            Some(ingest) => {
                ingest.is_cut = cut;
                ingest.bus.cut(cut);
            }
            None => self.outlets[at - INGESTS].bus.cut(cut),
        }
    }

    /// Sessions that have not ended.
    pub(crate) fn alive(&self) -> Vec<Arc<Live>> {
        let alive = self.ingests.iter().flat_map(Ingest::alive);
        alive.cloned().collect()
    }

    /// The nodes that should hold a lease.
    pub(crate) fn up(&self) -> BTreeSet<NodeName> {
        let up = self.ingests.iter().filter(|ingest| ingest.run.is_some());
        up.map(|ingest| ingest.name.clone()).collect()
    }
}

impl Ingest {
    pub(crate) fn alive(&self) -> impl Iterator<Item = &Arc<Live>> {
        let sessions = self.sessions.iter().map(|session| &session.live);
        sessions.filter(|live| !live.is_over())
    }
}
