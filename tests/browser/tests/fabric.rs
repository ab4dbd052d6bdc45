//! What dies or leaves while people publish and watch: the pages go on by themselves, on another node, and those who read do not
//! notice more than they must.

use crate::browser::{Browser, Seen, Tab, now};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use weft_bus::testing::NatsServer;
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::watch::Watcher;
use weft_testkit::{figure, http, until};

const LIMIT: Duration = Duration::from_secs(30);
const SMALL: &str = "source=canvas&width=640&height=360";

/// Two ingest nodes and an egress node on one NATS server, a page that publishes to the first, a page and an RTSP reader that
/// read from the egress node.
struct World {
    first: Node,
    second: Node,
    browser: Browser,
    reader: Watcher,
    _egress: Node,
    _nats: NatsServer,
}

impl World {
    async fn begin(name: &str) -> Result<Self> {
        let nats = NatsServer::start().await?;
        let plan = |role| Plan::new(role).nats(&nats.url());
        let first = plan(Role::Ingest).start().await?;
        let second = plan(Role::Ingest).start().await?;
        let egress = plan(Role::Egress).start().await?;
        let (here, there) = (first.address("webrtc")?, second.address("webrtc")?);
        let tabs = [
            Tab::new(
                "publish",
                &format!("http://{here}/cam/publish?{SMALL}&nodes=http://{there}"),
            ),
            Tab::new(
                "watch",
                &format!("http://{}/cam/?mode=whep", egress.address("webrtc")?),
            ),
        ];
        let browser = Browser::open(name, &[], &tabs).await?;
        browser
            .wait("publish", "live", LIMIT, |seen| seen.kind == "live")
            .await?;
        let reader = Watcher::start(vec![egress.rtsp("cam")?]);
        let moving = |seen: &Seen| seen.kind == "live" && seen.frames > 60;
        browser.wait("watch", "60 pictures", LIMIT, moving).await?;
        until("the RTSP reader's first picture", LIMIT, || {
            std::future::ready(reader.last())
        })
        .await?;
        Ok(World {
            first,
            second,
            browser,
            reader,
            _egress: egress,
            _nats: nats,
        })
    }

    /// Pictures shown at the watch page after a moment, and how long it stood still at most from it on.
    fn shown(&self, from: u64) -> Result<(Vec<u64>, u64)> {
        let seen = self.browser.seen("watch");
        let all = seen.iter().flat_map(|seen| &seen.shown).map(|(at, _)| *at);
        let all: Vec<u64> = all.collect();
        let begun = all.iter().rposition(|at| *at < from).unwrap_or(0);
        let gap = all[begun..].windows(2).map(|two| two[1] - two[0]).max();
        Ok((
            all[begun + 1..].to_vec(),
            gap.context("no picture at the watch page")?,
        ))
    }

    /// The RTSP reader and the watch page had one session all the time, and both still have pictures.
    async fn same_sessions(&self) -> Result<()> {
        let end = now();
        let going = |seen: &Seen| seen.at > end && !seen.shown.is_empty() && seen.kind == "live";
        let watch = self.browser.wait("watch", "moves", LIMIT, going).await?;
        ensure!(
            watch.sessions == 1,
            "the watch page connected {} times",
            watch.sessions
        );
        let notes = self.reader.notes();
        ensure!(
            notes.ends.is_empty(),
            "the RTSP reader was closed: {:?}",
            notes.ends
        );
        let last = self.reader.last().context("no picture over RTSP")?;
        ensure!(
            last.arrival.elapsed() < Duration::from_secs(2),
            "the RTSP reader stands still"
        );
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_whose_node_is_killed_is_at_another_within_3_s_and_readers_stay() -> Result<()> {
    let mut world = World::begin("killed").await?;
    let killed = now();
    world.first.process().signal("KILL")?;
    let again = |seen: &Seen| seen.at > killed && seen.kind == "live" && seen.sessions > 1;
    world
        .browser
        .wait("publish", "live at the other node", LIMIT, again)
        .await?;
    world.second.wait_for("cam", LIMIT).await?;
    let back = now() - killed;
    ensure!(back <= 3000, "publishing again after {back} ms");
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.same_sessions().await?;
    let (_, gap) = world.shown(killed)?;
    figure(format!(
        "killed: publishing again after {back} ms, the watch page stood still for {gap} ms"
    ));
    ensure!(gap <= 3500, "the watch page stood still for {gap} ms");
    world.browser.picture().await?;
    world.browser.close()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_picture_stands_still_while_a_publisher_leaves_a_draining_node() -> Result<()> {
    let mut world = World::begin("drained").await?;
    let told = now();
    let ordered = http::request("POST", world.first.address("api")?, "/v3/node/drain", &[], b"").await?;
    ensure!(
        ordered.status == 200,
        "drain: {} {}",
        ordered.status,
        ordered.text()
    );
    let moved = |seen: &Seen| seen.at > told && seen.kind == "live" && seen.sessions > 1;
    let moved = world.browser.wait("publish", "moved", LIMIT, moved).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.same_sessions().await?;
    let (_, gap) = world.shown(told)?;
    figure(format!(
        "drained: moved after {} ms, the watch page stood still for {gap} ms at most",
        moved.at - told
    ));
    ensure!(gap <= 300, "the watch page stood still for {gap} ms");
    world.browser.picture().await?;
    world.browser.close()
}
