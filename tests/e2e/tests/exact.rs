//! Bit-exactness: the units at the reader are the source's, in order, none missing from the reader's first on, for twenty
//! streams at once. Loss on the way is `loss`'s business.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use std::time::Duration;
use weft_bus::testing::NatsServer;
use weft_testkit::fixture::{self, Clip, MINUTE};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::{full, publish};

const STREAMS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_streams_are_bit_exact_standalone() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    twenty(&node, &node).await
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_streams_are_bit_exact_over_nats() -> Result<()> {
    let nats = NatsServer::start().await?;
    let ingest = Plan::new(Role::Ingest).nats(&nats.url()).start().await?;
    let egress = Plan::new(Role::Egress).nats(&nats.url()).start().await?;
    twenty(&ingest, &egress).await
}

async fn twenty(ingest: &Node, egress: &Node) -> Result<()> {
    let clip = fixture::clip(MINUTE)?;
    let time = Duration::from_secs(if full() { 60 } else { 12 });
    let names: Vec<String> = (0..STREAMS).map(|number| format!("exact{number}")).collect();
    let mut publishers = Vec::new();
    for name in &names {
        publishers.push(publish::ffmpeg_copy(&ingest.whip(name)?, &clip)?);
    }
    for name in &names {
        ingest.wait_for(name, Duration::from_secs(20)).await?;
    }
    try_join_all(names.iter().enumerate().map(|(number, name)| {
        let over = if number % 4 == 3 { Over::Udp } else { Over::Tcp };
        read_exactly(egress, name, over, &clip, time)
    }))
    .await?;
    for publisher in &mut publishers {
        ensure!(
            publisher.running(),
            "a publisher ended: {}",
            publisher.last_lines()
        );
    }
    Ok(())
}

async fn read_exactly(egress: &Node, name: &str, over: Over, clip: &Clip, time: Duration) -> Result<()> {
    let url = egress.rtsp(name)?;
    let mut reader = oracle::open_when_there(&url, over, Duration::from_secs(10)).await?;
    let units = reader.read_for(time).await.with_context(|| name.to_owned())?;
    oracle::exact(&clip.units, &units).with_context(|| format!("{name} over {over:?}"))?;
    let least = (time.as_secs() as usize - 1) * clip.rate as usize;
    ensure!(
        units.len() >= least,
        "{name}: {} units in {time:?}, not {least}",
        units.len()
    );
    Ok(())
}
