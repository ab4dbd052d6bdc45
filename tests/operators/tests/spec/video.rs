//! What the specification says of the picture.
//! That pictures arrive undamaged is tested end to end; whether a browser sends 1080p is its business and the network's.

use super::weft::Weft;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use weft_testkit::figure;
use weft_testkit::oracle::{self, Over};

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_of_42e01f_is_answered_with_it() -> Result<()> {
    let weft = Weft::of("development.yml").await?;
    let answer = weft
        .offer("/api/webrtc/whip?examId=exam_1&participantId=student_1", &[])
        .await?;
    ensure!(answer.status == 201, "{} {}", answer.status, answer.text());
    let sdp = answer.text();
    let fmtp = sdp.lines().find(|line| line.starts_with("a=fmtp:102 "));
    let fmtp = fmtp.with_context(|| sdp.clone())?;
    ensure!(fmtp.contains("profile-level-id=42e01f"), "{fmtp}");
    // The level is what we can take: a publisher may send more, such as 1080p (level 4.0), and nothing here asks for less.
    ensure!(fmtp.contains("level-asymmetry-allowed=1"), "{fmtp}");
    ensure!(sdp.contains("a=rtpmap:102 H264/90000"), "{sdp}");
    let limits = ["max-fs", "max-fr", "max-br"];
    ensure!(
        !limits.iter().any(|limit| sdp.contains(limit)),
        "a limit on the picture: {sdp}"
    );
    ensure!(sdp.contains("b=AS:8000\r\n"), "not 8 Mbit/s at most: {sdp}");
    // By which the browser adapts its bit rate.
    ensure!(sdp.contains("a=rtcp-fb:102 nack pli"), "{sdp}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_begins_at_once_with_a_keyframe() -> Result<()> {
    let weft = Weft::of("development.yml").await?;
    let _publisher = weft.publish("test", None)?;
    weft.wait_for("test").await?;
    let url = format!("rtsp://{}/test", weft.address("rtsp")?);
    for _ in 0..3 {
        // At any time between two keyframes.
        let mut reader = oracle::open(&url, Over::Tcp).await?.play().await?;
        let first = reader.next().await?.context("the stream ended")?;
        let wait = first.arrival.duration_since(reader.played);
        figure(format!("first picture after {wait:.0?}"));
        ensure!(first.key, "the first picture is no keyframe");
        ensure!(
            wait < Duration::from_millis(500),
            "the first picture came after {wait:?}"
        );
    }
    Ok(())
}
