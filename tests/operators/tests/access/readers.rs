//! Real readers with a user in their URL: each does what its authors made of RFC 2326 section 11, by Basic and by digest.
//! The stream is real too.

use anyhow::{Context, Result, ensure};
use std::process::Command;
use std::time::Duration;
use weft_testkit::node::{Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::process::Process;
use weft_testkit::read::{Client, read};
use weft_testkit::tools;

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn real_readers_show_who_they_are_by_basic_and_by_digest() -> Result<()> {
    for methods in ["basic", "digest", "digest, basic"] {
        let node = Plan::new(Role::Standalone)
            .with("authInternalUsers:")
            .with("- {user: any, ips: [127.0.0.1], permissions: [{action: api}]}")
            .with("- {user: cam, pass: one, permissions: [{action: publish}]}")
            .with("- {user: desk, pass: 'two', permissions: [{action: read, path: exam/1}]}")
            .with(&format!("rtspAuthMethods: [{methods}]"))
            .start()
            .await?;
        let mut command = Command::new(tools::weft()?);
        let whip = node.whip("exam/1")?;
        command.args(["publish", "--to", &whip, "--token", "cam:one"]);
        let _publisher = Process::spawn("weft-publish", command)?;
        node.wait_for("exam/1", Duration::from_secs(15)).await?;
        let url = node.rtsp("exam/1")?.replace("rtsp://", "rtsp://desk:two@");
        let (ffprobe, gstreamer, retina) = tokio::join!(
            read(Client::Ffprobe, &url, 20, LIMIT),
            read(Client::GstreamerTcp, &url, 20, LIMIT),
            async { oracle::open(&url, Over::Tcp).await.map(drop) },
        );
        for (reader, report) in [("ffprobe", ffprobe), ("GStreamer", gstreamer)] {
            let report = report.with_context(|| format!("{reader}, {methods}"))?;
            ensure!(report.frames >= 20, "{reader}, {methods}: {}", report.line());
        }
        retina.with_context(|| format!("retina, {methods}"))?;
        let stranger = oracle::open(&node.rtsp("exam/1")?, Over::Tcp).await;
        ensure!(stranger.is_err(), "{methods}: read without a login");
    }
    Ok(())
}
