//! The ends of nodes as real processes over a real NATS server, with publishers that follow: drains by the API and by
//! signals, each with its own patience, a name that is taken, a node that is killed.

use anyhow::{Context, Result, ensure};
use std::future::ready;
use std::time::{Duration, Instant};
use weft::demo::follower::FollowOptions;
use weft::demo::journal::Happened;
use weft::demo::publisher::Options;
use weft::demo::{Clip, ClipLoop, Follower, Publisher, StampedLoop};
use weft_bus::testing::NatsServer;
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::watch::Watcher;
use weft_testkit::{figure, http, until};

const SOON: Duration = Duration::from_secs(10);

fn source() -> StampedLoop<ClipLoop> {
    StampedLoop::new(ClipLoop::new(Clip::demo()))
}

fn follow(nodes: &[&Node]) -> Result<Follower> {
    let urls: Result<Vec<String>> = nodes.iter().map(|node| node.whip("cam")).collect();
    Ok(Follower::start(urls?, source, FollowOptions::default()))
}

/// Waits until something happened to the follower that was wanted, after its first `seen` entries; gives its moment.
async fn happens(
    follower: &Follower,
    seen: usize,
    wanted: impl Fn(&Happened) -> bool,
) -> Result<tokio::time::Instant> {
    let found = until("the follower's next step", SOON, || {
        let log = follower.log();
        ready(log.iter().skip(seen).find(|e| wanted(&e.what)).map(|e| e.at))
    });
    found.await.with_context(|| format!("{:#?}", follower.log()))
}

/// A reader that has seen a picture.
async fn reads(node: &Node) -> Result<Watcher> {
    let watcher = Watcher::start(vec![node.rtsp("cam")?]);
    until("a first picture", SOON, || ready(watcher.last())).await?;
    Ok(watcher)
}

async fn drain(node: &Node, query: &str) -> Result<serde_json::Value> {
    let path = format!("/v3/node/drain{query}");
    let response = http::request("POST", node.address("api")?, &path, &[], b"").await?;
    ensure!(response.status == 200, "{} {}", response.status, response.text());
    response.json()
}

/// The longest time between two pictures, and the readers' sessions that ended.
fn gap(watcher: &Watcher) -> (Duration, usize) {
    let notes = watcher.notes();
    let between = notes.pictures.windows(2).map(|w| w[1].arrival - w[0].arrival);
    (between.max().unwrap_or_default(), notes.ends.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_takes_as_long_as_it_is_told_and_a_signal_shortens_it() -> Result<()> {
    let nats = NatsServer::start().await?;
    let ingest = Plan::new(Role::Ingest).nats(&nats.url()).start().await?;
    let plan = Plan::new(Role::Egress)
        .nats(&nats.url())
        .fabric("drainTimeout: 1s");
    let mut egress = plan.start().await?;
    let follower = follow(&[&ingest])?;
    egress.wait_for("cam", SOON).await?;
    let watcher = reads(&egress).await?;

    let answer = drain(&egress, "").await?;
    ensure!(answer["readers"] == 1, "{answer}");
    let ready_page = http::get(egress.address("api")?, "/v3/node/ready").await?;
    ensure!(
        ready_page.status == 503 && ready_page.text().contains("draining"),
        "{}",
        ready_page.text()
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    let last = watcher.last().context("pictures")?;
    ensure!(
        last.arrival.elapsed() < Duration::from_millis(500),
        "its reader still reads"
    );
    ensure!(egress.process().running(), "it waits for its reader");

    let began = Instant::now();
    let code = egress.terminate(SOON).await?;
    let took = began.elapsed();
    figure(format!("an API drain cut short by SIGTERM (1 s): {took:?}"));
    ensure!(code == Some(0), "{code:?}");
    ensure!((1..4).contains(&took.as_secs()), "{took:?}");
    follower.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_with_its_last_reader_or_its_own_time_and_a_second_signal_ends_it_now() -> Result<()> {
    let nats = NatsServer::start().await?;
    let ingest = Plan::new(Role::Ingest).nats(&nats.url()).start().await?;
    let plan = Plan::new(Role::Egress)
        .nats(&nats.url())
        .fabric("drainTimeout: 60s");
    let (mut left, mut timed, mut hurried) = (plan.start().await?, plan.start().await?, plan.start().await?);
    let follower = follow(&[&ingest])?;
    left.wait_for("cam", SOON).await?;
    let reader = reads(&left).await?;
    let (_others, _readers) = (reads(&timed).await?, reads(&hurried).await?);

    let file = left.address_file().to_owned();
    drain(&left, "?timeout=10m").await?;
    drain(&timed, "?timeout=1s").await?;
    ensure!(left.process().running() && file.exists());
    drop(reader);
    let code = left.process().wait(SOON).await?.code();
    ensure!(code == Some(0) && !file.exists(), "{code:?}, {}", file.display());
    ensure!(timed.process().wait(SOON).await?.code() == Some(0));

    hurried.process().signal("TERM")?;
    hurried.process().wait_for_line("draining", SOON).await?;
    ensure!(hurried.process().running());
    let began = Instant::now();
    let code = hurried.terminate(SOON).await?;
    ensure!(
        code == Some(130) && began.elapsed() < Duration::from_secs(1),
        "{code:?} after {:?}",
        began.elapsed()
    );
    follower.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_follows_a_drain_and_comes_back_from_a_killed_node() -> Result<()> {
    let nats = NatsServer::start().await?;
    let plan = Plan::new(Role::Ingest).nats(&nats.url());
    let (mut first, second) = (plan.start().await?, plan.start().await?);
    let third = plan.start().await?;
    let egress = Plan::new(Role::Egress).nats(&nats.url()).start().await?;
    let follower = follow(&[&first, &second, &third])?;
    happens(&follower, 0, |what| matches!(what, Happened::Publishing(_))).await?;
    egress.wait_for("cam", SOON).await?;
    let watcher = reads(&egress).await?;

    let seen = follower.log().len();
    let began = tokio::time::Instant::now();
    first.process().signal("TERM")?;
    let moved = happens(&follower, seen, |what| matches!(what, Happened::Moved(_))).await?;
    let code = first.process().wait(SOON).await?.code();
    ensure!(
        code == Some(0),
        "{code:?} with its publisher gone, before drainTimeout"
    );
    let lost = follower
        .log()
        .into_iter()
        .filter(|e| matches!(e.what, Happened::Lost(_)));
    ensure!(lost.count() == 0, "a move is no loss: {:#?}", follower.log());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (longest, ends) = gap(&watcher);
    figure(format!(
        "drain: moved after {:?}, longest time between two pictures {longest:?}",
        moved - began
    ));
    ensure!(
        ends == 0 && longest < Duration::from_secs(2),
        "{ends} ends, {longest:?}"
    );

    let location = follower.location().context("a session")?;
    let mut nodes = [second, third];
    let killed = nodes
        .iter_mut()
        .find(|node| {
            location
                .as_str()
                .contains(node.address("webrtc").unwrap_or("nowhere"))
        })
        .context("a node that has it")?;
    let seen = follower.log().len();
    let began = tokio::time::Instant::now();
    killed.process().signal("KILL")?;
    let back = happens(&follower, seen, |what| matches!(what, Happened::Publishing(_))).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (longest, ends) = gap(&watcher);
    figure(format!(
        "kill: published anew after {:?}, longest time between two pictures {longest:?}",
        back - began
    ));
    ensure!(back - began < Duration::from_secs(1), "{:#?}", follower.log());
    ensure!(
        ends == 0 && longest < Duration::from_secs(3),
        "{ends} ends, {longest:?}"
    );
    follower.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_was_passed_on_does_not_mind_the_loss_of_the_node_it_had_asked() -> Result<()> {
    let nats = NatsServer::start().await?;
    let plan = Plan::new(Role::Ingest).nats(&nats.url());
    let mut full = plan.clone().fabric("limits: {publishers: 1}").start().await?;
    let second = plan.start().await?;
    let url = full.whip("other")?;
    let other = Publisher::start(&url, source(), Options::default()).await?;
    let follower = follow(&[&full, &second])?;
    happens(&follower, 0, |what| matches!(what, Happened::Publishing(_))).await?;
    let first = follower.log().remove(0).what;
    ensure!(first == Happened::Publishing(full.whip("cam")?), "{first:?}");
    second.wait_for("cam", SOON).await?;
    full.process().signal("KILL")?;
    happens(&follower, 1, |what| *what == Happened::Deaf).await?;
    let units = follower.units();
    until("a second of media", SOON, || {
        ready((follower.units() > units + 75).then_some(()))
    })
    .await?;
    ensure!(follower.log().len() == 2, "{:#?}", follower.log());
    ensure!(second.has("cam").await, "its media goes on");
    other.kill();
    follower.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_whose_stream_is_taken_over_stops_for_good() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let follower = follow(&[&node])?;
    happens(&follower, 0, |what| matches!(what, Happened::Publishing(_))).await?;
    node.wait_for("cam", SOON).await?;
    let other = Publisher::start(&node.whip("cam")?, source(), Options::default()).await?;
    let over = |what: &Happened| matches!(what, Happened::Ended(why) if why == "taken-over");
    happens(&follower, 1, over).await?;
    tokio::time::timeout(SOON, follower.ended()).await?;
    ensure!(follower.log().len() == 2, "{:#?}", follower.log());
    ensure!(node.has("cam").await, "the newcomer has it");
    other.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_an_operator_ends_stops_for_good() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let follower = follow(&[&node])?;
    node.wait_for("cam", SOON).await?;
    let kick = http::request("POST", node.address("api")?, "/v3/paths/kick/cam", &[], b"").await?;
    ensure!(kick.status == 200, "{}", kick.text());
    tokio::time::timeout(SOON, follower.ended())
        .await
        .with_context(|| format!("{:#?}", follower.log()))?;
    let end = follower.log().pop().context("an entry")?.what;
    ensure!(end == Happened::Ended("kicked".into()), "{end}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_others_ends_at_once_when_told_by_a_signal() -> Result<()> {
    let mut node = Plan::new(Role::Standalone).start().await?;
    let follower = follow(&[&node])?;
    node.wait_for("cam", SOON).await?;
    let began = Instant::now();
    let code = node.terminate(SOON).await?;
    ensure!(
        code == Some(0) && began.elapsed() < Duration::from_secs(3),
        "{code:?} after {:?}",
        began.elapsed()
    );
    happens(
        &follower,
        1,
        |what| matches!(what, Happened::Lost(why) if why == "shutdown"),
    )
    .await?;
    follower.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_name_is_in_use_does_not_start_and_says_where_the_other_is() -> Result<()> {
    let nats = NatsServer::start().await?;
    let plan = Plan::new(Role::Egress).nats(&nats.url()).named("eg");
    let first = plan.start().await?;
    let mut second = plan.spawn()?;
    let code = second.process().wait(SOON).await?.code();
    let log = second.process().log();
    ensure!(code == Some(1), "{code:?}: {log}");
    let at = first.address("webrtc")?;
    ensure!(
        log.contains(&format!("in use by another run of it at {at}")) && log.contains("fabric.nodeName"),
        "{log}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_killed_is_back_under_its_name_at_once() -> Result<()> {
    let nats = NatsServer::start().await?;
    for (role, name) in [(Role::Ingest, "in"), (Role::Egress, "eg")] {
        let plan = Plan::new(role).nats(&nats.url()).named(name).fixed()?;
        let mut first = plan.start().await?;
        first.process().signal("KILL")?;
        first.process().wait(SOON).await?;
        let began = Instant::now();
        let mut second = plan.start().await?;
        let took = began.elapsed();
        figure(format!("{name} killed and started anew: ready after {took:?}"));
        ensure!(took < Duration::from_secs(3), "{took:?}");
        second.process().wait_for_line("among the nodes", SOON).await?;
        let log = second.process().log();
        let told = log.lines().filter(|line| line.contains("left its lease behind"));
        ensure!(told.count() == 1, "{log}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_keeps_its_name() -> Result<()> {
    let nats = NatsServer::start().await?;
    let plan = Plan::new(Role::Egress).nats(&nats.url()).named("eg");
    let mut first = plan.start().await?;
    first.process().signal("STOP")?;
    let mut second = plan.spawn()?;
    let code = second.process().wait(SOON).await?.code();
    first.process().signal("CONT")?;
    let log = second.process().log();
    ensure!(
        code == Some(1) && log.contains("in use by another run of it"),
        "{code:?}: {log}"
    );
    Ok(())
}
