//! A rolling restart: every ingest node, egress node and NATS server ends at SIGTERM and starts again, one after the other,
//! under load. Publishers follow `move`, readers of a restarted egress node go to the other one, and nobody else notices.

use super::fabric::{Fabric, Reading, Shape};
use super::table::{self, Row};
use super::{all, ms};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use tokio::time::sleep;
use weft_bus::testing::NatsCluster;
use weft_testkit::figure;
use weft_testkit::node::Role;

#[tokio::test(flavor = "multi_thread")]
async fn every_node_and_server_is_restarted_under_load_and_nothing_else_ends() -> Result<()> {
    let mut nats = NatsCluster::start(3).await?;
    let urls = nats.urls();
    let shape = Shape {
        nats: &urls,
        replicas: 3,
        ingests: 2,
        streams: 10,
    };
    let mut fabric = Fabric::start(shape).await?;
    let mut rows = [
        Row::new("ingest node restarted", "whole pause"),
        Row::new("egress node restarted", "whole pause, new session included"),
        Row::new("NATS node restarted", "whole pause"),
    ];
    for place in 0..2 {
        let from = Instant::now();
        fabric.restart(Role::Ingest, place).await?;
        sleep(ms(1000)).await;
        let readings = fabric.readings(from, Instant::now());
        rows[0].add(gaps(&readings, |_| true), &readings, |_| true, None);
        rows[0].lost += fabric.lost(from, |_| true);
        // They moved away; for the next node's turn it is to have its own streams again.
        fabric.publish_at(place).await?;
        fabric
            .settled()
            .await
            .with_context(|| format!("ingest {place} restarted"))?;
    }
    for place in 0..2 {
        let from = Instant::now();
        fabric.restart(Role::Egress, place).await?;
        sleep(ms(1000)).await;
        let readings = fabric.readings(from, Instant::now());
        let mine = |reading: &Reading| reading.egress == place;
        rows[1].add(gaps(&readings, mine), &readings, mine, Some(place));
        rows[1].lost += fabric.lost(from, |_| true);
        fabric.read_at(place)?;
        fabric
            .settled()
            .await
            .with_context(|| format!("egress {place} restarted"))?;
    }
    for place in 0..nats.len() {
        let from = Instant::now();
        nats.terminate(place).await?;
        sleep(ms(1000)).await;
        nats.restart(place).await?;
        nats.healthy(Duration::from_secs(20)).await?;
        let readings = fabric.readings(from, Instant::now());
        rows[2].add(gaps(&readings, |_| true), &readings, |_| true, None);
        rows[2].lost += fabric.lost(from, |_| true);
        fabric
            .settled()
            .await
            .with_context(|| format!("NATS {place} restarted"))?;
    }
    for row in &rows {
        figure(format!("{}: {:?}", row.name, row.worst));
    }
    table::publish("3-rolling", &rows)?;
    all(rows.iter().map(bounds).collect())
}

fn gaps(readings: &[Reading], mine: impl Fn(&Reading) -> bool) -> Vec<Duration> {
    let mine = readings.iter().filter(|reading| mine(reading));
    mine.map(|reading| reading.account.gap).collect()
}

/// Not medians: no stream at any reader, at no restart.
fn bounds(row: &Row) -> Result<()> {
    let worst = row.worst.iter().max().copied().unwrap_or_default();
    ensure!(
        worst <= ms(2000),
        "{}: a reader saw nothing for {worst:?}",
        row.name
    );
    super::disturbs_nobody_else(row)
}
