//! The time from RTSP PLAY to the first access unit that can be decoded, as the independent reader measures it. How long a
//! decoder then takes is its own business.

use anyhow::{Context, Result, ensure};
use std::time::Duration;
use weft_bus::testing::NatsServer;
use weft_testkit::fixture::{self, MINUTE};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::publish::{self, Page};
use weft_testkit::{full, median, until};

#[tokio::test(flavor = "multi_thread")]
async fn at_a_gop_of_two_seconds_the_first_picture_comes_at_once_standalone() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    joins(&node, &node).await
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_gop_of_two_seconds_the_first_picture_comes_at_once_over_nats() -> Result<()> {
    let nats = NatsServer::start().await?;
    let ingest = Plan::new(Role::Ingest).nats(&nats.url()).start().await?;
    let egress = Plan::new(Role::Egress).nats(&nats.url()).start().await?;
    joins(&ingest, &egress).await
}

/// Each stream is joined twice, at moments spread over the group of pictures: first by the one who opens its hub, then by
/// one more.
async fn joins(ingest: &Node, egress: &Node) -> Result<()> {
    let clip = fixture::clip(MINUTE)?;
    let names: Vec<String> = (0..9).map(|number| format!("gop{number}")).collect();
    let mut publishers = Vec::new();
    for name in &names {
        publishers.push(publish::ffmpeg_copy(&ingest.whip(name)?, &clip)?);
    }
    for name in &names {
        ingest.wait_for(name, Duration::from_secs(15)).await?;
    }
    for join in ["first", "further"] {
        let mut times = Vec::new();
        for name in &names {
            times.push(first_picture(&egress.rtsp(name)?, Duration::from_secs(5)).await?);
            // A step that does not divide the group of 2 s.
            tokio::time::sleep(Duration::from_millis(270)).await;
        }
        let middle = median(times.clone());
        weft_testkit::figure(format!("{join} readers: median {middle:?} of {times:?}"));
        ensure!(
            middle <= Duration::from_millis(150),
            "{join} readers: median {middle:?} of {times:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_without_a_recent_keyframe_shows_its_first_picture_soon() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let streams = ["one", "two", "three"];
    let urls: Vec<String> = streams
        .iter()
        .map(|name| node.whip(name))
        .collect::<Result<_>>()?;
    let mut browser = publish::chromium(&urls.join(","), Page::Plain)?;
    for name in streams {
        node.wait_for(name, Duration::from_secs(20))
            .await
            .with_context(|| browser.last_lines())?;
    }
    // Nobody reads, so nobody asks for keyframes, and the browser sends none by itself.
    let quiet = if full() { 60 } else { 12 };
    let silent = format!("no keyframe for {quiet} s");
    browser
        .wait_for_line(&silent, Duration::from_secs(quiet + 15))
        .await?;
    let mut times = Vec::new();
    for name in streams {
        times.push(first_picture(&node.rtsp(name)?, Duration::from_secs(5)).await?);
    }
    let middle = median(times.clone());
    weft_testkit::figure(format!("median {middle:?} of {times:?}"));
    ensure!(
        middle <= Duration::from_millis(300),
        "median {middle:?} of {times:?}"
    );
    Ok(())
}

async fn first_picture(url: &str, limit: Duration) -> Result<Duration> {
    let ready = until("DESCRIBE answered", limit, || async {
        oracle::open(url, Over::Tcp).await.ok()
    })
    .await?;
    let mut reader = ready.play().await?;
    let unit = reader.read_units(1, limit).await?[0];
    ensure!(unit.key, "the first unit cannot be decoded");
    Ok(unit.arrival - reader.played)
}
