//! Garbage, oversized and half requests at the RTSP port, and a Transport header that names somebody else. The connections
//! that say nothing are in `http`.

use super::witness::Witness;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use weft_testkit::rtsp::Dialogue;

fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let noise = (0..5000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("noise", noise),
        ("HTTP", text("GET / HTTP/1.1\r\nHost: x\r\n\r\n")),
        ("no CSeq", text("DESCRIBE rtsp://x/witness RTSP/1.0\r\n\r\n")),
        (
            "a vast body",
            text("DESCRIBE rtsp://x/witness RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 999999999999\r\n\r\n"),
        ),
        (
            "a negative body",
            text("DESCRIBE rtsp://x/witness RTSP/1.0\r\nCSeq: 1\r\nContent-Length: -1\r\n\r\n"),
        ),
        (
            "an endless header",
            [text("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: "), vec![b'y'; 100_000]].concat(),
        ),
        (
            "endless lines",
            [text("OPTIONS * RTSP/1.0\r\n"), b"A: b\r\n".repeat(20_000)].concat(),
        ),
        (
            "bytes that are no text",
            b"OPTIONS \xff\xfe RTSP/1.0\r\nCSeq: \xff\r\n\r\n".to_vec(),
        ),
        (
            "PLAY of nothing",
            text("PLAY rtsp://x/witness RTSP/1.0\r\nCSeq: 1\r\nSession: 42\r\n\r\n"),
        ),
        (
            "a bad Transport",
            text("SETUP rtsp://x/witness/trackID=0 RTSP/1.0\r\nCSeq: 1\r\nTransport: ;;;=\r\n\r\n"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_get_a_4xx_or_a_closed_socket() -> Result<()> {
    let mut witness = Witness::start().await?;
    let address = witness.node.address("rtsp")?.to_owned();
    refused(&address).await?;
    witness.measure()?;
    for _ in 0..20 {
        refused(&address).await?;
    }
    half_requests(&address).await?;
    witness.undisturbed().await
}

async fn refused(address: &str) -> Result<()> {
    for (fault, bytes) in requests() {
        let answer = first_answer(address, &bytes).await.context(fault)?;
        let text = String::from_utf8_lossy(&answer);
        ensure!(
            text.is_empty() || text.starts_with("RTSP/1.0 4"),
            "{fault}: {text}"
        );
    }
    Ok(())
}

/// What comes back until an answer's head is complete or the socket is closed; silence is not allowed.
async fn first_answer(address: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let (mut input, mut output) = stream.split();
    let mut answer = Vec::new();
    let read = async {
        while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
            // A reset is a closed socket too.
            if !input.read_buf(&mut answer).await.is_ok_and(|length| length > 0) {
                break;
            }
        }
    };
    // Writing fails when the server has closed the socket before the end.
    let both = async { drop(tokio::join!(read, output.write_all(bytes)).1) };
    tokio::time::timeout(Duration::from_secs(10), both)
        .await
        .context("neither answered nor closed")?;
    Ok(answer)
}

/// A request that never ends is closed at the read timeout of 2 s.
async fn half_requests(address: &str) -> Result<()> {
    let mut streams = Vec::new();
    for half in [
        "OPTIONS * RT",
        "DESCRIBE rtsp://x/witness RTSP/1.0\r\nCSeq: 1\r\n",
        "$\x00\x10\x00",
    ] {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(half.as_bytes()).await?;
        streams.push((half, stream));
    }
    for (half, mut stream) in streams {
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(8), stream.read_to_end(&mut rest)).await;
        drop(closed.with_context(|| format!("still open after {half:?}"))?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rtp_goes_only_to_the_peer_whatever_the_transport_header_names() -> Result<()> {
    let mut witness = Witness::start().await?;
    let address = witness.node.address("rtsp")?.to_owned();
    let url = witness.node.rtsp("witness")?;
    witness.measure()?;
    let victim = UdpSocket::bind("127.0.0.2:0").await?;
    let port = victim.local_addr()?.port();
    let own = UdpSocket::bind(("127.0.0.1", port)).await?;
    let mut dialogue = Dialogue::open(&address).await?;
    let described = dialogue
        .ask("DESCRIBE", &url, &[("Accept", "application/sdp")])
        .await?;
    ensure!(described.status == 200, "DESCRIBE: {}", described.status);
    let transport = format!(
        "RTP/AVP;unicast;destination=127.0.0.2;source=127.0.0.2;client_port={port}-{}",
        port.wrapping_add(1)
    );
    let track = format!("{url}/trackID=0");
    let set_up = dialogue
        .ask("SETUP", &track, &[("Transport", &transport)])
        .await?;
    ensure!(set_up.status == 200, "SETUP: {}", set_up.status);
    ensure!(dialogue.ask("PLAY", &url, &[]).await?.status == 200, "PLAY");
    let mut buffer = [0; 2048];
    tokio::time::timeout(Duration::from_secs(5), own.recv(&mut buffer))
        .await
        .context("no RTP at the peer")??;
    let strayed = tokio::time::timeout(Duration::from_secs(2), victim.recv(&mut buffer)).await;
    ensure!(strayed.is_err(), "RTP went to somebody else");
    witness.undisturbed().await
}
