//! What the watch page says when there is nothing to watch, or no more: who may not, what is not there, who was sent away and
//! which stream is over, in pictures too. That it says so is tested here; that the words are good is looked at.

use crate::browser::{Browser, Tab};
use crate::words::says;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use weft_testkit::fixture::{self, LIGHT};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::{http, publish};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_watch_and_what_is_not_there_is_told_in_words() -> Result<()> {
    let node = Plan::new(Role::Standalone)
        .with("paths:\n  open:\n  locked:")
        .with(
            "authInternalUsers:\n  - user: any\n    permissions:\n      - action: read\n        path: ~^(open|nowhere)$",
        )
        .start()
        .await?;
    let tabs = [
        Tab::new("token", &page(&node, "locked", "token=wrong")?),
        Tab::new("nowhere", &page(&node, "nowhere", "")?).with("dark", true),
        Tab::new("nobody", &page(&node, "open", "mode=whep")?),
        Tab::new("nobody-hls", &page(&node, "open", "mode=hls")?),
    ];
    let mut browser = Browser::open("watch-words", &[], &tabs).await?;
    let may_not = ["You may not watch this", "fresh link"];
    says(&browser, "token", "unauthorised", may_not).await?;
    says(&browser, "nowhere", "not-found", ["no such path", "address"]).await?;
    for tab in ["nobody", "nobody-hls"] {
        let words = ["Nobody is publishing here", "appears by itself"];
        let seen = says(&browser, tab, "not-found", words).await?;
        ensure!(seen.state == "Waiting for a publisher", "{}", seen.state);
    }
    browser.picture().await?;
    browser.close()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_is_sent_away_and_a_stream_that_is_over_are_told_in_words() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let publisher = publish::ffmpeg_copy(&node.whip("cam")?, &fixture::clip(LIGHT)?)?;
    node.wait_for("cam", LIMIT).await?;
    let tabs = [
        Tab::new("kicked", &page(&node, "cam", "mode=whep&who=kicked")?),
        Tab::new("whep", &page(&node, "cam", "mode=whep")?),
        Tab::new("hls", &page(&node, "cam", "mode=hls")?),
    ];
    let mut browser = Browser::open("watch-over", &[], &tabs).await?;
    for tab in ["kicked", "whep", "hls"] {
        let plays = |seen: &crate::browser::Seen| seen.kind == "live" && seen.frames > 0;
        browser.wait(tab, "a live picture", LIMIT, plays).await?;
    }
    let api = node.address("api")?;
    let list = http::get(api, "/v3/webrtcsessions/list").await?.json()?;
    let sessions = list["items"].as_array().context("no list")?;
    let session = sessions.iter().find(|session| session["query"] == "who=kicked");
    let id = session.and_then(|session| session["id"].as_str());
    let kick = format!(
        "/v3/webrtcsessions/kick/{}",
        id.with_context(|| list.to_string())?
    );
    let kicked = http::request("POST", api, &kick, &[], b"").await?;
    ensure!(kicked.status == 200, "{}", kicked.status);
    says(&browser, "kicked", "kicked", ["operator ended", "Ask them"]).await?;
    // FFmpeg says goodbye.
    publisher.signal("INT")?;
    says(&browser, "hls", "ended", ["stream has ended", "appears again"]).await?;
    // What a viewer that asks again is told, and what stays.
    for tab in ["whep", "hls"] {
        let words = ["Nobody is publishing here", "appears by itself"];
        let seen = says(&browser, tab, "not-found", words).await?;
        ensure!(
            seen.kind == "held" && seen.state == "Waiting for a publisher",
            "{seen:?}"
        );
    }
    browser.picture().await?;
    browser.close()
}

fn page(node: &Node, stream: &str, query: &str) -> Result<String> {
    Ok(format!("http://{}/{stream}/?{query}", node.address("webrtc")?))
}
