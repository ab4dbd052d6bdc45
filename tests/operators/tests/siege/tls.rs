//! TLS with the clients people use: FFmpeg publishes by HTTPS and checks the certificate; FFmpeg, GStreamer, PyAV and OpenCV
//! read by RTSPS; a certificate is replaced under open sessions, which go on.

use super::certificate::Certificate;
use super::fortress::with_rtsps;
use anyhow::{Context, Result, ensure};
use std::process::Command;
use std::time::Duration;
use weft_testkit::fixture::{self, Clip, MINUTE};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::process::Process;
use weft_testkit::read::{self, Client};
use weft_testkit::{http, tools, until};

/// Runs curl and gives its status and what came.
fn curl(arguments: &[&str]) -> Result<(bool, String)> {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "10"])
        .args(arguments)
        .output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

/// The node's whole configuration with TLS on each port; `webrtc` has a plain one beside.
fn plan(certificate: &Certificate) -> Plan {
    let (file, key) = (certificate.certificate(), certificate.key());
    let mut plan = with_rtsps(Plan::new(Role::Standalone), certificate)
        .with("webrtcTLSAddress: 127.0.0.1:0")
        .with("hlsEncryption: yes")
        .with("apiEncryption: yes")
        .with("metricsEncryption: yes");
    for face in ["webrtc", "hls", "api", "metrics"] {
        plan = plan
            .with(&format!("{face}ServerCert: {}", file.display()))
            .with(&format!("{face}ServerKey: {}", key.display()));
    }
    plan
}

/// FFmpeg publishes by HTTPS and checks whom it speaks to.
fn publish(url: &str, clip: &Clip, authority: &std::path::Path) -> Result<Process> {
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
        .args(["-c", "copy", "-f", "whip", url])
        .env("SSL_CERT_FILE", authority);
    Process::spawn("ffmpeg-whip-tls", command)
}

async fn ready(node: &Node, certificate: &Certificate, stream: &str, publisher: &Process) -> Result<()> {
    let url = format!("https://{}/v3/paths/get/{stream}", node.address("api")?);
    let file = certificate.certificate();
    let file = file.to_string_lossy();
    until("the stream", Duration::from_secs(20), || async {
        let (_, text) = curl(&["--cacert", &file, &url]).ok()?;
        text.contains("\"ready\":true").then_some(())
    })
    .await
    .with_context(|| publisher.last_lines())
}

/// HLS is spoken over TLS alone, by HTTP/1.1 whatever else the client offers: Apple's players want HTTP/2 for parts.
fn hls(node: &Node, authority: &str) -> Result<()> {
    let address = node.address("hlsTls")?;
    let url = format!("https://{address}/cam/index.m3u8");
    let version = ["--http2", "-w", "\nspoken: %{http_version}"];
    let (done, text) = curl(&[&["--cacert", authority][..], &version, &[&url]].concat())?;
    ensure!(
        done && text.starts_with("#EXTM3U") && text.ends_with("spoken: 1.1"),
        "{text}"
    );
    let (done, text) = curl(&[&url.replace("https:", "http:")])?;
    ensure!(!done || !text.contains("#EXTM3U"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn real_clients_publish_read_and_look_over_tls_and_a_new_certificate_ends_no_session() -> Result<()> {
    let certificate = Certificate::new()?;
    let authority = certificate.certificate();
    let mut node = plan(&certificate).start().await?;
    let secure = node.address("webrtcTls")?.to_owned();
    let clip = fixture::clip(MINUTE)?;
    // A copy: the node's own file changes below.
    let trusted = certificate.folder().join("trusted.pem");
    std::fs::copy(&authority, &trusted)?;
    let mut publisher = publish(&format!("https://{secure}/cam/whip"), &clip, &trusted)?;
    ready(&node, &certificate, "cam", &publisher).await?;

    let rtsps = format!("rtsps://{}/cam", node.address("rtsps")?);
    for client in [
        Client::Ffprobe,
        Client::PyAv,
        Client::OpenCv,
        Client::GstreamerTcp,
    ] {
        let report = read::read(client, &rtsps, 40, Duration::from_secs(30)).await?;
        weft_testkit::figure(format!("{client:?} over TLS: {}", report.line()));
        report.judge(40).with_context(|| format!("{client:?}"))?;
    }

    hls(&node, &trusted.to_string_lossy())?;

    // The plain port sends people to TLS, programs stay.
    let plain = node.address("webrtc")?.to_owned();
    let page = http::get(&plain, "/cam/publish?a=b").await?;
    let port = secure.rsplit_once(':').context("no port")?.1;
    ensure!(page.status == 307, "{}", page.status);
    let there = format!("https://127.0.0.1:{port}/cam/publish?a=b");
    ensure!(page.header("location") == Some(&there), "{:?}", page.headers);
    let (done, text) = curl(&["--cacert", &trusted.to_string_lossy(), &there])?;
    ensure!(done && text.contains("<html"), "{text}");
    let posted = http::request(
        "POST",
        &plain,
        "/cam/whip",
        &[("Content-Type", "application/sdp")],
        b"v=0",
    )
    .await?;
    ensure!(matches!(posted.status, 400 | 406), "{}", posted.status);

    // Who is not trusted is not spoken to; what is no TLS is refused.
    let (done, text) = curl(&[&format!("https://{secure}/cam/publish")])?;
    ensure!(!done && text.contains("certificate"), "{text}");
    let api = node.address("api")?.to_owned();
    ensure!(
        http::get(&api, "/v3/info").await.is_err(),
        "the API spoke in the clear"
    );

    // The pair is replaced while both sessions are open.
    let mut reader = oracle::open(&node.rtsp("cam")?, Over::Tcp).await?.play().await?;
    reader.read_units(5, Duration::from_secs(5)).await?;
    certificate.renew()?;
    node.process()
        .wait_for_line("certificate replaced", Duration::from_secs(5))
        .await?;
    let api = format!("https://{}", node.address("api")?);
    until("the new certificate", Duration::from_secs(5), || async {
        let (done, _) = curl(&[
            "--cacert",
            &authority.to_string_lossy(),
            &format!("{api}/v3/info"),
        ])
        .ok()?;
        done.then_some(())
    })
    .await?;
    let (done, _) = curl(&["--cacert", &trusted.to_string_lossy(), &format!("{api}/v3/info")])?;
    ensure!(!done, "the old certificate is still shown");
    let units = reader.read_for(Duration::from_secs(2)).await?;
    ensure!(units.len() > 20, "{} units", units.len());
    ensure!(publisher.running(), "{}", publisher.last_lines());

    // A broken pair is told, and the one before stays.
    std::fs::write(&authority, "nothing\n")?;
    node.process()
        .wait_for_line("changed certificate files are not used", Duration::from_secs(5))
        .await?;
    ensure!(publisher.running(), "{}", publisher.last_lines());
    let metrics = format!("https://{}/metrics", node.address("metrics")?);
    let (_, text) = curl(&["-k", &metrics])?;
    ensure!(
        text.contains("weft_tls_certificate_expiry_timestamp_seconds"),
        "{text}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_ports_speak_nothing_but_tls() -> Result<()> {
    let certificate = Certificate::new()?;
    let (file, key) = (certificate.certificate(), certificate.key());
    let mut plan = Plan::new(Role::Standalone)
        .with("webrtcEncryption: yes")
        .with("rtspEncryption: strict")
        .with("rtspsAddress: 127.0.0.1:0");
    for face in ["webrtc", "rtsp"] {
        plan = plan
            .with(&format!("{face}ServerCert: {}", file.display()))
            .with(&format!("{face}ServerKey: {}", key.display()));
    }
    let mut node = plan.start().await?;
    ensure!(node.address("rtsp").is_err(), "RTSP is spoken in the clear");
    let secure = node.address("webrtc")?.to_owned();
    ensure!(node.address("webrtcTls")? == secure);
    let trusted = file.to_string_lossy().into_owned();
    let (done, text) = curl(&["--cacert", &trusted, &format!("https://{secure}/cam/publish")])?;
    ensure!(done && text.contains("<html"), "{text}");
    let (_, described) = curl(&[
        "--cacert",
        &trusted,
        "--http2",
        "-I",
        &format!("https://{secure}/cam/publish"),
    ])?;
    ensure!(described.starts_with("HTTP/1.1 200"), "{described}");
    ensure!(
        http::get(&secure, "/cam/publish").await.is_err(),
        "HTTP was spoken in the clear"
    );
    let log = node.process().log();
    ensure!(log.contains(&format!("https://{secure}/")), "{log}");
    ensure!(log.contains("rtsps://"), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_certificate_is_told_with_the_command_that_makes_one() -> Result<()> {
    let plan = Plan::new(Role::Standalone)
        .with("rtspEncryption: optional")
        .with("rtspsAddress: 127.0.0.1:0");
    let mut node = plan.spawn()?;
    node.process().wait(Duration::from_secs(10)).await?;
    let log = node.process().log();
    ensure!(
        log.contains("rtspServerCert") && log.contains("openssl req -x509"),
        "{log}"
    );
    Ok(())
}
