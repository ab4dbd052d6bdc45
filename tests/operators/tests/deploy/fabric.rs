//! The fabric of compose/compose.cluster.yml as processes: three real NATS servers on the shipped cluster configuration with the
//! shipped passwords, and every node with its own command line and environment. Only names and ports are this host's.

use super::compose::{Service, ours};
use super::files::{says, text, yaml};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use weft_testkit::fixture::{self, MINUTE};
use weft_testkit::oracle::{self, Over};
use weft_testkit::process::Process;
use weft_testkit::{http, publish, tools, until};

const LIMIT: Duration = Duration::from_secs(40);
const FILE: &str = "compose/compose.cluster.yml";

fn free() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Three servers; their store goes with them.
struct Servers {
    running: Vec<Process>,
    ports: Vec<u16>,
    monitors: Vec<u16>,
    store: PathBuf,
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.running.clear();
        drop(std::fs::remove_dir_all(&self.store));
    }
}

impl Servers {
    async fn start() -> Result<Self> {
        let ports: Vec<u16> = (0..3).map(|_| free()).collect::<Result<_>>()?;
        let monitors: Vec<u16> = (0..3).map(|_| free()).collect::<Result<_>>()?;
        let routes: Vec<u16> = (0..3).map(|_| free()).collect::<Result<_>>()?;
        let urls: Vec<String> = routes
            .iter()
            .map(|port| format!("nats://127.0.0.1:{port}"))
            .collect();
        let store = tools::scratch(&format!("deploy/nats-{}", std::process::id()))?;
        let file = yaml(FILE)?;
        let mut running = Vec::new();
        for conf in ["nats.conf", "nats-cluster.conf"] {
            // A flag may not say it a second time.
            let text = text(&format!("compose/{conf}"))?;
            std::fs::write(
                store.join(conf),
                text.replace("store_dir: \"/data\"", "store_dir: $STORE"),
            )?;
        }
        for n in 0..3 {
            let name = format!("nats-{}", n + 1);
            let service = &file["services"][&name];
            ensure!(
                service["command"] == serde_json::json!(["-c", "/etc/nats/nats-cluster.conf"]),
                "{service}"
            );
            let mut command = Command::new(tools::root().join("target/tools/bin/nats-server"));
            command
                .arg("-c")
                .arg(store.join("nats-cluster.conf"))
                .args(["--addr", "127.0.0.1", "--port", &ports[n].to_string()])
                .args(["-m", &monitors[n].to_string()])
                .args(["--cluster", &urls[n], "--routes", &urls.join(",")])
                .env("STORE", store.join(&name));
            for (key, value) in service["environment"].as_object().context("no environment")? {
                let value = value.as_str().context("no text")?;
                command.env(key, super::compose::substituted(value)?);
            }
            running.push(Process::spawn(&name, command)?);
        }
        let servers = Self {
            running,
            ports,
            monitors,
            store,
        };
        for (port, process) in servers.monitors.iter().zip(&servers.running) {
            let address = format!("127.0.0.1:{port}");
            until("JetStream's leader", LIMIT, || async {
                let answer = http::get(&address, "/healthz").await.ok()?;
                (answer.status == 200).then_some(())
            })
            .await
            .with_context(|| process.last_lines())?;
        }
        Ok(servers)
    }

    /// What a service calls the servers, as it is here.
    fn here(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for n in 0..3 {
            let name = format!("nats-{}", n + 1);
            text = text
                .replace(&format!("{name}:4222"), &format!("127.0.0.1:{}", self.ports[n]))
                .replace(
                    &format!("{name}:8222"),
                    &format!("127.0.0.1:{}", self.monitors[n]),
                );
        }
        text
    }
}

/// A node of the compose file as a process.
struct Node {
    process: Process,
    file: PathBuf,
}

impl Node {
    fn spawn(service: &Service, servers: &Servers, store: &std::path::Path) -> Result<Self> {
        let file = store.join(format!("{}.json", service.name));
        let mut command = Command::new(tools::weft()?);
        for argument in &service.command {
            // Ports that are free here.
            command.arg(if argument.starts_with(':') {
                "127.0.0.1:0"
            } else {
                argument
            });
        }
        let mut environment = service.environment.clone();
        for key in [
            "APIADDRESS",
            "METRICSADDRESS",
            "RTPADDRESS",
            "RTCPADDRESS",
            "WEBRTCADDRESS",
            "RTSPADDRESS",
            "HLSADDRESS",
        ] {
            let given = ["--rtp", "--rtcp", "--webrtc", "--rtsp", "--hls"];
            let flag = format!("--{}", key.trim_end_matches("ADDRESS").to_lowercase());
            if !(given.contains(&flag.as_str()) && service.command.contains(&flag)) {
                environment.insert(format!("MTX_{key}"), "127.0.0.1:0".to_owned());
            }
        }
        environment.insert("WEFT_FABRIC_ADDRESSFILE".to_owned(), file.display().to_string());
        command
            .arg("--config")
            .arg(tools::root().join("compose/mediamtx.yml").canonicalize()?)
            .envs(environment.iter().map(|(key, value)| (key, servers.here(value))));
        Ok(Self {
            process: Process::spawn(&service.name, command)?,
            file,
        })
    }

    async fn address(&mut self, name: &str) -> Result<String> {
        let (file, process) = (&self.file, &mut self.process);
        let addresses = until("the node's addresses", LIMIT, || {
            let text = std::fs::read(file).ok();
            let there = text.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            std::future::ready(match there {
                Some(there) => Some(Some(there)),
                None => (!process.running()).then_some(None),
            })
        })
        .await?;
        let addresses =
            addresses.with_context(|| format!("the node ended: {}", self.process.last_lines()))?;
        Ok(addresses[name].as_str().context("no such address")?.to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fabric_of_the_compose_file_starts_and_carries_a_stream() -> Result<()> {
    let servers = Servers::start().await?;
    let mut nodes = Vec::new();
    for service in ours(FILE)? {
        nodes.push((
            service.name.clone(),
            Node::spawn(&service, &servers, &servers.store)?,
        ));
    }
    let mut of = async |name: &str, what: &str| -> Result<String> {
        let found = nodes.iter_mut().find(|(node, _)| node == name);
        let (_, node) = found.with_context(|| name.to_owned())?;
        node.address(what).await
    };
    let (web, api) = (of("ingest-2", "webrtc").await?, of("ingest-1", "api").await?);
    let (rtsp, metrics) = (of("egress-1", "rtsp").await?, of("egress-2", "metrics").await?);
    // All four see each other.
    until("four nodes", LIMIT, || async {
        let list = http::get(&api, "/v3/nodes/list").await.ok()?.json().ok()?;
        (list["itemCount"] == 4).then_some(())
    })
    .await?;
    let clip = fixture::clip(MINUTE)?;
    let _publisher = publish::ffmpeg_copy(&format!("http://{web}/exam/whip"), &clip)?;
    let mut reader = oracle::open_when_there(&format!("rtsp://{rtsp}/exam"), Over::Tcp, LIMIT).await?;
    let units = reader.read_for(Duration::from_secs(1)).await?;
    oracle::exact(&clip.units, &units)?;
    let shown = http::get(&metrics, "/metrics").await?.text();
    ensure!(shown.contains("weft_ready 1"), "{shown}");
    // The health check of the image, by the address that a container would have.
    says(&["health", &format!("http://{api}")], &[])?;
    for (name, node) in &mut nodes {
        let log = node.process.log();
        ensure!(
            log.lines().any(|line| line.starts_with('{')),
            "{name}: no JSON on standard output: {log}"
        );
        ensure!(!log.contains("\"level\":\"error\""), "{name}: {log}");
        // Their settings were looked at by fabric.nats.monitor and found right.
        ensure!(
            !log.contains("not fit") && !log.contains("write `"),
            "{name}: {log}"
        );
    }
    Ok(())
}

#[test]
fn both_configurations_of_nats_are_fit_for_live_media() -> Result<()> {
    for file in ["compose/nats.conf", "compose/nats-cluster.conf"] {
        let path = tools::root().join(file).canonicalize()?;
        let told = says(&["check", "--nats-conf", &path.to_string_lossy()], &[])?;
        ensure!(told.trim_end().ends_with(": fit for live media"), "{told}");
    }
    Ok(())
}
