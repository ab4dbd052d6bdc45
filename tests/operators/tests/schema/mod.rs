//! The OpenAPI file against running nodes, by a tool that makes requests from it (schemathesis).
//! Whether the file is fresh is tested where it is made.

use anyhow::{Context, Result, ensure};
use std::process::Command;
use std::time::Duration;
use weft_bus::testing::NatsServer;
use weft_testkit::fixture::{self, MINUTE};
use weft_testkit::node::{Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::process::Process;
use weft_testkit::{figure, full, http, publish, tools};

/// Longest wait for what should come at once.
const LIMIT: Duration = Duration::from_secs(15);

/// What must not be: a fault of the server, or an answer that the file does not tell of.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// 503 is documented: who asks comes back later. Every other 5xx is a fault, and so is a 503 that the file does not tell of.
const SETTINGS: &str = "[checks.not_a_server_error]\nexpected-statuses = [\"2xx\", \"3xx\", \"4xx\", 503]\n";

/// The node that is asked would end, by its own drain or by its name in the list of nodes, which the tool has read by then; and
/// two answers that have no end, which the tool would wait for. Drains are asked for by the tests of the control face.
const LEFT_OUT: [&str; 4] = ["node-drain", "nodes-drain", "live", "wall"];

#[tokio::test(flavor = "multi_thread")]
async fn no_request_made_from_the_file_brings_a_fault_or_an_answer_that_is_not_in_it() -> Result<()> {
    let nats = NatsServer::start().await?;
    let ingest = Plan::new(Role::Ingest).nats(&nats.url()).start().await?;
    let egress = Plan::new(Role::Egress).nats(&nats.url()).start().await?;
    let clip = fixture::clip(MINUTE)?;
    let mut publishers = Vec::new();
    for stream in ["exam/17", "exam/18"] {
        publishers.push(publish::ffmpeg_copy(&ingest.whip(stream)?, &clip)?);
        egress.wait_for(stream, LIMIT).await?;
    }
    let mut reader = oracle::open_when_there(&egress.rtsp("exam/17")?, Over::Tcp, LIMIT).await?;
    let reader = tokio::spawn(async move { drop(reader.read_for(Duration::from_secs(600)).await) });

    let api = egress.address("api")?.to_owned();
    let file = http::get(&api, "/v3/openapi.json").await?;
    ensure!(
        file.status == 200 && file.json()?["openapi"] == "3.1.0",
        "{}",
        file.status
    );

    let began = std::time::Instant::now();
    let report = run(&api).await?;
    reader.abort();
    figure(format!(
        "schemathesis: {} in {:.0} s",
        report
            .lines()
            .rev()
            .find(|line| line.contains("generated"))
            .unwrap_or("done")
            .trim(),
        began.elapsed().as_secs_f64()
    ));
    // Whatever was asked, the node is as good as before.
    let ready = http::get(&api, "/v3/node/ready").await?;
    ensure!(ready.status == 200, "{}", ready.text());
    Ok(())
}

/// Runs the tool to its end; an error with what it says where it finds something.
async fn run(api: &str) -> Result<String> {
    let folder = tools::scratch("schema")?;
    let tool = tools::python()?.with_file_name("schemathesis");
    let mut command = Command::new(tool);
    let settings = folder.join("schemathesis.toml");
    std::fs::write(&settings, SETTINGS)?;
    let (examples, seconds) = if full() { ("300", "240") } else { ("8", "20") };
    command
        .current_dir(folder)
        .arg("--config-file")
        .arg(settings)
        .arg("run")
        .arg(format!("http://{api}/v3/openapi.json"))
        .args(["--url", &format!("http://{api}")])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--checks", CHECKS])
        .args(LEFT_OUT.iter().flat_map(|name| ["--exclude-operation-id", name]))
        .args(["--max-examples", examples, "--max-time", seconds])
        .args([
            "--workers",
            "1",
            "--request-timeout",
            "10",
            "--seed",
            "7",
            "--no-shrink",
        ])
        .args([
            "--continue-on-failure",
            "--suppress-health-check",
            "all",
            "--warnings",
            "off",
        ])
        .args(["--generation-database", "none", "--no-color"]);
    let mut tool = Process::spawn_family("schemathesis", command)?;
    let limit = Duration::from_secs(if full() { 600 } else { 60 });
    let status = tool.wait(limit).await.with_context(|| tool.last_lines())?;
    let said = tool.log();
    ensure!(status.success(), "schemathesis found something:\n{said}");
    Ok(said)
}
