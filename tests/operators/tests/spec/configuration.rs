//! The YAML blocks about ports, paths, limits and the log.
//! Users and addresses have files of their own.

use super::weft::{LIMIT, Weft, scratch, shell, text};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weft_testkit::rtsp::Dialogue;
use weft_testkit::{tools, until};

/// What `weft check` says of a text: notices, then the effective configuration.
async fn checked(configuration: &str) -> Result<String> {
    let folder = scratch()?;
    std::fs::write(folder.join("mediamtx.yml"), configuration)?;
    let weft = tools::weft()?.canonicalize()?;
    shell(&format!("{} check", weft.display()), &folder).await
}

fn has_line(said: &str, line: &str) -> Result<()> {
    let found = said.lines().any(|l| l.trim().replace(['"', '\''], "") == line);
    ensure!(found, "no line '{line}' in\n{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_development_file_opens_its_ports_and_says_what_is_not_served() -> Result<()> {
    let configuration = text("development.yml")?;
    let effective = checked(&configuration).await?;
    for line in [
        "webrtcAddress: :8889",
        "webrtcTLSAddress: :8443",
        "rtspAddress: :8554",
        "hlsAddress: :8888",
    ] {
        has_line(&effective, line)?;
    }
    // What is not served is said: in one line for the ports that are the usual ones, in one line each for others.
    let other = checked(&configuration.replace(":1935", ":19350")).await?;
    for (said, notice) in [
        (&effective, "listen: "),
        (&effective, "listenTLS: "),
        (&effective, "rtmpAddress: of what is not served yet"),
        (&other, "rtmpAddress: RTMP: not served yet"),
    ] {
        let told = said
            .lines()
            .any(|line| line.starts_with('#') && line.contains(notice));
        ensure!(told, "no notice '{notice}':\n{said}");
    }
    let weft = Weft::start(&configuration, &[]).await?;
    ensure!(
        weft.ask("GET", "/v3/info").await?.status == 200,
        "no API on the WebRTC port"
    );
    let mut rtsp = Dialogue::open(weft.address("rtsp")?).await?;
    let options = rtsp.ask("OPTIONS", "*", &[]).await?;
    ensure!(options.status == 200, "{}", options.status);
    // One line each, when it starts.
    weft.must_say(&["listen: ", "listenTLS: ", "rtmpAddress: "])
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_a_path_that_runs_on_demand_wait_for_its_publisher() -> Result<()> {
    let weft = Weft::of("development.yml").await?;
    let named = weft.ask("GET", "/v3/paths/get/test").await?;
    ensure!(
        named.status == 200 && named.json()?["ready"] == false,
        "a path with a name is not listed while it is idle: {}",
        named.text()
    );
    let began = Instant::now();
    let ask = async |stream: &str| -> Result<Duration> {
        let answer = weft.described(stream).await?;
        ensure!(
            answer.status == 200,
            "{stream}: {} {}",
            answer.status,
            answer.text()
        );
        Ok(began.elapsed())
    };
    let publish = async || -> Result<Instant> {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let at = Instant::now();
        let publishers = (
            weft.publish("test", None)?,
            weft.publish("exam_1_student_2_3", None)?,
        );
        for stream in ["test", "exam_1_student_2_3"] {
            weft.wait_for(stream).await?;
        }
        // Held until both are seen.
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(publishers);
        Ok(at)
    };
    let (test, other, at) = tokio::join!(ask("test"), ask("exam_1_student_2_3"), publish());
    let first = at?.duration_since(began);
    let (test, other) = (test?, other?);
    ensure!(
        test > first && other > first,
        "answered before anybody published: {test:?}, {other:?}, {first:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_wait_as_long_as_the_file_says_and_no_longer() -> Result<()> {
    let configuration = text("development.yml")?;
    let effective = checked(&configuration).await?;
    has_line(&effective, "runOnDemandStartTimeout: 10s")?;
    has_line(&effective, "runOnDemandCloseAfter: 10s")?;
    let weft = Weft::start(&configuration.replace("10s", "1500ms"), &[]).await?;
    let began = Instant::now();
    let answer = weft.described("test").await?;
    let took = began.elapsed();
    ensure!(answer.status == 400, "{} {}", answer.status, answer.text());
    let about = Duration::from_millis(1400)..Duration::from_secs(4);
    ensure!(about.contains(&took), "answered after {took:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_names_of_time_limits_mean_what_they_meant() -> Result<()> {
    let configuration = text("tuning.yml")?;
    let effective = checked(&configuration).await?;
    for line in [
        "readTimeout: 10s",
        "writeTimeout: 10s",
        "runOnDemandStartTimeout: 10s",
        "runOnDemandCloseAfter: 10s",
    ] {
        has_line(&effective, line)?;
    }
    for notice in [
        "rtspReadTimeout",
        "rtspWriteTimeout",
        "runOnDemandStartTimeout",
        "maxConnections",
    ] {
        let told = effective
            .lines()
            .any(|line| line.starts_with('#') && line.contains(notice));
        ensure!(told, "no notice about {notice}:\n{effective}");
    }
    // A request that is begun and not ended.
    let weft = Weft::start(
        &configuration.replace("rtspReadTimeout: 10s", "rtspReadTimeout: 1s"),
        &[],
    )
    .await?;
    let began = Instant::now();
    let mut slow = TcpStream::connect(weft.address("rtsp")?).await?;
    slow.write_all(b"OPTIONS * RTSP/1.0\r\nCSeq:").await?;
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(8), slow.read_to_end(&mut rest)).await??;
    let took = began.elapsed();
    let about = Duration::from_millis(900)..Duration::from_secs(5);
    ensure!(about.contains(&took), "closed after {took:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hundred_and_first_connection_is_refused() -> Result<()> {
    let weft = Weft::of("tuning.yml").await?;
    let address = weft.address("rtsp")?;
    let mut open = Vec::new();
    for number in 1..=100 {
        let mut dialogue = Dialogue::open(address).await?;
        let answer = dialogue.ask("OPTIONS", "*", &[]).await?;
        ensure!(answer.status == 200, "connection {number}: {}", answer.status);
        open.push(dialogue);
    }
    let refused = async || -> Result<bool> {
        let mut more = Dialogue::open(address).await?;
        // Closed before or after the question: refused either way.
        Ok(more
            .ask("OPTIONS", "*", &[])
            .await
            .map_or(true, |answer| answer.status == 503))
    };
    ensure!(refused().await?, "connection 101 was served");
    open.pop();
    until("a place after one has left", LIMIT, || async {
        (!refused().await.unwrap_or(true)).then_some(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detailed_log_goes_to_the_file() -> Result<()> {
    let weft = Weft::of("logging.yml").await?;
    let file = weft.folder().join("mediamtx.log");
    let log = until("lines in mediamtx.log", LIMIT, || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        std::future::ready((text.contains("INFO") && text.contains("ready")).then_some(text))
    })
    .await?;
    ensure!(log.contains("ready"), "{log}");
    let _publisher = weft.publish("test", None)?;
    weft.wait_for("test").await?;
    let described = weft.described("test").await?;
    ensure!(described.status == 200, "{}", described.status);
    let log = std::fs::read_to_string(&file)?;
    ensure!(log.contains("DEB"), "nothing at the level of debug:\n{log}");
    ensure!(log.contains("test"), "the stream is not in it:\n{log}");
    let said = weft.said();
    ensure!(!said.contains("INF"), "the log is on the terminal too:\n{said}");
    Ok(())
}
