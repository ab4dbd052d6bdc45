//! Publishers whose packets just stop: the stream stalls in 4 s, its readers are held, the name is free for a newcomer on any
//! node, and the session is gone within 35 s. Runs beside other faults, on streams of its own.

use super::fabric::Fabric;
use super::live::{Live, clip};
use super::table::Row;
use anyhow::{Context, Result, ensure};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use weft_testkit::http;
use weft_testkit::until;
use weft_testkit::watch::Watcher;

/// Media is missed after 4 s; a look at it each half second, and an answer over HTTP, come on top.
const STALLED: Duration = Duration::from_millis(4700);
const GONE: Duration = Duration::from_secs(35);

/// Publishes on the first ingest node, takes the publishers away, and waits until they are missed, and gives the rest of the
/// story as a future that runs by itself: each third stream's name is taken by a newcomer on the second node, the others' sessions end.
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
    let stories = streams
        .into_iter()
        .zip(stalls)
        .enumerate()
        .map(|(place, (live, stalled))| {
            let newcomer = (place % 2 == 1).then(|| free.replace("//whip", &format!("/{}/whip", live.name)));
            story(live, stalled, api.clone(), newcomer)
        });
    let task = tokio::spawn(futures::future::try_join_all(stories.collect::<Vec<_>>()));
    Ok(async move { Ok(task.await?.map(row)) }.boxed())
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

async fn story(
    mut live: Live,
    (from, stalled): (Instant, Duration),
    api: String,
    newcomer: Option<String>,
) -> Result<Told> {
    let mut told = Told {
        stalled,
        gone: None,
        back: Vec::new(),
        stale: 0,
    };
    if let Some(whip) = newcomer {
        live.publish(vec![whip])
            .await
            .context("the name of a vanished publisher is not free")?;
        sleep(Duration::from_secs(3)).await;
        told.back = live.back().into_iter().flatten().collect();
        ensure!(
            told.back.len() == 2,
            "{} of 2 readers saw the newcomer",
            told.back.len()
        );
        held(&live, from, Instant::now())?;
    } else {
        let rest = GONE.saturating_sub(from.elapsed());
        let what = format!("{} gone", live.name);
        until(&what, rest, || async {
            (!published(&api, &live.name).await?).then_some(())
        })
        .await?;
        told.gone = Some(from.elapsed());
        // `publisherGrace` is 30 s and begins when the stream stalls.
        held(&live, from, from + Duration::from_secs(30))?;
    }
    let accounts = live.watchers.iter().map(|watcher| {
        weft_testkit::account::account(&watcher.notes(), from, Instant::now(), super::live::FRAME)
    });
    told.stale = accounts.map(|account| account.stale).sum();
    Ok(told)
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
