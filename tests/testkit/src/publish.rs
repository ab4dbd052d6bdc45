//! Real WHIP publishers as child processes: FFmpeg, aiortc, Chromium. What they send and how they end; no judgement.

use crate::fixture::Clip;
use crate::process::Process;
use crate::tools;
use anyhow::Result;
use std::process::Command;

/// FFmpeg sends the clip's own access units, unchanged, in real time and over again.
pub fn ffmpeg_copy(whip: &str, clip: &Clip) -> Result<Process> {
    let mut command = Command::new(tools::ffmpeg()?);
    command
        .args([
            "-hide_banner",
            "-loglevel",
            "warning",
            "-nostdin",
            "-re",
            "-stream_loop",
            "-1",
            "-i",
        ])
        .arg(&clip.path)
        .args(["-c", "copy", "-f", "whip", whip]);
    Process::spawn("ffmpeg-whip", command)
}

/// FFmpeg encodes a test picture and a tone as a user would.
pub fn ffmpeg_encode(whip: &str) -> Result<Process> {
    let mut command = Command::new(tools::ffmpeg()?);
    command
        .args(["-hide_banner", "-loglevel", "warning", "-nostdin", "-re"])
        .args([
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=640x360:r=30",
            "-f",
            "lavfi",
            "-i",
            "sine=440:r=48000",
        ])
        .args([
            "-c:v",
            "libx264",
            "-profile:v",
            "baseline",
            "-preset",
            "ultrafast",
            "-tune",
            "zerolatency",
        ])
        .args([
            "-pix_fmt", "yuv420p", "-g", "60", "-b:v", "800k", "-c:a", "libopus", "-ac", "2",
        ])
        .args(["-f", "whip", whip]);
    Process::spawn("ffmpeg-whip", command)
}

/// aiortc decodes the clip, encodes it again as H.264 and Opus and sends it over again.
pub fn aiortc(whip: &str, clip: &Clip) -> Result<Process> {
    let mut command = Command::new(tools::python()?);
    command
        .arg(tools::script("interop/publishers/aiortc_whip.py"))
        .arg(whip)
        .arg(&clip.path);
    Process::spawn("aiortc-whip", command)
}

/// As `aiortc`, but a part of the video's RTP payloads is broken on purpose: aggregation and fragmentation units (RFC 6184
/// sections 5.7 and 5.8) cut short, without beginning or end, or of no known type.
pub fn broken_payloads(whip: &str, clip: &Clip) -> Result<Process> {
    let mut command = Command::new(tools::python()?);
    command
        .arg("-B")
        .arg(tools::script("interop/publishers/broken_payloads.py"))
        .arg(whip)
        .arg(&clip.path);
    Process::spawn("broken-payloads", command)
}

/// Which page Chromium publishes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// A minimal one of the tests, H.264 preferred, fake camera and microphone.
    Plain,
    /// The one the node serves at `/{path}/publish`.
    Product,
}

/// Chromium, headless, with its fake camera.
pub fn chromium(whip: &str, page: Page) -> Result<Process> {
    let mut command = Command::new("node");
    command
        .arg(tools::script("interop/publishers/chromium_whip.cjs"))
        .arg(whip)
        .arg(match page {
            Page::Plain => "plain",
            Page::Product => "product",
        })
        .env("NODE_PATH", tools::node_modules()?);
    Process::spawn("chromium-whip", command)
}
