//! The commands of docs/guides/migrate-from-mediamtx.md and troubleshoot.md, run as they are written. What differs: the binary is
//! the one that is built already, ports are free ones, and windows and sound go nowhere.

use super::weft::{LIMIT, Weft, scratch, shell};
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::Command;
use weft_testkit::http;
use weft_testkit::process::Process;
use weft_testkit::tools;

const MIGRATE: &str = "docs/guides/migrate-from-mediamtx.md";
const TROUBLESHOOT: &str = "docs/guides/troubleshoot.md";
/// A part of each block that goes on until it is ended, or needs a screen.
const LASTING: [&str; 4] = ["weft tests/fixtures", "weft gateway", "weft publish", "ffplay"];

/// The fenced blocks of a language on a page.
fn blocks(page: &str, language: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(tools::root().join(page))?;
    let fence = format!("\n```{language}\n");
    let fenced = text.split(&fence).skip(1);
    Ok(fenced
        .filter_map(|rest| Some(rest.split("\n```").next()?.to_owned()))
        .collect())
}

fn block(page: &str, part: &str) -> Result<String> {
    let found = blocks(page, "sh")?.into_iter().find(|block| block.contains(part));
    found.with_context(|| format!("{page} has no block with {part:?}"))
}

fn root() -> Result<PathBuf> {
    Ok(tools::root().canonicalize()?)
}

/// A block with the binary that is there, and with this node's ports.
fn here(block: &str, node: Option<&Weft>) -> Result<String> {
    let weft = tools::weft()?.canonicalize()?;
    let weft = weft.to_string_lossy();
    let mut text = block
        .replace("../../../target/release/weft", &weft)
        .replace("target/release/weft", &weft);
    let ports = [
        ("8889", "webrtc"),
        ("8554", "rtsp"),
        ("9997", "api"),
        ("9998", "metrics"),
    ];
    for (written, name) in ports {
        let Some(node) = node else { continue };
        let address = node.address(name)?;
        let port = address.rsplit(':').next().context("a port")?;
        text = text
            .replace(&format!("localhost:{written}"), address)
            .replace(written, port);
    }
    Ok(text)
}

/// A block that lasts, until it is dropped.
fn lasting(block: &str) -> Result<Process> {
    let mut command = Command::new("bash");
    command.args(["-c", block]).current_dir(root()?);
    command.envs([("SDL_VIDEODRIVER", "dummy"), ("SDL_AUDIODRIVER", "dummy")]);
    Process::spawn_family("guide", command)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_guides_work_as_written() -> Result<()> {
    let checked = shell(&here(&block(MIGRATE, "weft check")?, None)?, &root()?).await?;
    ensure!(
        checked.contains("# listen: an old name") && checked.contains("webrtcAddress"),
        "{checked}"
    );
    let start = here(&block(MIGRATE, "weft tests/fixtures")?, None)?;
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("exec {start}")])
        .current_dir(root()?);
    let node = Weft::run(scratch()?, command, true).await?;
    let publisher = lasting(&here(&block(TROUBLESHOOT, "weft publish")?, Some(&node))?)?;
    node.wait_for("test")
        .await
        .with_context(|| publisher.last_lines())?;
    let mut player = lasting(&here(&block(TROUBLESHOOT, "ffplay")?, Some(&node))?)?;
    player.wait_for_line("Video: h264", LIMIT).await?;
    let gateway = here(&block(MIGRATE, "weft gateway")?, Some(&node))?;
    let mut gateway = lasting(&gateway.replace("--listen :8080", "--listen 127.0.0.1:0"))?;
    gateway.wait_for_line("/api/webrtc/health", LIMIT).await?;
    let said = gateway.log();
    let address = said
        .split("http://")
        .find_map(|part| part.split_once("/api/webrtc/health"));
    let health = http::get(address.context("no address")?.0, "/api/webrtc/health").await?;
    ensure!(health.status == 200, "{}", health.text());
    for page in [MIGRATE, TROUBLESHOOT] {
        for block in blocks(page, "sh")? {
            if block.contains("weft check") || LASTING.iter().any(|part| block.contains(part)) {
                continue;
            }
            let said = shell(&here(&block, Some(&node))?, &root()?).await?;
            ensure!(
                !said.trim().is_empty() && !said.contains("\"status\":\"error\""),
                "{page}: {block}\n{said}"
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configurations_of_the_guides_are_ones_that_weft_takes() -> Result<()> {
    for page in [MIGRATE, TROUBLESHOOT] {
        let all = blocks(page, "yaml")?;
        ensure!(!all.is_empty(), "{page} has none");
        for block in all {
            let folder = scratch()?;
            std::fs::write(folder.join("weft.yml"), &block)?;
            let checked = shell(&here("target/release/weft check", None)?, &folder).await;
            checked.with_context(|| format!("{page}: {block}"))?;
        }
    }
    Ok(())
}
