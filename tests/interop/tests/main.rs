//! Real publishers times real readers on one standalone node: every reader decodes at least 100 pictures without a complaint,
//! with times that only rise, and hears audio where it takes any. Bit-exactness is judged in `e2e`.

mod hls;
mod redirect;
mod resolution;
mod whep;

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use std::time::Duration;
use weft_testkit::fixture::{self, MINUTE};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::process::Process;
use weft_testkit::publish::{self, Page};
use weft_testkit::read::{self, Client};

const PICTURES: usize = 100;
const LIMIT: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_decodes_what_ffmpeg_publishes() -> Result<()> {
    matrix(publish::ffmpeg_encode).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_decodes_what_aiortc_publishes() -> Result<()> {
    let clip = fixture::clip(MINUTE)?;
    matrix(|whip| publish::aiortc(whip, &clip)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_decodes_what_chromium_publishes() -> Result<()> {
    matrix(|whip| publish::chromium(whip, Page::Plain)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_publish_page_publishes_from_chromium() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let mut publisher = publish::chromium(&node.whip("page")?, Page::Product)?;
    ready(&node, "page", &mut publisher).await?;
    read::read(Client::PyAv, &node.rtsp("page")?, PICTURES as u64, LIMIT)
        .await?
        .judge(PICTURES as u64)
}

async fn matrix(publisher: impl FnOnce(&str) -> Result<Process>) -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let mut publisher = publisher(&node.whip("cam")?)?;
    ready(&node, "cam", &mut publisher).await?;
    let url = node.rtsp("cam")?;
    let clients = join_all(Client::ALL.map(|client| {
        let url = url.clone();
        async move {
            let report = read::read(client, &url, PICTURES as u64, LIMIT).await?;
            weft_testkit::figure(format!("{client:?}: {}", report.line()));
            report
                .judge(PICTURES as u64)
                .with_context(|| format!("{client:?}"))
        }
    }));
    let (clients, tcp, udp, audio) = tokio::join!(
        clients,
        retina(&url, Over::Tcp),
        retina(&url, Over::Udp),
        oracle::count_audio(&url, Over::Tcp, Duration::from_secs(4))
    );
    let mut failures: Vec<String> = clients
        .into_iter()
        .chain([tcp, udp])
        .filter_map(|result| result.err().map(|e| format!("{e:#}")))
        .collect();
    match audio {
        Ok(packets) if packets >= 150 => {}
        other => failures.push(format!("retina heard {other:?} audio packets in 4 s")),
    }
    ensure!(
        publisher.running(),
        "the publisher ended: {}",
        publisher.last_lines()
    );
    ensure!(failures.is_empty(), "{}", failures.join("\n\n"));
    Ok(())
}

async fn ready(node: &Node, stream: &str, publisher: &mut Process) -> Result<()> {
    let ready = node.wait_for(stream, Duration::from_secs(20)).await;
    ready.with_context(|| format!("the publisher: {}", publisher.last_lines()))
}

async fn retina(url: &str, over: Over) -> Result<()> {
    let mut reader = oracle::open(url, over).await?.play().await?;
    let units = reader
        .read_units(PICTURES, LIMIT)
        .await
        .with_context(|| format!("retina over {over:?}"))?;
    ensure!(
        units[0].key,
        "retina over {over:?}: the first unit is no key unit"
    );
    for pair in units.windows(2) {
        ensure!(
            pair[1].rtp > pair[0].rtp,
            "retina over {over:?}: time went from {} to {}",
            pair[0].rtp,
            pair[1].rtp
        );
        ensure!(
            pair[1].loss == 0,
            "retina over {over:?}: {} packets missing",
            pair[1].loss
        );
    }
    Ok(())
}
