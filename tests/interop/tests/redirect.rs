//! A full egress sends its newcomers to another one by 302, a draining one too, and readers follow: FFmpeg, PyAV, OpenCV and
//! GStreamer by themselves. retina does not: it reports the answer, and whoever uses it asks again at `Location`.

use crate::{LIMIT, PICTURES};
use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use std::time::Duration;
use weft_bus::testing::NatsServer;
use weft_testkit::fixture::{self, MINUTE};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::read::{self, Client};
use weft_testkit::rtsp::Dialogue;
use weft_testkit::{figure, http, publish, until};

const QUERY: &str = "token=a%20b&x=1";

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_a_full_or_draining_egress_follow_it_to_another() -> Result<()> {
    let nats = NatsServer::start().await?;
    let plan = |role| Plan::new(role).nats(&nats.url());
    let few = plan(Role::Egress).fabric("limits:\n    readers: 1");
    let (ingest, left) = (plan(Role::Ingest).start().await?, few.start().await?);
    let clip = fixture::clip(MINUTE)?;
    let mut publisher = publish::ffmpeg_copy(&ingest.whip("cam")?, &clip)?;
    let waited = ingest.wait_for("cam", Duration::from_secs(20)).await;
    waited.with_context(|| publisher.last_lines())?;
    let mut first = oracle::open(&left.rtsp("cam")?, Over::Tcp).await?.play().await?;

    // Nobody else is there: refused.
    let (status, _) = describe(&left).await?;
    ensure!(status == 453, "a full egress without another answered {status}");

    let right = plan(Role::Egress).start().await?;
    let here = format!("rtsp://{}/cam?{QUERY}", left.address("rtsp")?);
    let there = format!("rtsp://{}/cam?{QUERY}", right.address("rtsp")?);
    until("302 to the other egress", Duration::from_secs(15), || async {
        let answer = describe(&left).await.ok()?;
        (answer == (302, Some(there.clone()))).then_some(())
    })
    .await?;
    try_join_all(Client::ALL.map(|client| follows(client, &here))).await?;
    let joined = right.metric("weft_egress_readers_joined_total").await?;
    ensure!(
        joined == Some(Client::ALL.len() as f64),
        "{joined:?} readers on the other"
    );

    let refused = oracle::open(&left.rtsp("cam")?, Over::Tcp).await.err();
    let refused = refused
        .map(|e| format!("{e:#}"))
        .context("retina read a full egress")?;
    ensure!(refused.contains("302"), "retina: {refused}");
    figure("retina does not follow; it reports 302");

    // The same while it drains; its reader stays.
    let ordered = http::request("POST", left.address("api")?, "/v3/node/drain", &[], b"").await?;
    ensure!(
        ordered.status == 200,
        "drain: {} {}",
        ordered.status,
        ordered.text()
    );
    ensure!(
        describe(&left).await? == (302, Some(there)),
        "a draining egress takes newcomers"
    );
    follows(Client::Ffprobe, &here).await?;
    ensure!(
        first.read_units(PICTURES, LIMIT).await?.len() >= PICTURES,
        "the reader that was there"
    );
    ensure!(
        publisher.running(),
        "the publisher ended: {}",
        publisher.last_lines()
    );
    Ok(())
}

async fn follows(client: Client, url: &str) -> Result<()> {
    let report = read::read(client, url, PICTURES as u64, LIMIT).await?;
    let (frames, first) = (report.frames, report.first.unwrap_or_default());
    figure(format!(
        "{client:?} follows: {frames} pictures, the first after {first:.2} s"
    ));
    report
        .judge(PICTURES as u64)
        .with_context(|| format!("{client:?}"))
}

/// Status and `Location` of a DESCRIBE.
async fn describe(node: &Node) -> Result<(u16, Option<String>)> {
    let address = node.address("rtsp")?;
    let mut dialogue = Dialogue::open(address).await?;
    let url = format!("rtsp://{address}/cam?{QUERY}");
    let answer = dialogue.ask("DESCRIBE", &url, &[]).await?;
    Ok((answer.status, answer.header("location").map(str::to_owned)))
}
