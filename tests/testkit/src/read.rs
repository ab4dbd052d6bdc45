//! The readers people use, as child processes: ffprobe, PyAV, OpenCV, GStreamer; by WHEP aiortc and Chromium. Each script decodes, and reports one line of
//! JSON; whether the report is good is judged here, by one rule for all.

use crate::process::Process;
use crate::tools;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::process::Command;
use std::time::Duration;

/// A reader and the way its RTP comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// ffprobe decoding every frame, over UDP, its default.
    Ffprobe,
    /// PyAV, over TCP.
    PyAv,
    /// OpenCV's VideoCapture, over TCP, its default. It takes no audio.
    OpenCv,
    /// GStreamer `rtspsrc` over TCP.
    GstreamerTcp,
    /// GStreamer `rtspsrc` over UDP.
    GstreamerUdp,
}

impl Client {
    /// All of them.
    pub const ALL: [Client; 5] = [
        Client::Ffprobe,
        Client::PyAv,
        Client::OpenCv,
        Client::GstreamerTcp,
        Client::GstreamerUdp,
    ];

    fn script(self) -> (&'static str, &'static str) {
        match self {
            Client::Ffprobe => ("ffprobe.py", "udp"),
            Client::PyAv => ("pyav.py", "tcp"),
            Client::OpenCv => ("opencv.py", "tcp"),
            Client::GstreamerTcp => ("gstreamer.py", "tcp"),
            Client::GstreamerUdp => ("gstreamer.py", "udp"),
        }
    }
}

/// What a reader reports.
#[derive(Debug, Clone, Deserialize)]
pub struct Report {
    /// Pictures decoded.
    pub frames: u64,
    /// Audio frames decoded; absent where the reader takes none.
    pub audio: Option<u64>,
    /// Whether the times of the pictures, and of the audio, only rose.
    pub monotonic: bool,
    /// Lines in which the decoder or the demuxer complains.
    pub errors: Vec<String>,
    /// Seconds from the start to the first picture.
    pub first: Option<f64>,
    /// Each width and height in turn.
    pub sizes: Vec<(u32, u32)>,
    /// When each picture was decoded, in seconds since 1970.
    pub times: Vec<f64>,
}

impl Report {
    /// What is worth a line.
    pub fn line(&self) -> String {
        let (frames, audio, first) = (
            self.frames,
            self.audio.unwrap_or(0),
            self.first.unwrap_or_default(),
        );
        format!(
            "{frames} pictures, {audio} sounds, first after {first} s, {} complaints",
            self.errors.len()
        )
    }

    /// At least `frames` pictures, audio if the reader takes it, rising times, no complaint.
    pub fn judge(&self, frames: u64) -> Result<()> {
        ensure!(self.errors.is_empty(), "errors: {:#?}", self.errors);
        ensure!(self.frames >= frames, "{} pictures, not {frames}", self.frames);
        ensure!(self.monotonic, "times went back");
        ensure!(self.audio != Some(0), "no audio");
        Ok(())
    }
}

/// Reads `frames` pictures from `url` and gives the report.
pub async fn read(client: Client, url: &str, frames: u64, limit: Duration) -> Result<Report> {
    let (script, transport) = client.script();
    let gstreamer = matches!(client, Client::GstreamerTcp | Client::GstreamerUdp);
    let mut command = Command::new(if gstreamer {
        tools::system_python()
    } else {
        tools::python()?
    });
    command
        .arg("-B")
        .arg(tools::script("interop/readers").join(script))
        .args([url, transport, &frames.to_string()]);
    let reports = reports(&format!("{client:?}"), command, limit).await?;
    reports.into_iter().next_back().context("no report")
}

/// Reads `frames` pictures by WHEP with aiortc and gives the report.
pub async fn aiortc_whep(url: &str, frames: u64, limit: Duration) -> Result<Report> {
    let mut command = Command::new(tools::python()?);
    command
        .arg("-B")
        .arg(tools::script("interop/readers/aiortc_whep.py"))
        .args([url, &frames.to_string()]);
    let reports = reports("aiortc-whep", command, limit).await?;
    reports.into_iter().next_back().context("no report")
}

/// What a tab of Chromium reports of a stream watched by WHEP. Times are milliseconds since the offer was posted.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watched {
    /// HTTP status of the answer.
    pub status: u16,
    /// When the first picture was shown.
    pub first: Option<u64>,
    /// Pictures decoded after half of the time, and in all.
    #[serde(default)]
    pub half: u64,
    /// Of the whole time.
    pub frames: u64,
    /// Samples of sound.
    #[serde(default)]
    pub sounds: u64,
    /// RTP packets that never came.
    #[serde(default)]
    pub packets_lost: i64,
    /// Key frames asked for.
    #[serde(default)]
    pub pli_count: u64,
    /// HTTP status of the goodbye.
    pub left: Option<u16>,
    /// When each picture was shown.
    pub times: Vec<u64>,
    /// What went wrong.
    pub errors: Vec<String>,
}

/// Watches in Chromium for some seconds, in as many tabs.
pub async fn chromium_whep(url: &str, seconds: u64, tabs: usize, limit: Duration) -> Result<Vec<Watched>> {
    let mut command = Command::new("node");
    command
        .arg(tools::script("interop/readers/chromium_whep.cjs"))
        .args([url, &seconds.to_string(), &tabs.to_string()])
        .env("NODE_PATH", tools::node_modules()?);
    reports("chromium-whep", command, limit).await
}

/// Every line of JSON that a reader has written when it ends.
async fn reports<T: serde::de::DeserializeOwned>(
    name: &str,
    command: Command,
    limit: Duration,
) -> Result<Vec<T>> {
    let mut process = Process::spawn(name, command)?;
    let ended = process.wait(limit).await;
    let log = process.log();
    ended.with_context(|| format!("{name}: {log}"))?;
    let lines = log.lines().filter(|line| line.starts_with('{'));
    let reports: Vec<T> = lines
        .map(|line| serde_json::from_str(line).with_context(|| format!("{name}: {line}")))
        .collect::<Result<_>>()?;
    ensure!(!reports.is_empty(), "{name} reported nothing: {log}");
    Ok(reports)
}
