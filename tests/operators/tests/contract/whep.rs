//! Section 3 of the contract: WHEP over HTTP, on the reader's node and, for session URLs, at another one.
//! What is seen is tested with real readers.

use super::place::{ICE_LINKS, Place, STREAM};
use super::row::{Body, Row, row};
use super::whip::OFFER;
use anyhow::{Context, Result, ensure};
use weft_testkit::http;
use weft_testkit::node::Node;

const SDP: &[(&str, &str)] = &[("Content-Type", "application/sdp")];
const FRAGMENT: &[(&str, &str)] = &[("Content-Type", "application/trickle-ice-sdpfrag")];
const TRICKLE: &str = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=video 9 UDP/TLS/RTP/SAVPF 102\r\na=mid:0\r\n\
                       a=candidate:1 1 udp 2130706431 192.0.2.9 50000 typ host\r\n";
const PLAIN: Body = Body::Text("404 page not found");

/// An offer as browsers that watch make it, shortened.
fn offer() -> String {
    OFFER.replace("sendonly", "recvonly")
}

/// What needs no offer.
const BARE: &[Row] = &[
    row("§3 OPTIONS", "OPTIONS /exam/17/whep", 204, Body::Any).told(&[
        ("Accept-Post", "application/sdp"),
        ("Access-Control-Expose-Headers", "Accept-Post, Link"),
    ]),
    row(
        "§3 POST",
        "POST /exam/17/whep",
        400,
        Body::ErrorFirst("invalid Content-Type"),
    )
    .with(&[("Content-Type", "text/plain")])
    .sends(OFFER),
    row("§3 POST errors", "POST /exam/17/whep", 400, Body::SomeError)
        .with(SDP)
        .sends("hello"),
    // It sends and wants nothing.
    row("§3 POST errors", "POST /exam/17/whep", 406, Body::SomeError)
        .with(SDP)
        .sends(OFFER),
    row(
        "§3 GET/HEAD/PUT",
        "GET /exam/17/whep",
        405,
        Body::Error("method not allowed"),
    ),
    row("§3 PATCH session", "PATCH /exam/17/whep", 404, PLAIN),
    row(
        "§3 PATCH session",
        "PATCH /exam/17/whep/7",
        400,
        Body::Error("invalid secret"),
    )
    .with(FRAGMENT)
    .sends(TRICKLE),
    row(
        "§3 DELETE session",
        "DELETE /exam/17/whep/{nobody}",
        404,
        Body::Error("session not found"),
    ),
];

const SESSION: &[Row] = &[
    row(
        "§3 PATCH session",
        "PATCH {session}",
        400,
        Body::ErrorFirst("invalid Content-Type"),
    )
    .with(SDP)
    .sends(TRICKLE),
    row("§3 PATCH session", "PATCH {session}", 204, Body::Any)
        .with(FRAGMENT)
        .sends(TRICKLE),
    row("§3 GET session", "GET {session}", 404, PLAIN),
    row(
        "§3 DELETE session",
        "DELETE {session}",
        200,
        Body::Json(r#"{"status":"ok"}"#),
    ),
];

async fn post(node: &Node, path: &str, offer: &str) -> Result<http::Response> {
    http::request("POST", node.address("webrtc")?, path, SDP, offer.as_bytes()).await
}

/// The values of `Link`, in their order.
fn links(answer: &http::Response) -> Vec<&str> {
    let links = answer.headers.iter();
    links
        .filter(|(name, _)| name.eq_ignore_ascii_case("link"))
        .map(|(_, value)| value.as_str())
        .collect()
}

/// Posts an offer at a node and asks all of its session at another.
async fn session(place: &Place, posted: &Node, asked: &Node) -> Result<()> {
    let answer = post(posted, &format!("/{STREAM}/whep?quality=hd"), &offer()).await?;
    ensure!(answer.status == 201, "{} {}", answer.status, answer.text());
    for (name, value) in [
        ("Content-Type", "application/sdp"),
        ("ETag", "*"),
        ("Accept-Patch", "application/trickle-ice-sdpfrag"),
        (
            "Access-Control-Expose-Headers",
            "ETag, ID, Accept-Patch, Link, Location",
        ),
    ] {
        ensure!(answer.header(name) == Some(value), "{name}: {:?}", answer.headers);
    }
    ensure!(links(&answer) == ICE_LINKS, "ICE servers: {:?}", answer.headers);
    let text = answer.text();
    ensure!(
        text.contains("a=candidate:") && text.contains("a=sendonly"),
        "{text}"
    );
    let location = answer.header("Location").context("a location")?.to_owned();
    ensure!(
        location.starts_with("/exam/17/whep/") && location.ends_with("?quality=hd"),
        "relative, with the query: {location}"
    );
    let id = answer.header("ID").context("an id")?.to_owned();
    let known = http::get(posted.address("api")?, &format!("/v3/webrtcsessions/get/{id}")).await?;
    ensure!(
        known.status == 200,
        "ID is the session's id in the API: {known:?}"
    );
    let known = known.json()?;
    ensure!(known["state"] == "read" && known["path"] == STREAM, "{known}");
    let mut names = place.names.clone();
    names.push(("session", location));
    for row in SESSION {
        row.ask("the node asked", asked.address("webrtc")?, &names)
            .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_whep_holds_on_one_node() -> Result<()> {
    let place = Place::alone().await?;
    let node = place.nodes.first().context("a node")?;
    for row in BARE {
        row.ask("the node", node.address("webrtc")?, &place.names).await?;
    }
    let address = node.address("webrtc")?;
    let asked = http::request("OPTIONS", address, &format!("/{STREAM}/whep"), &[], b"").await?;
    ensure!(links(&asked) == ICE_LINKS, "ICE servers: {:?}", asked.headers);
    let none = post(node, "/nobody/whep", &offer()).await?;
    ensure!(
        none.status == 404 && none.text().contains("no stream is available on path 'nobody'"),
        "{} {}",
        none.status,
        none.text()
    );
    let other = offer()
        .replace("H264", "VP8")
        .replace("opus/48000/2", "PCMU/8000");
    let unfit = post(node, &format!("/{STREAM}/whep"), &other).await?;
    ensure!(
        unfit.status == 406 && unfit.text().contains("the stream has H264"),
        "{} {}",
        unfit.status,
        unfit.text()
    );
    session(&place, node, node).await
}

/// The nodes of the place are two for publishers and one for readers, in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_serves_no_readers_sends_them_to_one_that_does() -> Result<()> {
    let place = Place::fabric().await?;
    let [ingest, egress, _] = &place.nodes[..] else {
        anyhow::bail!("three nodes are wanted");
    };
    let sent = post(ingest, &format!("/{STREAM}/whep?a=b"), &offer()).await?;
    let there = format!("http://{}/{STREAM}/whep?a=b", egress.address("webrtc")?);
    ensure!(
        sent.status == 307 && sent.header("Location") == Some(there.as_str()),
        "{sent:?}"
    );
    let sent = post(egress, "/exam/18/whip", OFFER).await?;
    ensure!(
        sent.status == 307
            && sent
                .header("Location")
                .is_some_and(|l| l.ends_with("/exam/18/whip")),
        "{sent:?}"
    );
    session(&place, egress, egress).await
}
