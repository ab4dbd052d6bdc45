//! A thousand streams on three nodes: what a list of all of them costs, in memory and over a real server.
//! What it costs with real publishers is measured end to end.
#![allow(clippy::print_stdout, reason = "the figures are what these tests are for")]

use super::world::{World, node, session, stream};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use weft_bus::testing::NatsServer;
use weft_bus::{Bus, Claim, NodeReply, NodeRequest, RequestError};
use weft_wire::{Epoch, Incarnation, NodeRole, ReportRequest, StreamRecord, StreamState};

const STREAMS: u16 = 1_000;

const THREE: [(&str, NodeRole); 3] = [
    ("in1", NodeRole::Ingest),
    ("in2", NodeRole::Ingest),
    ("out", NodeRole::Egress),
];

/// The longest a list may take, as the median.
const BOUND: Duration = Duration::from_millis(100);

fn name(i: u16) -> String {
    format!("exam/{i:04}")
}

/// Published on two nodes, read on the third.
async fn full() -> World {
    let world = World::new(&THREE).await;
    for i in 0..STREAMS {
        let epoch = Epoch {
            generation: 1,
            revision: u64::from(i) + 1,
        };
        let number = i.to_le_bytes()[0];
        let at = THREE[usize::from(i) % 2].0;
        world.report_publisher(at, &name(i), number, StreamState::Live, epoch);
        world.open("out", &name(i), &[number], 1);
    }
    for (name, _) in THREE {
        world.fake(name).page.store(300, Relaxed);
    }
    world
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() / 2]
}

/// What a list of all streams takes, its reading included; each is a round of its own.
async fn list(world: &World, at: &str) -> Duration {
    let mut took = Vec::new();
    for _ in 0..7 {
        let began = Instant::now();
        let (_, list) = world.get(at, "/v3/paths/list?itemsPerPage=1000").await;
        took.push(began.elapsed());
        assert_eq!(list["items"].as_array().unwrap().len(), usize::from(STREAMS));
        assert_eq!(list["items"][999]["name"], "exam/0999");
        assert_eq!(list["items"][999]["readers"].as_array().unwrap().len(), 1);
        tokio::time::sleep(Duration::from_millis(210)).await;
    }
    median(took)
}

#[actix_rt::test]
async fn a_thousand_streams_are_listed_within_100_ms() {
    let world = full().await;
    let took = list(&world, "in1").await;
    println!("list of 1,000 streams on 3 nodes, in memory: {took:?}");
    assert!(took < BOUND, "{took:?}");
}

#[actix_rt::test]
async fn a_thousand_streams_are_listed_over_a_real_server_within_100_ms_also_while_the_registry_is_asked() {
    let server = NatsServer::start().await.unwrap();
    let world = full().await;
    // The fakes are made anew on the way, without their streams.
    let filled: Vec<_> = THREE
        .iter()
        .map(|(name, _)| {
            let fake = world.fake(name);
            let hubs = fake.hubs.lock().unwrap().clone();
            (*name, fake.publishers.lock().unwrap().clone(), hubs)
        })
        .collect();
    let world = world.over(&server).await;
    for (name, publishers, hubs) in filled {
        let fake = world.fake(name);
        *fake.publishers.lock().unwrap() = publishers;
        *fake.hubs.lock().unwrap() = hubs;
        fake.page.store(300, Relaxed);
    }
    let registry = world.places["out"].registry.clone();
    for i in 0..STREAMS {
        let record = StreamRecord {
            node: node(THREE[usize::from(i) % 2].0),
            incarnation: Incarnation(1),
            session: session(i.to_le_bytes()[0]),
            since: 0,
        };
        registry
            .claim(stream(&name(i)), record, Claim::Vacant)
            .await
            .unwrap();
    }

    let by_reports = list(&world, "out").await;
    let began = Instant::now();
    assert_eq!(registry.list().await.unwrap().len(), usize::from(STREAMS));
    let names_alone = began.elapsed();

    // A node that is gone: its names come from the registry.
    let mut world = world;
    world.places.remove("in2");
    let page = || NodeRequest::Report(ReportRequest::default());
    let link = world.places["out"].link.clone();
    let until = Instant::now() + Duration::from_secs(5);
    while !matches!(
        link.ask(node("in2"), page(), BOUND).await,
        Err(RequestError::NoOwner)
    ) {
        assert!(
            Instant::now() < until,
            "the server goes on sending to a node that is gone"
        );
    }
    let with_registry = list(&world, "out").await;
    let (_, paths) = world.get("out", "/v3/paths/list?itemsPerPage=1000").await;
    let ready = paths["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["ready"] == true);
    assert_eq!(ready.count(), usize::from(STREAMS) / 2);

    println!(
        "list of 1,000 streams on 3 nodes over NATS: {by_reports:?}; one node gone, its names from the registry: \
         {with_registry:?}; the registry's names alone: {names_alone:?}"
    );
    assert!(by_reports < BOUND, "{by_reports:?}");
    assert!(with_registry < 2 * BOUND, "{with_registry:?}");
    let asked = link.ask(node("in1"), page(), BOUND).await;
    assert!(
        matches!(asked, Ok(NodeReply::Report(report)) if report.next.is_some()),
        "pages"
    );
}
