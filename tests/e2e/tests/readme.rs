//! The commands of README.md, run as they are written. Two things differ: `cargo run --release` and `target/release/weft` stand
//! for the binary that is already built, and windows and sound go nowhere.

use anyhow::{Context, Result, ensure};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use weft_testkit::process::Process;
use weft_testkit::read::{self, Client};
use weft_testkit::{http, tools, until};

const PICTURES: u64 = 100;
const LIMIT: Duration = Duration::from_secs(40);
/// A part of each `sh` block, by which the tests find it.
const BLOCKS: [&str; 8] = [
    "-- demo",
    "tests/run",
    "cargo run --release\n",
    "-f whip",
    "ffplay",
    "gst-launch-1.0",
    "curl",
    "nats-server",
];
const CHECK: &str = "weft check";

#[test]
fn every_block_of_commands_is_run_by_a_test() -> Result<()> {
    for block in blocks("sh")? {
        let known = BLOCKS.iter().chain([&CHECK]).any(|part| block.contains(part));
        ensure!(known, "no test runs this block of README.md:\n{block}");
    }
    ensure!(
        tools::root().join("tests/run").metadata()?.permissions().mode() & 0o111 != 0,
        "tests/run cannot be run"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_command_serves_the_demo() -> Result<()> {
    let demo = shell("demo", &block("sh", "-- demo")?)?;
    ready(9997, "demo").await.with_context(|| demo.last_lines())?;
    read::read(Client::PyAv, "rtsp://localhost:8554/demo", PICTURES, LIMIT)
        .await?
        .judge(PICTURES)
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_reading_and_watching_work_as_written() -> Result<()> {
    let node = shell("node", &block("sh", "cargo run --release\n")?)?;
    answers(9997).await.with_context(|| node.last_lines())?;
    let publisher = shell("publisher", &block("sh", "-f whip")?)?;
    ready(9997, "cam").await.with_context(|| publisher.last_lines())?;
    let mut readers = Vec::new();
    for part in ["cv2", "import av"] {
        let mut python = Command::new(tools::python()?);
        python.args(["-u", "-c", &block("python", part)?]);
        readers.push(Process::spawn("python", python)?);
    }
    for reader in &mut readers {
        until("50 pictures", LIMIT, || {
            std::future::ready((reader.log().lines().count() > 50).then_some(()))
        })
        .await
        .with_context(|| reader.last_lines())?;
        ensure!(!reader.log().contains("Error"), "{}", reader.last_lines());
    }
    let mut gstreamer = shell("gst", &block("sh", "gst-launch-1.0")?)?;
    gstreamer.wait_for_line("PLAYING", LIMIT).await?;
    let mut ffplay = shell("ffplay", &block("sh", "ffplay")?)?;
    ffplay.wait_for_line("Video: h264", LIMIT).await?;
    ensure!(
        gstreamer.running() && !gstreamer.log().contains("ERROR"),
        "{}",
        gstreamer.last_lines()
    );
    for part in ["curl", CHECK] {
        let mut command = shell(part, &format!("set -e\n{}", block("sh", part)?))?;
        ensure!(
            command.wait(LIMIT).await?.success(),
            "{part}: {}",
            command.last_lines()
        );
        ensure!(!command.log().is_empty(), "{part} says nothing");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ingest_and_two_egress_nodes_work_as_written() -> Result<()> {
    let _store = Store(PathBuf::from("/tmp/weft-nats"));
    let fabric = shell("fabric", &format!("{}\nwait", block("sh", "nats-server")?))?;
    for port in 9991..=9994 {
        answers(port).await.with_context(|| fabric.last_lines())?;
    }
    let publish = block("sh", "-f whip")?;
    let _left = shell("left", &publish.replace("8889/cam", "8889/left"))?;
    let _right = shell("right", &publish.replace("8889/cam", "8890/right"))?;
    for (stream, port) in [("left", 9991), ("right", 9992)] {
        ready(port, stream).await.with_context(|| fabric.last_lines())?;
    }
    for url in ["rtsp://localhost:8555/left", "rtsp://localhost:8554/right"] {
        read::read(Client::PyAv, url, PICTURES, LIMIT)
            .await?
            .judge(PICTURES)
            .context(url)?;
    }
    Ok(())
}

/// Removed at the end.
struct Store(PathBuf);

impl Drop for Store {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The fenced blocks of a language.
fn blocks(language: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(tools::root().join("README.md"))?;
    let fence = format!("\n```{language}\n");
    let fenced = text.split(&fence).skip(1);
    Ok(fenced
        .filter_map(|rest| Some(format!("{}\n", rest.split("\n```").next()?)))
        .collect())
}

fn block(language: &str, part: &str) -> Result<String> {
    let found = blocks(language)?.into_iter().find(|block| block.contains(part));
    found.with_context(|| format!("README.md has no {language} block with {part:?}"))
}

/// Runs a block from the root of the work tree.
fn shell(name: &str, block: &str) -> Result<Process> {
    let weft = tools::weft()?.canonicalize()?;
    let bin = tools::scratch("readme-bin")?;
    let stands_for = |name: &str, script: String| -> Result<()> {
        let path = bin.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(())
    };
    let root = tools::root().canonicalize()?;
    stands_for(
        "cargo",
        format!(
            "shift 2; [ \"$1\" = -- ] && shift; exec {} \"$@\"",
            weft.display()
        ),
    )?;
    for tool in ["ffmpeg", "nats-server"] {
        stands_for(
            tool,
            format!("exec {}/target/tools/bin/{tool} \"$@\"", root.display()),
        )?;
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("bash");
    command
        .args([
            "-c",
            &block.replace("target/release/weft", &weft.to_string_lossy()),
        ])
        .current_dir(root)
        .envs([
            ("PATH", &*path),
            ("SDL_VIDEODRIVER", "dummy"),
            ("SDL_AUDIODRIVER", "dummy"),
        ]);
    Process::spawn_family(name, command)
}

async fn answers(port: u16) -> Result<()> {
    until(&format!("the API on port {port}"), LIMIT, || async move {
        let answer = http::get(&format!("localhost:{port}"), "/v3/node/ready").await;
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    })
    .await
}

async fn ready(port: u16, stream: &str) -> Result<()> {
    until(&format!("{stream} on port {port}"), LIMIT, || async move {
        let path = http::get(&format!("localhost:{port}"), &format!("/v3/paths/get/{stream}"))
            .await
            .ok()?;
        (path.json().ok()?["ready"] == true).then_some(())
    })
    .await
}
