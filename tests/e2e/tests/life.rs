//! Beginnings and ends: many rounds leave nothing behind, each kind of end shows in its time, and the process ends cleanly.
//! What a reader sees meanwhile is judged elsewhere.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use std::time::{Duration, Instant};
use weft_testkit::fixture::{self, Clip, LIGHT};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::process::Usage;
use weft_testkit::relay::{Relay, Weather};
use weft_testkit::whip_proxy::WhipProxy;
use weft_testkit::{publish, until};

const LANES: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn rounds_of_publishing_leave_nothing_behind() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let clip = fixture::clip(LIGHT)?;
    publish_rounds(&node, &clip, LANES).await?;
    let before = settled(&node).await?;
    publish_rounds(&node, &clip, 200).await?;
    nothing_left(&node, before).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_of_reading_leave_nothing_behind() -> Result<()> {
    let mut node = Plan::new(Role::Standalone).start().await?;
    let clip = fixture::clip(LIGHT)?;
    let _publisher = publish::ffmpeg_copy(&node.whip("read")?, &clip)?;
    node.wait_for("read", Duration::from_secs(20)).await?;
    read_rounds(&node, LANES * 2).await?;
    let before = node.process().usage()?;
    read_rounds(&node, 500).await?;
    until("the readers' sockets are closed", Duration::from_secs(15), || {
        let now = node.process().usage();
        std::future::ready(
            now.is_ok_and(|now| now.descriptors <= before.descriptors)
                .then_some(()),
        )
    })
    .await?;
    compare(before, node.process().usage()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_end_shows_in_its_time() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let clip = fixture::clip(LIGHT)?;
    let before = settled(&node).await?;
    let relay = Relay::start(node.address("ice")?.parse()?, 5).await?;
    let proxy = WhipProxy::start(node.address("webrtc")?.to_owned(), &relay).await?;
    let killed = publish::ffmpeg_copy(&node.whip("killed")?, &clip)?;
    let _vanished = publish::ffmpeg_copy(&proxy.whip("vanished"), &clip)?;
    let mut left = publish::ffmpeg_copy(&node.whip("left")?, &clip)?;
    for name in ["killed", "vanished", "left"] {
        node.wait_for(name, Duration::from_secs(20)).await?;
    }
    left.signal("TERM")?;
    left.wait(Duration::from_secs(5)).await?;
    not_ready(&node, "left", Duration::from_secs(1))
        .await
        .context("after DELETE")?;

    killed.signal("KILL")?;
    relay.set(Weather::GONE);
    let cut = Instant::now();
    for name in ["killed", "vanished"] {
        let rest = Duration::from_secs(5).saturating_sub(cut.elapsed());
        not_ready(&node, name, rest)
            .await
            .with_context(|| name.to_owned())?;
    }
    for name in ["killed", "vanished"] {
        let rest = Duration::from_secs(35).saturating_sub(cut.elapsed());
        until(&format!("{name} gone"), rest, || async {
            matches!(node.path(name).await, Ok(None)).then_some(())
        })
        .await?;
    }
    nothing_left(&node, before).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_a_busy_node_cleanly_within_8_seconds() -> Result<()> {
    let mut node = Plan::new(Role::Standalone).start().await?;
    let clip = fixture::clip(LIGHT)?;
    let _publisher = publish::ffmpeg_copy(&node.whip("busy")?, &clip)?;
    node.wait_for("busy", Duration::from_secs(20)).await?;
    let mut reader = oracle::open_when_there(&node.rtsp("busy")?, Over::Tcp, Duration::from_secs(10)).await?;
    reader.read_units(1, Duration::from_secs(5)).await?;
    let code = node.terminate(Duration::from_secs(8)).await?;
    ensure!(
        code == Some(0),
        "exit code {code:?}: {}",
        node.process().last_lines()
    );
    ensure!(
        !node.process().log().contains("panicked"),
        "{}",
        node.process().last_lines()
    );
    Ok(())
}

async fn publish_rounds(node: &Node, clip: &Clip, rounds: usize) -> Result<()> {
    let lane = |lane: usize| async move {
        for round in (lane..rounds).step_by(LANES) {
            let name = format!("round{lane}");
            let mut publisher = publish::ffmpeg_copy(&node.whip(&name)?, clip)?;
            node.wait_for(&name, Duration::from_secs(20))
                .await
                .with_context(|| publisher.last_lines())?;
            publisher.signal("TERM")?;
            publisher.wait(Duration::from_secs(10)).await?;
            not_ready(node, &name, Duration::from_secs(1))
                .await
                .with_context(|| format!("round {round}"))?;
        }
        anyhow::Ok(())
    };
    try_join_all((0..LANES).map(lane)).await?;
    Ok(())
}

/// Half over UDP; half leave with TEARDOWN, half by closing the connection.
async fn read_rounds(node: &Node, rounds: usize) -> Result<()> {
    let url = node.rtsp("read")?;
    let url = &url;
    let lane = |lane: usize| async move {
        for round in (lane..rounds).step_by(LANES) {
            let over = if round % 2 == 0 { Over::Tcp } else { Over::Udp };
            let farewell = round % 4 < 2;
            let mut reader = oracle::open_leaving(url, over, farewell).await?.play().await?;
            reader
                .read_units(1, Duration::from_secs(5))
                .await
                .with_context(|| format!("round {round}"))?;
        }
        anyhow::Ok(())
    };
    try_join_all((0..LANES).map(lane)).await?;
    Ok(())
}

async fn not_ready(node: &Node, stream: &str, limit: Duration) -> Result<()> {
    until(&format!("{stream} not ready"), limit, || async {
        match node.path(stream).await {
            Ok(Some(path)) if path["ready"] == true => None,
            Ok(_) => Some(()),
            Err(_) => None,
        }
    })
    .await
}

/// The usage once no stream is left.
async fn settled(node: &Node) -> Result<Usage> {
    until("no stream is listed", Duration::from_secs(40), || async {
        let list = weft_testkit::http::get(node.address("api").ok()?, "/v3/paths/list")
            .await
            .ok()?;
        (list.json().ok()?["itemCount"] == 0).then_some(())
    })
    .await?;
    node.usage()
}

async fn nothing_left(node: &Node, before: Usage) -> Result<()> {
    settled(node).await?;
    until("the sockets are closed", Duration::from_secs(15), || {
        let now = node.usage();
        std::future::ready(
            now.is_ok_and(|now| now.descriptors <= before.descriptors)
                .then_some(()),
        )
    })
    .await?;
    compare(before, node.usage()?)
}

fn compare(before: Usage, after: Usage) -> Result<()> {
    weft_testkit::figure(format!("before {before:?}, after {after:?}"));
    ensure!(
        after.descriptors <= before.descriptors,
        "descriptors: before {before:?}, after {after:?}"
    );
    ensure!(
        after.threads <= before.threads + 2,
        "threads: before {before:?}, after {after:?}"
    );
    // The allocator keeps some pages; a leak of 20 KiB a round would show.
    ensure!(
        after.rss_kib <= before.rss_kib + 10 * 1024,
        "memory: before {before:?}, after {after:?}"
    );
    Ok(())
}
