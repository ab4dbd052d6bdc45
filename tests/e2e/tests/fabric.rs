//! Any to any: what is published on either ingest node is read on every egress node, nodes may start before NATS and may be
//! added while streams run. One machine, real processes, a real NATS server.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use std::time::Duration;
use weft_bus::testing::{NatsServer, NatsServerOptions};
use weft_testkit::fixture::{self, Clip, MINUTE};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::{publish, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_any_ingest_is_read_on_any_egress_and_nodes_wait_for_nats() -> Result<()> {
    let mut nats = NatsServer::reserve(NatsServerOptions::default())?;
    let spawn = |role| Plan::new(role).nats(&nats.url()).spawn();
    let mut nodes = [
        spawn(Role::Ingest)?,
        spawn(Role::Ingest)?,
        spawn(Role::Egress)?,
        spawn(Role::Egress)?,
    ];
    for node in &mut nodes {
        says_it_waits(node).await?;
    }
    nats.restart().await?;
    for node in &mut nodes {
        node.ready(Duration::from_secs(10)).await?;
    }
    let [first, second, left, right] = &nodes;
    let clip = fixture::clip(MINUTE)?;
    let _one = publish::ffmpeg_copy(&first.whip("one")?, &clip)?;
    let _two = publish::ffmpeg_copy(&second.whip("two")?, &clip)?;
    let streams = [(left, "one"), (left, "two"), (right, "one"), (right, "two")];
    try_join_all(streams.map(|(egress, stream)| reads(egress, stream, &clip))).await?;

    let late = Plan::new(Role::Egress).nats(&nats.url()).start().await?;
    try_join_all([reads(&late, "one", &clip), reads(&late, "two", &clip)]).await?;
    let later = Plan::new(Role::Ingest).nats(&nats.url()).start().await?;
    let _three = publish::ffmpeg_copy(&later.whip("three")?, &clip)?;
    try_join_all([reads(left, "three", &clip), reads(&late, "three", &clip)]).await?;
    Ok(())
}

async fn says_it_waits(node: &mut Node) -> Result<()> {
    let process = node.process();
    until("a word about waiting for NATS", Duration::from_secs(10), || {
        let log = process.log().to_lowercase();
        std::future::ready((log.contains("nats") && log.contains("wait")).then_some(()))
    })
    .await
    .with_context(|| process.last_lines())?;
    ensure!(process.running(), "the node ended: {}", process.last_lines());
    Ok(())
}

async fn reads(egress: &Node, stream: &str, clip: &Clip) -> Result<()> {
    let mut reader =
        oracle::open_when_there(&egress.rtsp(stream)?, Over::Tcp, Duration::from_secs(15)).await?;
    let units = reader
        .read_for(Duration::from_secs(4))
        .await
        .with_context(|| stream.to_owned())?;
    oracle::exact(&clip.units, &units).with_context(|| stream.to_owned())?;
    ensure!(units.len() >= 75, "{stream}: {} units in 4 s", units.len());
    Ok(())
}
