//! Schools whose network lets no UDP out: Chromium in a network of its own publishes to a node in another one and watches it,
//! over TCP. The networks are namespaces of the kernel, which only root may make; where that is not possible the test fails.

mod ipv6;
mod network;

use anyhow::{Context, Result, ensure};
use network::{CLIENT_ADDRESS, NODE_ADDRESS, Network};
use serde_json::Value;
use std::time::Duration;
use weft_testkit::process::Process;
use weft_testkit::{figure, tools};

/// The node's configuration: all of MediaMTX's ports, since it has a network of its own.
fn configuration(network: &Network) -> String {
    format!(
        "webrtcLocalTCPAddress: :8189\n\
         authInternalUsers:\n  \
           - {{user: any, permissions: [{{action: publish}}, {{action: read}}]}}\n  \
           - {{user: any, ips: [{CLIENT_ADDRESS}], permissions: [{{action: api}}, {{action: metrics}}]}}\n\
         fabric:\n  addressFile: {}\n",
        network.file("addresses.json").display()
    )
}

fn said(log: &str, what: &str) -> Result<Value> {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .into_iter()
        .find(|line| line["what"] == what)
        .with_context(|| format!("it did not say \"{what}\":\n{log}"))
}

#[tokio::test]
async fn chromium_without_udp_publishes_and_watches_over_tcp() -> Result<()> {
    let network = Network::new()?;
    network.block_udp()?;
    let config = network.file("weft.yml");
    std::fs::write(&config, configuration(&network))?;
    let mut command = network.node_side(tools::weft()?);
    command.arg("standalone").arg("--config").arg(&config);
    let node = Process::spawn_family("school-node", command)?;
    let there = weft_testkit::until("the node's address file", Duration::from_secs(15), || {
        std::future::ready(network.file("addresses.json").exists().then_some(()))
    });
    there.await.with_context(|| node.last_lines())?;

    let mut command = network.client_side("node".into());
    command
        .arg(tools::script("e2e/browser/udp_blocked.cjs"))
        .arg(format!("http://{NODE_ADDRESS}:8889"))
        .arg("exam_7_anna")
        .arg(format!("http://{NODE_ADDRESS}:9997"))
        .arg("watch")
        .env("NODE_PATH", tools::node_modules()?);
    let mut browser = Process::spawn_family("school-browser", command)?;
    let ended = browser.wait(Duration::from_secs(60)).await?;
    let log = browser.log();
    ensure!(ended.success(), "{log}\n{}", node.last_lines());

    ensure!(said(&log, "udp")?["refused"] != "", "datagrams get out:\n{log}");
    let published = said(&log, "published")?;
    ensure!(
        published["local"] == "tcp" && published["remote"] == "tcp" && published["port"] == 8189,
        "{published}"
    );
    let candidates = published["candidates"].as_array().context("candidates")?;
    let written = |i: usize| candidates[i].as_str().unwrap_or_default();
    ensure!(
        written(0).contains(&format!(" udp 2130706431 {NODE_ADDRESS} ")),
        "{candidates:?}"
    );
    ensure!(
        candidates
            .iter()
            .all(|c| !c.as_str().unwrap_or_default().contains(" 127.0.0.1 ")),
        "{candidates:?}"
    );
    ensure!(
        published["localCandidate"] == format!("host/tcp/{NODE_ADDRESS}/8189"),
        "{published}"
    );
    let theirs = published["remoteCandidate"].as_str().unwrap_or_default();
    ensure!(
        theirs.starts_with(&format!("prflx/tcp/{CLIENT_ADDRESS}/")),
        "{published}"
    );
    ensure!(published["ready"] == true, "{published}");
    let watched = said(&log, "watched")?;
    ensure!(
        watched["local"] == "tcp" && watched["remote"] == "tcp" && watched["port"] == 8189,
        "{watched}"
    );
    figure(format!(
        "over TCP, no UDP: {} pictures sent, {} watched",
        published["sent"], watched["decoded"]
    ));
    Ok(())
}
