//! What paths of the configuration bring about: publishers that readers start, sources pulled from another server, commands
//! and webhooks that are told. Real nodes, `weft publish` as the publisher, readers that note every picture.

mod hooked;

use anyhow::{Context, Result, ensure};
use std::process::Command;
use std::time::{Duration, Instant};
use weft_bus::testing::NatsServer;
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::process::Process;
use weft_testkit::rtsp::Dialogue;
use weft_testkit::watch::Watcher;
use weft_testkit::{figure, http, tools, until};

const LIMIT: Duration = Duration::from_secs(12);

/// The command that publishes a path's stream to the node that runs it.
fn on_demand() -> Result<String> {
    let weft = tools::weft()?;
    Ok(format!(
        "paths:\n  '~^cam/(.+)$':\n    runOnDemand: {} publish --to http://127.0.0.1:$WEFT_WEBRTC_PORT --stream cam/$G1\n    runOnDemandCloseAfter: 1s",
        weft.display()
    ))
}

fn publisher(node: &Node, stream: &str) -> Result<Process> {
    let mut command = Command::new(tools::weft()?);
    let address = node.address("webrtc")?;
    command.args([
        "publish",
        "--to",
        &format!("http://{address}"),
        "--stream",
        stream,
    ]);
    Process::spawn("publisher", command)
}

/// Waits for so many pictures; how long that took.
async fn sees(watcher: &Watcher, pictures: usize, nodes: &[&Node]) -> Result<Duration> {
    let begin = Instant::now();
    let seen = until("pictures", LIMIT, || {
        std::future::ready((watcher.notes().pictures.len() >= pictures).then_some(()))
    });
    let logs = || {
        nodes
            .iter()
            .map(|node| node.log())
            .collect::<Vec<_>>()
            .join("\n--\n")
    };
    seen.await
        .with_context(|| format!("{:?}\n{}", watcher.notes().ends, logs()))?;
    Ok(begin.elapsed())
}

async fn is_gone(node: &Node, stream: &str) -> Result<Duration> {
    let begin = Instant::now();
    let gone = until("the stream's end", LIMIT, || async {
        (!node.has(stream).await).then_some(())
    });
    gone.await.with_context(|| node.log())?;
    Ok(begin.elapsed())
}

async fn a_reader_starts_and_ends_its_publisher(takes: &Node, serves: &Node) -> Result<()> {
    ensure!(!takes.has("cam/1").await, "there is a publisher already");
    for round in 1..=2 {
        let watcher = Watcher::start(vec![serves.rtsp("cam/1")?]);
        let first = sees(&watcher, 30, &[takes, serves]).await?;
        let other = Watcher::start(vec![serves.rtsp("cam/1")?]);
        sees(&other, 10, &[takes, serves]).await?;
        drop(other);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        ensure!(takes.has("cam/1").await, "ended under a reader");
        drop(watcher);
        let end = is_gone(takes, "cam/1").await?;
        ensure!(
            end > Duration::from_millis(500),
            "ended before CloseAfter: {end:?}"
        );
        figure(format!(
            "on demand, round {round}: 30 pictures after {first:?}, ended {end:?} after the last reader"
        ));
    }
    let mut dialogue = Dialogue::open(serves.address("rtsp")?).await?;
    let refused = dialogue.ask("DESCRIBE", &serves.rtsp("other")?, &[]).await?;
    ensure!(refused.status == 400, "{}: no path means it", refused.status);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_a_standalone_node_starts_the_publisher_of_its_path_and_the_last_one_ends_it()
-> Result<()> {
    let node = Plan::new(Role::Standalone).with(&on_demand()?).start().await?;
    a_reader_starts_and_ends_its_publisher(&node, &node).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_an_egress_node_starts_a_publisher_at_an_ingest_node_over_nats() -> Result<()> {
    let nats = NatsServer::start().await?;
    let plan = |role| Ok::<_, anyhow::Error>(Plan::new(role).nats(&nats.url()).with(&on_demand()?));
    let (ingest, egress) = tokio::try_join!(async { plan(Role::Ingest)?.start().await }, async {
        plan(Role::Egress)?.start().await
    })?;
    a_reader_starts_and_ends_its_publisher(&ingest, &egress).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_pulled_from_another_server_while_somebody_reads_and_again_after_it_was_closed()
-> Result<()> {
    let origin = Plan::new(Role::Standalone).start().await?;
    let _publisher = publisher(&origin, "one")?;
    let address = origin.address("rtsp")?;
    let path = format!(
        "paths:\n  '~^pull/(.+)$':\n    source: rtsp://user:secret@{address}/$G1\n    sourceOnDemand: yes\n    sourceOnDemandCloseAfter: 1s"
    );
    let edge = Plan::new(Role::Standalone).with(&path).start().await?;
    origin.wait_for("one", LIMIT).await?;
    ensure!(!edge.has("pull/one").await);
    let watcher = Watcher::start(vec![edge.rtsp("pull/one")?]);
    let first = sees(&watcher, 60, &[&edge]).await?;
    let path = edge.path("pull/one").await?.context("no such path")?;
    ensure!(path["source"]["type"] == "rtspSource", "{path}");
    let picture = watcher.last().context("no picture")?;
    ensure!(
        picture.stamp != 0 && picture.age < Duration::from_secs(2),
        "{picture:?}"
    );

    let api = edge.address("api")?;
    let deleted = http::request("DELETE", api, "/v3/paths/delete/pull/one", &[], b"").await?;
    ensure!(deleted.status == 200, "{}: {}", deleted.status, deleted.text());
    let before = watcher.notes().pictures.len();
    let again = sees(&watcher, before + 60, &[&edge]).await?;
    drop(watcher);
    let end = is_gone(&edge, "pull/one").await?;
    figure(format!(
        "pulled: 60 pictures after {first:?}, again {again:?} after a close, ended {end:?} after the reader"
    ));
    let log = edge.log();
    ensure!(!log.contains("secret"), "a login is in the log");
    Ok(())
}
