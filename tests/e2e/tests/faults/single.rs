//! The only NATS server goes away or hangs for 5 s: nodes and sessions stay, media resumes at once, and nothing stale comes.

use super::fabric::{Fabric, Shape};
use super::table::{self, Row};
use super::{all, ms, within};
use anyhow::{Context, Result};
use std::time::{Duration, Instant};
use tokio::time::sleep;
use weft_bus::testing::NatsServer;
use weft_testkit::{figure, full};

const AWAY: Duration = Duration::from_secs(5);
const AFTER: Duration = Duration::from_millis(2500);

#[tokio::test(flavor = "multi_thread")]
async fn the_only_nats_goes_away_or_hangs_and_everything_stays() -> Result<()> {
    let mut nats = NatsServer::start().await?;
    let url = nats.url();
    let shape = Shape {
        nats: &url,
        replicas: 1,
        ingests: 1,
        streams: 4,
    };
    let mut fabric = Fabric::start(shape).await?;
    let rounds = if full() { 5 } else { 1 };
    let mut away = Row::new("only NATS away for 5 s", "from its return to a picture");
    let mut hung = Row::new("only NATS hung for 5 s", "from its running again to a picture");
    for _ in 0..rounds {
        let from = Instant::now();
        nats.kill();
        sleep(AWAY).await;
        nats.restart().await?;
        note(&mut fabric, &mut away, from).await?;
        let from = Instant::now();
        nats.signal("STOP")?;
        sleep(AWAY).await;
        nats.signal("CONT")?;
        note(&mut fabric, &mut hung, from).await?;
    }
    let rows = [away, hung];
    table::publish("2-single", &rows)?;
    all(rows.iter().map(|row| within(row, ms(1000))).collect())
}

async fn note(fabric: &mut Fabric, row: &mut Row, from: Instant) -> Result<()> {
    let again = Instant::now();
    sleep(AFTER).await;
    let times = fabric.resumed(again, |_, _| true);
    let times = times.with_context(|| fabric.logs())?;
    row.add(times, &fabric.readings(from, Instant::now()), |_| true, None);
    row.lost += fabric.lost(from, |_| true);
    fabric
        .settled()
        .await
        .with_context(|| format!("after: {}", row.name))?;
    figure(format!("{}: {:?}", row.name, row.worst));
    Ok(())
}
