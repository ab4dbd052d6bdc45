//! A publisher comes back on another node with another resolution: the readers that people use go on decoding in the same
//! session. When each decodes its first picture of the new size is measured against the moment the new publisher took the name.

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use std::time::Duration;
use weft_bus::testing::NatsServer;
use weft_testkit::fixture::{self, MINUTE, Recipe};
use weft_testkit::node::{Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::read::{self, Client};
use weft_testkit::{figure, publish, until};

const SMALL: Recipe = Recipe {
    name: "minute-small",
    size: (320, 180),
    kbit: 300,
    ..MINUTE
};
/// 10 s at 25 pictures a second: the change comes after some 4 s.
const PICTURES: u64 = 250;
const LIMIT: Duration = Duration::from_secs(40);
/// From the new publisher's claim, made at its first keyframe, to the first picture decoded.
const BOUND: f64 = 2.0;

#[tokio::test(flavor = "multi_thread")]
async fn readers_go_on_when_a_publisher_comes_back_elsewhere_with_another_resolution() -> Result<()> {
    let (large, small) = (fixture::clip(MINUTE)?, fixture::clip(SMALL)?);
    let nats = NatsServer::start().await?;
    let one = Plan::new(Role::Ingest).nats(&nats.url()).start().await?;
    let two = Plan::new(Role::Ingest).nats(&nats.url()).start().await?;
    let egress = Plan::new(Role::Egress).nats(&nats.url()).start().await?;

    let first = publish::ffmpeg_copy(&one.whip("cam")?, &large)?;
    egress
        .wait_for("cam", LIMIT)
        .await
        .with_context(|| first.last_lines())?;
    let old = egress.path("cam").await?.context("the stream is listed")?;
    let url = egress.rtsp("cam")?;
    let clients = join_all(Client::ALL.map(|client| {
        let url = url.clone();
        async move { (client, read::read(client, &url, PICTURES, LIMIT).await) }
    }));
    let retina = async {
        let mut reader = oracle::open(&url, Over::Tcp).await?.play().await?;
        reader.read_units(PICTURES as usize, LIMIT).await
    };
    let change = async {
        // The slowest reader has its first pictures by then.
        until("six readers", LIMIT, || async {
            let path = egress.path("cam").await.ok()??;
            (path["readers"].as_array()?.len() == 6).then_some(())
        })
        .await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        // The old one dies without a word, and comes back elsewhere at once.
        first.signal("KILL")?;
        let second = publish::ffmpeg_copy(&two.whip("cam")?, &small)?;
        let claimed = until("the new publisher", LIMIT, || async {
            let path = egress.path("cam").await.ok()??;
            (path["ready"] == true && path["source"]["id"] != old["source"]["id"]).then_some(path)
        });
        let claimed = claimed.await.with_context(|| second.last_lines())?;
        Ok::<_, anyhow::Error>((second, claimed))
    };
    let (clients, retina, change) = tokio::join!(clients, retina, change);
    let (_second, path) = change?;
    let claimed = seconds(path["readyTime"].as_str().context("a time")?)?;
    let mut failures = Vec::new();
    for (client, report) in clients {
        match report.and_then(|report| judge(client, &report, claimed)) {
            Ok(after) => figure(format!(
                "{client:?}: first picture {after:.2} s after the new publisher's claim"
            )),
            Err(error) => failures.push(format!("{client:?}: {error:#}")),
        }
    }
    let units = retina?;
    for pair in units.windows(2) {
        if pair[1].rtp <= pair[0].rtp || pair[1].loss != 0 {
            failures.push(format!("retina: from {:?} to {:?}", pair[0], pair[1]));
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n\n"));
    Ok(())
}

/// Seconds from the claim to the first picture after it, of a reader that has seen both sizes.
fn judge(client: Client, report: &read::Report, claimed: f64) -> Result<f64> {
    report.judge(PICTURES)?;
    // OpenCV scales every picture to the size of the first.
    let expected = match client {
        Client::OpenCv => vec![MINUTE.size],
        _ => vec![MINUTE.size, SMALL.size],
    };
    ensure!(report.sizes == expected, "sizes {:?}", report.sizes);
    // The old publisher was dead by then.
    let next = report.times.iter().find(|time| **time >= claimed);
    let after = next.context("no picture after the claim")? - claimed;
    ensure!(
        after <= BOUND,
        "the first picture came {after:.2} s after the claim"
    );
    Ok(after)
}

/// `2026-01-02T03:04:05.678Z` as seconds since 1970.
fn seconds(text: &str) -> Result<f64> {
    let parts: Vec<f64> = text
        .trim_end_matches('Z')
        .split(['-', 'T', ':'])
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [year, month, day, hour, minute, second] = parts[..] else {
        anyhow::bail!("no time: {text}")
    };
    // Days since 1970-03-01 by the civil calendar, March first so that the leap day is a year's last.
    let (y, m) = if month > 2.0 {
        (year, month - 3.0)
    } else {
        (year - 1.0, month + 9.0)
    };
    let days = 365.0 * y + (y / 4.0).floor() - (y / 100.0).floor()
        + (y / 400.0).floor()
        + ((153.0 * m + 2.0) / 5.0).floor()
        + day
        - 1.0
        - 719_468.0;
    Ok(days * 86_400.0 + hour * 3600.0 + minute * 60.0 + second)
}
