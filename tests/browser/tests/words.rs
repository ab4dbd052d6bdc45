//! What the publish page says when something is wrong: what happened and what to do, for each kind of trouble, in pictures
//! too. That it says so is tested here; that the words are good is looked at.

use crate::browser::{Browser, FAKE_CAMERA, SAYS_YES, Seen, Tab};
use crate::publish::page;
use anyhow::{Result, ensure};
use std::time::Duration;
use weft_testkit::http;
use weft_testkit::node::{Plan, Role};

const LIMIT: Duration = Duration::from_secs(30);
const TEST_PICTURE: &str = "source=canvas&width=320&height=180";

/// Waits for a problem of this kind and for words that hold both texts.
pub(crate) async fn says(browser: &Browser, tab: &str, kind: &str, texts: [&str; 2]) -> Result<Seen> {
    let what = format!("the problem {kind}");
    let seen = browser
        .wait(tab, &what, LIMIT, |seen| seen.problem == kind)
        .await?;
    for text in texts {
        ensure!(
            seen.words.contains(text),
            "{tab}: no \"{text}\" in \"{}\"",
            seen.words
        );
    }
    Ok(seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_a_full_node_and_an_unknown_path_are_told_in_words() -> Result<()> {
    let node = Plan::new(Role::Standalone)
        .with("paths:\n  open:\n  locked:\n  other:")
        .with(
            "authInternalUsers:\n  - user: any\n    permissions:\n      - action: publish\n        path: ~^(open|other|nowhere)$\n      - action: read\n      - action: api",
        )
        .fabric("limits: { publishers: 1 }")
        .start()
        .await?;
    let tabs = [
        Tab::new("token", &page(&node, "locked", "token=wrong")?),
        Tab::new("nowhere", &page(&node, "nowhere", "")?),
        Tab::new("open", &page(&node, "open", TEST_PICTURE)?),
        Tab::new("full", &page(&node, "other", TEST_PICTURE)?).with("dark", true),
    ];
    let mut browser = Browser::open("words", &[], &tabs).await?;
    says(
        &browser,
        "token",
        "unauthorised",
        ["You may not publish here", "fresh link"],
    )
    .await?;
    says(&browser, "nowhere", "not-found", ["no such path", "address"]).await?;
    browser
        .wait("open", "live", LIMIT, |seen| seen.kind == "live")
        .await?;
    says(&browser, "full", "full", ["no room", "tries again by itself"]).await?;
    browser.picture().await?;
    browser.close()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_missing_or_denied_is_told_in_words() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let tab = Tab::new("none", &page(&node, "cam", "")?).with("click", "#go");
    let mut browser = Browser::open("no-camera", &[SAYS_YES], &[tab]).await?;
    says(&browser, "none", "no-device", ["No camera", "Plug one in"]).await?;
    browser.picture().await?;
    browser.close()?;

    let tab = Tab::new("denied", &page(&node, "cam", "")?)
        .with("click", "#go")
        .with("denied", true);
    let mut browser = Browser::open("denied", &[FAKE_CAMERA], &[tab]).await?;
    says(&browser, "denied", "denied", ["not allowed", "address bar"]).await?;
    browser.picture().await?;
    browser.close()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_was_taken_over_or_ended_stays_quiet_and_says_why() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let url = page(&node, "cam", TEST_PICTURE)?;
    let mut first = Browser::open("taken-over", &[], &[Tab::new("first", &url)]).await?;
    first
        .wait("first", "live", LIMIT, |seen| seen.kind == "live")
        .await?;
    let second = Browser::open("taking", &[], &[Tab::new("second", &url)]).await?;
    second
        .wait("second", "live", LIMIT, |seen| seen.kind == "live")
        .await?;
    says(
        &first,
        "first",
        "taken-over",
        ["Another publisher", "until you press Start"],
    )
    .await?;
    first.picture().await?;
    // The second is not fought for its name.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let last = second.seen("second").pop().unwrap_or_default();
    ensure!((last.kind.as_str(), last.sessions) == ("live", 1), "{last:?}");

    let list = http::get(node.address("api")?, "/v3/webrtcsessions/list")
        .await?
        .json()?;
    let id = list["items"][0]["id"].as_str().unwrap_or_default().to_owned();
    let kicked = http::request(
        "POST",
        node.address("api")?,
        &format!("/v3/webrtcsessions/kick/{id}"),
        &[],
        b"",
    )
    .await?;
    ensure!(kicked.status == 200, "{} {list}", kicked.status);
    says(&second, "second", "kicked", ["operator", "Ask"]).await?;
    first.close()?;
    second.close()
}
