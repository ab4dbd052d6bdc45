//! The readers people use, as child processes: ffprobe, PyAV, OpenCV, GStreamer. Each script decodes, and reports one line of
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
    let mut process = Process::spawn(&format!("{client:?}"), command)?;
    let ended = process.wait(limit).await;
    let log = process.log();
    ended.with_context(|| format!("{client:?}: {log}"))?;
    let line = log.lines().rev().find(|line| line.starts_with('{'));
    let line = line.with_context(|| format!("{client:?} reported nothing: {log}"))?;
    serde_json::from_str(line).with_context(|| format!("{client:?}: {line}"))
}
