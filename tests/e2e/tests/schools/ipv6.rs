//! A node that IPv6 alone leads to: publishing, watching, the API and the metrics at `[::1]`, and IPv4 beside it where a port has
//! no address. How clients choose between the two families is theirs.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use weft_testkit::process::Process;
use weft_testkit::{figure, http, publish, read, tools, until};

const PATIENCE: Duration = Duration::from_secs(15);

/// A running node and where it is.
struct Node {
    process: Process,
    addresses: Value,
    files: PathBuf,
}

impl Node {
    /// Each port at `host:0`, or at `:0` where that is empty.
    async fn start(name: &str, host: &str) -> Result<Self> {
        let files = tools::scratch("test-nodes")?.join(format!("{}-{name}", std::process::id()));
        std::fs::create_dir_all(&files)?;
        let (config, file) = (files.join("weft.yml"), files.join("addresses.json"));
        let keys = [
            "webrtc",
            "webrtcLocalUDP",
            "webrtcLocalTCP",
            "rtsp",
            "rtp",
            "rtcp",
            "api",
            "metrics",
            "hls",
        ];
        let mut text: String = keys.map(|key| format!("{key}Address: '{host}:0'\n")).concat();
        text += &format!("fabric:\n  addressFile: {}\n", file.display());
        std::fs::write(&config, text)?;
        let mut command = Command::new(tools::weft()?);
        command.arg("standalone").arg("--config").arg(&config);
        let process = Process::spawn(name, command)?;
        let there = until("the node's addresses", PATIENCE, || {
            let read = std::fs::read(&file).ok();
            std::future::ready(read.and_then(|text| serde_json::from_slice(&text).ok()))
        });
        let addresses = there.await.with_context(|| process.last_lines())?;
        Ok(Self {
            process,
            addresses,
            files,
        })
    }

    /// The address of a port on this host.
    fn at(&self, name: &str, host: &str) -> Result<String> {
        let address = self.addresses[name]
            .as_str()
            .with_context(|| format!("no {name}"))?;
        let (_, port) = address.rsplit_once(':').context("no port")?;
        Ok(format!("{host}:{port}"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.files));
    }
}

/// Publishes by FFmpeg at `host`, whose port is `at`; gives the session as the API shows it there once its media flows.
async fn published(node: &Node, host: &str, stream: &str) -> Result<(Process, Value)> {
    let publisher = publish::ffmpeg_encode(&format!("http://{}/{stream}/whip", node.at("webrtc", host)?))?;
    let api = node.at("api", host)?;
    let session = until("the publisher's session", PATIENCE, || async {
        let list = http::get(&api, "/v3/webrtcsessions/list")
            .await
            .ok()?
            .json()
            .ok()?;
        let mut items = list["items"].as_array()?.iter();
        let session = items.find(|item| item["path"] == stream)?;
        (session["inboundRTPPackets"].as_u64()? > 0).then(|| session.clone())
    });
    let told = || format!("{}\n{}", publisher.last_lines(), node.process.last_lines());
    let session = session.await.with_context(told)?;
    figure(format!("{stream}: {}", session["localCandidate"]));
    Ok((publisher, session))
}

#[tokio::test]
async fn a_node_at_an_ipv6_address_is_published_to_and_read_from_there() -> Result<()> {
    let node = Node::start("ipv6", "[::1]").await?;
    let (_publisher, session) = published(&node, "[::1]", "six").await?;
    let port = node.at("ice", "")?;
    ensure!(
        session["localCandidate"] == format!("host/udp/::1/{}", &port[1..]),
        "{session}"
    );
    let remote = session["remoteAddr"].as_str().unwrap_or_default();
    ensure!(remote.starts_with("[::1]:"), "{session}");
    let metrics = http::get(&node.at("metrics", "[::1]")?, "/metrics").await?.text();
    ensure!(metrics.contains("webrtc_sessions{"), "{metrics}");
    let url = format!("rtsp://{}/six", node.at("rtsp", "[::1]")?);
    for client in [read::Client::Ffprobe, read::Client::PyAv] {
        let report = read::read(client, &url, 30, Duration::from_secs(20)).await?;
        report.judge(30).with_context(|| format!("{client:?}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn ports_without_an_address_are_of_both_families() -> Result<()> {
    let node = Node::start("both-families", "").await?;
    let six = published(&node, "[::1]", "six").await?;
    let four = published(&node, "127.0.0.1", "four").await?;
    for ((_, session), written) in [(six, "host/udp/::1/"), (four, "host/udp/127.0.0.1/")] {
        let local = session["localCandidate"].as_str().unwrap_or_default();
        ensure!(local.starts_with(written), "{session}");
    }
    Ok(())
}
