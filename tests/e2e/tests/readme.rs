//! The commands of README.md and docs/fabric.md, run as they are written. Two things differ: `cargo run --release` and
//! `target/release/weft` stand for the binary that is already built, and windows and sound go nowhere.

use anyhow::{Context, Result, ensure};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use weft_testkit::account::account;
use weft_testkit::process::Process;
use weft_testkit::read::{self, Client};
use weft_testkit::watch::Watcher;
use weft_testkit::{figure, http, tools, until};

const PICTURES: u64 = 100;
const LIMIT: Duration = Duration::from_secs(40);
const README: &str = "README.md";
const FABRIC: &str = "docs/fabric.md";
/// A part of each `sh` block of a page, by which the tests find it.
const BLOCKS: [(&str, &[&str]); 2] = [
    (
        README,
        &[
            "-- demo",
            "tests/run",
            "cargo run --release\n",
            "-f whip",
            "ffplay",
            "gst-launch-1.0",
            WATCH,
            SERVERS,
            CHECK_NATS,
            PUBLISH,
            DRAIN,
            CHECK,
        ],
    ),
    (FABRIC, &[LISTS, CHECK_NATS, "tests/run faults"]),
];
const WATCH: &str = "localhost:9998/metrics";
const SERVERS: &str = "nats-server -c";
const CHECK: &str = "weft check --config";
const CHECK_NATS: &str = "weft check --nats-conf";
const PUBLISH: &str = "weft publish";
const DRAIN: &str = "/v3/node/drain";
const LISTS: &str = "/v3/nodes/list";
/// Pages whose commands are run beside what they describe: by `tests/scale/tests/page.rs` and
/// `nodes/control/tests/control/reference.rs`, guides by `tests/operators` and `stills`; those of the page on performance are
/// looked at by `tests/load`: they take hours.
const ELSEWHERE: [&str; 8] = [
    "docs/scaling.md",
    "docs/api.md",
    "docs/guides/deploy.md",
    "docs/guides/migrate-from-mediamtx.md",
    "docs/guides/pictures.md",
    "docs/guides/tls.md",
    "docs/guides/troubleshoot.md",
    "docs/performance.md",
];

#[test]
fn every_block_of_commands_is_run_by_a_test() -> Result<()> {
    for (page, parts) in BLOCKS {
        for block in blocks(page, "sh")? {
            let known = parts.iter().any(|part| block.contains(part));
            ensure!(known, "no test runs this block of {page}:\n{block}");
        }
    }
    ensure!(
        tools::root().join("tests/run").metadata()?.permissions().mode() & 0o111 != 0,
        "tests/run cannot be run"
    );
    ensure!(
        std::fs::read_to_string(tools::root().join("tests/run"))?.contains("\"faults\""),
        "tests/run has no part faults"
    );
    Ok(())
}

#[test]
fn no_other_page_has_commands() -> Result<()> {
    let known = BLOCKS.map(|(page, _)| page);
    let mut folders = vec![tools::root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let named = |page: &&str| path.ends_with(page);
            if path.extension().is_none_or(|e| e != "md") || known.iter().chain(&ELSEWHERE).any(named) {
                continue;
            }
            let commands = ["sh", "bash", "shell", "console"].map(|language| format!("```{language}\n"));
            let text = std::fs::read_to_string(&path)?;
            ensure!(
                !commands.iter().any(|fence| text.contains(fence)),
                "no test runs the commands of {}",
                path.display()
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_command_serves_the_demo() -> Result<()> {
    let demo = shell("demo", &block(README, "sh", "-- demo")?)?;
    ready(9997, "demo").await.with_context(|| demo.last_lines())?;
    read::read(Client::PyAv, "rtsp://localhost:8554/demo", PICTURES, LIMIT)
        .await?
        .judge(PICTURES)
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_reading_and_watching_work_as_written() -> Result<()> {
    let node = shell("node", &block(README, "sh", "cargo run --release\n")?)?;
    answers(9997).await.with_context(|| node.last_lines())?;
    let publisher = shell("publisher", &block(README, "sh", "-f whip")?)?;
    ready(9997, "cam").await.with_context(|| publisher.last_lines())?;
    let mut readers = Vec::new();
    for part in ["cv2", "import av"] {
        let mut python = Command::new(tools::python()?);
        python.args(["-u", "-c", &block(README, "python", part)?]);
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
    let mut gstreamer = shell("gst", &block(README, "sh", "gst-launch-1.0")?)?;
    gstreamer.wait_for_line("PLAYING", LIMIT).await?;
    let mut ffplay = shell("ffplay", &block(README, "sh", "ffplay")?)?;
    ffplay.wait_for_line("Video: h264", LIMIT).await?;
    ensure!(
        gstreamer.running() && !gstreamer.log().contains("ERROR"),
        "{}",
        gstreamer.last_lines()
    );
    for part in [WATCH, CHECK] {
        says(README, part).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ingest_and_two_egress_nodes_work_as_written() -> Result<()> {
    let _store = ["/tmp/weft-nats", "/tmp/weft-nats.conf"].map(|path| Store(PathBuf::from(path)));
    let fabric = shell("fabric", &format!("{}\nwait", block(README, "sh", SERVERS)?))?;
    for port in 9991..=9994 {
        answers(port).await.with_context(|| fabric.last_lines())?;
    }
    let publish = block(README, "sh", "-f whip")?;
    let left = shell("left", &publish.replace("8889/cam", "8889/left"))?;
    let right = shell("right", &publish.replace("8889/cam", "8890/right"))?;
    for (stream, port) in [("left", 9991), ("right", 9992)] {
        ready(port, stream).await.with_context(|| fabric.last_lines())?;
    }
    for url in ["rtsp://localhost:8555/left", "rtsp://localhost:8554/right"] {
        read::read(Client::PyAv, url, PICTURES, LIMIT)
            .await?
            .judge(PICTURES)
            .context(url)?;
    }
    // FFmpeg does not follow `move`, and one that was killed is missed after 30 s: a drain would wait for it.
    drop((left, right));
    let kicked = http::request("POST", "localhost:9991", "/v3/paths/kick/left", &[], b"").await?;
    ensure!(kicked.status == 200, "{}", kicked.text());
    let fit = says(README, CHECK_NATS).await?;
    ensure!(fit.contains(": fit for live media"), "{fit}");
    ensure!(says(FABRIC, CHECK_NATS).await? == fit, "the pages differ");
    drained_as_written().await.with_context(|| fabric.last_lines())
}

/// The publisher of the page is on the first node, which is then drained: it ends, and a reader sees no end of the stream.
async fn drained_as_written() -> Result<()> {
    let mut publisher = shell("follower", &block(README, "sh", PUBLISH)?)?;
    let published = ready(9991, "cam").await;
    published.with_context(|| publisher.last_lines())?;
    let reader = Watcher::start(vec!["rtsp://localhost:8554/cam".to_owned()]);
    let sees = |since: Instant| {
        let last = reader.last();
        std::future::ready(last.filter(|picture| picture.arrival > since).map(|_| ()))
    };
    let began = Instant::now();
    until("a picture", LIMIT, || sees(began)).await?;
    let lists = says(FABRIC, LISTS).await?;
    ensure!(
        lists.contains("\"itemCount\":4") && lists.contains("\"cam\""),
        "not four nodes and the stream: {lists}"
    );
    let from = Instant::now();
    let told = says(README, DRAIN).await?;
    ensure!(told.contains("\"status\":\"ok\""), "{told}");
    until("the end of the drained node", LIMIT, || async {
        http::get("localhost:9991", "/v3/node/live").await.err()
    })
    .await?;
    let ended = Instant::now();
    until("a picture after it", LIMIT, || sees(ended)).await?;
    let seen = account(&reader.notes(), from, Instant::now(), Duration::from_millis(40));
    figure(format!(
        "longest time without a picture at the drain: {:.0?}",
        seen.gap
    ));
    ensure!(seen.ends == 0, "the reader was closed");
    ensure!(
        seen.gap <= Duration::from_secs(2),
        "{:?} without a picture",
        seen.gap
    );
    ensure!(
        publisher.running(),
        "the publisher ended: {}",
        publisher.last_lines()
    );
    Ok(())
}

/// What a block of commands that ends well says.
async fn says(page: &str, part: &str) -> Result<String> {
    let mut command = shell(part, &format!("set -e\n{}", block(page, "sh", part)?))?;
    ensure!(
        command.wait(LIMIT).await?.success(),
        "{part}: {}",
        command.last_lines()
    );
    ensure!(!command.log().is_empty(), "{part} says nothing");
    Ok(command.log())
}

/// Removed at the end.
struct Store(PathBuf);

impl Drop for Store {
    fn drop(&mut self) {
        // A folder or a file; there is none where the test ended early.
        drop(std::fs::remove_dir_all(&self.0).or_else(|_| std::fs::remove_file(&self.0)));
    }
}

/// The fenced blocks of a language on a page.
fn blocks(page: &str, language: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(tools::root().join(page))?;
    let fence = format!("\n```{language}\n");
    let fenced = text.split(&fence).skip(1);
    Ok(fenced
        .filter_map(|rest| Some(format!("{}\n", rest.split("\n```").next()?)))
        .collect())
}

fn block(page: &str, language: &str, part: &str) -> Result<String> {
    let found = blocks(page, language)?
        .into_iter()
        .find(|block| block.contains(part));
    found.with_context(|| format!("{page} has no {language} block with {part:?}"))
}

/// Runs a block from the root of the work tree.
fn shell(name: &str, block: &str) -> Result<Process> {
    let weft = tools::weft()?.canonicalize()?;
    let bin = tools::scratch("readme-bin")?;
    let stands_for = |name: &str, script: String| -> Result<()> {
        let path = bin.join(name);
        // Put there whole: another block may be starting it just now.
        let made = path.with_extension("new");
        std::fs::write(&made, format!("#!/bin/sh\n{script}\n"))?;
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o755))?;
        std::fs::rename(made, path)?;
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
