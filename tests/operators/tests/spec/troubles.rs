//! The specification's table of troubles, each provoked: what Weft says or does instead.
//! The guide that explains them is tested in `guides`.

use super::weft::{LIMIT, Weft, scratch, text};
use anyhow::{Context, Result, ensure};
use std::net::TcpListener;
use std::time::Duration;
use weft_testkit::http;
use weft_testkit::oracle::{self, Over};

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_is_refused_reads_why() -> Result<()> {
    // The name of a path that is not configured, beside all that can be wrong with an offer.
    let weft = Weft::start("paths:\n  exam:\n  once:\n    overridePublisher: no\n", &[]).await?;
    let address = weft.address("webrtc")?;
    let sdp = [("Content-Type", "application/sdp")];
    let post = async |path: &str, headers: &[(&str, &str)], body: &[u8]| {
        http::request("POST", address, path, headers, body).await
    };
    let data = super::weft::OFFER.replace(
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    );
    let _owner = weft.publish("once", None)?;
    weft.wait_for("once").await?;
    for (answer, status, part) in [
        (weft.offer("/other/whip", &[]).await?, 400, "is not configured"),
        (weft.offer("/exam.;/whip", &[]).await?, 400, "name"),
        (post("/exam/whip", &[], b"v=0").await?, 400, "application/sdp"),
        (post("/exam/whip", &sdp, b"hello").await?, 400, ""),
        (
            post("/exam/whip", &sdp, data.as_bytes()).await?,
            406,
            "application",
        ),
        (
            post("/exam/whip", &sdp, &vec![b'x'; 140_000]).await?,
            413,
            "131072",
        ),
        (weft.offer("/once/whip", &[]).await?, 409, "already publishing"),
    ] {
        let said = answer.json()?;
        let error = said["error"].as_str().unwrap_or_default();
        ensure!(
            answer.status == status && error.contains(part) && error.len() > 10,
            "{} instead of {status} with '{part}': {said}",
            answer.status
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_are_held_while_their_publisher_is_away() -> Result<()> {
    let weft = Weft::of("development.yml").await?;
    let publisher = weft.publish("test", None)?;
    weft.wait_for("test").await?;
    let url = format!("rtsp://{}/test", weft.address("rtsp")?);
    let mut reader = oracle::open(&url, Over::Tcp).await?.play().await?;
    reader.read_units(10, LIMIT).await?;
    // Its process is killed: no farewell.
    drop(publisher);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _again = weft.publish("test", None)?;
    let more = reader
        .read_units(120, LIMIT)
        .await
        .context("the reader was closed")?;
    let rising = more.windows(2).all(|two| two[0].rtp < two[1].rtp);
    ensure!(rising, "the reader's time went back");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named_with_its_key_and_the_mend() -> Result<()> {
    let holder = TcpListener::bind("127.0.0.1:0")?;
    let taken = holder.local_addr()?;
    for (variable, key, flag) in [
        ("WEFT_RTSPADDRESS", "rtspAddress", "--rtsp"),
        ("WEFT_WEBRTCADDRESS", "webrtcAddress", "--webrtc"),
        ("WEFT_APIADDRESS", "apiAddress", "--api"),
    ] {
        let folder = scratch()?;
        std::fs::write(folder.join("mediamtx.yml"), text("development.yml")?)?;
        let mut weft = Weft::spawn(folder, &[(variable, &taken.to_string())])?;
        let status = weft.process().wait(LIMIT).await?;
        ensure!(!status.success(), "it ended well");
        let port = format!("TCP port {} ({key}) is in use", taken.port());
        weft.must_say(&[&port, &format!("choose another port with {flag} :PORT or {key}")])?;
    }
    Ok(())
}
