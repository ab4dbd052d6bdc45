//! Section 4 of the contract: RTSP by hand, on a node that has the publisher and on one that has not.
//! Proper readers and their media are tested with them.

use super::place::{Place, STREAM};
use anyhow::{Context, Result, ensure};
use weft_testkit::http::{self, Response};
use weft_testkit::node::Node;
use weft_testkit::rtsp::Dialogue;

const TCP: (&str, &str) = ("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1");
const MULTICAST: (&str, &str) = ("Transport", "RTP/AVP;multicast");

fn is(answer: &Response, status: u16, place: &str) -> Result<()> {
    ensure!(
        answer.status == status,
        "§4 {place}: {} {:?}, {status} is wanted",
        answer.status,
        answer.headers
    );
    Ok(())
}

async fn every_row(node: &Node) -> Result<()> {
    let (address, url) = (node.address("rtsp")?, node.rtsp(STREAM)?);
    let mut dialogue = Dialogue::open(address).await?;
    let answer = dialogue.ask("OPTIONS", &url, &[]).await?;
    is(&answer, 200, "OPTIONS")?;
    let public = answer.header("Public").context("Public")?;
    // ANNOUNCE and RECORD are not served: publishers come by WHIP.
    for method in ["DESCRIBE", "SETUP", "PLAY", "PAUSE", "GET_PARAMETER", "TEARDOWN"] {
        ensure!(
            public.split(", ").any(|word| word == method),
            "§4 Public: {public}"
        );
    }
    is(&dialogue.ask("JUGGLE", &url, &[]).await?, 501, "unknown methods")?;

    let answer = dialogue.ask("DESCRIBE", &url, &[]).await?;
    is(&answer, 200, "SDP")?;
    ensure!(answer.header("Content-Type") == Some("application/sdp"), "§4 SDP");
    let sdp = answer.text();
    for line in [
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "m=video 0 RTP/AVP 96",
        "a=control:trackID=0",
        "a=rtpmap:96 H264/90000",
    ] {
        ensure!(sdp.lines().any(|l| l == line), "§4 SDP has no '{line}':\n{sdp}");
    }
    ensure!(
        sdp.contains("packetization-mode=1") && sdp.contains("sprop-parameter-sets="),
        "§4 fmtp:\n{sdp}"
    );

    is(
        &dialogue
            .ask("SETUP", &format!("{url}/trackID=0"), &[MULTICAST])
            .await?,
        461,
        "SETUP",
    )?;
    let answer = dialogue.ask("SETUP", &format!("{url}/trackID=0"), &[TCP]).await?;
    is(&answer, 200, "SETUP")?;
    let session = answer.header("Session").context("Session")?.to_owned();
    let (id, timeout) = session.split_once(';').context("a timeout")?;
    let hex = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    ensure!(hex && timeout == "timeout=60", "§4 Session header: {session}");
    let transport = answer.header("Transport").context("Transport")?;
    ensure!(transport.contains("interleaved=0-1"), "§4 Transport: {transport}");
    let answer = dialogue.ask("PLAY", &url, &[]).await?;
    is(&answer, 200, "PLAY")?;
    let info = answer.header("RTP-Info").context("RTP-Info")?;
    ensure!(
        info.contains("seq=") && info.contains("rtptime="),
        "§4 RTP-Info: {info}"
    );
    is(&dialogue.ask("PAUSE", &url, &[]).await?, 200, "PAUSE")?;
    is(
        &dialogue.ask("GET_PARAMETER", &url, &[]).await?,
        200,
        "GET_PARAMETER",
    )?;
    is(&dialogue.ask("TEARDOWN", &url, &[]).await?, 200, "TEARDOWN")?;

    let mut other = Dialogue::open(address).await?;
    is(
        &other.ask("DESCRIBE", &node.rtsp("attic")?, &[]).await?,
        404,
        "no stream",
    )?;
    let mut other = Dialogue::open(address).await?;
    let wrong = [("Session", "0123456789abcdef0123456789abcdef")];
    is(&other.ask("PLAY", &url, &wrong).await?, 454, "bad session id")?;
    let bytes = format!(
        "OPTIONS {url} RTSP/1.0\r\n\r\nOPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\nConnection: close\r\n\r\n"
    );
    let answer = answer_to(address, bytes.as_bytes()).await?;
    is(&answer, 400, "missing CSeq")
}

/// The first answer to bytes that are no proper request.
async fn answer_to(address: &str, bytes: &[u8]) -> Result<Response> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(bytes).await?;
    let mut read = Vec::new();
    while !read.windows(4).any(|four| four == b"\r\n\r\n") {
        ensure!(stream.read_buf(&mut read).await? > 0, "closed without an answer");
    }
    http::parse(&read)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_rtsp_holds_on_one_node() -> Result<()> {
    let place = Place::alone().await?;
    every_row(place.nodes.first().context("a node")?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_rtsp_holds_where_the_publisher_is_not() -> Result<()> {
    let place = Place::fabric().await?;
    every_row(place.nodes.get(1).context("the egress node")?).await
}
