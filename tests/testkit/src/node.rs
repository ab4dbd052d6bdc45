//! Real `weft` processes on free ports: started with a configuration file of their own, found by the address file they
//! write, asked through their API. What they should do is the tests' business.

use crate::process::{Process, Usage};
use crate::{http, tools, until};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

static NODES: AtomicUsize = AtomicUsize::new(0);

/// What a node listens on.
const ADDRESSES: [&str; 8] = [
    "webrtc",
    "webrtcLocalUDP",
    "rtsp",
    "rtp",
    "rtcp",
    "hls",
    "api",
    "metrics",
];

/// An even port that is free with the one after it, for TCP and UDP, outside of what the kernel gives to connections.
fn free_port() -> Result<u16> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let start = std::process::id() as usize % 6000;
    for _ in 0..6000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + 2 * ((start + step) % 6000) as u16;
        let free = [port, port + 1].into_iter().all(|port| {
            std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
                && std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok()
        });
        if free {
            return Ok(port);
        }
    }
    anyhow::bail!("no free port")
}

/// What the process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ingest and egress over the in-process bus.
    Standalone,
    /// Publishers only, over NATS.
    Ingest,
    /// Readers only, over NATS.
    Egress,
}

/// A node to be.
#[derive(Debug, Clone)]
pub struct Plan {
    role: Role,
    nats: Option<String>,
    replicas: usize,
    name: Option<String>,
    ports: BTreeMap<&'static str, u16>,
    top: Vec<String>,
    fabric: Vec<String>,
    arguments: Vec<String>,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    process: Process,
    file: PathBuf,
    addresses: BTreeMap<String, String>,
}

impl Plan {
    /// A node with nothing but free ports.
    pub fn new(role: Role) -> Self {
        Plan {
            role,
            nats: None,
            replicas: 1,
            name: None,
            ports: BTreeMap::new(),
            top: Vec::new(),
            fabric: Vec::new(),
            arguments: Vec::new(),
        }
    }

    /// The NATS servers to use, separated by commas.
    pub fn nats(mut self, urls: &str) -> Self {
        self.nats = Some(urls.to_owned());
        self
    }

    /// How many copies of the registry the NATS cluster keeps.
    pub fn replicas(mut self, count: usize) -> Self {
        self.replicas = count;
        self
    }

    /// Its name in the fabric.
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// On ports of its own that stay the same however often it is started. They are free now and below those that the
    /// kernel gives to connections, so they are free again when the node has ended.
    pub fn fixed(mut self) -> Result<Self> {
        for key in ADDRESSES {
            let port = match key {
                // RFC 3550 section 11: RTP on an even port, RTCP on the next.
                "rtcp" => self.ports["rtp"] + 1,
                _ => free_port()?,
            };
            self.ports.insert(key, port);
        }
        Ok(self)
    }

    /// One more line at the top level of the configuration.
    pub fn with(mut self, line: &str) -> Self {
        self.top.push(line.to_owned());
        self
    }

    /// One more line in the `fabric` block.
    pub fn fabric(mut self, line: &str) -> Self {
        self.fabric.push(line.to_owned());
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&self) -> Result<Node> {
        let mut node = self.spawn()?;
        node.ready(Duration::from_secs(15)).await?;
        Ok(node)
    }

    /// Starts it; its addresses are known only after `Node::ready`.
    pub fn spawn(&self) -> Result<Node> {
        let number = NODES.fetch_add(1, Ordering::Relaxed);
        let name = match self.role {
            Role::Standalone => "standalone",
            Role::Ingest => "ingest",
            Role::Egress => "egress",
        };
        let base = tools::scratch("test-nodes")?.join(format!("{}-{number}-{name}", std::process::id()));
        let (config, file) = (base.with_extension("yml"), base.with_extension("json"));
        drop(std::fs::remove_file(&file));
        std::fs::write(&config, self.yaml(&file))?;
        let mut command = Command::new(tools::weft()?);
        command
            .arg(name)
            .arg("--config")
            .arg(&config)
            .args(&self.arguments);
        Ok(Node {
            process: Process::spawn(name, command)?,
            file,
            addresses: BTreeMap::new(),
        })
    }

    fn yaml(&self, file: &std::path::Path) -> String {
        let mut yaml = String::new();
        for key in ADDRESSES {
            let port = self.ports.get(key).copied().unwrap_or_default();
            yaml.push_str(&format!("{key}Address: 127.0.0.1:{port}\n"));
        }
        for line in &self.top {
            yaml.push_str(&format!("{line}\n"));
        }
        yaml.push_str(&format!("fabric:\n  addressFile: {}\n", file.display()));
        if let Some(name) = &self.name {
            yaml.push_str(&format!("  nodeName: {name}\n"));
        }
        if let Some(urls) = &self.nats {
            let urls = urls.replace(',', "\", \"");
            let replicas = self.replicas;
            yaml.push_str(&format!(
                "  nats:\n    servers: [\"{urls}\"]\n    replicas: {replicas}\n"
            ));
        }
        for line in &self.fabric {
            yaml.push_str(&format!("  {line}\n"));
        }
        yaml
    }
}

impl Node {
    /// Waits until the node has written its addresses.
    pub async fn ready(&mut self, limit: Duration) -> Result<()> {
        let (file, process) = (&self.file, &mut self.process);
        let there = until("the node's address file", limit, || {
            let there = std::fs::read(file)
                .ok()
                .and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            std::future::ready(match there {
                Some(addresses) => Some(Some(addresses)),
                None => (!process.running()).then_some(None),
            })
        });
        let addresses = there.await.with_context(|| self.process.last_lines())?;
        let addresses =
            addresses.with_context(|| format!("the node ended: {}", self.process.last_lines()))?;
        let addresses = addresses
            .as_object()
            .context("an address file that is no object")?;
        self.addresses = addresses
            .iter()
            .filter_map(|(name, address)| Some((name.clone(), address.as_str()?.to_owned())))
            .collect();
        Ok(())
    }

    /// The file that the node writes its addresses to.
    pub fn address_file(&self) -> &std::path::Path {
        &self.file
    }

    /// The address in use of `webrtc`, `ice`, `rtsp`, `rtp`, `rtcp`, `hls`, `api` or `metrics`.
    pub fn address(&self, name: &str) -> Result<&str> {
        self.addresses
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("no {name} in {:?}", self.addresses))
    }

    /// Where a publisher of this stream posts its offer.
    pub fn whip(&self, stream: &str) -> Result<String> {
        Ok(format!("http://{}/{stream}/whip", self.address("webrtc")?))
    }

    /// Where a reader over WebRTC posts its offer.
    pub fn whep(&self, stream: &str) -> Result<String> {
        Ok(format!("http://{}/{stream}/whep", self.address("webrtc")?))
    }

    /// Where a reader finds this stream.
    pub fn rtsp(&self, stream: &str) -> Result<String> {
        Ok(format!("rtsp://{}/{stream}", self.address("rtsp")?))
    }

    /// What the API says of a stream; `None` if it does not know it.
    pub async fn path(&self, stream: &str) -> Result<Option<Value>> {
        let response = http::get(self.address("api")?, &format!("/v3/paths/get/{stream}")).await?;
        match response.status {
            200 => Ok(Some(response.json()?)),
            404 => Ok(None),
            status => anyhow::bail!("/v3/paths/get/{stream}: {status} {}", response.text()),
        }
    }

    /// Whether the API says that the stream has media.
    pub async fn has(&self, stream: &str) -> bool {
        matches!(self.path(stream).await, Ok(Some(path)) if path["ready"] == true)
    }

    /// Waits until the stream has media here.
    pub async fn wait_for(&self, stream: &str, limit: Duration) -> Result<()> {
        let what = format!("{stream} ready");
        let asked = until(&what, limit, || async { self.has(stream).await.then_some(()) });
        asked.await.with_context(|| self.process.last_lines())
    }

    /// The sum of a metric over its label sets; `None` if there is no such metric.
    pub async fn metric(&self, name: &str) -> Result<Option<f64>> {
        let text = http::get(self.address("metrics")?, "/metrics").await?.text();
        let values: Vec<f64> = text
            .lines()
            .filter(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with([' ', '{']))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect();
        Ok((!values.is_empty()).then(|| values.iter().sum()))
    }

    /// The metrics that are not zero, for messages.
    pub async fn metrics(&self) -> String {
        let Ok(address) = self.address("metrics") else {
            return String::new();
        };
        let text = http::get(address, "/metrics")
            .await
            .map(|response| response.text())
            .unwrap_or_default();
        let told = |line: &&str| !line.starts_with('#') && !line.ends_with(" 0");
        text.lines().filter(told).collect::<Vec<_>>().join("\n")
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Everything it has written so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Memory, descriptors and threads of the process now.
    pub fn usage(&self) -> Result<Usage> {
        self.process.usage()
    }

    /// SIGTERM; the exit code, which must come within `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> Result<Option<i32>> {
        self.process.signal("TERM")?;
        Ok(self.process.wait(limit).await?.code())
    }
}
