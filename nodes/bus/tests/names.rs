//! Very many names that come and go over a real server leave nothing behind: neither records nor, in time, their marks.
//! How long each step takes is printed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed step ends the test; figures are printed"
)]

use futures::{StreamExt, TryStreamExt, stream};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use weft_bus::nats::{NatsBus, NatsConfig};
use weft_bus::testing::NatsServer;
use weft_bus::{BusState, Claim};
use weft_wire::{Incarnation, NodeName, SessionId, StreamName, StreamRecord};

/// Claims on their way at once.
const AT_ONCE: usize = 200;

fn record() -> StreamRecord {
    StreamRecord {
        node: NodeName::new("n").unwrap(),
        incarnation: Incarnation(1),
        session: SessionId([1; 16]),
        since: 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_names_in_and_out_leave_less_than_a_thousand_messages() {
    let names = 100_000;
    let server = NatsServer::start().await.unwrap();
    let mut config = NatsConfig::new(vec![server.url()], "ingest", NodeName::new("n").unwrap());
    config.marker_life = Duration::from_secs(2);
    config.lease_life = Duration::from_secs(2);
    let (bus, registry, leases) = NatsBus::connect(config).await.unwrap();
    let mut state = bus.state();
    state
        .wait_for(|state| matches!(state, BusState::Connected(_)))
        .await
        .unwrap();

    let start = Instant::now();
    let claims = stream::iter(0..names).map(|i| {
        let name = StreamName::new(format!("exam.7/cam{i}")).unwrap();
        let claim = registry.claim(name.clone(), record(), Claim::Vacant);
        async move { claim.await.map(|epoch| (name, epoch)) }
    });
    let claimed: Vec<_> = claims.buffer_unordered(AT_ONCE).try_collect().await.unwrap();
    let claiming = start.elapsed();
    assert_eq!(claimed.len(), names);

    let start = Instant::now();
    let listed = registry.list().await.unwrap();
    let listing = start.elapsed();
    assert_eq!(listed.len(), names);

    let start = Instant::now();
    let removals = stream::iter(claimed).map(|(name, epoch)| registry.remove(name, epoch));
    let removed: Vec<bool> = removals.buffer_unordered(AT_ONCE).try_collect().await.unwrap();
    let removing = start.elapsed();
    assert!(removed.iter().all(|removed| *removed));

    let client = async_nats::connect(server.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let messages = async || {
        let mut sum = 0;
        for bucket in ["KV_weft_streams", "KV_weft_nodes"] {
            let mut stream = jetstream.get_stream(bucket).await.unwrap();
            sum += stream.info().await.unwrap().state.messages;
        }
        sum
    };
    let start = Instant::now();
    let marks = messages().await;
    let deadline = start + Duration::from_secs(30);
    let mut left = marks;
    while left >= 1000 {
        assert!(Instant::now() < deadline, "{left} messages are left");
        sleep(Duration::from_millis(100)).await;
        left = messages().await;
    }
    eprintln!(
        "{names} names: claimed in {claiming:.1?}, listed in {listing:.1?}, removed in {removing:.1?}; {marks} marks, {left} \
         left {:.1?} after the last",
        start.elapsed()
    );
    drop((bus, registry, leases));
}
