//! The three forms of one picture, in one process and over NATS: FFmpeg's decoders take the byte stream and the MP4 file and
//! see the same, the JPEG file shows it, and it is a picture of the clip that is published.

use super::CAMERA;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use weft_bus::testing::NatsServer;
use weft_testkit::fixture::{self, Clip};
use weft_testkit::http::{self, Response};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::units::{annex_b, fingerprint};
use weft_testkit::{figure, publish, tools, until};

#[tokio::test(flavor = "multi_thread")]
async fn other_decoders_take_the_files_and_see_what_the_jpeg_shows() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let clip = fixture::clip(CAMERA)?;
    let _camera = publish::ffmpeg_copy(&node.whip("cam")?, &clip)?;
    node.wait_for("cam", Duration::from_secs(15)).await?;
    shows(&node, "cam", &clip, "in one process").await?;
    let nobody = http::get(node.address("webrtc")?, "/nobody/snapshot.jpg").await?;
    ensure!(nobody.status == 404, "{}: {}", nobody.status, nobody.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn they_do_over_nats_and_an_ingest_node_says_where() -> Result<()> {
    let nats = NatsServer::start().await?;
    let plan = |role| Plan::new(role).nats(&nats.url());
    let ingest = plan(Role::Ingest).start().await?;
    let egress = plan(Role::Egress).start().await?;
    let clip = fixture::clip(CAMERA)?;
    let _camera = publish::ffmpeg_copy(&ingest.whip("cam")?, &clip)?;
    ingest.wait_for("cam", Duration::from_secs(15)).await?;
    shows(&egress, "cam", &clip, "over NATS").await?;
    let home = egress.address("webrtc")?;
    let path = "/cam/snapshot.jpg?width=320";
    let what = "the way to the egress node";
    let sent = until(what, Duration::from_secs(10), || async {
        let answer = http::get(ingest.address("webrtc").ok()?, path).await.ok()?;
        (answer.status == 307).then_some(answer)
    });
    let to = sent.await?.header("Location").unwrap_or_default().to_owned();
    ensure!(to == format!("http://{home}{path}"), "sent to {to}");
    Ok(())
}

/// Fetches one picture in each of its forms and has them compared.
async fn shows(node: &Node, stream: &str, clip: &Clip, how: &str) -> Result<()> {
    let [h264, mp4, jpeg] = one_picture(node, stream).await?;
    let nals = annex_b(&h264.body);
    let shown = fingerprint(nals.iter().copied());
    ensure!(
        clip.units
            .iter()
            .any(|unit| unit.key && unit.fingerprint == shown),
        "no key picture of the clip"
    );
    let folder = tools::scratch("stills")?;
    let mut files = Vec::new();
    for (answer, kind) in [(&h264, "h264"), (&mp4, "mp4"), (&jpeg, "jpg")] {
        let path = folder.join(format!("{}-{how}.{kind}", std::process::id()));
        std::fs::write(&path, &answer.body)?;
        files.push(path);
    }
    let output = tokio::process::Command::new(tools::python()?)
        .arg("-B")
        .arg(tools::script("interop/readers/still.py"))
        .args(&files)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stdout);
    let trouble = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}{trouble}");
    let report: serde_json::Value = serde_json::from_str(said.trim()).context("the script's report")?;
    let number = |key: &str| report[key].as_f64().context("a number");
    let (psnr, yardstick, width) = (number("psnr")?, number("yardstick")?, number("width")?);
    figure(format!(
        "{how}: JPEG against the decoded picture {psnr:.1} dB (OpenCV's own {yardstick:.1} dB), {} bytes",
        jpeg.body.len()
    ));
    ensure!(
        report["same"] == true,
        "MP4 and byte stream decode to different pictures"
    );
    ensure!(width == 1280.0 && psnr >= yardstick - 1.0, "{report}");
    for file in &files {
        let mut command = tokio::process::Command::new("ffprobe");
        command.args("-v error -show_entries stream=width,height -of csv=p=0".split(' '));
        let output = command.arg(file).output().await?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success() && said.trim() == "1280,720" && output.stderr.is_empty(),
            "{file:?}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    for file in files {
        std::fs::remove_file(file)?;
    }
    Ok(())
}

/// The same picture three times: the stream goes on meanwhile.
async fn one_picture(node: &Node, stream: &str) -> Result<[Response; 3]> {
    let address = node.address("webrtc")?;
    let paths = ["keyframe.h264", "keyframe.mp4", "snapshot.jpg"].map(|file| format!("/{stream}/{file}"));
    until("three forms of one picture", Duration::from_secs(15), || async {
        let mut answers = Vec::new();
        for path in &paths {
            answers.push(http::get(address, path).await.ok()?);
        }
        let tag = answers[0].header("ETag")?.to_owned();
        let same = |answer: &Response| answer.status == 200 && answer.header("ETag") == Some(&tag);
        answers.iter().all(same).then_some(())?;
        answers.try_into().ok()
    })
    .await
}
