//! Settings of the whole fabric: what is added on one node holds on the others and is there after all of them and NATS were
//! restarted. How the table of settings works is tested beside the bus.

use super::world::call;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use weft_bus::testing::NatsServer;
use weft_testkit::fixture::{self, LIGHT};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::{figure, publish, until};

/// A change holds on every node within this.
const EVERYWHERE: Duration = Duration::from_secs(1);

async fn configured(node: &Node, name: &str) -> Option<Value> {
    let api = node.address("api").ok()?;
    let answer = call(api, "GET", &format!("/v3/config/paths/get/{name}"), &Value::Null)
        .await
        .ok()?;
    (answer.status == 200).then(|| answer.json().ok()).flatten()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_added_on_one_node_holds_on_another_and_after_a_restart_of_all() {
    everywhere().await.unwrap();
}

async fn everywhere() -> Result<()> {
    let mut nats = NatsServer::start().await?;
    let plan = |role, name: &str| Plan::new(role).nats(&nats.url()).named(name);
    let plans = [plan(Role::Ingest, "in"), plan(Role::Egress, "out")];
    let [ingest, egress] = [plans[0].start().await?, plans[1].start().await?];
    let api = ingest.address("api")?.to_owned();
    let name = "exam/1";
    let from = Instant::now();
    let added = call(
        &api,
        "POST",
        &format!("/v3/config/paths/add/{name}"),
        &json!({"maxReaders": 3}),
    )
    .await?;
    ensure!(added.status == 200, "{}", added.text());
    let written = from.elapsed();
    let there = until("the path on the egress node", EVERYWHERE, || {
        configured(&egress, name)
    })
    .await?;
    figure(format!(
        "a path added in {} ms, on the other node after {} ms",
        written.as_millis(),
        from.elapsed().as_millis()
    ));
    ensure!(there["maxReaders"] == 3, "{there}");
    // Changes of one path on both nodes at once: none is lost.
    let other = egress.address("api")?.to_owned();
    let patch = async |api: &str, body: Value| {
        let answer = call(api, "PATCH", &format!("/v3/config/paths/patch/{name}"), &body).await?;
        ensure!(answer.status == 200, "{}", answer.text());
        Ok(())
    };
    let (a, b, c, d) = tokio::join!(
        patch(&api, json!({"maxReaders": 9})),
        patch(&other, json!({"overridePublisher": false})),
        patch(&api, json!({"runOnDemandStartTimeout": "13s"})),
        patch(&other, json!({"runOnDemandCloseAfter": "14s"})),
    );
    for done in [a, b, c, d] {
        done?;
    }
    let all = |path: &Value| {
        path["maxReaders"] == 9
            && path["overridePublisher"] == false
            && path["runOnDemandCloseAfter"] == "14s"
    };
    for node in [&ingest, &egress] {
        until("all four changes", EVERYWHERE, || async {
            configured(node, name).await.filter(|path| all(path))
        })
        .await?;
    }
    // Everything is restarted, NATS too.
    drop((ingest, egress));
    nats.restart().await?;
    for plan in &plans {
        let node = plan.start().await?;
        let path = until("the path after the restart", EVERYWHERE, || {
            configured(&node, name)
        })
        .await?;
        ensure!(all(&path), "{path}");
    }
    // While NATS is away what was set stays, and a change is refused with a reason.
    let node = plans[0].start().await?;
    nats.kill();
    let api = node.address("api")?.to_owned();
    let refused = call(&api, "POST", "/v3/config/paths/add/late", &json!({})).await?;
    ensure!(refused.status == 503, "{} {}", refused.status, refused.text());
    ensure!(refused.header("retry-after").is_some());
    configured(&node, name)
        .await
        .context("the path while NATS is away")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_deleted_on_one_node_ends_its_publisher_and_reader_on_two_others_and_nobody_else() {
    across().await.unwrap();
}

async fn across() -> Result<()> {
    let nats = NatsServer::start().await?;
    let plan = |role, name: &str| {
        Plan::new(role)
            .nats(&nats.url())
            .named(name)
            .with("paths: {kept: {source: publisher}}")
    };
    let [ingest, egress, third] = [
        plan(Role::Ingest, "in").start().await?,
        plan(Role::Egress, "out").start().await?,
        plan(Role::Egress, "third").start().await?,
    ];
    let api = third.address("api")?.to_owned();
    let added = call(&api, "POST", "/v3/config/paths/add/taken", &json!({})).await?;
    ensure!(added.status == 200, "{}", added.text());
    until("the path on the ingest node", EVERYWHERE, || {
        configured(&ingest, "taken")
    })
    .await?;
    let clip = fixture::clip(LIGHT)?;
    let mut publishers = Vec::new();
    let mut readers = Vec::new();
    for name in ["kept", "taken"] {
        publishers.push(publish::ffmpeg_copy(&ingest.whip(name)?, &clip)?);
        egress.wait_for(name, Duration::from_secs(15)).await?;
        readers.push(oracle::open(&egress.rtsp(name)?, Over::Tcp).await?.play().await?);
    }
    let [mut kept, mut taken] = <[_; 2]>::try_from(readers).ok().context("two readers")?;
    kept.read_units(3, Duration::from_secs(5)).await?;
    taken.read_units(3, Duration::from_secs(5)).await?;
    let deleted = call(&api, "DELETE", "/v3/config/paths/delete/taken", &Value::Null).await?;
    ensure!(deleted.status == 200, "{}", deleted.text());
    let from = Instant::now();
    let ended = tokio::time::timeout(Duration::from_secs(3), async {
        while let Ok(Some(_)) = taken.next().await {}
    });
    ended
        .await
        .context("the reader of the path that is gone goes on")?;
    figure(format!(
        "its reader on another node was closed {} ms later",
        from.elapsed().as_millis()
    ));
    for node in [&ingest, &egress] {
        until("the close in the log", EVERYWHERE, || {
            let log = node.log();
            let said = log
                .lines()
                .filter(|line| line.contains("not-allowed") && line.contains("taken"))
                .count();
            std::future::ready((said > 0).then_some(()))
        })
        .await
        .with_context(|| node.log())?;
        let log = node.log();
        ensure!(
            !log.lines()
                .any(|line| line.contains("not-allowed") && line.contains("kept")),
            "{log}"
        );
    }
    let units = kept
        .read_for(Duration::from_secs(2))
        .await
        .context("the stream that stays")?;
    ensure!(
        units.len() >= 20 && units.iter().all(|unit| unit.loss == 0),
        "{} units",
        units.len()
    );
    Ok(())
}
