//! What strangers and tired operators do to the program: requests that would write into the log, addresses that can never
//! work, files that a killed run left behind. What hostile media does is tested where media is read.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use anyhow::{Result, ensure};
use std::process::{Command, Stdio};
use std::time::Duration;
use weft_testkit::node::{Plan, Role};
use weft_testkit::{http, until};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_request_writes_no_log_lines_of_its_own() -> Result<()> {
    let mut node = Plan::new(Role::Standalone).start().await?;
    let webrtc = node.address("webrtc")?.to_owned();
    let sdp = [("Content-Type", "application/sdp")];
    let answer = http::request("POST", &webrtc, "/a%0aFORGED%20line%0db/whip", &sdp, b"v=0\r\n").await?;
    ensure!(answer.status == 400, "{}", answer.text());
    for _ in 0..3 {
        http::exchange(&webrtc, b"GET /\xff HTTP/1.1\r\n\r\n").await?;
    }
    node.process().wait_for_line("offer refused", SOON).await?;
    let log = node.process().log();
    ensure!(!log.lines().any(|line| line.starts_with("FORGED")), "{log}");
    ensure!(!log.contains("parse error"), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitoring_port_that_hangs_does_not_keep_a_node_from_ending() -> Result<()> {
    let hole = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = hole.local_addr()?.port();
    let plan = Plan::new(Role::Standalone).fabric(&format!("nats: {{monitor: ['http://127.0.0.1:{port}']}}"));
    let mut node = plan.start().await?;
    let began = std::time::Instant::now();
    let code = node.terminate(SOON).await?;
    let took = began.elapsed();
    ensure!(
        code == Some(0) && took < Duration::from_secs(2),
        "{code:?} after {took:?}"
    );
    Ok(())
}

#[test]
fn what_can_never_work_is_told_at_once_without_what_may_be_secret() {
    for (to, stream) in [
        ("", "demo"),
        ("http://", "demo"),
        ("rtsp://a:1", "demo"),
        ("https://a:1", "demo"),
        ("::::", "demo"),
        ("a b/x/whip?jwt=geheim", "demo"),
        ("http://a:1", "a b"),
        ("http://a:1", ""),
    ] {
        let mut publish = Command::new(env!("CARGO_BIN_EXE_weft"))
            .args(["publish", "--to", to, "--stream", stream])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let began = std::time::Instant::now();
        while publish.try_wait().unwrap().is_none() && began.elapsed() < SOON {
            std::thread::sleep(Duration::from_millis(10));
        }
        let in_time = publish.try_wait().unwrap().is_some();
        publish.kill().ok();
        let output = publish.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            in_time && output.status.code() == Some(64),
            "'{to}' '{stream}': {said}"
        );
        assert!(said.contains("--to: '") || said.contains("--stream: "), "{said}");
        assert!(!said.contains("geheim"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_file_of_a_killed_run_is_gone_while_the_next_one_waits_for_the_bus() -> Result<()> {
    // Nobody listens there: a reserved port.
    let mut node = Plan::new(Role::Ingest).nats("nats://127.0.0.1:1").spawn()?;
    let file = node.address_file().to_owned();
    std::fs::write(&file, r#"{"api":"127.0.0.1:9"}"#)?;
    let gone = until("the old file's end", SOON, || {
        std::future::ready((!file.exists()).then_some(()))
    });
    let gone = gone.await;
    drop(std::fs::remove_file(&file));
    gone?;
    ensure!(node.process().running());
    Ok(())
}
