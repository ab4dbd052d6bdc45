//! The dashboard and the wall of proctors in a real browser: how soon they are there with a thousand streams, whether they
//! stay smooth, whether everybody can use them, and whether their buttons do what they say. Pictures of them are kept.

mod fabric;

use anyhow::{Context, Result, ensure};
use fabric::{Crowd, crowd, name};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use weft_bus::testing::NatsServer;
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::process::Process;
use weft_testkit::{figure, http, tools, until};
use weft_wire::CloseReason;

const STREAMS: usize = 1_000;
/// The longest the browser may take with one script.
const LIMIT: Duration = Duration::from_secs(90);

fn in_system(test: impl Future<Output = Result<()>>) -> Result<()> {
    let system = actix_rt::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime")
    });
    system.block_on(test)
}

/// Where pictures of the pages are kept.
fn pictures() -> Result<PathBuf> {
    tools::scratch("pages-seen")
}

/// Has the browser do what the script is for; what it says on its last line is what it found.
async fn browse(what: &str, node: &Node, more: &[&str]) -> Result<Value> {
    let mut command = Command::new("node");
    command
        .arg(tools::script("e2e/pages/dashboard.cjs"))
        .args([what, &format!("http://{}", node.address("webrtc")?)])
        .arg(pictures()?)
        .args(more)
        .env("NODE_PATH", tools::node_modules()?);
    let mut browser = Process::spawn_family("dashboard", command)?;
    let status = browser.wait(LIMIT).await.with_context(|| browser.last_lines())?;
    let log = browser.log();
    ensure!(status.success(), "{what}:\n{log}");
    let last = log.lines().rev().find(|line| line.starts_with('{'));
    Ok(serde_json::from_str(last.with_context(|| log.clone())?)?)
}

/// All streams are seen by a node that serves the pages.
async fn full(nats: &NatsServer) -> Result<(Crowd, Node)> {
    let crowd = crowd(nats, STREAMS).await?;
    let node = Plan::new(Role::Egress)
        .named("egress-1")
        .nats(&nats.url())
        .start()
        .await?;
    let api = node.address("api")?.to_owned();
    until("a thousand streams", Duration::from_secs(60), || async {
        let list = http::get(&api, "/v3/paths/list?itemsPerPage=1000")
            .await
            .ok()?
            .json()
            .ok()?;
        let ready = list["items"]
            .as_array()?
            .iter()
            .filter(|item| item["ready"] == true);
        (ready.count() == STREAMS).then_some(())
    })
    .await?;
    Ok((crowd, node))
}

#[test]
fn a_thousand_streams_are_there_at_once_stay_smooth_and_the_buttons_do_what_they_say() -> Result<()> {
    in_system(async {
        let nats = NatsServer::start().await?;
        let (crowd, node) = full(&nats).await?;
        let mut leaving = Plan::new(Role::Ingest)
            .named("leaving")
            .nats(&nats.url())
            .start()
            .await?;

        let began = Instant::now();
        let seen = browse("thousand", &node, &[&name(417), "leaving"]).await?;
        figure(format!(
            "first paint {} ms (median of {}), all {} streams shown {} ms; longest task in the quietest of three spans {} ms of {}; \
             {:.0} s in the browser",
            seen["paint"],
            seen["loads"],
            seen["rows"],
            seen["shown"],
            seen["longest"],
            seen["tasks"],
            began.elapsed().as_secs_f64()
        ));
        let ms = |what: &str| seen[what].as_f64().with_context(|| format!("{what} in {seen}"));
        ensure!(seen["rows"] == STREAMS, "{seen}");
        ensure!(
            ms("paint")? <= 1_000.0,
            "the first paint took {} ms",
            seen["paint"]
        );
        ensure!(
            ms("longest")? <= 100.0,
            "the page stood still for {} ms",
            seen["longest"]
        );
        ensure!(
            ms("made")? <= 60.0,
            "{} rows were made of which few are seen",
            seen["made"]
        );

        // The button was pressed: that publisher is closed, and nobody else.
        let kicked = &crowd.publishers[417];
        let reason = tokio::time::timeout(Duration::from_secs(3), kicked.until_closed()).await?;
        ensure!(reason == CloseReason::Kicked, "{reason:?}");
        let closed = crowd
            .publishers
            .iter()
            .filter(|publisher| publisher.closed().is_some());
        ensure!(closed.count() == 1, "others were closed as well");

        // So was the other one: the node has nobody on it and ends.
        until("the drained node's end", Duration::from_secs(10), || {
            std::future::ready((!leaving.process().running()).then_some(()))
        })
        .await?;
        Ok(())
    })
}

#[test]
fn everybody_can_use_every_page_by_light_and_dark_and_on_a_phone() -> Result<()> {
    in_system(async {
        let nats = NatsServer::start().await?;
        let crowd = crowd(&nats, 60).await?;
        let node = Plan::new(Role::Standalone)
            .named("weft-1")
            .nats(&nats.url())
            .start()
            .await?;
        node.wait_for(&name(59), Duration::from_secs(20)).await?;
        let seen = browse("usable", &node, &[&name(7)]).await?;
        figure(format!(
            "{} looks by axe-core at {} pages: {} faults",
            seen["looks"], seen["pages"], seen["faults"]
        ));
        ensure!(seen["faults"] == 0, "{:#}", seen["found"]);
        ensure!(seen["tiles"] == 60, "{seen}");
        drop(crowd);
        Ok(())
    })
}

#[test]
fn a_node_that_asks_who_one_is_is_answered_in_a_form_and_a_wrong_answer_is_told() -> Result<()> {
    in_system(async {
        let users = "authInternalUsers: [{user: boss, pass: hush, permissions: [{action: api}]}]";
        let node = Plan::new(Role::Standalone).with(users).start().await?;
        let seen = browse("login", &node, &["boss", "hush"]).await?;
        ensure!(
            seen["wrong"]
                .as_str()
                .is_some_and(|words| words.contains("not right")),
            "{seen}"
        );
        ensure!(seen["live"] == true, "{seen}");
        Ok(())
    })
}
