//! The watch page in Debian's Firefox: low-latency HLS plays there as it does in Chromium, which publishes the clock that is
//! read off the screen.

use crate::browser::{Browser, Seen, Tab};
use crate::publish::page;
use crate::watch::{MOST_BY_HLS, median};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use weft_testkit::figure;
use weft_testkit::node::{Plan, Role};

const LIMIT: Duration = Duration::from_secs(30);
/// Seconds of the stream's own time that are watched.
const WATCHED: f64 = 5.0;
/// Of 150 pictures; a machine with two cores that encodes and decodes in software may drop some.
const FEWEST: u64 = 120;

#[tokio::test(flavor = "multi_thread")]
async fn firefox_plays_low_latency_hls() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let url = page(&node, "cam", "source=canvas&width=640&height=360")?;
    let publisher = Browser::open("firefox-publisher", &[], &[Tab::new("publish", &url)]).await?;
    node.wait_for("cam", LIMIT).await?;
    let watch = format!("http://{}/cam/?mode=hls", node.address("webrtc")?);
    let mut firefox = Browser::firefox("firefox", &[Tab::new("hls", &watch)]).await?;
    let plays =
        |seen: &Seen| seen.kind == "live" && (seen.width, seen.height) == (640, 360) && seen.frames > 0;
    let first = firefox.wait("hls", "a live picture", LIMIT, plays).await?;
    let later = |seen: &Seen| seen.time >= first.time + WATCHED;
    let last = firefox.wait("hls", "5 s of it", LIMIT, later).await?;
    firefox.picture().await?;

    let seen: Vec<Seen> = firefox
        .seen("hls")
        .into_iter()
        .filter(|seen| seen.at >= first.at)
        .collect();
    let wrong = seen
        .iter()
        .find(|seen| !seen.fault.is_empty() || !seen.problem.is_empty() || seen.kind != "live");
    ensure!(wrong.is_none(), "{wrong:?}");
    ensure!(last.sessions == 1, "{} sessions", last.sessions);
    let pictures = last.frames - first.frames;
    ensure!(pictures >= FEWEST, "{pictures} pictures decoded in {WATCHED} s");
    let late = median(&seen).context("no clock could be read")?;
    figure(format!(
        "hls in Firefox: {pictures} pictures decoded in {:.1} s, {late} ms late by the clock in them, {} ms by the page",
        last.time - first.time,
        last.figures.unwrap_or_default()["latency"]
            .as_f64()
            .unwrap_or_default()
            .round()
    ));
    ensure!(late <= MOST_BY_HLS, "{late} ms late");
    firefox.close()?;
    publisher.close()
}
