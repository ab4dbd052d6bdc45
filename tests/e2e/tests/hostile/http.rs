//! Bad offers and bad HTTP at the WHIP endpoint. Bad media after a good offer is `datagrams`' business.

use super::witness::Witness;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use weft_testkit::http;

const SDP: &[(&str, &str)] = &[("Content-Type", "application/sdp")];
const SESSION: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
const ICE: &str = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=setup:actpass\r\na=fingerprint:sha-256 \
    00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n";

fn video(mid: usize, codec: &str) -> String {
    format!(
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=sendonly\r\na=rtcp-mux\r\n\
         a=rtpmap:96 {codec}/90000\r\n{ICE}"
    )
}

/// What is wrong with it, the body, and the status if only one is right.
fn offers() -> Vec<(&'static str, Vec<u8>, Option<u16>)> {
    let text = |text: String| text.into_bytes();
    let many: String = (0..2000)
        .map(|mid| format!("m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:{mid}\r\n"))
        .collect();
    let good = format!("{SESSION}{}", video(0, "H264"));
    vec![
        ("nothing", Vec::new(), None),
        (
            "noise",
            (0..2000u32)
                .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
                .collect(),
            None,
        ),
        ("no media", text(SESSION.into()), Some(406)),
        ("2,000 media", text(format!("{SESSION}{many}")), None),
        (
            "200 kB",
            text(format!("{good}a=x:{}\r\n", "y".repeat(200_000))),
            Some(413),
        ),
        (
            "an unknown codec",
            text(format!("{SESSION}{}", video(0, "H999"))),
            Some(400),
        ),
        (
            "two videos",
            text(format!("{SESSION}{}{}", video(0, "H264"), video(1, "H264"))),
            Some(406),
        ),
        (
            "a data channel",
            text(format!(
                "{SESSION}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{ICE}"
            )),
            Some(406),
        ),
        (
            "no ICE",
            text(
                good.replace("a=ice-ufrag:abcd\r\n", "")
                    .replace("a=ice-pwd", "a=x"),
            ),
            None,
        ),
        ("no fingerprint", text(good.replace("a=fingerprint", "a=x")), None),
        ("half an m-line", text(format!("{SESSION}m=video\r\n")), None),
        ("a payload type of 999", text(good.replace("96", "999")), None),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_offers_get_a_clear_4xx() -> Result<()> {
    let mut witness = Witness::start().await?;
    let address = witness.node.address("webrtc")?.to_owned();
    refused(&address).await?;
    witness.measure()?;
    for _ in 0..20 {
        refused(&address).await?;
    }
    ensure!(!witness.node.has("bad").await, "a bad offer made a stream");
    witness.undisturbed().await
}

async fn refused(address: &str) -> Result<()> {
    for (fault, body, expected) in offers() {
        let answer = http::request("POST", address, "/bad/whip", SDP, &body)
            .await
            .context(fault)?;
        let good = expected.map_or((400..500).contains(&answer.status), |status| {
            status == answer.status
        });
        ensure!(
            good,
            "{fault}: {} {}, expected {expected:?}",
            answer.status,
            answer.text()
        );
        ensure!(
            !answer.body.is_empty(),
            "{fault}: {} without a word",
            answer.status
        );
    }
    let wrong = http::request(
        "POST",
        address,
        "/bad/whip",
        &[("Content-Type", "text/plain")],
        b"v=0",
    )
    .await?;
    ensure!(
        (400..500).contains(&wrong.status),
        "a wrong content type: {}",
        wrong.status
    );
    let path = http::request("POST", address, "/../%00/whip", SDP, b"v=0").await?;
    ensure!((400..500).contains(&path.status), "a bad path: {}", path.status);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_connections_that_say_nothing_are_closed() -> Result<()> {
    let mut witness = Witness::start().await?;
    let addresses = [
        witness.node.address("webrtc")?.to_owned(),
        witness.node.address("rtsp")?.to_owned(),
    ];
    witness.measure()?;
    for address in addresses {
        let mut idle = Vec::new();
        for _ in 0..500 {
            idle.push(TcpStream::connect(&address).await?);
        }
        for (number, stream) in idle.iter_mut().enumerate() {
            let mut rest = Vec::new();
            let closed = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut rest)).await;
            // A reset is a closed socket too.
            drop(closed.with_context(|| format!("connection {number} to {address} is still open"))?);
        }
    }
    witness.undisturbed().await
}
