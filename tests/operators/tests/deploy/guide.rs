//! The deployment guide: each of its commands is run here, or, where it needs what is not here (a container engine, root,
//! somebody's log files), taken apart and held against the tree. Its configurations are checked by the program.

use super::files::{notices, says, text};
use anyhow::{Context, Result, ensure};
use std::process::Command;
use std::time::Duration;
use weft_testkit::fixture::{self, MINUTE};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::process::Process;
use weft_testkit::{publish, tools};

const GUIDE: &str = "docs/guides/deploy.md";
const LIMIT: Duration = Duration::from_secs(20);

/// A part of each block, by which it is found: those that are run,
const RUN: [&str; 7] = [
    "weft check",
    "sysctl net",
    "ip route",
    "/v3/node/live",
    "?type=paths",
    "grep --no",
    "/v3/node/drain",
];
/// and those that are taken apart.
const READ: [&str; 3] = ["compose.standalone.yml", "compose.cluster.yml", "install -D"];

fn blocks(language: &str) -> Result<Vec<String>> {
    let text = text(GUIDE)?;
    let fence = format!("\n```{language}\n");
    let fenced = text.split(&fence).skip(1);
    Ok(fenced
        .filter_map(|rest| Some(rest.split("\n```").next()?.to_owned()))
        .collect())
}

fn block(part: &str) -> Result<String> {
    let found = blocks("sh")?.into_iter().find(|block| block.contains(part));
    found.with_context(|| format!("no block with {part}"))
}

#[test]
fn every_block_is_looked_at_by_a_test() -> Result<()> {
    let blocks = blocks("sh")?;
    for block in &blocks {
        let known = RUN.iter().chain(&READ).any(|part| block.contains(part));
        ensure!(known, "no test looks at\n{block}");
    }
    ensure!(blocks.len() == RUN.len() + READ.len(), "{} blocks", blocks.len());
    Ok(())
}

/// Runs a block from the root of the tree, with `weft` in reach; its output.
async fn run(block: &str, replaced: &[(&str, String)]) -> Result<String> {
    let mut block = format!("set -e\n{block}");
    for (from, to) in replaced {
        ensure!(block.contains(from), "no {from} in {block}");
        block = block.replace(from, to);
    }
    let program = tools::weft()?.canonicalize()?;
    let folder = program.parent().context("no folder")?;
    let path = format!("{}:/usr/sbin:/sbin:{}", folder.display(), std::env::var("PATH")?);
    let mut command = Command::new("bash");
    command
        .args(["-c", &block])
        .current_dir(tools::root())
        .env("PATH", path);
    let mut process = Process::spawn("guide", command)?;
    let ended = process.wait(LIMIT).await?;
    ensure!(ended.success(), "{block}\n{}", process.log());
    Ok(process.log())
}

async fn node() -> Result<Node> {
    Plan::new(Role::Standalone)
        .with("logDestinations: [stderr]")
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_checked_asked_and_drained_as_written() -> Result<()> {
    let told = run(&block("weft check")?, &[]).await?;
    ensure!(
        told.contains("logStructured: true") && told.contains(": fit for live media"),
        "{told}"
    );
    let mut node = node().await?;
    let api = node.address("api")?.to_owned();
    let told = run(
        &block("/v3/node/live")?,
        &[
            ("localhost:9997", api.clone()),
            ("\nweft health", format!("\nweft health http://{api}")),
        ],
    )
    .await?;
    ensure!(told.matches("\"status\":\"ok\"").count() == 2, "{told}");
    let shown = run(
        &block("?type=paths")?,
        &[("localhost:9998", node.address("metrics")?.to_owned())],
    )
    .await?;
    ensure!(
        shown.contains("# TYPE paths ") && shown.contains("weft_ready 1"),
        "{shown}"
    );
    let told = run(&block("/v3/node/drain")?, &[("localhost:9997", api.clone())]).await?;
    ensure!(told.contains("\"status\":\"ok\""), "{told}");
    ensure!(node.process().wait(LIMIT).await?.success());
    // One that is not there is not healthy.
    let gone = super::files::weft(&["health", &format!("http://{api}")], &[])?;
    ensure!(
        gone.status.code() == Some(1) && !gone.stdout.is_empty(),
        "{gone:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_is_sought_in_the_logs_as_written() -> Result<()> {
    let folder = tools::scratch(&format!("deploy/guide-{}", std::process::id()))?;
    let node = Plan::new(Role::Standalone)
        .with("logDestinations: [file]")
        .with("logStructured: yes")
        .with(&format!("logFile: {}/weft.log", folder.display()))
        .start()
        .await?;
    let clip = fixture::clip(MINUTE)?;
    let _publisher = publish::ffmpeg_copy(&node.whip("cam")?, &clip)?;
    node.wait_for("cam", LIMIT).await?;
    let path = node.path("cam").await?.context("no path")?;
    let session = path["source"]["id"].as_str().context("no publisher")?.to_owned();
    let found = run(
        &block("grep --no")?,
        &[
            ("a8f3b1c2-5d6e-4f70-8a9b-0c1d2e3f4a5b", session),
            ("/var/log/weft/", format!("{}/", folder.display())),
        ],
    )
    .await?;
    let at = |message: &str| {
        found
            .find(message)
            .with_context(|| format!("no {message} in\n{found}"))
    };
    ensure!(
        at("publisher connected")? < at("publisher live")?,
        "not in the order of time: {found}"
    );
    at("publisher offered")?;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_asked_as_written() -> Result<()> {
    let told = run(&block("sysctl net")?, &[]).await;
    // Not every container shows its host's settings.
    if std::path::Path::new("/proc/sys/net/core/rmem_max").exists() {
        ensure!(told?.contains("net.core.rmem_max = "));
    }
    let route = block("ip route")?;
    ensure!(route == "ip route show default");
    if std::path::Path::new("/sbin/ip").exists() || std::path::Path::new("/usr/sbin/ip").exists() {
        run(&route, &[]).await?;
    }
    Ok(())
}

#[test]
fn what_cannot_be_run_here_names_what_is_there() -> Result<()> {
    for part in &READ[..2] {
        let block = block(part)?;
        let file = block
            .split_whitespace()
            .skip_while(|word| *word != "-f")
            .nth(1)
            .context("no file")?;
        let compose = text(file)?;
        for (name, _) in block.split_whitespace().filter_map(|word| word.split_once('=')) {
            ensure!(
                compose.contains(&format!("${{{name}:-")),
                "{file} does not ask for {name}"
            );
        }
        let variables: Vec<&str> = compose
            .split("${")
            .skip(1)
            .filter_map(|rest| rest.split(":-").next())
            .collect();
        for name in variables {
            ensure!(
                block.contains(&format!("{name}=")),
                "{name} of {file} is not set by {block}"
            );
        }
    }
    let install = block(READ[2])?;
    for word in install.split_whitespace() {
        if word.starts_with("compose/") || word.starts_with("config/") {
            text(word)?;
        }
    }
    for unit in ["weft.service", "weft@.service"] {
        let unit = text(&format!("compose/systemd/{unit}"))?;
        ensure!(unit.contains("/usr/local/bin/weft") && install.contains("/usr/local/bin/weft"));
    }
    Ok(())
}

#[test]
fn configurations_of_the_guide_are_right() -> Result<()> {
    let folder = tools::scratch("deploy/guide-yaml")?;
    let blocks = blocks("yaml")?;
    for (number, block) in blocks.iter().enumerate() {
        let file = folder.join(format!("{number}.yml"));
        std::fs::write(&file, block)?;
        let told = says(&["check", "--config", &file.to_string_lossy()], &[])?;
        ensure!(notices(&told).is_empty(), "{told}");
    }
    ensure!(blocks.len() >= 3);
    Ok(())
}

#[test]
fn the_table_of_ports_is_the_programs() -> Result<()> {
    let text = text(GUIDE)?;
    let defaults = says(&["check"], &[])?;
    let mut rows = 0;
    for line in text
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("Address`"))
    {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ports: Vec<&str> = cells[1].split(", ").collect();
        let keys: Vec<&str> = cells[3].split(", ").map(|key| key.trim_matches('`')).collect();
        ensure!(ports.len() == keys.len(), "{line}");
        for (port, key) in ports.iter().zip(keys) {
            let found = defaults.lines().find(|line| line.starts_with(&format!("{key}:")));
            let found = found.with_context(|| format!("no {key}"))?;
            let default = found.split_once(": ").map_or("", |(_, value)| value);
            let same = match *port {
                "off" => default.trim_matches(['"', '\'']).is_empty(),
                port => default.trim_matches(['"', '\'']).ends_with(&format!(":{port}")),
            };
            ensure!(same, "{line}: {found}");
        }
        rows += 1;
    }
    ensure!(rows >= 7, "{rows}");
    Ok(())
}
