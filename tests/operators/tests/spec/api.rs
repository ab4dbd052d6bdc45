//! The URLs and commands by which the specification looks after streams, and its backend's health check.
//! Every field of every answer is in `contract`.

use super::weft::{LIMIT, Weft, has, shell, text};
use anyhow::{Context, Result, ensure};
use std::process::Command;
use std::time::Duration;
use weft_testkit::process::Process;
use weft_testkit::{http, until};

/// The lines of a fixture that are no comments.
fn lines(name: &str) -> Result<Vec<String>> {
    let text = text(name)?;
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_management_urls_answer_on_the_webrtc_port() -> Result<()> {
    let weft = Weft::of("development.yml").await?;
    let mut publisher = weft.publish("test", None)?;
    weft.wait_for("test").await?;
    let requests = lines("management.http")?;
    ensure!(requests.len() == 3, "{requests:?}");
    for line in requests {
        let line = weft.here(&line.replace("{path_name}", "test"))?;
        let (method, url) = line.split_once(' ').context("a method")?;
        let path = url
            .strip_prefix("http://")
            .and_then(|rest| rest.find('/').map(|at| &rest[at..]));
        let answer = weft.ask(method, path.context("a path")?).await?;
        ensure!(
            answer.status == 200,
            "{line}: {} {}",
            answer.status,
            answer.text()
        );
        let body = answer.json()?;
        match (method, path) {
            ("DELETE", _) => ensure!(body["status"] == "ok", "{body}"),
            (_, Some(path)) if path.ends_with("/list") => {
                let items = body["items"].as_array().context("items")?;
                ensure!(items.iter().any(|item| item["name"] == "test"), "{body}");
            }
            _ => ensure!(body["name"] == "test" && body["ready"] == true, "{body}"),
        }
    }
    // The publisher is told, stays away, and the stream is over.
    publisher.wait(LIMIT).await?;
    ensure!(
        !weft.live().await?.contains(&"test".to_owned()),
        "the stream is still there"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_that_watch_streams_work_as_written() -> Result<()> {
    let weft = Weft::of("development.yml").await?;
    let _publisher = weft.publish("test", None)?;
    weft.wait_for("test").await?;
    let commands = lines("watch.sh")?;
    let [ready, bytes] = &commands[..] else {
        anyhow::bail!("{commands:?}");
    };
    if has("curl") && has("jq") {
        let said = shell(&weft.here(ready)?, weft.folder()).await?;
        ensure!(
            said.contains("\"name\": \"test\"") && said.contains("\"ready\": true"),
            "{said}"
        );
        let said = shell(&weft.here(bytes)?, weft.folder()).await?;
        ensure!(said.trim().parse::<u64>()? > 0, "{said}");
    } else {
        ensure!(weft.live().await? == ["test"], "not the stream alone");
        let path = weft.ask("GET", "/v3/paths/get/test").await?.json()?;
        ensure!(path["bytesReceived"].as_u64() > Some(0), "{path}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_of_the_backend_sees_a_running_server_and_a_stopped_one() -> Result<()> {
    let mut weft = Weft::of("development.yml").await?;
    let config = weft.ask("GET", "/v3/config/get").await?;
    ensure!(config.status == 200, "{} {}", config.status, config.text());
    // Types are taken off, as a compiler does it.
    let script = weft.here(&text("health.ts")?.replace(": Promise<boolean>", ""))?;
    let script = format!("{script}\ncheckMediaMTXHealth().then(well => console.log('well:', well));");
    let check = async || -> Result<String> {
        let mut command = Command::new("node");
        command.args(["-e", &script]);
        let mut process = Process::spawn("health-check", command)?;
        process.wait(LIMIT).await?;
        Ok(process.log())
    };
    let said = check().await?;
    ensure!(said.contains("well: true"), "{said}");
    weft.process().signal("TERM")?;
    weft.process().wait(LIMIT).await?;
    let said = check().await?;
    ensure!(said.contains("well: false"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_that_look_for_faults_work_as_written() -> Result<()> {
    let weft = Weft::of("development.yml").await?;
    let _publisher = weft.publish("test", None)?;
    weft.wait_for("test").await?;
    for line in lines("debug.sh")? {
        if line.starts_with("ffplay") {
            let mut command = Command::new("bash");
            command
                .args(["-c", &format!("exec {}", weft.here(&line)?)])
                .envs([("SDL_VIDEODRIVER", "dummy"), ("SDL_AUDIODRIVER", "dummy")]);
            let mut player = Process::spawn("ffplay", command)?;
            player.wait_for_line("Video: h264", LIMIT).await?;
        } else if let Some((command, _)) = line.split_once(" | grep :") {
            let name = if line.ends_with("8889") { "webrtc" } else { "rtsp" };
            let port = weft.address(name)?.rsplit(':').next().context("a port")?;
            let said = shell(&format!("{command} 2>/dev/null | grep :{port}"), weft.folder()).await?;
            ensure!(said.contains("LISTEN"), "{said}");
        } else {
            // The program has another name.
            let said = shell(&line.replace("mediamtx", "weft"), weft.folder()).await?;
            ensure!(said.lines().any(|line| line.contains("/weft")), "{said}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webrtc_port_and_metrics_show_what_goes_on() -> Result<()> {
    let weft = Weft::of("development.yml").await?;
    let _publisher = weft.publish("test", None)?;
    weft.wait_for("test").await?;
    let page = weft.ask("GET", "/").await?;
    ensure!(page.status == 200, "{}", page.status);
    let kind = page.header("content-type").unwrap_or_default();
    ensure!(kind.starts_with("text/html"), "{kind}");
    // What it shows comes live; that it shows the streams is seen in a browser elsewhere.
    const SCRIPT: &str = "/weft-pages/dashboard.js";
    ensure!(page.text().contains(SCRIPT), "no script in {}", page.text());
    let script = weft.ask("GET", SCRIPT).await?;
    ensure!(
        script.status == 200 && script.text().contains("/v3/live"),
        "{}",
        script.status
    );
    let metrics = weft.address("metrics")?;
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "paths",
        "paths_bytes_received",
    ] {
        until(name, Duration::from_secs(3), || async {
            let text = http::get(metrics, "/metrics").await.ok()?.text();
            let mut lines = text.lines().filter(|line| !line.starts_with('#'));
            let found = |line: &str| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with([' ', '{']))
            };
            lines.any(found).then_some(())
        })
        .await?;
    }
    Ok(())
}
