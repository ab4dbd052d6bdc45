//! A node of each role is added at 80 % load: newcomers that all knock at the old nodes are spread over both, and nobody who
//! was there before notices. Publishers are real WebRTC, readers real RTSP sessions.

use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use weft::demo::publisher::Options;
use weft::demo::{Clip, ClipLoop, Publisher};
use weft_bus::testing::NatsServer;
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::rtsp::Dialogue;
use weft_testkit::watch::Watcher;
use weft_testkit::{figure, http, until};

/// What each ingest node takes, and each egress node: two readers for each publisher.
const PUBLISHERS: usize = 10;
const READERS: usize = 20;
/// There at the start, and newcomers.
const OLD: usize = 8;
const NEW: usize = 6;
/// From the new nodes' start to the newcomers' being spread.
const LIMIT: Duration = Duration::from_secs(10);

fn plan(nats: &NatsServer, role: Role) -> Plan {
    let limits = format!("limits:\n    publishers: {PUBLISHERS}\n    readers: {READERS}");
    Plan::new(role).nats(&nats.url()).fabric(&limits)
}

/// Publishers and readers of a node, by its own account.
async fn load(asked: &Node, of: &str) -> Result<(u64, u64)> {
    let list = http::get(asked.address("api")?, "/v3/nodes/list").await?.json()?;
    let nodes = list["items"].as_array().context("items")?;
    let node = nodes
        .iter()
        .find(|node| addresses_have(node, of))
        .with_context(|| format!("{of} in {list}"))?;
    let number = |key: &str| {
        node["load"][key]
            .as_u64()
            .with_context(|| format!("{key} in {node}"))
    };
    Ok((number("publishers")?, number("readers")?))
}

fn addresses_have(node: &serde_json::Value, address: &str) -> bool {
    node["addresses"]
        .as_object()
        .is_some_and(|all| all.values().any(|one| one == address))
}

async fn publish(node: &Node, number: usize) -> Result<Publisher> {
    let source = ClipLoop::new(Clip::demo());
    Ok(Publisher::start(&node.whip(&format!("s{number}"))?, source, Options::default()).await?)
}

/// Where a reader that asks this node ends up: here, or where the 302 says.
async fn home(node: &Node, stream: &str) -> Result<String> {
    let url = node.rtsp(stream)?;
    let mut dialogue = Dialogue::open(node.address("rtsp")?).await?;
    let answer = dialogue
        .ask("DESCRIBE", &url, &[("Accept", "application/sdp")])
        .await?;
    match answer.status {
        200 => Ok(url),
        302 => Ok(answer.header("location").context("a Location")?.to_owned()),
        status => anyhow::bail!("DESCRIBE {stream}: {status}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn newcomers_spread_over_added_nodes_and_nobody_is_dropped() -> Result<()> {
    let nats = NatsServer::start().await?;
    let (ingest, egress) = (plan(&nats, Role::Ingest), plan(&nats, Role::Egress));
    let (old_in, old_out) = tokio::try_join!(ingest.start(), egress.start())?;
    let mut publishers = Vec::new();
    for number in 0..OLD {
        publishers.push(publish(&old_in, number).await?);
    }
    let mut watchers = Vec::new();
    for number in 0..OLD {
        old_out.wait_for(&format!("s{number}"), LIMIT).await?;
        for _ in 0..2 {
            watchers.push(Watcher::start(vec![old_out.rtsp(&format!("s{number}"))?]));
        }
    }
    until("all readers at work", LIMIT, || {
        std::future::ready(watchers.iter().all(|w| w.last().is_some()).then_some(()))
    })
    .await?;

    let (ingest, egress) = (plan(&nats, Role::Ingest), plan(&nats, Role::Egress));
    let (new_in, new_out) = tokio::try_join!(ingest.start(), egress.start())?;
    let begun = Instant::now();
    let (at_in, at_out) = (
        new_in.address("webrtc")?.to_owned(),
        new_out.address("rtsp")?.to_owned(),
    );
    until("the new nodes known to the old", LIMIT, || async {
        let (one, two) = (load(&old_in, &at_in).await, load(&old_out, &at_out).await);
        (one.is_ok() && two.is_ok()).then_some(())
    })
    .await?;
    // Everybody still knocks at the old nodes.
    let mut redirected = 0;
    for number in OLD..OLD + NEW {
        publishers.push(publish(&old_in, number).await?);
        let stream = format!("s{number}");
        old_out.wait_for(&stream, LIMIT).await?;
        for _ in 0..2 {
            let url = home(&old_out, &stream).await?;
            redirected += usize::from(url.contains(&at_out));
            watchers.push(Watcher::start(vec![url]));
        }
    }
    until("all newcomers at work", LIMIT, || {
        std::future::ready(watchers.iter().all(|w| w.last().is_some()).then_some(()))
    })
    .await?;
    let took = begun.elapsed();
    ensure!(took <= LIMIT, "the newcomers were spread after {took:?}");

    let loads = until("loads that add up", LIMIT, || async {
        let old = (
            load(&old_in, old_in.address("webrtc").ok()?).await.ok()?.0,
            load(&old_out, old_out.address("rtsp").ok()?).await.ok()?.1,
        );
        let new = (
            load(&old_in, &at_in).await.ok()?.0,
            load(&old_out, &at_out).await.ok()?.1,
        );
        let all = ((OLD + NEW) as u64, 2 * (OLD + NEW) as u64);
        ((old.0 + new.0, old.1 + new.1) == all).then_some((old, new))
    });
    let (old, new) = loads.await?;
    figure(format!(
        "publishers {} + {}, readers {} + {} on the old and the added node, {redirected} readers sent on, after {took:.1?}",
        old.0, new.0, old.1, new.1
    ));
    // The added node takes nearly all newcomers until it is as full as the old one less the margin of a tenth.
    ensure!(
        new.0 >= NEW as u64 - 1,
        "publishers: {} on the old, {} on the added node",
        old.0,
        new.0
    );
    ensure!(
        new.1 >= 2 * NEW as u64 - 2,
        "readers: {} on the old, {} on the added node",
        old.1,
        new.1
    );
    for watcher in &watchers {
        let notes = watcher.notes();
        ensure!(
            notes.ends.is_empty(),
            "a reader's session ended: {:?}",
            notes.ends
        );
        ensure!(
            notes.pictures.iter().all(|p| p.loss == 0),
            "a reader has lost packets"
        );
    }
    for publisher in publishers {
        publisher
            .stop()
            .await
            .context("a publisher's session is still there")?;
    }
    Ok(())
}
