//! The publish page: it publishes what it is told to, at the size that was asked for, and two linked streams where asked.
//! What it says when it cannot is in `words`.

use crate::browser::{Browser, FAKE_CAMERA, SAYS_YES, Tab};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::Duration;
use weft_testkit::figure;
use weft_testkit::node::{Node, Plan, Role};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_test_picture_is_published_at_the_size_that_was_asked_for() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let url = page(&node, "cam", "source=canvas&width=640&height=360")?;
    let mut browser = Browser::open("publish", &[], &[Tab::new("publish", &url)]).await?;
    browser
        .wait("publish", "live", LIMIT, |seen| seen.kind == "live")
        .await?;
    node.wait_for("cam", LIMIT).await?;
    let sent = |seen: &crate::browser::Seen| {
        let figures = seen.figures.clone().unwrap_or_default();
        figures["width"] == 640 && figures["height"] == 360 && figures["frames"].as_u64() > Some(60)
    };
    let seen = browser
        .wait("publish", "60 pictures of 640x360 sent", LIMIT, sent)
        .await?;
    let video = video(&node, "cam").await?;
    ensure!(video["codec"] == "H264", "{video}");
    figure(format!("published: {}", seen.figures.unwrap_or_default()));
    browser.picture().await?;
    browser.close()
}

#[tokio::test(flavor = "multi_thread")]
async fn camera_and_screen_are_published_as_two_linked_streams() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let url = page(&node, "exam_1", "with=screen&width=640&height=360")?;
    let tab = Tab::new("publish", &url).with("click", "#go");
    let flags = [
        FAKE_CAMERA,
        SAYS_YES,
        "--auto-select-desktop-capture-source=Entire screen",
    ];
    let mut browser = Browser::open("linked", &flags, &[tab]).await?;
    browser
        .wait("publish", "live", LIMIT, |seen| seen.kind == "live")
        .await?;
    for name in ["exam_1", "exam_1_screen"] {
        node.wait_for(name, LIMIT).await?;
    }
    browser.picture().await?;
    browser.close()
}

/// A page's URL at a node.
pub(crate) fn page(node: &Node, stream: &str, query: &str) -> Result<String> {
    Ok(format!(
        "http://{}/{stream}/publish?{query}",
        node.address("webrtc")?
    ))
}

async fn video(node: &Node, stream: &str) -> Result<Value> {
    let path = node.path(stream).await?.context("no such stream")?;
    let tracks = path["tracks2"].as_array().context("no tracks")?;
    let video = tracks.iter().find(|track| track["codec"] != "Opus");
    video.cloned().with_context(|| path.to_string())
}
