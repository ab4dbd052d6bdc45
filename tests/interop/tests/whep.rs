//! Readers over WebRTC: aiortc and Chromium decode what a publisher sends, from the running group of pictures on, on one node
//! and on a fabric whose ingest node sends them on.

use anyhow::{Context, Result, ensure};
use std::time::Duration;
use weft_bus::testing::NatsServer;
use weft_testkit::fixture::{self, MINUTE};
use weft_testkit::node::{Plan, Role};
use weft_testkit::{figure, publish, read};

const LIMIT: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread")]
async fn aiortc_and_chromium_watch_what_ffmpeg_publishes() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let publisher = publish::ffmpeg_copy(&node.whip("cam")?, &fixture::clip(MINUTE)?)?;
    let ready = node.wait_for("cam", LIMIT).await;
    ready.with_context(|| publisher.last_lines())?;
    let url = node.whep("cam")?;
    let report = read::aiortc_whep(&url, 100, LIMIT).await?;
    figure(format!("aiortc by WHEP: {}", report.line()));
    report.judge(100)?;
    let tabs = read::chromium_whep(&url, 6, 1, LIMIT).await?;
    let tab = tabs.first().context("a tab")?;
    figure(format!(
        "Chromium by WHEP: first picture after {:?} ms, {} then {} decoded, {} packets lost, {} key frames asked for",
        tab.first, tab.half, tab.frames, tab.packets_lost, tab.pli_count
    ));
    ensure!(tab.errors.is_empty() && tab.status == 201, "{tab:?}");
    ensure!(
        tab.half > 30 && tab.frames > tab.half + 30,
        "pictures go on: {tab:?}"
    );
    ensure!(tab.sounds > 0, "there is sound: {tab:?}");
    ensure!(tab.left == Some(200), "{tab:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_asks_an_ingest_node_is_led_to_one_that_serves_it() -> Result<()> {
    let nats = NatsServer::start().await?;
    let plan = |role| Plan::new(role).nats(&nats.url());
    let (ingest, egress) = (plan(Role::Ingest), plan(Role::Egress));
    let (ingest, egress) = tokio::try_join!(ingest.start(), egress.start())?;
    let _publisher = publish::ffmpeg_copy(&ingest.whip("cam")?, &fixture::clip(MINUTE)?)?;
    egress.wait_for("cam", LIMIT).await?;
    let tabs = read::chromium_whep(&ingest.whep("cam")?, 4, 1, LIMIT).await?;
    let tab = tabs.first().context("a tab")?;
    ensure!(tab.status == 201 && tab.frames > 60, "{tab:?}");
    Ok(())
}
