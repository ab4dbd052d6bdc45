//! Settings of the whole fabric: what is added on one node holds on the others and is there after all of them and NATS were
//! restarted. How the table of settings works is tested beside the bus.

use super::world::call;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use weft_bus::testing::NatsServer;
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::{figure, until};

/// A change holds on every node within this.
const EVERYWHERE: Duration = Duration::from_secs(1);

async fn configured(node: &Node, name: &str) -> Option<Value> {
    let api = node.address("api").ok()?;
    let answer = call(api, "GET", &format!("/v3/config/paths/get/{name}"), &Value::Null).await.ok()?;
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
    let added = call(&api, "POST", &format!("/v3/config/paths/add/{name}"), &json!({"maxReaders": 3})).await?;
    ensure!(added.status == 200, "{}", added.text());
    let written = from.elapsed();
    let there = until("the path on the egress node", EVERYWHERE, || configured(&egress, name)).await?;
    figure(format!("a path added in {} ms, on the other node after {} ms", written.as_millis(), from.elapsed().as_millis()));
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
    let all = |path: &Value| path["maxReaders"] == 9 && path["overridePublisher"] == false && path["runOnDemandCloseAfter"] == "14s";
    for node in [&ingest, &egress] {
        until("all four changes", EVERYWHERE, || async { configured(node, name).await.filter(|path| all(path)) }).await?;
    }
    // Everything is restarted, NATS too.
    drop((ingest, egress));
    nats.restart().await?;
    for plan in &plans {
        let node = plan.start().await?;
        let path = until("the path after the restart", EVERYWHERE, || configured(&node, name)).await?;
        ensure!(all(&path), "{path}");
    }
    // While NATS is away what was set stays, and a change is refused with a reason.
    let node = plans[0].start().await?;
    nats.kill();
    let api = node.address("api")?.to_owned();
    let refused = call(&api, "POST", "/v3/config/paths/add/late", &json!({})).await?;
    ensure!(refused.status == 503, "{} {}", refused.status, refused.text());
    ensure!(refused.header("retry-after").is_some());
    configured(&node, name).await.context("the path while NATS is away")?;
    Ok(())
}
