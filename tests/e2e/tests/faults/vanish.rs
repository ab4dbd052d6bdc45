//! Publishers whose packets just stop: the stream stalls in 4 s, its readers are held, the name is free for a newcomer on any
//! node, and the session is gone within 35 s. Runs beside other faults, on streams of its own.

use super::fabric::Fabric;
use super::live::{FRAME, Live, clip};
use super::table::Row;
use anyhow::{Context, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::time::{Duration, Instant};
use weft_testkit::account::account;
use weft_testkit::http;
use weft_testkit::until;
use weft_testkit::watch::Watcher;

/// Media is missed after 4 s; a look at it each half second, and an answer over HTTP, come on top.
const STALLED: Duration = Duration::from_millis(4700);
const GONE: Duration = Duration::from_secs(35);

/// Publishes on the first ingest node, takes the publishers away, waits until they are missed, and lets newcomers on the
/// second node take every other name. That the other sessions end takes longer and is a future that runs by itself.
pub(super) async fn begin(
    fabric: &mut Fabric,
    count: usize,
) -> Result<BoxFuture<'static, Result<Result<Row>>>> {
    let clip = clip()?;
    let mut streams = Vec::new();
    for place in 0..2 * count {
        let mut live = Live::new(format!("vanish{place}"), clip.clone());
        live.publish(vec![fabric.ingests[0].node.whip(&live.name)?])
            .await?;
        for egress in &fabric.egresses {
            live.watchers
                .push(Watcher::start(vec![egress.node.rtsp(&live.name)?]));
        }
        streams.push(live);
    }
    for live in &streams {
        until(
            "readers of the streams that are to vanish",
            Duration::from_secs(10),
            || {
                std::future::ready(
                    live.watchers
                        .iter()
                        .all(|watcher| watcher.last().is_some())
                        .then_some(()),
                )
            },
        )
        .await?;
    }
    let api = fabric.ingests[0].node.address("api")?.to_owned();
    let free = fabric.ingests[1].node.whip("")?;
    let stalls = streams.iter_mut().map(|live| stall(live, &api));
    let stalls = futures::future::try_join_all(stalls).await?;
    let mut told = Vec::new();
    let mut ending = Vec::new();
    for (place, (mut live, (from, stalled))) in streams.into_iter().zip(stalls).enumerate() {
        if place % 2 == 1 {
            let whip = free.replace("//whip", &format!("/{}/whip", live.name));
            told.push(taken(&mut live, from, stalled, whip).await?);
        } else {
            ending.push(ends(live, from, stalled, api.clone()));
        }
    }
    let task = tokio::spawn(futures::future::try_join_all(ending));
    let rest = async move {
        let ended = task.await?;
        Ok(ended.map(|ended| row(told.into_iter().chain(ended).collect())))
    };
    Ok(rest.boxed())
}

struct Told {
    stalled: Duration,
    gone: Option<Duration>,
    back: Vec<Duration>,
    stale: usize,
}

fn row(told: Vec<Told>) -> Row {
    let mut row = Row::new(
        "publisher vanishes",
        "from a newcomer's offer to its first picture",
    );
    let back = told.iter().flat_map(|told| told.back.clone()).collect();
    row.add(back, &[], |_| true, None);
    row.stale = told.iter().map(|told| told.stale).sum();
    let stalled = told.iter().map(|told| told.stalled).max().unwrap_or_default();
    let gone = told.iter().filter_map(|told| told.gone).max().unwrap_or_default();
    row.note = format!("stalled after {stalled:.1?}, gone after {gone:.1?} at the latest; readers held");
    row
}

/// Whether the API says that the stream has media; `None`: it says nothing.
async fn ready(api: &str, name: &str) -> Option<bool> {
    let response = http::get(api, &format!("/v3/paths/get/{name}")).await.ok()?;
    match response.status {
        200 => response.json().ok()?["ready"].as_bool(),
        404 => Some(false),
        _ => None,
    }
}

/// Whether the API knows a session that publishes the stream; `None`: it says nothing.
async fn published(api: &str, name: &str) -> Option<bool> {
    let list = http::get(api, "/v3/webrtcsessions/list")
        .await
        .ok()?
        .json()
        .ok()?;
    let sessions = list["items"].as_array()?;
    Some(
        sessions
            .iter()
            .any(|session| session["path"] == name && session["state"] == "publish"),
    )
}

/// Takes the publisher away; when that was, and how long it took until the stream was no longer ready.
async fn stall(live: &mut Live, api: &str) -> Result<(Instant, Duration)> {
    let from = Instant::now();
    live.vanish();
    let what = format!("{} not ready", live.name);
    until(&what, STALLED, || async {
        (!ready(api, &live.name).await?).then_some(())
    })
    .await?;
    Ok((from, from.elapsed()))
}

/// The name is free: a newcomer's pictures reach the readers that were held.
async fn taken(live: &mut Live, from: Instant, stalled: Duration, whip: String) -> Result<Told> {
    live.publish(vec![whip])
        .await
        .context("the name of a vanished publisher is not free")?;
    let what = format!("the newcomer's pictures of {}", live.name);
    let back = until(&what, Duration::from_secs(3), || {
        std::future::ready(live.back().into_iter().collect::<Option<Vec<_>>>())
    });
    let back = back.await?;
    held(live, from, Instant::now())?;
    Ok(Told {
        stalled,
        gone: None,
        back,
        stale: stale(live, from),
    })
}

/// Nobody comes: the session ends, and the readers stay as long as `publisherGrace` says.
async fn ends(live: Live, from: Instant, stalled: Duration, api: String) -> Result<Told> {
    let what = format!("{} gone", live.name);
    until(&what, GONE.saturating_sub(from.elapsed()), || async {
        (!published(&api, &live.name).await?).then_some(())
    })
    .await?;
    let gone = Some(from.elapsed());
    // `publisherGrace` is 30 s and begins when the stream stalls.
    held(&live, from, from + Duration::from_secs(30))?;
    Ok(Told {
        stalled,
        gone,
        back: Vec::new(),
        stale: stale(&live, from),
    })
}

fn stale(live: &Live, from: Instant) -> usize {
    let accounts = live
        .watchers
        .iter()
        .map(|watcher| account(&watcher.notes(), from, Instant::now(), FRAME));
    accounts.map(|account| account.stale).sum()
}

fn held(live: &Live, from: Instant, to: Instant) -> Result<()> {
    for watcher in &live.watchers {
        let notes = watcher.notes();
        let end = notes.ends.iter().find(|end| end.at >= from && end.at < to);
        if let Some(end) = end {
            anyhow::bail!(
                "a reader of {} was not held: {} after {:?}",
                live.name,
                end.why,
                end.at - from
            );
        }
    }
    Ok(())
}
