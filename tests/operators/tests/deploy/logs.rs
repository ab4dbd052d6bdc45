//! Logs of real nodes: one id finds the whole life of a stream on every node, a rotated file goes on, and a destination that
//! cannot be written stops nothing. What a single line looks like is tested beside the code that writes it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use weft_bus::testing::NatsServer;
use weft_testkit::fixture::{self, MINUTE};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::{figure, http, publish, tools, until};

const LIMIT: Duration = Duration::from_secs(20);

/// Lines of a structured log that are about a session, and what each must name.
fn life(log: &str, session: &str) -> Result<Vec<String>> {
    let mut messages = Vec::new();
    for line in log.lines().filter(|line| line.contains(session)) {
        let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        for key in [
            "timestamp",
            "level",
            "target",
            "message",
            "node",
            "session",
            "stream",
        ] {
            // An order names the session alone.
            const ORDERS: [&str; 2] = ["closed for another node", "a session was closed by an operator"];
            let order = key == "stream" && line["message"].as_str().is_some_and(|m| ORDERS.contains(&m));
            ensure!(line[key].is_string() || order, "no {key} in {line}");
        }
        messages.push(line["message"].as_str().unwrap_or_default().to_owned());
    }
    Ok(messages)
}

/// The session that publishes now.
async fn publisher(node: &Node, stream: &str) -> Result<String> {
    let what = format!("a publisher of {stream}");
    until(&what, LIMIT, || async {
        let path = node.path(stream).await.ok()??;
        (path["ready"] == true).then(|| path["source"]["id"].as_str().map(str::to_owned))?
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_finds_a_streams_whole_life_in_the_logs_of_all_nodes() -> Result<()> {
    let nats = NatsServer::start().await?;
    let plan = |role, name: &str| {
        Plan::new(role)
            .nats(&nats.url())
            .named(name)
            .with("logStructured: yes")
    };
    let mut ingest = plan(Role::Ingest, "in").start().await?;
    let mut egress = plan(Role::Egress, "out").start().await?;
    let clip = fixture::clip(MINUTE)?;
    let _one = publish::ffmpeg_copy(&ingest.whip("exam/1")?, &clip)?;
    let first = publisher(&ingest, "exam/1").await?;
    let mut reader = oracle::open_when_there(&egress.rtsp("exam/1")?, Over::Tcp, LIMIT).await?;
    reader.read_for(Duration::from_millis(500)).await?;
    let reading = http::get(egress.address("api")?, "/v3/rtspsessions/list")
        .await?
        .json()?;
    let reading = reading["items"][0]["id"]
        .as_str()
        .context("no reader")?
        .to_owned();
    let _two = publish::ffmpeg_copy(&ingest.whip("exam/1")?, &clip)?;
    let second = until("the second publisher", LIMIT, || async {
        publisher(&ingest, "exam/1")
            .await
            .ok()
            .filter(|now| *now != first)
    })
    .await?;
    reader.read_for(Duration::from_millis(500)).await?;
    let place = format!("/v3/webrtcsessions/kick/{second}");
    let kicked = http::request("POST", egress.address("api")?, &place, &[], b"").await?;
    ensure!(kicked.status == 200, "{}", kicked.text());
    egress.process().wait_for_line("hub closed", LIMIT).await?;
    egress.process().wait_for_line("reader closed", LIMIT).await?;
    let (taken, read) = (ingest.process().log(), egress.process().log());
    let lives = [
        (
            &taken,
            &first,
            &[
                "publisher offered",
                "publisher connected",
                "publisher live",
                "publisher closed",
            ][..],
        ),
        (&read, &first, &["hub open"]),
        (
            &taken,
            &second,
            &[
                "publisher offered",
                "publisher connected",
                "publisher live",
                "publisher closed",
            ],
        ),
        (
            &read,
            &second,
            &[
                "stream goes on with another session",
                "publisher ended",
                "hub closed",
            ],
        ),
        (&read, &reading, &["reader plays", "reader closed"]),
    ];
    for (log, session, expected) in lives {
        let found = life(log, session)?;
        let mut rest = found.iter();
        for message in expected {
            ensure!(
                rest.any(|m| m == message),
                "no '{message}' in its place of {session}: {found:#?}\n{log}"
            );
        }
    }
    let line = |log: &str, session: &str, message: &str| -> Result<Value> {
        let found = log.lines().find(|l| l.contains(session) && l.contains(message));
        Ok(serde_json::from_str(found.context("gone")?)?)
    };
    ensure!(line(&taken, &first, "publisher closed")?["reason"] == "taken-over");
    ensure!(line(&taken, &second, "publisher closed")?["reason"] == "kicked");
    for (log, session, message) in [
        (&taken, &first, "publisher offered"),
        (&taken, &first, "publisher connected"),
        (&taken, &first, "publisher closed"),
        (&read, &reading, "reader plays"),
        (&read, &reading, "reader closed"),
    ] {
        let line = line(log, session, message)?;
        let peer = line["peer"].as_str().unwrap_or_default();
        ensure!(peer.parse::<std::net::SocketAddr>().is_ok(), "{line}");
        ensure!(line["stream"] == "exam/1", "{line}");
    }
    ensure!(line(&taken, &first, "publisher live")?["node"] == "in");
    ensure!(line(&read, &first, "hub open")?["node"] == "out");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_file_goes_on_after_rotation_with_the_signal_and_without_it() -> Result<()> {
    let folder = tools::scratch(&format!("deploy/rotated-{}", std::process::id()))?;
    let file = folder.join("weft.log");
    let mut node = Plan::new(Role::Standalone)
        .with("logDestinations: [file, stderr]")
        .with(&format!("logFile: {}", file.display()))
        .start()
        .await?;
    // A mark is a line that a request of ours causes.
    let api = node.address("webrtc")?.to_owned();
    let mark = async |name: &str| http::request("POST", &api, &format!("/{name}/whip"), &[], b"x").await;
    let wait = async |path: &Path, text: &str| {
        until(text, LIMIT, || async {
            mark(text).await.ok()?;
            tokio::time::sleep(Duration::from_millis(300)).await;
            std::fs::read_to_string(path)
                .ok()
                .filter(|log| log.contains(text))
        })
        .await
    };
    wait(&file, "mark-one").await?;
    let old = folder.join("weft.log.1");
    std::fs::rename(&file, &old)?;
    node.process().signal("HUP")?;
    let fresh = wait(&file, "mark-two").await?;
    ensure!(!fresh.contains("mark-one"), "{fresh}");
    ensure!(fresh.contains("the log file is opened anew"), "{fresh}");
    std::fs::rename(&file, folder.join("weft.log.2"))?;
    wait(&file, "mark-three").await?;
    ensure!(std::fs::read_to_string(&old)?.contains("mark-one"));
    ensure!(node.process().log().contains("mark-three"), "both destinations");
    ensure!(node.process().running());
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn destinations_that_cannot_be_written_stop_no_stream() -> Result<()> {
    let mut node = Plan::new(Role::Standalone)
        .with("logLevel: debug")
        .with("logDestinations: [file, stderr]")
        // Every write to it fails for want of room.
        .with("logFile: /dev/full")
        .start()
        .await?;
    let clip = fixture::clip(MINUTE)?;
    let _publisher = publish::ffmpeg_copy(&node.whip("cam")?, &clip)?;
    let mut reader = oracle::open_when_there(&node.rtsp("cam")?, Over::Tcp, LIMIT).await?;
    let units = reader.read_for(Duration::from_secs(1)).await?;
    oracle::exact(&clip.units, &units)?;
    let dropped = node.metric("weft_log_lines_dropped_total").await?.unwrap_or(0.0);
    let lines = node.metric("weft_log_lines_total").await?.unwrap_or(0.0);
    figure(format!("{dropped} of {lines} lines could not be written"));
    ensure!(dropped >= 3.0 && lines >= 2.0 * dropped, "{dropped} of {lines}");
    ensure!(
        node.process().log().contains("publisher live"),
        "the other destination has it"
    );
    ensure!(node.terminate(Duration::from_secs(10)).await? == Some(0));

    // A file that cannot be opened at all.
    let mut node = Plan::new(Role::Standalone)
        .with("logDestinations: [file]")
        .with("logFile: /nowhere/weft.log")
        .start()
        .await?;
    let log = node.process().log();
    ensure!(
        log.contains("logFile /nowhere/weft.log cannot be written"),
        "{log}"
    );
    ensure!(node.terminate(Duration::from_secs(10)).await? == Some(0));
    Ok(())
}
