//! One page publishes a clock, another shows it: how late it is there, at a size that this machine encodes easily, and whether
//! the size that is asked for is held.

use crate::browser::{Browser, Seen, Tab};
use crate::publish::page;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::{figure, full};

const LIMIT: Duration = Duration::from_secs(40);
/// Pictures over which the latency is judged.
const JUDGED: usize = 60;

/// The median latency that is allowed, in ms.
const MOST_BY_WHEP: i64 = 300;
pub(crate) const MOST_BY_HLS: i64 = 2500;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_in_one_tab_is_seen_in_another_by_whep_at_once() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let mut browser = open("watch", &node, "width=640&height=360").await?;
    let seen = watched(&browser, "whep", (640, 360)).await?;
    let late = median(&seen).context("no clock could be read")?;
    figure(format!(
        "whep at 640x360: {late} ms late, median of {JUDGED} pictures"
    ));
    browser.picture().await?;
    ensure!(late <= MOST_BY_WHEP, "{late} ms late");
    browser.close()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_in_one_tab_is_seen_in_another_by_low_latency_hls() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let publish = page(&node, "cam", "source=canvas&width=640&height=360")?;
    let watch = format!("http://{}/cam/?mode=hls", node.address("webrtc")?);
    let tabs = [
        Tab::new("publish", &publish),
        Tab::new("hls", &watch).with("dark", true),
    ];
    let mut browser = Browser::open("watch-hls", &[], &tabs).await?;
    let seen = watched(&browser, "hls", (640, 360)).await?;
    let late = median(&seen).context("no clock could be read")?;
    figure(format!(
        "hls at 640x360: {late} ms late, median of {JUDGED} pictures"
    ));
    browser.picture().await?;
    ensure!(late <= MOST_BY_HLS, "{late} ms late");
    browser.close()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_picture_of_1920x1080_is_held() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    // Software encodes and decodes it on this machine: few pictures, all of them whole.
    let query = if full() {
        "width=1920&height=1080"
    } else {
        "width=1920&height=1080&fps=10"
    };
    let mut browser = open("watch-full", &node, query).await?;
    let seen = watched(&browser, "whep", (1920, 1080)).await?;
    let other = seen.iter().find(|seen| (seen.width, seen.height) != (1920, 1080));
    ensure!(other.is_none(), "{other:?}");
    figure(format!("whep at 1920x1080: {:?} ms late", median(&seen)));
    browser.picture().await?;
    browser.close()
}

async fn open(name: &str, node: &Node, query: &str) -> Result<Browser> {
    let publish = page(node, "cam", &format!("source=canvas&{query}"))?;
    let watch = format!("http://{}/cam/?mode=whep", node.address("webrtc")?);
    let tabs = [Tab::new("publish", &publish), Tab::new("whep", &watch)];
    let browser = Browser::open(name, &[], &tabs).await?;
    browser
        .wait("publish", "live", LIMIT, |seen| seen.kind == "live")
        .await?;
    Ok(browser)
}

/// Waits until a tab shows a picture of this size that moves, and some time more; gives what it showed since.
async fn watched(browser: &Browser, tab: &str, size: (u32, u32)) -> Result<Vec<Seen>> {
    let good = |seen: &Seen| seen.kind == "live" && (seen.width, seen.height) == size && seen.frames > 10;
    let first = browser
        .wait(tab, "a live picture of the size sent", LIMIT, good)
        .await?;
    let more = |seen: &Seen| seen.at > first.at && seen.frames >= first.frames + JUDGED as u64;
    let last = browser.wait(tab, "more pictures", LIMIT, more).await?;
    ensure!(last.time > first.time, "the video's time stands still: {last:?}");
    let seen = browser.seen(tab).into_iter();
    Ok(seen
        .filter(|seen| seen.at >= first.at && seen.at <= last.at)
        .collect())
}

/// How late the pictures were, by the clock in them: the middle of all that could be read.
pub(crate) fn median(seen: &[Seen]) -> Option<i64> {
    let all = seen.iter().flat_map(|seen| &seen.shown);
    let mut late: Vec<i64> = all.filter_map(|(_, late)| *late).collect();
    late.sort_unstable();
    late.get(late.len() / 2).copied()
}
