//! HLS as players see it: ffprobe and hls.js play without a complaint, playlists keep the rules of the specification while they
//! change, hints and blocking reloads are answered, and a query reaches every URL.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, Instant};
use weft_testkit::hls_rules::{self, Media, attributes};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::process::Process;
use weft_testkit::{figure, full, http, publish, tools};

const STREAM: &str = "exams/cam";
/// Of a player with parts.
const LATENCY_MS: f64 = 2_500.0;

struct Stage {
    node: Node,
    publisher: Process,
}

impl Stage {
    async fn new() -> Result<Self> {
        Self::of(Plan::new(Role::Standalone)).await
    }

    async fn of(plan: Plan) -> Result<Self> {
        let node = plan.start().await?;
        let mut publisher = publish::ffmpeg_encode(&node.whip(STREAM)?)?;
        super::ready(&node, STREAM, &mut publisher).await?;
        Ok(Self { node, publisher })
    }

    fn url(&self, file: &str) -> Result<String> {
        Ok(format!("http://{}/{STREAM}/{file}", self.node.address("hls")?))
    }

    async fn get(&self, file: &str) -> Result<http::Response> {
        http::get(self.node.address("hls")?, &format!("/{STREAM}/{file}")).await
    }

    async fn text(&self, file: &str) -> Result<String> {
        let response = self.get(file).await?;
        ensure!(
            response.status == 200,
            "{file}: {} {}",
            response.status,
            response.text()
        );
        Ok(response.text())
    }

    async fn media(&self, file: &str) -> Result<Media> {
        let text = self.text(file).await?;
        let media = hls_rules::parse(&text).map_err(anyhow::Error::msg)?;
        let faults = media.faults();
        ensure!(faults.is_empty(), "{file}: {faults:?}\n{text}");
        Ok(media)
    }
}

fn seconds() -> u64 {
    if full() { 300 } else { 20 }
}

#[tokio::test(flavor = "multi_thread")]
async fn playlists_keep_the_rules_while_they_change_and_hints_are_answered() -> Result<()> {
    let stage = Stage::new().await?;
    let index = stage.text("index.m3u8").await?;
    ensure!(index.contains(",AUDIO=\"sound\"\nvideo.m3u8\n"), "{index}");
    let alone = index
        .lines()
        .filter(|line| line.contains("CODECS=\"avc1."))
        .count();
    ensure!(alone == 2, "with sound and without: {index}");
    let until = Instant::now() + Duration::from_secs(8);
    let mut before = [stage.media("video.m3u8").await?, stage.media("audio.m3u8").await?];
    let mut reloads = 0;
    while Instant::now() < until {
        for (name, before) in ["video", "audio"].into_iter().zip(&mut before) {
            let last = before.segments.last().context("no segment")?;
            let (msn, part) = match last.uri.is_empty() {
                true => (last.msn, last.parts.len()),
                false => (last.msn + 1, 0),
            };
            let hint = before.hint.clone().context("no hint")?;
            let file = format!("{name}.m3u8?_HLS_msn={msn}&_HLS_part={part}");
            let (now, hinted) = tokio::join!(stage.media(&file), stage.get(&hint));
            let (now, hinted) = (now?, hinted?);
            let faults = now.faults_after(before);
            ensure!(faults.is_empty(), "{name}: {faults:?}");
            // Never before what was asked for is there.
            let there = now
                .segments
                .iter()
                .any(|s| s.msn > msn || s.msn == msn && s.parts.len() > part);
            ensure!(there, "{file} came without it: {:?}", now.segments.last());
            ensure!(
                hinted.status == 200 && &hinted.body[4..8] == b"moof",
                "{hint}: {}",
                hinted.status
            );
            let told = now.segments.iter().flat_map(|s| &s.parts).any(|p| p.uri == hint);
            ensure!(told, "{hint} is in no playlist");
            ensure!(now.reports.len() == 1, "{:?}", now.reports);
            *before = now;
            reloads += 1;
        }
    }
    // Part by part, neither in a busy loop nor behind.
    ensure!((30..200).contains(&reloads), "{reloads} reloads in 8 s");
    let [video, audio] = &before;
    for media in [video, audio] {
        for segment in &media.segments {
            ensure!(segment.uri.is_empty() || stage.get(&segment.uri).await?.status == 200);
            ensure!(stage.get(&segment.map).await?.status == 200);
        }
    }
    let target = video.part_target.unwrap_or_default();
    figure(format!("{reloads} reloads in 8 s, part target {target:.3} s"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_refused_and_a_query_reaches_every_url() -> Result<()> {
    let users = "authInternalUsers: [{user: any, permissions: [{action: publish}, {action: api}, {action: metrics}]}, \
                 {user: viewer, pass: right, permissions: [{action: read}]}]";
    let stage = Stage::of(Plan::new(Role::Standalone).with(users)).await?;
    ensure!(stage.get("index.m3u8").await?.status == 401);
    ensure!(stage.get("index.m3u8?user=viewer&pass=wrong").await?.status == 401);
    let query = "user=viewer&pass=right";
    let mut names: BTreeSet<String> = BTreeSet::from(["index.m3u8".to_owned() + "?" + query]);
    let mut asked = BTreeSet::new();
    while let Some(name) = names.pop_first() {
        ensure!(name.contains(query), "{name} has lost the query");
        let response = stage.get(&name).await?;
        ensure!(response.status == 200, "{name}: {}", response.status);
        asked.insert(name.clone());
        if name.contains(".m3u8") {
            ensure!(response.header("cache-control") == Some("no-cache"));
            ensure!(response.header("access-control-allow-origin") == Some("*"));
            for line in response.text().lines() {
                let found = match line.strip_prefix('#') {
                    Some(tag) => attributes(tag.split_once(':').map_or("", |(_, list)| list)).remove("URI"),
                    None => (!line.is_empty()).then(|| line.to_owned()),
                };
                names.extend(found.filter(|uri| !asked.contains(uri) && (asked.len() < 20)));
            }
        }
    }
    ensure!(asked.len() > 8, "{asked:?}");
    for (file, status) in [
        ("video.m3u8?_HLS_part=1&", 400),
        ("video.m3u8?_HLS_msn=x&", 400),
        ("video.m3u8?_HLS_msn=99999999999&", 400),
        ("video_00000000_seg1.mp4?", 404),
        ("nothing.mp4?", 404),
    ] {
        let response = stage.get(&format!("{file}{query}")).await?;
        ensure!(
            response.status == status,
            "{file}: {} {}",
            response.status,
            response.text()
        );
    }
    let address = stage.node.address("hls")?;
    let nobody = http::get(address, &format!("/exams/nobody/index.m3u8?{query}")).await?;
    ensure!(nobody.status == 404, "{}", nobody.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hls_js_and_ffprobe_play_without_a_complaint() -> Result<()> {
    let mut stage = Stage::new().await?;
    let url = stage.url("index.m3u8")?;
    let (browser, probe) = tokio::join!(hls_js(&url, seconds()), ffprobe(&url, seconds()));
    browser?;
    probe?;
    ensure!(stage.publisher.running(), "{}", stage.publisher.last_lines());
    Ok(())
}

async fn hls_js(url: &str, seconds: u64) -> Result<()> {
    let picture = tools::scratch("pictures")?.join("hls_js.png");
    let output = tokio::process::Command::new("node")
        .arg(tools::script("interop/readers/hls_js.cjs"))
        .args([url, &seconds.to_string()])
        .arg(&picture)
        .env("NODE_PATH", tools::node_modules()?)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(seconds + 40), output).await??;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let seen: Value = text
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .with_context(|| format!("{text}\n{}", String::from_utf8_lossy(&output.stderr)))?;
    let number = |key: &str| seen[key].as_f64().unwrap_or(-1.0);
    ensure!(seen["errors"] == serde_json::json!([]), "{}", seen["errors"]);
    // The first seconds find the distance to the end.
    let mut latencies: Vec<f64> = list(&seen["latencies"]).into_iter().skip(6).collect();
    latencies.sort_by(f64::total_cmp);
    let worst = latencies.last().copied().context("no latency")?;
    let median = latencies[latencies.len() / 2];
    figure(format!(
        "hls.js: {} pictures of {}, {} dropped, {} stalls, first after {:.0} ms, latency {median:.0} ms (worst {worst:.0} ms)",
        number("frames"),
        seen["size"],
        number("dropped"),
        number("stalls"),
        number("began")
    ));
    ensure!(number("frames") > 25.0 * (seconds - 4) as f64, "{seen}");
    ensure!(number("stalls") == 0.0, "{} stalls", number("stalls"));
    ensure!(number("heard") > 0.0, "no sound: {seen}");
    ensure!(seen["size"] == "640x360" && seen["lowLatency"] == true, "{seen}");
    let codecs = seen["codecs"].as_str().unwrap_or_default();
    ensure!(codecs.ends_with(",opus"), "it plays {codecs}");
    ensure!(
        median <= LATENCY_MS && worst <= LATENCY_MS,
        "latency {median} ms, worst {worst} ms"
    );
    Ok(())
}

fn list(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_f64)
        .collect()
}

/// Debian's FFmpeg reads and decodes pictures and sound for so long.
async fn ffprobe(url: &str, seconds: u64) -> Result<()> {
    let output = tokio::process::Command::new("ffprobe")
        .args(["-v", "repeat+warning", "-read_intervals", &format!("%+{seconds}")])
        .args([
            "-show_entries",
            "frame=media_type,stream_index,best_effort_timestamp_time",
            "-of",
            "csv=p=0",
            url,
        ])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(seconds + 40), output).await??;
    let complaint = String::from_utf8_lossy(&output.stderr);
    // FFmpeg reads the init segment again with each new playlist, and says so; the connection of the rendition that it does not
    // play is closed by the node after a while, and it says that too, and opens another.
    const HARMLESS: [&str; 3] = [
        "Found duplicated MOOV Atom",
        "HTTP error 408",
        "keepalive request failed",
    ];
    let again = |line: &&str| !HARMLESS.iter().any(|harmless| line.contains(harmless));
    let complaint: String = complaint.lines().filter(again).collect();
    ensure!(
        output.status.success() && complaint.trim().is_empty(),
        "{complaint}"
    );
    let text = String::from_utf8_lossy(&output.stdout);
    // Each variant's pictures are a stream of their own to FFmpeg.
    let mut streams: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut fields = line.split(',');
        let mut next = || fields.next().with_context(|| line.to_owned());
        let (kind, stream, time) = (next()?, next()?, next()?);
        streams
            .entry((kind, stream))
            .or_default()
            .push(time.parse().with_context(|| line.to_owned())?);
    }
    let kinds: Vec<&str> = streams.keys().map(|(kind, _)| *kind).collect();
    ensure!(kinds == ["audio", "video", "video"], "{kinds:?}");
    for ((kind, _), times) in &streams {
        let longest = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
        ensure!(longest < 0.1, "{kind}: a hole of {longest} s");
        ensure!(
            times.windows(2).all(|pair| pair[1] > pair[0]),
            "{kind}: time goes back"
        );
        let per_second = if *kind == "video" { 25.0 } else { 45.0 };
        ensure!(
            times.len() as f64 > per_second * (seconds - 2) as f64,
            "{kind}: {}",
            times.len()
        );
        figure(format!("ffprobe: {} of {kind}", times.len()));
    }
    Ok(())
}
