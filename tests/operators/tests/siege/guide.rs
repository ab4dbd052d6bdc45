//! docs/guides/tls.md: each of its commands is run against a node with its configuration; only ports and the clip's file are
//! others. What its limits do is the day's matter.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use weft_testkit::fixture::{self, MINUTE};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::process::Process;
use weft_testkit::{tools, until};

/// The code blocks of a language, in order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks = text.split(&fence).skip(1);
    let bodies = blocks.filter_map(|rest| rest.split("```").next());
    bodies.map(str::to_owned).collect()
}

/// A command of the guide in a folder, with what is installed for the tests first in its path.
fn shell(line: &str, folder: &Path) -> Result<Command> {
    let installed = tools::ffmpeg()?;
    let installed = installed
        .parent()
        .context("a file without a folder")?
        .canonicalize()?;
    let path = std::env::var("PATH")?;
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("exec env {line}")])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", installed.display()));
    Ok(command)
}

async fn run(name: &str, line: &str, folder: &Path) -> Result<()> {
    let mut process = Process::spawn(name, shell(line, folder)?)?;
    let status = process.wait(Duration::from_secs(30)).await?;
    // This one drops its connection when it has what it wanted, and may then complain that it cannot say so.
    let had_all = line.contains("gst-launch") && process.last_lines().contains("Got EOS");
    ensure!(
        status.success() || had_all,
        "{line}: {status}\n{}",
        process.last_lines()
    );
    Ok(())
}

async fn start(yaml: &str, folder: &Path) -> Result<Node> {
    let mut plan = Plan::new(Role::Standalone);
    for line in yaml.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        let line = match line.split_once(": :") {
            Some((key, _)) => format!("{key}: 127.0.0.1:0"),
            None => line.replace("server.", &format!("{}/server.", folder.display())),
        };
        plan = plan.with(&line);
        // The comment names the others.
        for face in ["webrtc", "api"] {
            if let Some(rest) = line.strip_prefix("rtspServer") {
                plan = plan.with(&format!("{face}Server{rest}"));
            }
        }
    }
    plan.start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_guide_works_with_the_guides_configuration() -> Result<()> {
    let guide = std::fs::read_to_string(tools::root().join("docs/guides/tls.md"))?;
    let folder = tools::scratch(&format!("test-guide-tls-{}", std::process::id()))?.canonicalize()?;
    let [make, clients] = &blocks(&guide, "sh")[..] else {
        anyhow::bail!("the guide has other blocks than the test knows");
    };
    run("openssl", make.trim(), &folder).await?;
    let node = start(&blocks(&guide, "yaml")[0], &folder).await?;
    let clip = fixture::clip(MINUTE)?;
    let mut publisher = None;
    let mut count = 0;
    // The publisher first: the others ask for its stream.
    let (publish, ask): (Vec<&str>, Vec<&str>) = clients.lines().partition(|line| line.contains("ffmpeg"));
    for line in publish.into_iter().chain(ask) {
        let mut line = line.replace("clip.mkv", &clip.path.canonicalize()?.to_string_lossy());
        for (port, name) in [(8443, "webrtcTls"), (8322, "rtsps"), (9997, "apiTls")] {
            line = line.replace(&format!("localhost:{port}"), node.address(name)?);
        }
        ensure!(!line.contains("localhost:"), "{line}");
        count += 1;
        if line.contains("ffmpeg") {
            let process = Process::spawn("guide-ffmpeg", shell(&line, &folder)?)?;
            let url = format!("https://{}/v3/paths/get/cam", node.address("api")?);
            until("the guide's stream", Duration::from_secs(20), || async {
                let asked = Command::new("curl").args(["-sk", &url]).output().ok()?;
                String::from_utf8_lossy(&asked.stdout)
                    .contains("\"ready\":true")
                    .then_some(())
            })
            .await
            .with_context(|| process.last_lines())?;
            publisher = Some(process);
        } else {
            run("guide-client", &line, &folder).await?;
        }
    }
    ensure!(count == 5, "{count} commands");
    drop(publisher);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
