//! Rows of the contract that Weft does not serve, each with its reason; where MediaMTX would not either while the server in
//! question is off, that is asked. Rows that Weft answers otherwise on purpose stand here as well.

use super::place::Place;
use super::row::{Body, Row, row};
use anyhow::Result;

const PLAIN: Body = Body::Text("404 page not found");
const OFF: &str = "§2 Protocol routes exist only while that server is enabled";

/// Servers that are not there: their routes are not, as in MediaMTX.
const ROUTES: &[Row] = &[
    row(OFF, "GET /v3/rtmpconns/list", 404, PLAIN),
    row(OFF, "GET /v3/rtmpsconns/get/{nobody}", 404, PLAIN),
    row(OFF, "POST /v3/rtmpconns/kick/{nobody}", 404, PLAIN),
    row(OFF, "GET /v3/srtconns/list", 404, PLAIN),
    row(OFF, "GET /v3/moqsessions/list", 404, PLAIN),
    row(OFF, "GET /v3/hlssessions/list", 404, PLAIN),
    // Nothing is recorded, nothing is forwarded.
    row("§2 /v3/recordings", "GET /v3/recordings/list", 404, PLAIN),
    row(
        "§2 /v3/recordings",
        "DELETE /v3/recordings/deletesegment",
        404,
        PLAIN,
    ),
    row("§2 /v3/paths/forward", "GET /v3/paths/forward/list", 404, PLAIN),
];

/// What is not asked by these tests, and why.
const NOT_SERVED: &[(&str, &str)] = &[
    (
        "§2 HLSMuxer, HLSSession",
        "a muxer is among the readers of its path; lists of its own come later",
    ),
    (
        "§2 PathConf keys of recording, SRT, MoQ, forwards",
        "accepted and said to be unused, see docs/config.md",
    ),
    (
        "§2 Server header `mediamtx`",
        "it says `weft`: a client must be able to tell",
    ),
    (
        "§2 wrong credentials after 0 to 4 s",
        "after 1 to 3 s; tested with the auth crate",
    ),
    (
        "§2 rtsps routes while RTSPS is off",
        "served always: another node of the fabric may have it",
    ),
    (
        "§2 GET /v3/paths/get/{no name}",
        "400 with what is wrong with the name, where MediaMTX says 404",
    ),
    ("§2 RTSPConn tunnel `http`, `websocket`", "there are no tunnels"),
    (
        "§2 RTSPSession state `publish`, profile `SAVP`, transport `UDP-multicast`",
        "RECORD, SRTP and multicast are not served",
    ),
    ("§3 the read page", "it is a page of ours; tested in browsers"),
    (
        "§3 WHEP POST: `codecs not supported by client`, 400",
        "406, with what the stream has and what the offer takes",
    ),
    (
        "§3 POST body above 128 KiB",
        "413, where MediaMTX says 400; tested with the ingest crate",
    ),
    (
        "§3 GET on a session URL",
        "tells why the session ended, where MediaMTX has no such route",
    ),
    (
        "§3 Location",
        "its last part is `{node}.{secret}`, so that every node can pass on what concerns the session",
    ),
    (
        "§3 the page of an unconfigured path: 500",
        "a 4xx: it is no fault of the server",
    ),
    ("§3 media: codecs but H.264 and Opus", "refused by 400, named"),
    (
        "§4 Session `;timeout=55`",
        "60, RFC 2326's own; who is silent for longer is closed",
    ),
    (
        "§4 Transport `ssrc`",
        "left out: it is chosen at PLAY, and the first sender report says it before any packet",
    ),
    ("§4 ANNOUNCE, RECORD", "501: publishers come by WHIP"),
    ("§4 multicast, tunnels, MIKEY", "not served"),
    (
        "§4 GStreamer: SETUP delayed by 1 s",
        "not needed: packets never overtake the answer to PLAY",
    ),
    (
        "§4 no stream: the connection is closed",
        "it is kept; clients that ask again need not connect again",
    ),
    (
        "§4 SR each 10 s, mid-GOP start",
        "each 5 s, and readers start at a key picture",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn routes_of_servers_that_are_not_there_are_not_there_either() -> Result<()> {
    for (place, reason) in NOT_SERVED {
        assert!(place.starts_with('§') && !reason.is_empty(), "{place}");
    }
    Place::alone().await?.ask_all(ROUTES).await
}
