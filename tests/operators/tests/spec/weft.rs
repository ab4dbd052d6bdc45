//! A `weft` started as an operator starts it: in a folder with a file `mediamtx.yml`, without arguments. The environment gives it
//! free ports; nothing of the file is changed for that.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use weft_testkit::http::{self, Response};
use weft_testkit::process::Process;
use weft_testkit::{tools, until};

/// Longest wait for what should come at once.
pub(super) const LIMIT: Duration = Duration::from_secs(15);

/// An offer of H.264 42e01f and Opus, as browsers make it, shortened. No media comes of it.
pub(super) const OFFER: &str = concat!(
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n",
    "m=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n",
    "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n",
    "a=setup:actpass\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:102 H264/90000\r\n",
    "a=rtcp-fb:102 nack pli\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n",
    "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n",
    "a=setup:actpass\r\na=mid:1\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n",
);

/// The keys whose ports the environment replaces.
const ADDRESSES: [&str; 9] = [
    "WEBRTCADDRESS",
    "WEBRTCLOCALUDPADDRESS",
    "RTSPADDRESS",
    "HLSADDRESS",
    "RTSPSADDRESS",
    "RTPADDRESS",
    "RTCPADDRESS",
    "APIADDRESS",
    "METRICSADDRESS",
];

/// The fixtures of the specification.
pub(super) fn folder() -> PathBuf {
    tools::script("fixtures/spec")
}

/// A text of the specification.
pub(super) fn text(name: &str) -> Result<String> {
    let path = folder().join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// A new folder of a test's own.
pub(super) fn scratch() -> Result<PathBuf> {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let path = tools::scratch("spec")?.join(format!("{}-{number}", std::process::id()));
    drop(std::fs::remove_dir_all(&path));
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

/// A running node.
#[derive(Debug)]
pub(super) struct Weft {
    process: Process,
    folder: PathBuf,
    addresses: Value,
}

impl Weft {
    /// With a YAML block of the specification.
    pub(super) async fn of(fixture: &str) -> Result<Self> {
        Self::start(&text(fixture)?, &[]).await
    }

    /// With a configuration, and more variables than those of the ports.
    pub(super) async fn start(configuration: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let folder = scratch()?;
        std::fs::write(folder.join("mediamtx.yml"), configuration)?;
        Self::start_in(folder, variables).await
    }

    /// In a folder that has its file already.
    pub(super) async fn start_in(folder: PathBuf, variables: &[(&str, &str)]) -> Result<Self> {
        Self::spawn(folder, variables)?.found().await
    }

    /// By a command of the caller's; `tls`: its file has a port for TLS.
    pub(super) async fn run(folder: PathBuf, command: Command, tls: bool) -> Result<Self> {
        Self::spawn_but(command, folder, tls, &[])?.found().await
    }

    /// Waits until it has told its addresses.
    async fn found(mut self) -> Result<Self> {
        let (file, process) = (self.folder.join("addresses.json"), &mut self.process);
        let there = until("the addresses of weft", LIMIT, || {
            let there = std::fs::read(&file).ok();
            let there = there.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            std::future::ready(match there {
                Some(addresses) => Some(Some(addresses)),
                None => (!process.running()).then_some(None),
            })
        });
        let there = there.await.with_context(|| process.last_lines())?;
        self.addresses = there.with_context(|| format!("weft ended: {}", process.last_lines()))?;
        Ok(self)
    }

    /// Starts it; it may well end at once.
    pub(super) fn spawn(folder: PathBuf, variables: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new(tools::weft()?.canonicalize()?);
        command.current_dir(&folder);
        command.envs(variables.iter().copied());
        let tls = std::fs::read_to_string(folder.join("mediamtx.yml"))?.contains("listenTLS");
        let given: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
        Self::spawn_but(command, folder, tls, &given)
    }

    /// With free ports, but for the variables that are given.
    fn spawn_but(mut command: Command, folder: PathBuf, tls: bool, given: &[&str]) -> Result<Self> {
        // Where TLS has no port there is none.
        let keys = ADDRESSES.iter().chain(tls.then_some(&"WEBRTCTLSADDRESS"));
        for name in keys.map(|key| format!("WEFT_{key}")) {
            if !given.contains(&&*name) {
                command.env(name, "127.0.0.1:0");
            }
        }
        command.env("WEFT_FABRIC_ADDRESSFILE", folder.join("addresses.json"));
        Ok(Self {
            process: Process::spawn("weft", command)?,
            folder,
            addresses: Value::Null,
        })
    }

    /// Where it was started.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process.
    pub(super) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// What it has said so far.
    pub(super) fn said(&self) -> String {
        self.process.log()
    }

    /// The address in use of `webrtc`, `rtsp`, `api` and so on.
    pub(super) fn address(&self, name: &str) -> Result<&str> {
        let address = self.addresses[name].as_str();
        address.with_context(|| format!("no {name} in {}", self.addresses))
    }

    /// A URL of the specification with this node's ports in place of the specification's.
    pub(super) fn here(&self, text: &str) -> Result<String> {
        let mut text = text.to_owned();
        for (written, name) in [("localhost:8889", "webrtc"), ("localhost:8554", "rtsp")] {
            if text.contains(written) {
                text = text.replace(written, self.address(name)?);
            }
        }
        Ok(text)
    }

    /// A request to the WebRTC port.
    pub(super) async fn ask(&self, method: &str, path: &str) -> Result<Response> {
        http::request(method, self.address("webrtc")?, path, &[], b"").await
    }

    /// An offer to a path of the WebRTC port, with more headers.
    pub(super) async fn offer(&self, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
        offer(self.address("webrtc")?, path, headers).await
    }

    /// What the status of a reader's DESCRIBE is.
    pub(super) async fn described(&self, stream: &str) -> Result<Response> {
        let address = self.address("rtsp")?;
        let mut dialogue = weft_testkit::rtsp::Dialogue::open(address).await?;
        dialogue
            .ask("DESCRIBE", &format!("rtsp://{address}/{stream}"), &[])
            .await
    }

    /// Publishes the built-in clip to a URL of its own, or to a stream, as this user or with this token.
    pub(super) fn publish(&self, to: &str, token: Option<&str>) -> Result<Process> {
        let url = match to.contains("/whip") {
            true => format!("http://{}{to}", self.address("webrtc")?),
            false => format!("http://{}/{to}/whip", self.address("webrtc")?),
        };
        publish(&url, token)
    }

    /// Waits until a stream has media, in the list too, which is up to 200 ms old.
    pub(super) async fn wait_for(&self, stream: &str) -> Result<()> {
        let what = format!("{stream} ready");
        let asked = until(&what, LIMIT, || async {
            let live = self.live().await.ok()?;
            live.iter().any(|name| name == stream).then_some(())
        });
        asked.await.with_context(|| self.process.last_lines())
    }

    /// The names of all streams that have media.
    pub(super) async fn live(&self) -> Result<Vec<String>> {
        let list = self.ask("GET", "/v3/paths/list").await?.json()?;
        let items = list["items"].as_array().context("no items")?;
        let ready = items.iter().filter(|item| item["ready"] == true);
        Ok(ready
            .filter_map(|item| Some(item["name"].as_str()?.to_owned()))
            .collect())
    }

    /// Fails unless it has said each of these.
    pub(super) fn must_say(&self, parts: &[&str]) -> Result<()> {
        let said = self.said();
        for part in parts {
            ensure!(said.contains(part), "it has not said '{part}':\n{said}");
        }
        Ok(())
    }
}

/// An offer to an address, with more headers.
pub(super) async fn offer(address: &str, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let sdp = [("Content-Type", "application/sdp")];
    let headers: Vec<_> = sdp.iter().chain(headers).copied().collect();
    http::request("POST", address, path, &headers, OFFER.as_bytes()).await
}

/// Publishes the built-in clip to a WHIP URL.
pub(super) fn publish(url: &str, token: Option<&str>) -> Result<Process> {
    let mut command = Command::new(tools::weft()?);
    command.args(["publish", "--to", url]);
    if let Some(token) = token {
        command.args(["--token", token]);
    }
    Process::spawn("weft-publish", command)
}

/// Runs a line of shell, in a folder, to its good end, and gives what it says.
pub(super) async fn shell(line: &str, folder: &Path) -> Result<String> {
    let mut command = Command::new("bash");
    command
        .args(["-o", "pipefail", "-e", "-c", line])
        .current_dir(folder);
    let mut process = Process::spawn_family("shell", command)?;
    let status = process.wait(LIMIT).await?;
    ensure!(status.success(), "{line}: {status}\n{}", process.last_lines());
    Ok(process.log())
}

/// Whether a program is on this machine.
pub(super) fn has(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output();
    found.is_ok_and(|output| output.status.success())
}
