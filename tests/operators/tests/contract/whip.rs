//! Section 3 of the contract: WHIP over HTTP, on the publisher's node and, for session URLs, at another one.
//! The media of it is tested end to end.

use super::place::Place;
use super::row::{Body, Row, row};
use anyhow::{Context, Result, ensure};
use weft_testkit::http;
use weft_testkit::node::Node;

/// An offer of H.264 42e01f and Opus, as browsers make it, shortened. No media comes of it.
pub(super) const OFFER: &str = concat!(
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n",
    "m=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n",
    "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n",
    "a=setup:actpass\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:102 H264/90000\r\n",
    "a=rtcp-fb:102 nack pli\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n",
    "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n",
    "a=setup:actpass\r\na=mid:1\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n",
);

/// A data channel alone.
const DATA: &str = concat!(
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=setup:actpass\r\n",
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n",
    "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n",
);
const NOTHING: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

const SDP: &[(&str, &str)] = &[("Content-Type", "application/sdp")];
const FRAGMENT: &[(&str, &str)] = &[
    ("Content-Type", "application/trickle-ice-sdpfrag"),
    ("If-Match", "*"),
];
const TRICKLE: &str = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=video 9 UDP/TLS/RTP/SAVPF 102\r\na=mid:0\r\n\
                       a=candidate:1 1 udp 2130706431 192.0.2.9 50000 typ host\r\n";
const PLAIN: Body = Body::Text("404 page not found");
const POST: &str = "§3 POST /{path}/whip";
const ERRORS: &str = "§3 POST errors";
const OPTIONS: &str = "§3 OPTIONS";
const METHODS: &str = "§3 GET/HEAD/PUT /{path}/whip";
const PATCH: &str = "§3 PATCH session";
const DELETE: &str = "§3 DELETE session";

const OFFERS: &[Row] = &[
    row(OPTIONS, "OPTIONS /cam/whip", 204, Body::Any)
        .with(&[("Access-Control-Request-Method", "POST")])
        .told(&[
            (
                "Access-Control-Allow-Methods",
                "OPTIONS, GET, POST, PATCH, DELETE",
            ),
            (
                "Access-Control-Allow-Headers",
                "Authorization, Content-Type, If-Match",
            ),
        ]),
    row(OPTIONS, "OPTIONS /cam/whip", 204, Body::Any).told(&[
        ("Accept-Post", "application/sdp"),
        ("Access-Control-Expose-Headers", "Accept-Post, Link"),
    ]),
    row(
        POST,
        "POST /cam/whip",
        400,
        Body::ErrorFirst("invalid Content-Type"),
    )
    .with(&[("Content-Type", "text/plain")])
    .sends(OFFER),
    row(
        POST,
        "POST /cam/whip",
        400,
        Body::ErrorFirst("invalid Content-Type"),
    )
    .sends(OFFER),
    row(ERRORS, "POST /cam/whip", 400, Body::SomeError)
        .with(SDP)
        .sends("no SDP"),
    row(ERRORS, "POST /cam/whip", 406, Body::SomeError)
        .with(SDP)
        .sends(DATA),
    row(ERRORS, "POST /cam/whip", 406, Body::SomeError)
        .with(SDP)
        .sends(NOTHING),
    row(ERRORS, "POST /a:b/whip", 400, Body::SomeError)
        .with(SDP)
        .sends(OFFER),
    row(METHODS, "GET /cam/whip", 405, Body::Error("method not allowed")),
    row(METHODS, "HEAD /cam/whip", 405, Body::Any),
    row(METHODS, "PUT /cam/whip", 405, Body::Error("method not allowed")),
    row("§3 PATCH/DELETE without id", "PATCH /cam/whip", 404, PLAIN).with(FRAGMENT),
    row("§3 PATCH/DELETE without id", "DELETE /cam/whip", 404, PLAIN),
    row("§3 GET /{path}/publish", "GET /cam/publish", 200, Body::Any),
];

const ANSWERED: Row = row(POST, "POST /exam/18/whip?quality=hd", 201, Body::Any)
    .with(SDP)
    .sends(OFFER)
    .told(&[
        ("Content-Type", "application/sdp"),
        ("ETag", "*"),
        ("ID", "*"),
        ("Accept-Patch", "application/trickle-ice-sdpfrag"),
        ("Location", "*"),
        (
            "Access-Control-Expose-Headers",
            "ETag, ID, Accept-Patch, Link, Location",
        ),
    ]);

/// In this order: the session is over at the end.
const SESSION: &[Row] = &[
    row(PATCH, "PATCH {session}", 400, Body::SomeError)
        .with(&[("Content-Type", "text/plain")])
        .sends(TRICKLE),
    row(PATCH, "PATCH /exam/18/whip/7", 400, Body::Error("invalid secret"))
        .with(FRAGMENT)
        .sends(TRICKLE),
    row(
        PATCH,
        "PATCH /exam/18/whip/{nobody}",
        404,
        Body::Error("session not found"),
    )
    .with(FRAGMENT)
    .sends(TRICKLE),
    row(PATCH, "PATCH {session}", 204, Body::Any)
        .with(FRAGMENT)
        .sends(TRICKLE),
    row(
        DELETE,
        "DELETE /exam/18/whip/7",
        400,
        Body::Error("invalid secret"),
    ),
    row(
        DELETE,
        "DELETE /exam/18/whip/{nobody}",
        404,
        Body::Error("session not found"),
    ),
    row(DELETE, "DELETE {session}", 200, Body::Json(r#"{"status":"ok"}"#)),
];

/// Posts an offer at a node and asks all of its session at another.
async fn session(place: &Place, posted: &Node, asked: &Node) -> Result<()> {
    let answer = ANSWERED
        .ask("the publisher's node", posted.address("webrtc")?, &place.names)
        .await?;
    ensure!(
        answer.text().starts_with("v=0\r\n"),
        "an SDP answer: {}",
        answer.text()
    );
    // The contract's answers are complete: nothing is trickled to the client.
    ensure!(
        answer.text().contains("a=candidate:"),
        "candidates: {}",
        answer.text()
    );
    let location = answer.header("Location").context("a location")?.to_owned();
    ensure!(
        location.starts_with("/exam/18/whip/") && location.ends_with("?quality=hd"),
        "relative, with the query: {location}"
    );
    let id = answer.header("ID").context("an id")?.to_owned();
    let known = http::get(posted.address("api")?, &format!("/v3/webrtcsessions/get/{id}")).await?;
    ensure!(
        known.status == 200,
        "ID is the session's id in the API: {known:?}"
    );
    let mut names = place.names.clone();
    names.push(("session", location));
    for row in SESSION {
        row.ask("the node asked", asked.address("webrtc")?, &names)
            .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_whip_holds_on_one_node() -> Result<()> {
    let place = Place::alone().await?;
    let node = place.nodes.first().context("a node")?;
    for row in OFFERS {
        row.ask("the node", node.address("webrtc")?, &place.names).await?;
    }
    session(&place, node, node).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_s_url_is_served_at_a_node_that_has_not_the_session() -> Result<()> {
    let place = Place::fabric().await?;
    let [first, _, second] = &place.nodes[..] else {
        anyhow::bail!("three nodes are wanted");
    };
    session(&place, first, second).await?;
    session(&place, second, first).await
}
