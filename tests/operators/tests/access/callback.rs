//! A server of answers that hangs: those who wait for it are told to come again, everybody else comes and goes as before.
//! Times are measured without and with the ones that wait; their ratio is what must hold.

use super::server::Server;
use super::shown::{Shown, ask, describe};
use anyhow::{Context, Result, ensure};
use futures::future::{join_all, try_join_all};
use std::time::{Duration, Instant};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::{figure, median};

/// Sessions that come and go, and how many of them at once.
const SESSIONS: usize = 50;
const AT_ONCE: usize = 5;
/// Those who wait for an answer that does not come.
const WAITING: usize = 30;
/// What the others may take longer meanwhile, of what they take at least.
const RATIO: f64 = 3.0;
const LEAST: Duration = Duration::from_millis(5);

const ME: Shown = Shown::Login("u", "p");

/// A publisher comes and goes, and a reader asks; how long that takes.
async fn session(node: &Node, name: &str) -> Result<Duration> {
    let (webrtc, rtsp) = (node.address("webrtc")?, node.address("rtsp")?);
    let began = Instant::now();
    let answer = ask("POST", webrtc, &format!("/{name}/whip"), &ME).await?;
    ensure!(
        answer.status == 201,
        "{name}: {} {}",
        answer.status,
        answer.text()
    );
    let url = answer.header("location").context("no Location")?;
    let gone = ask("DELETE", webrtc, url, &Shown::Nothing).await?;
    ensure!(gone.status == 200, "{name}: {} {}", gone.status, gone.text());
    let read = describe(rtsp, &format!("{name}-other"), ME.header().as_deref()).await?;
    ensure!(read.status == 404, "{name}: {}", read.status);
    Ok(began.elapsed())
}

async fn sessions(node: &Node, round: &str) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for first in (0..SESSIONS).step_by(AT_ONCE) {
        let names = (first..first + AT_ONCE).map(|n| format!("{round}{n}"));
        let some = names.map(|name| async move { session(node, &name).await });
        times.extend(try_join_all(some).await?);
    }
    Ok(times)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_for_ten_seconds_harms_nobody_but_those_who_wait_for_it() -> Result<()> {
    let server = Server::start(|body| {
        let hangs = body.contains("\"path\":\"hang");
        (
            200,
            String::new(),
            Duration::from_secs(if hangs { 10 } else { 0 }),
        )
    })
    .await?;
    let node = Plan::new(Role::Standalone)
        .with("authMethod: http")
        .with(&format!("authHTTPAddress: {}", server.url()))
        .fabric("limits: {requestsPerSecond: 0, sessionsPerAddress: 0}")
        .start()
        .await?;
    sessions(&node, "warm").await?;
    let before = median(sessions(&node, "before").await?);

    let (webrtc, rtsp) = (node.address("webrtc")?, node.address("rtsp")?);
    let began = Instant::now();
    let waiting = join_all((0..WAITING).map(|n| async move {
        let name = format!("hang{n}");
        let header = ME.header();
        let answer = match n % 2 {
            0 => ask("POST", webrtc, &format!("/{name}/whip"), &ME).await?,
            _ => describe(rtsp, &name, header.as_deref()).await?,
        };
        anyhow::Ok((
            answer.status,
            answer.header("retry-after").is_some(),
            began.elapsed(),
        ))
    }));
    let others = async {
        // All of them wait by now.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let times = sessions(&node, "meanwhile").await?;
        anyhow::Ok((times, began.elapsed()))
    };
    let (waited, others) = tokio::join!(waiting, others);
    let (times, until) = others?;
    let first = waited
        .iter()
        .flatten()
        .map(|w| w.2)
        .min()
        .context("nobody waited")?;
    for waited in waited {
        let (status, again, took) = waited?;
        ensure!(
            status == 503 && again,
            "{status} after {took:?}, not 503 with Retry-After"
        );
        ensure!(took < Duration::from_secs(8), "told after {took:?}");
    }
    ensure!(
        until < first,
        "the others were measured until {until:?}, when the first had stopped waiting: {first:?}"
    );
    let meanwhile = median(times);
    let ratio = meanwhile.as_secs_f64() / before.max(LEAST).as_secs_f64();
    figure(format!(
        "{WAITING} wait: a session takes {meanwhile:?}, {before:?} before; ratio {ratio:.2}"
    ));
    ensure!(ratio <= RATIO, "{meanwhile:?} instead of {before:?}");
    // Nobody has failed to log in: the next one is let in.
    session(&node, "after").await?;
    Ok(())
}
