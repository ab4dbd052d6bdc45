//! What only a server can do to a bus: be away, die, hang, come back empty, or be the wrong one.
//! What every bus must hold is in the conformance suite.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed step ends the test; figures are printed"
)]

#[path = "conformance/fixture.rs"]
#[allow(dead_code, reason = "shared with the suite, which uses the rest")]
mod fixture;
#[path = "conformance/source.rs"]
#[allow(dead_code, reason = "shared with the suite, which uses the rest")]
mod source;

use fixture::{Fixture, connected, node};
use source::{Source, from, name, read, units_of};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use weft_bus::nats::{Credentials, NatsBus, NatsConfig};
use weft_bus::testing::{NatsServer, NatsServerOptions};
use weft_bus::{
    Bus, BusState, Claim, ClaimError, Delivery, DropReason, Error, MediaFilter, Members, RequestError, Sent,
    Subscription,
};
use weft_wire::{Incarnation, NodeName, SessionId, StreamRecord, UnitSeq, UnitsFrom, UnitsRequest};

fn config(server: &NatsServer) -> NatsConfig {
    NatsConfig::new(vec![server.url()], "ingest", NodeName::new("n").unwrap())
}

fn record() -> StreamRecord {
    StreamRecord {
        node: NodeName::new("n").unwrap(),
        incarnation: Incarnation(1),
        session: SessionId([1; 16]),
        since: 0,
    }
}

/// Waits for the bus to notice that its server is gone.
async fn away(bus: &Arc<dyn Bus>) {
    let mut state = bus.state();
    timeout(
        Duration::from_secs(6),
        state.wait_for(|state| *state == BusState::Away),
    )
    .await
    .expect("noticed within 6 s")
    .unwrap();
}

/// Publishes every 5 ms for a time; the longest that one `send` took.
async fn publish_for(source: &mut Source, time: Duration) -> Duration {
    let start = Instant::now();
    let mut longest = Duration::ZERO;
    let mut i = 0;
    while start.elapsed() < time {
        let before = std::time::Instant::now();
        if i % 40 == 0 {
            source.key();
        } else {
            source.delta();
        }
        longest = longest.max(before.elapsed());
        i += 1;
        sleep(Duration::from_millis(5)).await;
    }
    longest
}

fn drain(reader: &mut Subscription) -> Vec<u64> {
    let mut seqs = Vec::new();
    while let Some(Delivery::Units(batch)) = reader.try_recv() {
        seqs.extend(batch.units.iter().map(|u| u.seq.0));
    }
    seqs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_and_comes_back_brings_fresh_units_only_and_the_rest_is_repaired() {
    let mut on = Fixture::nats().await;
    let mut server = on.server.take().unwrap();
    let mut reader = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let mut source = Source::start(&on.publisher, "s").await;
    publish_for(&mut source, Duration::from_millis(300)).await;
    let before = drain(&mut reader);
    assert!(!before.is_empty());

    server.kill();
    away(&on.publisher).await;
    away(&on.reader).await;
    let cut = source.made().len() as u64;
    let longest = publish_for(&mut source, Duration::from_secs(2)).await;
    assert!(
        longest < Duration::from_millis(250),
        "publishing waited {longest:?}"
    );
    assert_eq!(source.delta(), Sent::Dropped(DropReason::Away));
    assert!(on.publisher.counters().dropped_away.load(Ordering::Relaxed) > 100);
    let owner = on.reader.owner(name("s")).await;
    assert!(
        matches!(owner, Err(RequestError::Bus(Error::Away(_)))),
        "{owner:?}"
    );
    let missed = source.made().len() as u64;

    server.restart().await.unwrap();
    let back = Instant::now();
    connected(&on.publisher, 2).await;
    connected(&on.reader, 2).await;
    assert!(
        back.elapsed() < Duration::from_secs(1),
        "back after {:?}",
        back.elapsed()
    );
    publish_for(&mut source, Duration::from_millis(300)).await;
    let after = drain(&mut reader);
    assert!(!after.is_empty());
    let stale: Vec<_> = after.iter().filter(|seq| (cut..missed).contains(seq)).collect();
    assert!(stale.is_empty(), "made while the server was away: {stale:?}");

    // As a hub repairs: everything from the last unit it has.
    let last = before
        .iter()
        .chain(&after)
        .filter(|seq| **seq < cut)
        .max()
        .unwrap();
    let request = UnitsRequest {
        from: UnitsFrom::Seq(UnitSeq(last + 1)),
        until: None,
        session: Some(source.kept.session),
        key_only: false,
    };
    let repaired = units_of(on.reader.units(name("s"), request).await.unwrap());
    assert!(repaired == source.made()[*last as usize + 1..]);
}

/// Sends a signal to a server.
fn signal(server: &NatsServer, signal: &str) {
    let pid = server.pid().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args([signal, &pid])
            .status()
            .unwrap()
            .success()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_delays_no_publisher_and_is_left_after_seconds() {
    let mut on = Fixture::nats().await;
    let server = on.server.take().unwrap();
    let mut reader = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let mut source = Source::start(&on.publisher, "s").await;
    publish_for(&mut source, Duration::from_millis(200)).await;
    drain(&mut reader);

    signal(&server, "-STOP");
    let longest = publish_for(&mut source, Duration::from_secs(5)).await;
    assert_eq!(
        *on.publisher.state().borrow(),
        BusState::Away,
        "noticed by silence"
    );
    assert!(
        longest < Duration::from_millis(250),
        "publishing waited {longest:?}"
    );
    signal(&server, "-CONT");
    connected(&on.publisher, 2).await;
    connected(&on.reader, 2).await;
    drain(&mut reader);
    source.delta();
    let newest = source.made().len() as u64 - 1;
    while read(&mut reader, 1).await[0].seq.0 != newest {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_server_holds_no_more_than_the_kernels_buffers_and_a_quarter_second() {
    let mut on = Fixture::nats().await;
    let server = on.server.take().unwrap();
    let _reader = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let mut source = Source::start(&on.publisher, "s").await;
    source.key();
    on.publisher.flush().await;
    signal(&server, "-STOP");
    // 1.5 s of 60 Mbit/s: more than any buffer takes, and before the silence is noticed.
    let start = Instant::now();
    let mut full = 0;
    let mut sent_after_stall = 0;
    while start.elapsed() < Duration::from_millis(1500) {
        match source.send(weft_wire::MediaClass::Delta, 40_000) {
            Sent::Dropped(DropReason::Full) => full += 1,
            _ if full > 0 => sent_after_stall += 1,
            _ => {}
        }
        sleep(Duration::from_millis(1)).await;
    }
    signal(&server, "-CONT");
    eprintln!(
        "hung 1.5 s: {} units made, {full} refused, {sent_after_stall} queued after the first refusal",
        source.made().len()
    );
    assert!(full > 100, "{full}");
    assert!(
        sent_after_stall < 60,
        "one trial per look only: {sent_after_stall}"
    );
    // It moves again without a new connection.
    let deadline = Instant::now() + Duration::from_secs(3);
    while source.delta() != Sent::Published {
        assert!(Instant::now() < deadline, "never moved again");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_start_before_their_server_and_wait_for_it() {
    let mut server = NatsServer::reserve(NatsServerOptions::default()).unwrap();
    let (publisher, registry) = node(&server, "publisher").await;
    let (reader, _) = node(&server, "reader").await;
    assert_eq!(*publisher.state().borrow(), BusState::Away);
    let mut source = Source::start(&publisher, "s").await;
    let mut subscription = reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    assert_eq!(source.key(), Sent::Dropped(DropReason::Away));
    let claimed = registry.claim(name("s"), record(), Claim::Vacant).await;
    assert!(
        matches!(claimed, Err(ClaimError::Bus(Error::Away(_)))),
        "{claimed:?}"
    );

    server.restart().await.unwrap();
    connected(&publisher, 1).await;
    connected(&reader, 1).await;
    let answer = reader.units(name("s"), from(UnitsFrom::NewestGop)).await.unwrap();
    assert!(units_of(answer) == source.made());
    assert_eq!(source.delta(), Sent::Published);
    assert_eq!(read(&mut subscription, 1).await[0].seq, UnitSeq(1));
    let deadline = Instant::now() + Duration::from_secs(3);
    while let Err(error) = registry.claim(name("s"), record(), Claim::Vacant).await {
        assert!(Instant::now() < deadline, "{error}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_empty_begins_a_higher_generation() {
    let mut server = NatsServer::start().await.unwrap();
    let (bus, registry) = node(&server, "n").await;
    let first = registry.claim(name("s"), record(), Claim::Vacant).await.unwrap();
    server.kill();
    server.wipe().unwrap();
    server.restart().await.unwrap();
    connected(&bus, 2).await;
    let deadline = Instant::now() + Duration::from_secs(3);
    let second = loop {
        match registry.claim(name("s"), record(), Claim::Vacant).await {
            Ok(epoch) => break epoch,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        sleep(Duration::from_millis(20)).await;
    };
    assert!(second > first, "{second} after {first}");
    assert!(!registry.remove(name("s"), first).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_of_removed_names_expire() {
    let server = NatsServer::start().await.unwrap();
    let mut config = config(&server);
    config.marker_life = Duration::from_secs(1);
    let (_bus, registry, _) = NatsBus::connect(config).await.unwrap();
    let mut last = None;
    for i in 0..50 {
        let stream = name(&format!("s{i}"));
        let epoch = registry
            .claim(stream.clone(), record(), Claim::Vacant)
            .await
            .unwrap();
        assert!(registry.remove(stream, epoch).await.unwrap());
        last = Some(epoch);
    }
    let client = async_nats::connect(server.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let messages = async || {
        let mut stream = jetstream.get_stream("KV_weft_streams").await.unwrap();
        stream.info().await.unwrap().state.messages
    };
    assert!(messages().await >= 1);
    let deadline = Instant::now() + Duration::from_secs(8);
    while messages().await > 0 {
        assert!(Instant::now() < deadline, "{} marks are left", messages().await);
        sleep(Duration::from_millis(200)).await;
    }
    // Nothing is left of the name, and still its epoch rises.
    let again = registry
        .claim(name("s49"), record(), Claim::Vacant)
        .await
        .unwrap();
    assert!(again > last.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_leases_go_from_buckets_that_were_made_without_marks_that_expire() {
    let server = NatsServer::start().await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    for bucket in ["weft_streams", "weft_nodes"] {
        let plain = async_nats::jetstream::kv::Config {
            bucket: bucket.into(),
            ..<_>::default()
        };
        jetstream.create_key_value(plain).await.unwrap();
    }
    let (_bus, registry, leases) = NatsBus::connect(config(&server)).await.unwrap();
    let claim = || registry.claim(name("s"), record(), Claim::Vacant);
    let first = claim().await.unwrap();
    assert!(registry.remove(name("s"), first).await.unwrap());
    assert!(registry.lookup(name("s")).await.unwrap().is_none());
    assert!(claim().await.unwrap() > first);
    let (node, lease) = (
        NodeName::new("n").unwrap(),
        Members::alone(NodeName::new("n").unwrap()).own(),
    );
    leases.keep(node.clone(), lease.clone()).await.unwrap();
    leases.release(node, lease).await.unwrap();
}

async fn refusal(config: NatsConfig) -> String {
    match NatsBus::connect(config).await {
        Err(Error::Refused(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was taken"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_work_is_refused_with_what_to_do() {
    let without = NatsServerOptions {
        no_jetstream: true,
        ..NatsServerOptions::default()
    };
    let server = NatsServer::start_with(without).await.unwrap();
    let why = refusal(config(&server)).await;
    assert!(why.contains("JetStream") && why.contains("`-js`"), "{why}");

    let small = NatsServerOptions {
        max_payload: Some(16 * 1024),
        ..NatsServerOptions::default()
    };
    let server = NatsServer::start_with(small).await.unwrap();
    let why = refusal(config(&server)).await;
    assert!(why.contains("max_payload"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_turned_away_is_told_and_who_has_the_password_gets_in() {
    let guarded = NatsServerOptions {
        extra: "authorization { user: weft, password: secret }\n".into(),
        ..NatsServerOptions::default()
    };
    let server = NatsServer::start_with(guarded).await.unwrap();
    let why = refusal(config(&server)).await;
    assert!(why.contains("password"), "{why}");

    let mut with_user = config(&server);
    with_user.credentials = Credentials::User {
        user: "weft".into(),
        password: "secret".into(),
    };
    let (bus, _, _) = NatsBus::connect(with_user).await.unwrap();
    connected(&bus, 1).await;

    let mut in_url = config(&server);
    in_url.servers = vec![server.url().replace("nats://", "nats://weft:secret@")];
    let (bus, _, _) = NatsBus::connect(in_url).await.unwrap();
    connected(&bus, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_let_go_leaves_no_connection() {
    let server = NatsServer::start().await.unwrap();
    for _ in 0..20 {
        let (bus, registry) = node(&server, "n").await;
        connected(&bus, 1).await;
        let mut source = Source::start(&bus, "s").await;
        let reader = bus.subscribe(name("s"), MediaFilter::All).await.unwrap();
        source.key();
        assert!(connections(server.port()) >= 2, "one for media, one for control");
        drop((source, reader, bus, registry));
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    while connections(server.port()) > 0 {
        assert!(
            Instant::now() < deadline,
            "{} are left",
            connections(server.port())
        );
        sleep(Duration::from_millis(20)).await;
    }
}

/// Connections of this machine to a local port that are open now.
fn connections(port: u16) -> usize {
    const ESTABLISHED: &str = "01";
    let remote = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let open = table.lines().filter(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns.get(3) == Some(&ESTABLISHED) && columns[2].ends_with(&remote)
    });
    open.count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_the_server_drops_parts_of_are_made_whole() {
    // A server drops for a connection from half of `max_pending` on: here 1 MB, of 12 answers of 3 MB at once.
    let narrow = NatsServerOptions {
        max_payload: Some(512 * 1024),
        extra: "max_pending: 2MB\n".into(),
        ..NatsServerOptions::default()
    };
    let server = NatsServer::start_with(narrow).await.unwrap();
    let (publisher, _) = node(&server, "publisher").await;
    let (reader, _) = node(&server, "reader").await;
    connected(&publisher, 1).await;
    connected(&reader, 1).await;
    let mut sources = Vec::new();
    for i in 0..12 {
        let mut source = Source::start(&publisher, &format!("s{i}")).await;
        source.key();
        for _ in 0..150 {
            source.send(weft_wire::MediaClass::Delta, 20_000);
        }
        sources.push(source);
    }
    let asked = (0..12).map(async |i| {
        loop {
            match reader
                .units(name(&format!("s{i}")), from(UnitsFrom::NewestGop))
                .await
            {
                // All of it was dropped. A hub asks again.
                Err(RequestError::Timeout) => {}
                answer => return answer,
            }
        }
    });
    let answers = futures::future::join_all(asked).await;
    let holes = reader.counters().holes_in_answers.load(Ordering::Relaxed);
    eprintln!("{holes} holes in 12 answers of 3 MB");
    assert!(holes > 0, "the server dropped nothing");
    for (answer, source) in answers.into_iter().zip(sources) {
        let units = units_of(answer.unwrap());
        let seqs: Vec<u64> = units.iter().map(|u| u.seq.0).collect();
        assert_eq!(seqs, (0..151).collect::<Vec<_>>());
        assert!(units == source.made());
    }
}
