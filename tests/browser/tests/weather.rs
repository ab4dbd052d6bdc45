//! A bad network between pages and node: 5 % of the packets lost and up to 200 ms of jitter, both ways. Pictures go on at their
//! size, the bitrate gives way and comes back.

use crate::browser::{Browser, Seen, Tab, now};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use weft_testkit::figure;
use weft_testkit::node::{Plan, Role};
use weft_testkit::relay::{Relay, Weather};
use weft_testkit::whip_proxy::WhipProxy;

const LIMIT: Duration = Duration::from_secs(30);
const BAD: Weather = Weather {
    loss: 0.05,
    jitter: Duration::from_millis(200),
    ..Weather::FAIR
};
/// How long it is bad.
const STORM: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn pages_keep_moving_at_their_size_through_loss_and_jitter() -> Result<()> {
    let node = Plan::new(Role::Standalone).start().await?;
    let target = node.address("ice")?.parse()?;
    let relay = Relay::start(target, 5).await?;
    let proxy = WhipProxy::start(node.address("webrtc")?.to_owned(), &relay).await?;
    let base = proxy.whip("cam").replace("/whip", "");
    let tabs = [
        Tab::new(
            "publish",
            &format!("{base}/publish?source=canvas&width=640&height=360"),
        ),
        Tab::new("watch", &format!("{base}/?mode=whep")),
    ];
    let mut browser = Browser::open("weather", &[], &tabs).await?;
    let live = |seen: &Seen| seen.kind == "live" && seen.frames > 30;
    browser
        .wait("publish", "live", LIMIT, |seen| seen.kind == "live")
        .await?;
    browser.wait("watch", "live", LIMIT, live).await?;
    let fair = settled(&browser, now() + 5000).await?;

    relay.set(BAD);
    let began = now();
    tokio::time::sleep(STORM).await;
    let bad = bitrate(&browser, began + 4000, now()).context("no bitrate in the storm")?;
    browser.picture().await?;
    let watched: Vec<Seen> = browser
        .seen("watch")
        .into_iter()
        .filter(|seen| seen.at > began)
        .collect();
    let shown: Vec<u64> = watched
        .iter()
        .flat_map(|seen| &seen.shown)
        .map(|(at, _)| *at)
        .collect();
    let gap = shown
        .windows(2)
        .map(|two| two[1] - two[0])
        .max()
        .context("no picture in the storm")?;

    relay.set(Weather::FAIR);
    let calm = now();
    // A browser that has seen delays grows by some 8 % a second.
    let limit = Duration::from_secs(30);
    let back = |seen: &Seen| seen.at > calm && sent(seen).is_some_and(|bits| bits >= fair * 0.6);
    let back = browser
        .wait("publish", "the bitrate comes back", limit, back)
        .await?;
    let (passed, lost) = relay.counts();
    figure(format!(
        "{:.0} kbit/s, {:.0} in the storm, back after {} ms; {} pictures seen in it, the longest stop {gap} ms; {lost} of {} lost",
        fair / 1000.0,
        bad / 1000.0,
        back.at - calm,
        shown.len(),
        passed + lost
    ));
    ensure!(bad < fair * 0.8, "the bitrate did not give way: {fair} and {bad}");
    ensure!(gap <= 2000, "the picture stood still for {gap} ms");
    let least = 3 * STORM.as_secs() as usize;
    ensure!(
        shown.len() >= least,
        "{} pictures shown, fewer than {least}",
        shown.len()
    );
    for tab in ["publish", "watch"] {
        let seen = browser.seen(tab);
        let other = seen
            .iter()
            .find(|seen| seen.width > 0 && (seen.width, seen.height) != (640, 360));
        ensure!(other.is_none(), "{tab}: {other:?}");
        let last = seen.last().context("nothing seen")?;
        ensure!(
            (last.kind.as_str(), last.sessions) == ("live", 1),
            "{tab}: {last:?}"
        );
    }
    browser.close()
}

/// The bitrate in the last 3 s before a moment, once it has come.
async fn settled(browser: &Browser, at: u64) -> Result<f64> {
    browser
        .wait("publish", "some seconds more", LIMIT, |seen| seen.at >= at)
        .await?;
    bitrate(browser, at - 3000, at).context("no bitrate")
}

/// The mean of the bitrates that the publish page showed between two moments.
fn bitrate(browser: &Browser, from: u64, to: u64) -> Option<f64> {
    let seen = browser
        .seen("publish")
        .into_iter()
        .filter(|seen| (from..to).contains(&seen.at));
    let all: Vec<f64> = seen.filter_map(|seen| sent(&seen)).collect();
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
}

fn sent(seen: &Seen) -> Option<f64> {
    seen.figures.as_ref()?["bitrate"].as_f64()
}
