//! What an outage leaves of questions between nodes and of the table of names: who served serves again, who listened hears
//! again, epochs never fall, and nothing is called steady that has just changed.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

#[path = "conformance/fixture.rs"]
#[allow(dead_code, reason = "shared with the suite, which uses the rest")]
mod fixture;
#[path = "conformance/nodes.rs"]
#[allow(dead_code, reason = "shared with the suite, which uses the rest")]
mod nodes;

use fixture::{Fixture, connected, node};
use nodes::{Clerk, next, reply, report, session, word};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use weft_bus::faulty::{Faults, Faulty};
use weft_bus::nats::{NatsBus, NatsConfig};
use weft_bus::testing::{NatsCluster, NatsServer, NatsServerOptions};
use weft_bus::{Bus, BusState, Claim, ClaimError, Error, Registered, Registry, RequestError};
use weft_wire::{Epoch, Incarnation, NodeName, StreamName, StreamRecord};

const PATIENCE: Duration = Duration::from_secs(2);

fn record(number: u8) -> StreamRecord {
    StreamRecord {
        node: nodes::node("n"),
        incarnation: Incarnation(1),
        session: session(number),
        since: 0,
    }
}

fn stream() -> StreamName {
    StreamName::new("exam/cam").unwrap()
}

/// Claims as soon as the table takes it.
async fn claimed(registry: &Arc<dyn Registry>, record: StreamRecord) -> Epoch {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match registry.claim(stream(), record.clone(), Claim::Vacant).await {
            Ok(epoch) => return epoch,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_servers_restart_serving_and_hearing_go_on() {
    let mut on = Fixture::nats().await;
    let mut server = on.server.take().unwrap();
    let clerk = Clerk::new(1);
    let _serving = on.publisher.serve(nodes::node("n"), clerk.clone()).await.unwrap();
    let mut events = on.reader.hear(session(1)).await.unwrap();
    on.reader.ask(nodes::node("n"), report(), PATIENCE).await.unwrap();

    server.kill();
    let mut state = on.reader.state();
    let away = state.wait_for(|state| *state == BusState::Away);
    timeout(Duration::from_secs(6), away)
        .await
        .expect("noticed")
        .unwrap();
    let answer = on.reader.ask(nodes::node("n"), report(), PATIENCE).await;
    assert!(
        matches!(answer, Err(RequestError::Bus(Error::Away(_)))),
        "{answer:?}"
    );
    on.publisher.tell(word(session(1), 0));

    server.restart().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(3);
    // The control connection has a life of its own, so a try or two may come too early.
    while let Err(error) = on.reader.ask(nodes::node("n"), report(), PATIENCE).await {
        assert!(Instant::now() < deadline, "{error}");
        sleep(Duration::from_millis(10)).await;
    }
    on.publisher.tell(word(session(1), 1));
    assert_eq!(
        next(&mut events).await,
        word(session(1), 1),
        "what was said meanwhile is lost"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_serves_and_listens_before_there_is_a_server_does_so_once_there_is() {
    let mut server = NatsServer::reserve(NatsServerOptions::default()).unwrap();
    let (serves, _) = node(&server, "serves").await;
    let (asks, _) = node(&server, "asks").await;
    let _serving = serves.serve(nodes::node("n"), Clerk::new(1)).await.unwrap();
    let mut events = serves.hear(session(1)).await.unwrap();
    server.restart().await.unwrap();
    connected(&serves, 1).await;
    connected(&asks, 1).await;
    let deadline = Instant::now() + Duration::from_secs(3);
    while let Err(error) = asks.ask(nodes::node("n"), report(), PATIENCE).await {
        assert!(Instant::now() < deadline, "{error}");
        sleep(Duration::from_millis(10)).await;
    }
    asks.tell(word(session(1), 1));
    assert_eq!(next(&mut events).await, word(session(1), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_larger_than_the_server_takes_is_not_sent_and_counted() {
    let small = NatsServerOptions {
        max_payload: Some(64 * 1024),
        ..NatsServerOptions::default()
    };
    let server = NatsServer::start_with(small).await.unwrap();
    let (serves, _) = node(&server, "serves").await;
    let (asks, _) = node(&server, "asks").await;
    let _serving = serves.serve(nodes::node("n"), Arc::new(Long)).await.unwrap();
    let answer = asks
        .ask(nodes::node("n"), report(), Duration::from_millis(300))
        .await;
    assert!(matches!(answer, Err(RequestError::Timeout)), "{answer:?}");
    let given_up = &serves.counters().node_given_up;
    assert_eq!(given_up.load(std::sync::atomic::Ordering::SeqCst), 1);
}

/// Answers with more than fits.
struct Long;

impl weft_bus::NodeService for Long {
    fn answer(&self, _: weft_bus::NodeRequest) -> futures::future::BoxFuture<'static, weft_bus::NodeReply> {
        Box::pin(std::future::ready(weft_bus::NodeReply::Offer(
            weft_wire::OfferReply {
                status: 201,
                body: "v".repeat(100 * 1024),
                session: None,
                secret: None,
            },
        )))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reason_of_an_absence_is_told() {
    let server = NatsServer::reserve(NatsServerOptions::default()).unwrap();
    let (_bus, registry) = node(&server, "n").await;
    let deadline = Instant::now() + Duration::from_secs(3);
    loop {
        let error = registry.lookup(stream()).await.unwrap_err().to_string();
        if error.contains("refused") && error.contains(&server.url()) {
            return;
        }
        assert!(Instant::now() < deadline, "{error}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_made_anew_under_a_connection_begins_a_higher_generation() {
    let server = NatsServer::start().await.unwrap();
    let (_bus, registry) = node(&server, "n").await;
    let (_other, elsewhere) = node(&server, "m").await;
    let mut last = claimed(&registry, record(1)).await;
    assert_eq!(elsewhere.lookup(stream()).await.unwrap().unwrap().epoch, last);
    let jetstream = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    for round in 2..6 {
        jetstream.delete_key_value("weft_streams").await.unwrap();
        // In odd rounds somebody else makes it anew first, so that no write of ours fails.
        if round % 2 == 1 {
            elsewhere
                .claim(StreamName::new("other").unwrap(), record(99), Claim::Vacant)
                .await
                .map(drop)
                .or_else(|error| matches!(error, ClaimError::Bus(_)).then_some(()).ok_or(error))
                .unwrap();
            elsewhere.list().await.unwrap();
        }
        let before = last;
        last = claimed(&registry, record(round)).await;
        assert!(last.generation > before.generation, "{last} after {before}");
        assert!(!registry.remove(stream(), before).await.unwrap());
        // Who has not written since learns it at the first word of the new generation.
        let third = record(round + 100);
        let over = elsewhere
            .claim(stream(), third.clone(), Claim::Over(last))
            .await
            .unwrap();
        assert!(over > last);
        let held = Registered {
            stream: stream(),
            record: third,
            epoch: over,
        };
        assert_eq!(registry.lookup(stream()).await.unwrap(), Some(held));
        last = over;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnect_makes_the_table_unsteady() {
    let mut server = NatsServer::start().await.unwrap();
    let (bus, registry) = node(&server, "n").await;
    claimed(&registry, record(1)).await;
    sleep(Duration::from_millis(1500)).await;
    assert!(registry.steady().await.unwrap() >= Duration::from_millis(1500));
    server.kill();
    let killed = Instant::now();
    let mut state = bus.state();
    let away = state.wait_for(|state| *state == BusState::Away);
    timeout(Duration::from_secs(6), away)
        .await
        .expect("noticed")
        .unwrap();
    assert!(matches!(registry.steady().await, Err(Error::Away(_))));
    server.restart().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    let steady = loop {
        match registry.steady().await {
            Ok(steady) => break steady,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        sleep(Duration::from_millis(20)).await;
    };
    assert!(steady < killed.elapsed(), "{steady:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_leader_makes_the_table_unsteady_although_the_connection_stays() {
    let mut cluster = NatsCluster::start(3).await.unwrap();
    let connect = async |server: &NatsServer, name: &str| {
        let mut config = NatsConfig::new(vec![server.url()], "ingest", NodeName::new(name).unwrap());
        config.replicas = 3;
        let (bus, registry, _) = NatsBus::connect(config).await.unwrap();
        (bus, registry)
    };
    let (_bus, maker) = connect(cluster.server(0), "m").await;
    claimed(&maker, record(1)).await;
    let leader = cluster.leader_of("KV_weft_streams").await.unwrap();
    let (bus, registry) = connect(cluster.server((leader + 1) % 3), "n").await;
    registry.steady().await.unwrap();
    sleep(Duration::from_secs(2)).await;
    assert!(registry.steady().await.unwrap() >= Duration::from_secs(2));

    let changed = Instant::now();
    cluster.terminate(leader).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let steady = loop {
        match registry.steady().await {
            // The old one may answer until it is gone.
            Ok(steady) if steady <= changed.elapsed() => break steady,
            answer => assert!(Instant::now() < deadline, "{answer:?}"),
        }
        sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(*bus.state().borrow(), BusState::Connected(1));
    sleep(Duration::from_millis(500)).await;
    assert!(registry.steady().await.unwrap() >= steady + Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_cut_takes_bus_and_registry_away_and_a_heal_gives_both_back() {
    let inner = Arc::new(weft_bus::memory::MemoryBus::new());
    let cut_off = Faulty::wrap(inner.clone(), Faults::default());
    let registry = cut_off.registry(inner.clone());
    let others: Arc<dyn Bus> = inner.clone();
    let _serving = cut_off.serve(nodes::node("n"), Clerk::new(1)).await.unwrap();
    let mut events = cut_off.hear(session(1)).await.unwrap();
    let epoch = registry.claim(stream(), record(1), Claim::Vacant).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert!(registry.steady().await.unwrap() >= Duration::from_secs(60));

    cut_off.cut(true);
    sleep(Duration::from_millis(1)).await;
    for answer in [
        registry
            .claim(stream(), record(2), Claim::Over(epoch))
            .await
            .map(drop),
        registry.lookup(stream()).await.map(drop).map_err(ClaimError::Bus),
        registry
            .remove(stream(), epoch)
            .await
            .map(drop)
            .map_err(ClaimError::Bus),
        registry.list().await.map(drop).map_err(ClaimError::Bus),
        registry.steady().await.map(drop).map_err(ClaimError::Bus),
    ] {
        assert!(
            matches!(answer, Err(ClaimError::Bus(Error::Away(_)))),
            "{answer:?}"
        );
    }
    let still = inner.lookup(stream()).await.unwrap().unwrap();
    assert_eq!(
        (still.epoch, still.record),
        (epoch, record(1)),
        "nothing came through"
    );
    let from_outside = others.ask(nodes::node("n"), report(), PATIENCE).await;
    assert!(
        matches!(from_outside, Err(RequestError::NoOwner)),
        "{from_outside:?}"
    );
    let from_inside = cut_off.ask(nodes::node("n"), report(), PATIENCE).await;
    assert!(
        matches!(from_inside, Err(RequestError::Bus(Error::Away(_)))),
        "{from_inside:?}"
    );
    others.tell(word(session(1), 1));
    cut_off.tell(word(session(1), 2));
    sleep(Duration::from_secs(5)).await;

    cut_off.cut(false);
    sleep(Duration::from_secs(1)).await;
    let answer = others.ask(nodes::node("n"), report(), PATIENCE).await.unwrap();
    assert_eq!(answer, reply(1, &report()));
    others.tell(word(session(1), 3));
    assert_eq!(next(&mut events).await, word(session(1), 3));
    assert_eq!(registry.lookup(stream()).await.unwrap().unwrap().epoch, epoch);
    let steady = registry.steady().await.unwrap();
    assert!(
        steady <= Duration::from_secs(2),
        "a heal is a connection made anew: {steady:?}"
    );
}
