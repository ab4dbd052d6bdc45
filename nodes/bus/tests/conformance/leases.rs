//! Cases about the table of nodes: one lease per name, seen by all, gone when it is given up or its life is over.
//! Each is seen from two nodes. What only a server can do to the table comes last.

use crate::fixture::connected;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use weft_bus::memory::MemoryBus;
use weft_bus::nats::{NatsBus, NatsConfig};
use weft_bus::testing::NatsServer;
use weft_bus::{Bus, LeaseError, Leases, NodesView, SeenNode};
use weft_wire::{Incarnation, NodeAddresses, NodeLimits, NodeLoad, NodeName, NodeRecord, NodeRole};

/// Long enough for a busy machine to renew in time, short enough to wait for.
pub(crate) const LIFE: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(10);

/// Two nodes' ends of the table of nodes.
pub(crate) struct Nodes {
    a: Arc<dyn Leases>,
    b: Arc<dyn Leases>,
    /// Kept alive; over NATS each end's own.
    _buses: Vec<Arc<dyn Bus>>,
    server: Option<NatsServer>,
}

impl Nodes {
    pub(crate) async fn memory() -> Self {
        let bus = Arc::new(MemoryBus::with_lease_life(LIFE));
        Self {
            a: bus.clone(),
            b: bus.clone(),
            _buses: vec![bus],
            server: None,
        }
    }

    pub(crate) async fn nats() -> Self {
        let server = NatsServer::start().await.unwrap();
        let (bus_a, a) = end(&server, "a").await;
        let (bus_b, b) = end(&server, "b").await;
        Self {
            a,
            b,
            _buses: vec![bus_a, bus_b],
            server: Some(server),
        }
    }

    fn server(&mut self) -> &mut NatsServer {
        self.server.as_mut().unwrap()
    }
}

async fn end(server: &NatsServer, name: &str) -> (Arc<dyn Bus>, Arc<dyn Leases>) {
    let mut config = NatsConfig::new(vec![server.url()], "standalone", node(name));
    config.lease_life = LIFE;
    config.marker_life = Duration::from_secs(1);
    let (bus, _, leases) = NatsBus::connect(config).await.unwrap();
    connected(&bus, 1).await;
    (bus, leases)
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

/// A record of a run.
fn run(incarnation: u64, publishers: u32) -> NodeRecord {
    NodeRecord {
        role: NodeRole::Ingest,
        incarnation: Incarnation(incarnation),
        version: "0.1.0".into(),
        addresses: NodeAddresses {
            webrtc: format!("10.0.0.{incarnation}:8889"),
            ..NodeAddresses::default()
        },
        load: NodeLoad {
            publishers,
            ..NodeLoad::default()
        },
        limits: NodeLimits::default(),
        draining: false,
        started: 1_700_000_000_000_000,
    }
}

/// Waits until the view is as it should be.
async fn sees(leases: &Arc<dyn Leases>, what: &str, should: impl Fn(&NodesView) -> bool) -> Arc<NodesView> {
    let mut view = leases.view();
    let seen = timeout(SOON, view.wait_for(|view| should(view))).await;
    match seen {
        Ok(view) => view.unwrap().clone(),
        Err(_) => panic!("not seen within {SOON:?}: {what}; {:?}", leases.view().borrow()),
    }
}

/// What is known of a node now.
fn known(leases: &Arc<dyn Leases>, name: &str) -> Option<SeenNode> {
    leases.view().borrow().nodes.get(&node(name)).cloned()
}

/// Keeps a lease over and over, for as long as the future it is raced with takes; an absence is no reason to stop.
async fn keep_on(leases: &Arc<dyn Leases>, name: &str, record: NodeRecord) -> std::convert::Infallible {
    loop {
        drop(leases.keep(node(name), record.clone()).await);
        sleep(LIFE / 5).await;
    }
}

/// Keeps a lease as soon as the table takes it.
async fn keep_soon(leases: &Arc<dyn Leases>, name: &str, record: NodeRecord) {
    let deadline = Instant::now() + Duration::from_secs(4);
    while let Err(error) = leases.keep(node(name), record.clone()).await {
        assert!(matches!(error, LeaseError::Bus(_)), "{error}");
        assert!(Instant::now() < deadline, "{error}");
        sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn a_lease_kept_is_seen_by_all(on: Nodes) {
    on.a.keep(node("n.1"), run(1, 3)).await.unwrap();
    for leases in [&on.a, &on.b] {
        let view = sees(leases, "the node", |view| view.nodes.contains_key(&node("n.1"))).await;
        assert_eq!(view.nodes[&node("n.1")].record, run(1, 3));
        assert_eq!(view.nodes.len(), 1);
    }
    on.a.keep(node("n.1"), run(1, 4)).await.unwrap();
    on.b.keep(node("n2"), run(2, 0)).await.unwrap();
    for leases in [&on.a, &on.b] {
        sees(leases, "what it carries now", |view| {
            let one = view.nodes.get(&node("n.1"));
            one.is_some_and(|seen| seen.record == run(1, 4)) && view.nodes.contains_key(&node("n2"))
        })
        .await;
    }
}

pub(crate) async fn a_lease_that_is_renewed_stays_and_is_heard_anew(on: Nodes) {
    on.a.keep(node("n"), run(1, 0)).await.unwrap();
    let first = sees(&on.b, "the node", |view| !view.nodes.is_empty()).await;
    let until = Instant::now() + LIFE * 2;
    while Instant::now() < until {
        on.a.keep(node("n"), run(1, 0)).await.unwrap();
        assert!(known(&on.b, "n").is_some(), "it was renewed all the time");
        sleep(LIFE / 5).await;
    }
    let heard = known(&on.b, "n").unwrap().heard;
    assert!(heard - first.nodes[&node("n")].heard > LIFE);
}

pub(crate) async fn a_name_is_held_against_another_run(on: Nodes) {
    on.a.keep(node("n"), run(1, 7)).await.unwrap();
    match on.b.keep(node("n"), run(2, 0)).await {
        Err(error @ LeaseError::Held(_)) => {
            assert!(error.to_string().contains("10.0.0.1:8889"), "{error}");
            let LeaseError::Held(held) = error else {
                unreachable!()
            };
            assert_eq!(*held, run(1, 7));
        }
        other => panic!("{other:?}"),
    }
    // The same run by another way, after a reconnect perhaps: it goes on where it was, at either end.
    on.b.keep(node("n"), run(1, 8)).await.unwrap();
    on.a.keep(node("n"), run(1, 9)).await.unwrap();
    on.b.keep(node("n"), run(1, 10)).await.unwrap();
    sees(&on.a, "the last word", |view| {
        view.nodes
            .get(&node("n"))
            .is_some_and(|seen| seen.record == run(1, 10))
    })
    .await;
}

pub(crate) async fn the_name_of_a_dead_run_is_free_when_its_lease_is_over(on: Nodes) {
    let kept = Instant::now();
    on.a.keep(node("n"), run(1, 0)).await.unwrap();
    let deadline = kept + LIFE * 4;
    while let Err(error) = on.b.keep(node("n"), run(2, 0)).await {
        assert!(matches!(error, LeaseError::Held(_)), "{error}");
        assert!(Instant::now() < deadline, "its life is long over");
        sleep(Duration::from_millis(20)).await;
    }
    assert!(
        kept.elapsed() >= LIFE - Duration::from_millis(100),
        "{:?}",
        kept.elapsed()
    );
    sees(&on.a, "the new run", |view| {
        view.nodes
            .get(&node("n"))
            .is_some_and(|seen| seen.record == run(2, 0))
    })
    .await;
    match on.a.keep(node("n"), run(1, 0)).await {
        Err(LeaseError::Held(held)) => assert_eq!(*held, run(2, 0), "the old run is told who has its name"),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_node_that_is_not_heard_any_more_leaves_the_view(on: Nodes) {
    on.a.keep(node("dead"), run(1, 0)).await.unwrap();
    let seen = sees(&on.b, "the node", |view| !view.nodes.is_empty()).await;
    let heard = seen.nodes[&node("dead")].heard;
    let gone = async {
        for leases in [&on.a, &on.b] {
            sees(leases, "that it is gone", |view| {
                !view.nodes.contains_key(&node("dead"))
            })
            .await;
        }
    };
    tokio::select! {
        () = gone => {}
        never = keep_on(&on.a, "alive", run(3, 0)) => match never {},
    }
    assert!(heard.elapsed() >= LIFE, "{:?}", heard.elapsed());
    assert!(heard.elapsed() < LIFE * 2, "{:?}", heard.elapsed());
    assert!(known(&on.b, "alive").is_some());
}

pub(crate) async fn a_release_is_seen_by_others_at_once(on: Nodes) {
    on.a.keep(node("n"), run(1, 0)).await.unwrap();
    sees(&on.b, "the node", |view| !view.nodes.is_empty()).await;
    let start = Instant::now();
    on.a.release(node("n"), run(1, 0)).await.unwrap();
    for leases in [&on.a, &on.b] {
        sees(leases, "that it is gone", |view| view.nodes.is_empty()).await;
    }
    assert!(start.elapsed() < LIFE / 4, "{:?}", start.elapsed());
    on.b.keep(node("n"), run(2, 0)).await.unwrap();
    sees(&on.a, "who came after it", |view| {
        view.nodes.contains_key(&node("n"))
    })
    .await;
}

pub(crate) async fn only_the_own_lease_is_released(on: Nodes) {
    on.a.keep(node("n"), run(1, 0)).await.unwrap();
    on.b.release(node("n"), run(2, 0)).await.unwrap();
    on.b.release(node("never"), run(2, 0)).await.unwrap();
    assert!(matches!(
        on.b.keep(node("n"), run(2, 0)).await,
        Err(LeaseError::Held(_))
    ));
    // By the other end, which did not write it.
    on.b.release(node("n"), run(1, 0)).await.unwrap();
    on.b.keep(node("n"), run(2, 0)).await.unwrap();
}

pub(crate) async fn of_many_runs_at_once_one_gets_the_name(on: Nodes) {
    for round in 0..10 {
        let name = node(&format!("race{round}"));
        let keeps = (0..8).map(|i| {
            let leases = if i % 2 == 0 { &on.a } else { &on.b };
            leases.keep(name.clone(), run(i, 0))
        });
        let results = futures::future::join_all(keeps).await;
        let won = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(won, 1, "{results:?}");
    }
}

pub(crate) async fn the_view_is_of_now_while_the_table_is_in_reach(on: Nodes) {
    on.a.keep(node("n"), run(1, 0)).await.unwrap();
    sees(&on.b, "the table", |view| view.as_of.is_some()).await;
    let until = Instant::now() + LIFE;
    while Instant::now() < until {
        let as_of = on.b.view().borrow().as_of.unwrap();
        assert!(as_of.elapsed() < Duration::from_secs(1), "{:?}", as_of.elapsed());
        sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn the_view_grows_old_while_the_server_is_away_and_loses_nobody(mut on: Nodes) {
    on.a.keep(node("n"), run(1, 0)).await.unwrap();
    sees(&on.b, "the node", |view| !view.nodes.is_empty()).await;
    on.server().kill();
    sleep(LIFE * 2).await;
    let as_of = on.b.view().borrow().as_of.unwrap();
    assert!(as_of.elapsed() >= LIFE, "{:?}", as_of.elapsed());
    assert!(known(&on.b, "n").is_some(), "nothing is known of it");
    let error = on.a.keep(node("n"), run(1, 0)).await.unwrap_err();
    assert!(matches!(error, LeaseError::Bus(_)), "{error}");

    on.server().restart().await.unwrap();
    let back = Instant::now();
    sees(&on.b, "the table", |view| view.as_of.is_some_and(|at| at > back)).await;
    eprintln!("view is of now again {:?} after the server was", back.elapsed());
    assert!(known(&on.b, "n").is_some(), "it has a life's time to come back");
    keep_soon(&on.a, "n", run(1, 5)).await;
    sees(&on.b, "it again", |view| {
        view.nodes
            .get(&node("n"))
            .is_some_and(|seen| seen.record == run(1, 5))
    })
    .await;
    sleep(LIFE / 2).await;
    assert!(known(&on.b, "n").is_some());
}

pub(crate) async fn a_table_that_loses_all_its_entries_takes_nobody_away(mut on: Nodes) {
    for i in 0..20 {
        on.a.keep(node(&format!("n{i}")), run(i, 0)).await.unwrap();
    }
    sees(&on.b, "all of them", |view| view.nodes.len() == 20).await;
    let mut smallest = 20;
    let mut view = on.b.view();
    // As a new leader may do it: every entry expires before its node can renew it.
    let client = async_nats::connect(on.server().url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let stream = jetstream.get_stream("KV_weft_nodes").await.unwrap();
    assert_eq!(stream.purge().await.unwrap().purged, 20);
    let renewed = Instant::now();
    let renew = async {
        // They create their leases again, one after the other, as their renewals fall due.
        for i in 0..20 {
            on.a.keep(node(&format!("n{i}")), run(i, 1)).await.unwrap();
            sleep(LIFE / 40).await;
        }
    };
    let watch = async {
        loop {
            view.changed().await.unwrap();
            smallest = smallest.min(view.borrow_and_update().nodes.len());
        }
    };
    tokio::select! { () = renew => {}, () = watch => {} }
    assert!(renewed.elapsed() < LIFE);
    assert_eq!(smallest, 20);
    sees(&on.b, "what they say now", |view| {
        view.nodes.values().all(|seen| seen.record.load.publishers == 1)
    })
    .await;
}

pub(crate) async fn a_server_that_comes_back_empty_gets_the_leases_again(mut on: Nodes) {
    on.a.keep(node("n"), run(1, 0)).await.unwrap();
    sees(&on.b, "the node", |view| !view.nodes.is_empty()).await;
    on.server().kill();
    on.server().wipe().unwrap();
    on.server().restart().await.unwrap();
    keep_soon(&on.a, "n", run(1, 9)).await;
    sees(&on.b, "it in the new table", |view| {
        view.nodes
            .get(&node("n"))
            .is_some_and(|seen| seen.record.load.publishers == 9)
    })
    .await;
}

pub(crate) async fn a_watch_that_the_server_forgot_begins_anew(mut on: Nodes) {
    on.a.keep(node("n"), run(1, 0)).await.unwrap();
    sees(&on.b, "the node", |view| !view.nodes.is_empty()).await;
    // As when the one server of a cluster ends that held the consumers: the connection notices nothing.
    let client = async_nats::connect(on.server().url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let stream = jetstream.get_stream("KV_weft_nodes").await.unwrap();
    let consumers: Vec<_> = futures::StreamExt::collect(stream.consumer_names()).await;
    assert_eq!(consumers.len(), 2, "{consumers:?}");
    for consumer in consumers {
        stream.delete_consumer(&consumer.unwrap()).await.unwrap();
    }
    let forgotten = Instant::now();
    on.a.keep(node("n"), run(1, 2)).await.unwrap();
    for leases in [&on.a, &on.b] {
        sees(leases, "it all the same", |view| {
            view.nodes
                .get(&node("n"))
                .is_some_and(|seen| seen.record == run(1, 2))
        })
        .await;
    }
    eprintln!(
        "seen again {:?} after the watch was forgotten",
        forgotten.elapsed()
    );
    assert!(forgotten.elapsed() < Duration::from_secs(4));
}

pub(crate) async fn marks_of_released_leases_expire(mut on: Nodes) {
    for i in 0..50 {
        let name = node(&format!("n{i}"));
        on.a.keep(name.clone(), run(i, 0)).await.unwrap();
        // Half of them are given up, half expire.
        if i % 2 == 0 {
            on.a.release(name, run(i, 0)).await.unwrap();
        }
    }
    let client = async_nats::connect(on.server().url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let messages = async || {
        let mut stream = jetstream.get_stream("KV_weft_nodes").await.unwrap();
        stream.info().await.unwrap().state.messages
    };
    assert_eq!(messages().await, 50);
    let deadline = Instant::now() + SOON;
    while messages().await > 0 {
        assert!(Instant::now() < deadline, "{} are left", messages().await);
        sleep(Duration::from_millis(100)).await;
    }
}
