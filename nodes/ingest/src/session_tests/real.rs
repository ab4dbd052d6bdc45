//! The same rules on a real nats-server, in real time: what its client and its table of names add or hide.
//! Everything that needs no server is tested beside this, with paused time.

use super::{Camera, ms, units};
use crate::IngestConfig;
use crate::testing::{ingest, stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use weft_bus::nats::{NatsBus, NatsConfig};
use weft_bus::testing::NatsServer;
use weft_bus::{Bus, MediaFilter, Registry, Subscription};
use weft_wire::{CloseReason, Epoch, NodeName, StreamState, UnitSeq, UnitsFrom, UnitsRequest};

async fn connect(server: &NatsServer, node: &str) -> (Arc<dyn Bus>, Arc<dyn Registry>) {
    let config = NatsConfig::new(vec![server.url()], "ingest", NodeName::new(node).unwrap());
    let (bus, registry, _) = NatsBus::connect(config).await.unwrap();
    (bus, registry)
}

/// What a reader has received, by epoch and number.
fn numbers(reader: &mut Subscription) -> Vec<(Epoch, UnitSeq)> {
    let batches = units(reader);
    let each = batches.iter();
    each.flat_map(|batch| batch.units.iter().map(|unit| (batch.epoch, unit.seq)))
        .collect()
}

#[actix::test]
async fn a_server_that_comes_back_without_its_store_costs_no_session_and_no_unit_its_number() {
    let mut server = NatsServer::start().await.unwrap();
    let (bus, registry) = connect(&server, "a").await;
    let node = ingest(IngestConfig::default(), bus, registry.clone(), "a");
    let (reading, _) = connect(&server, "reader").await;
    let mut reader = reading.subscribe(stream("test"), MediaFilter::All).await.unwrap();
    let wake = UnitsRequest {
        from: UnitsFrom::Live,
        until: None,
        session: None,
        key_only: false,
    };
    let mut camera = Camera::offer(&node).await;
    camera.stream_for(ms(500)).await;
    assert_eq!(camera.state(), StreamState::Live);
    let old = camera.epoch();
    server.kill();
    server.wipe().unwrap();
    camera.stream_for(ms(500)).await;
    server.restart().await.unwrap();
    let back = Instant::now();
    let mut told = Vec::new();
    while camera.epoch() == old && back.elapsed() < Duration::from_secs(20) {
        camera.stream_for(ms(200)).await;
        reading.units(stream("test"), wake.clone()).await.ok();
        told.extend(numbers(&mut reader));
    }
    assert!(camera.epoch() > old, "claimed anew after {:?}", back.elapsed());
    camera.stream_for(ms(400)).await;
    told.extend(numbers(&mut reader));
    assert!(camera.closed().is_empty());
    let held = registry.lookup(stream("test")).await.unwrap().unwrap();
    assert_eq!(
        (held.epoch, held.record.session),
        (camera.epoch(), camera.published.live.id)
    );
    assert_eq!(told.last().unwrap().0, held.epoch);
    let turn = told.iter().position(|(epoch, _)| *epoch == held.epoch).unwrap();
    assert!(told[turn - 1].0 == old && told[turn].1 == told[turn - 1].1.next());
    node.shutdown(CloseReason::Shutdown).await;
    assert!(registry.lookup(stream("test")).await.unwrap().is_none());
}

#[actix::test]
async fn a_loser_on_another_node_closes_within_a_moment_of_the_claim() {
    let server = NatsServer::start().await.unwrap();
    let (here, names) = connect(&server, "a").await;
    let (there, other_names) = connect(&server, "b").await;
    let first = ingest(IngestConfig::default(), here, names, "a");
    let second = ingest(IngestConfig::default(), there.clone(), other_names, "b");
    let mut old = Camera::offer(&first).await;
    old.stream_for(ms(200)).await;
    let mut new = Camera::offer(&second).await;
    new.send(true).await;
    let asked = Instant::now();
    while old.closed().is_empty() && asked.elapsed() < ms(1_000) {
        old.send(false).await;
        new.send(false).await;
    }
    assert_eq!(old.closed(), [CloseReason::TakenOver]);
    assert!(new.closed().is_empty() && new.epoch() > old.epoch());
    let owner = there.owner(stream("test")).await.unwrap();
    assert_eq!(owner.session, new.published.live.id);
    first.shutdown(CloseReason::Shutdown).await;
    second.shutdown(CloseReason::Shutdown).await;
}
