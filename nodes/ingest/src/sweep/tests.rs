//! Which records fall, and which do not: a table of names that says how steady it is, a view of nodes set by hand.
//! Time is paused.

use super::run;
use crate::IngestConfig;
use crate::counters::{Counters, get};
use crate::ownership::Fabric;
use crate::testing::{identity, live, lock, memory, stream};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, pause, sleep};
use weft_bus::{
    Bus, Claim, ClaimError, Error, Members, NodesView, Registered, Registry, SeenNode, StreamOwner,
};
use weft_wire::{
    Epoch, Incarnation, NodeAddresses, NodeLimits, NodeLoad, NodeName, NodeRecord, NodeRole, SessionId,
    StreamName, StreamRecord,
};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn node(role: NodeRole, incarnation: u64) -> NodeRecord {
    NodeRecord {
        role,
        incarnation: Incarnation(incarnation),
        version: String::new(),
        addresses: NodeAddresses::default(),
        load: NodeLoad::default(),
        limits: NodeLimits::default(),
        draining: false,
        started: 0,
    }
}

/// The registry in memory, with what NATS adds to it: it can be away, and its leader can be new.
struct Names {
    inner: Arc<dyn Registry>,
    away: AtomicBool,
    led_since: Mutex<Instant>,
    lists: Mutex<Vec<Instant>>,
}

impl Names {
    fn reachable(&self) -> Result<(), Error> {
        match self.away.load(Ordering::Relaxed) {
            true => Err(Error::Away("test".to_owned())),
            false => Ok(()),
        }
    }
}

impl Registry for Names {
    fn claim(
        &self,
        stream: StreamName,
        record: StreamRecord,
        claim: Claim,
    ) -> BoxFuture<'_, Result<Epoch, ClaimError>> {
        self.inner.claim(stream, record, claim)
    }

    fn lookup(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Registered>, Error>> {
        async move {
            self.reachable()?;
            self.inner.lookup(stream).await
        }
        .boxed()
    }

    fn remove(&self, stream: StreamName, epoch: Epoch) -> BoxFuture<'_, Result<bool, Error>> {
        async move {
            self.reachable()?;
            self.inner.remove(stream, epoch).await
        }
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Registered>, Error>> {
        async move {
            self.reachable()?;
            lock(&self.lists).push(Instant::now());
            self.inner.list().await
        }
        .boxed()
    }

    fn steady(&self) -> BoxFuture<'_, Result<Duration, Error>> {
        async move {
            self.reachable()?;
            Ok(lock(&self.led_since).elapsed())
        }
        .boxed()
    }
}

/// One node's sweep, "here", in a fabric of the test's making.
struct Bench {
    bus: Arc<dyn Bus>,
    names: Arc<Names>,
    view: watch::Sender<Arc<NodesView>>,
    fabric: Fabric,
    counters: Arc<Counters>,
    task: JoinHandle<()>,
    clock: JoinHandle<()>,
}

impl Bench {
    /// With these nodes besides "here", and a table of names that has long been steady.
    fn new(others: &[(&str, NodeRole)]) -> Self {
        pause();
        let (bus, inner) = memory();
        let names = Arc::new(Names {
            inner,
            away: AtomicBool::new(false),
            led_since: Mutex::new(Instant::now()),
            lists: Mutex::default(),
        });
        let mut first = NodesView {
            as_of: Some(Instant::now()),
            ..NodesView::default()
        };
        for (name, role) in others.iter().chain(&[("here", NodeRole::Ingest)]) {
            let seen = SeenNode {
                record: node(*role, 7),
                heard: Instant::now(),
            };
            first.nodes.insert(NodeName::new(name).unwrap(), seen);
        }
        let view = watch::Sender::new(Arc::new(first));
        let describe = Arc::new(|| node(NodeRole::Ingest, 7));
        let members = Members::seeing(NodeName::new("here").unwrap(), describe, view.subscribe());
        let fabric = Fabric::new(
            Arc::new(IngestConfig::default()),
            bus.clone(),
            names.clone(),
            members,
        );
        let counters = Arc::new(Counters::default());
        let task = tokio::spawn(run(fabric.clone(), identity("here"), Arc::clone(&counters)));
        // The table of nodes is in reach unless the test stops this.
        let touched = view.clone();
        let clock = tokio::spawn(async move {
            loop {
                sleep(s(1)).await;
                touched.send_modify(|view| Arc::make_mut(view).as_of = Some(Instant::now()));
            }
        });
        Self {
            bus,
            names,
            view,
            fabric,
            counters,
            task,
            clock,
        }
    }

    async fn record(&self, stream_name: &str, owner: &str, incarnation: u64) -> Epoch {
        let record = StreamRecord {
            node: NodeName::new(owner).unwrap(),
            incarnation: Incarnation(incarnation),
            session: SessionId([3; 16]),
            since: 1,
        };
        let claimed = self.names.claim(stream(stream_name), record, Claim::Vacant);
        claimed.await.unwrap()
    }

    fn lose(&self, name: &str) {
        let name = NodeName::new(name).unwrap();
        self.view.send_modify(|view| {
            Arc::make_mut(view).nodes.remove(&name);
        });
    }

    async fn is_there(&self, name: &str) -> bool {
        let held = self.names.inner.lookup(stream(name)).await.unwrap();
        held.is_some()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.task.abort();
        self.clock.abort();
    }
}

#[tokio::test]
async fn the_records_of_a_node_whose_lease_is_gone_fall_after_two_questions() {
    let bench = Bench::new(&[("z", NodeRole::Ingest)]);
    bench.record("hers", "z", 7).await;
    bench.record("ours", "here", 7).await;
    sleep(s(60)).await;
    assert!(bench.is_there("hers").await, "its node is live");
    let looks = lock(&bench.names.lists).len();
    assert_eq!(looks, 1, "what was left before is looked for once");
    bench.lose("z");
    sleep(s(9)).await;
    assert!(bench.is_there("hers").await, "asked once only");
    sleep(s(6)).await;
    assert!(!bench.is_there("hers").await);
    assert!(bench.is_there("ours").await);
    assert_eq!(get(&bench.counters.records_removed), 1);
    sleep(s(300)).await;
    assert_eq!(
        lock(&bench.names.lists).len(),
        looks + 1,
        "one listing for one loss"
    );
}

#[tokio::test]
async fn records_of_another_run_of_a_node_fall_and_those_of_this_run_never() {
    let bench = Bench::new(&[("z", NodeRole::Ingest)]);
    bench.record("before", "here", 6).await;
    bench.record("restarted", "z", 6).await;
    bench.record("now", "z", 7).await;
    bench.record("ours", "here", 7).await;
    sleep(s(60)).await;
    assert!(!bench.is_there("before").await && !bench.is_there("restarted").await);
    assert!(bench.is_there("now").await && bench.is_there("ours").await);
    bench.view.send_modify(|view| {
        let here = NodeName::new("here").unwrap();
        let seen = Arc::make_mut(view).nodes.get_mut(&here).unwrap();
        seen.record.incarnation = Incarnation(8);
    });
    sleep(s(60)).await;
    assert!(
        bench.is_there("ours").await,
        "not even when another run has taken the lease"
    );
}

#[tokio::test]
async fn a_record_whose_owner_answers_stays_until_it_answers_no_more() {
    let bench = Bench::new(&[("z", NodeRole::Ingest)]);
    bench.record("test", "z", 7).await;
    let owner: Arc<dyn StreamOwner> = live();
    let publication = bench.bus.publish(stream("test"), owner).await.unwrap();
    bench.lose("z");
    sleep(s(200)).await;
    assert!(bench.is_there("test").await, "a lease that is late stops nothing");
    drop(publication);
    sleep(s(80)).await;
    assert!(!bench.is_there("test").await, "though no further lease went");
}

#[tokio::test]
async fn an_owner_that_is_back_at_the_second_question_keeps_its_record() {
    let bench = Bench::new(&[("z", NodeRole::Ingest)]);
    sleep(s(60)).await;
    bench.record("test", "z", 7).await;
    bench.lose("z");
    sleep(s(6)).await;
    let _publication = bench.bus.publish(stream("test"), live()).await.unwrap();
    sleep(s(30)).await;
    assert!(bench.is_there("test").await);
}

#[tokio::test]
async fn nothing_falls_within_thirty_seconds_of_a_new_leader() {
    let bench = Bench::new(&[("z", NodeRole::Ingest)]);
    sleep(s(60)).await;
    bench.record("test", "z", 7).await;
    *lock(&bench.names.led_since) = Instant::now();
    bench.lose("z");
    sleep(s(29)).await;
    assert!(bench.is_there("test").await);
    // The leader changes again between the questions.
    sleep(s(5)).await;
    *lock(&bench.names.led_since) = Instant::now();
    sleep(s(29)).await;
    assert!(bench.is_there("test").await);
    sleep(s(30)).await;
    assert!(!bench.is_there("test").await);
}

#[tokio::test]
async fn nothing_falls_while_the_table_of_nodes_or_that_of_names_is_out_of_reach() {
    let bench = Bench::new(&[("z", NodeRole::Ingest)]);
    sleep(s(60)).await;
    bench.record("test", "z", 7).await;
    bench.clock.abort();
    sleep(s(15)).await;
    bench.lose("z");
    sleep(s(120)).await;
    assert!(
        bench.is_there("test").await,
        "a view that has grown old takes nobody away"
    );
    bench.names.away.store(true, Ordering::Relaxed);
    bench
        .view
        .send_modify(|view| Arc::make_mut(view).as_of = Some(Instant::now()));
    sleep(s(10)).await;
    bench.names.away.store(false, Ordering::Relaxed);
    for _ in 0..40 {
        bench
            .view
            .send_modify(|view| Arc::make_mut(view).as_of = Some(Instant::now()));
        sleep(s(1)).await;
    }
    assert!(!bench.is_there("test").await);
}

#[tokio::test]
async fn the_first_ingest_node_by_name_does_it_and_the_next_when_that_one_is_gone() {
    let bench = Bench::new(&[
        ("a", NodeRole::Ingest),
        ("aa", NodeRole::Egress),
        ("z", NodeRole::Ingest),
    ]);
    bench.record("test", "z", 7).await;
    bench.lose("z");
    sleep(s(120)).await;
    assert!(bench.is_there("test").await, "that is a's work");
    assert!(lock(&bench.names.lists).is_empty());
    bench.lose("a");
    sleep(s(20)).await;
    assert!(!bench.is_there("test").await, "an egress node has no such work");
}

#[tokio::test]
async fn a_record_that_an_ending_session_could_not_remove_goes_when_the_registry_is_back() {
    let bench = Bench::new(&[]);
    let epoch = bench.record("test", "here", 7).await;
    bench.names.away.store(true, Ordering::Relaxed);
    bench.fabric.leftovers.add(stream("test"), SessionId([3; 16]));
    bench.fabric.leftovers.add(stream("other"), SessionId([3; 16]));
    sleep(s(30)).await;
    bench.names.away.store(false, Ordering::Relaxed);
    // Somebody else's by now: left alone.
    let theirs = StreamRecord {
        node: NodeName::new("z").unwrap(),
        incarnation: Incarnation(7),
        session: SessionId([4; 16]),
        since: 2,
    };
    let other = bench
        .names
        .claim(stream("other"), theirs, Claim::Vacant)
        .await
        .unwrap();
    assert!(other > epoch);
    sleep(s(3)).await;
    assert!(!bench.is_there("test").await);
    assert!(bench.is_there("other").await);
}
