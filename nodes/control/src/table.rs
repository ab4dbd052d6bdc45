//! The table of routes, with what the OpenAPI file says of each. MediaMTX's routes of servers that are not there (RTMP, SRT,
//! MoQ, recordings, forwards) are not there either, as they are not in MediaMTX while those are off; nor are sessions of HLS: our
//! URLs are plain, and who asks for a playlist now and who did a moment ago is not told apart.

use crate::dashboard::{self, StreamEvents};
use crate::endpoint::Endpoint;
use crate::health::{self, Health};
use crate::info::{self, Info};
use crate::lists;
use crate::muxers::HlsMuxer;
use crate::nodes::Node;
use crate::openapi;
use crate::orders::{self, Done, Left};
use crate::path::Path;
use crate::sessions::{RtspConn, RtspSession, WebRtcSession};
use crate::view::SessionKind;
use crate::{config_api, keys};

const SILENT: &str = "The node that has it does not answer";
const BAD_NAME: &str = "This is no name";
const BAD_ID: &str = "This is no UUID";

/// All routes below `/v3`.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut table = this_node();
    table.extend(fabric());
    table.extend(streams());
    table.extend(webrtc());
    for (word, kind, tls) in [
        ("rtsp", SessionKind::Rtsp, false),
        ("rtsps", SessionKind::Rtsps, true),
    ] {
        table.extend(rtsp(word, kind, tls));
    }
    table.extend(hls());
    table.extend(live());
    table.extend(config_api::endpoints());
    table
}

fn this_node() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/info",
            info::info,
            "Which program this is, and since when it runs",
        )
        .gives::<Info>("It"),
        Endpoint::get("/openapi.json", openapi::file, "This file").gives::<serde_json::Value>("OpenAPI 3.1"),
        Endpoint::post(
            "/auth/jwks/refresh",
            keys::refresh,
            "Fetches the keys that tokens are checked with anew, on every node",
        )
        .gives::<Done>("They are fetched, or will be at the next token"),
        Endpoint::get("/node/live", health::live, "Whether the process lives").gives::<Health>("It answers"),
        Endpoint::get(
            "/node/ready",
            health::ready,
            "Whether new work is welcome on this node",
        )
        .gives::<Health>("It is")
        .answers::<Health>(503, "It is not, for the reasons in `problems`"),
        Endpoint::post(
            "/node/drain",
            orders::drain_own,
            "Tells this node to take nobody new, to move its publishers and to end",
        )
        .query(
            "timeout",
            TIMEOUT,
            "When it ends at the latest; absent or 0: when everybody has left",
        )
        .gives::<Left>("Who is still there")
        .fails(400, "The timeout is no duration"),
    ]
}

const TIMEOUT: &str = r#"{"type":"string","examples":["30s"]}"#;

fn fabric() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/nodes/list", lists::nodes, "All nodes by name").lists::<Node>("Nodes"),
        Endpoint::get("/nodes/get/{name}", lists::node, "A node")
            .gives::<Node>("It")
            .fails(400, BAD_NAME)
            .fails(404, "There is no node of this name"),
        Endpoint::post(
            "/nodes/drain/{name}",
            orders::drain_any,
            "Tells a node to take nobody new, to move its publishers and to end",
        )
        .query(
            "timeout",
            TIMEOUT,
            "When it ends at the latest; absent or 0: when everybody has left",
        )
        .gives::<Left>("Who is still there")
        .fails(400, "This is no name, or the timeout no duration")
        .fails(404, "There is no node of this name")
        .fails(503, SILENT),
    ]
}

fn live() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/live",
            dashboard::live,
            "All nodes and streams as they are, and each second what has changed",
        )
        .tells("Events `snapshot` and `change`"),
        Endpoint::get(
            "/wall",
            dashboard::wall,
            "The streams that match and that who asks may read, and each second what has changed",
        )
        .tells("Events `snapshot` and `change`"),
    ]
}

fn streams() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/paths/events/{name:.*}",
            dashboard::events,
            "What has happened to a stream of late",
        )
        .gives::<StreamEvents>("It")
        .fails(400, BAD_NAME),
        Endpoint::get(
            "/paths/list",
            lists::paths,
            "All streams by name, and the paths of the configuration that have a name of their own",
        )
        .lists::<Path>("Streams"),
        Endpoint::get(
            "/paths/get/{name:.*}",
            lists::path,
            "A stream, as its owner knows it just now",
        )
        .gives::<Path>("It")
        .fails(400, BAD_NAME)
        .fails(404, "There is no stream of this name"),
        Endpoint::post(
            "/paths/kick/{name:.*}",
            orders::kick_path,
            "Closes a stream's publisher, on whichever node it is",
        )
        .gives::<Done>("It is closed")
        .fails(400, BAD_NAME)
        .fails(404, "Nobody publishes it")
        .fails(503, SILENT),
        Endpoint::delete(
            "/paths/delete/{name:.*}",
            orders::delete_path,
            "The same by an older name",
        )
        .gives::<Done>("It is closed; `Weft-Notice` names the route of today")
        .fails(400, BAD_NAME)
        .fails(404, "Nobody publishes it")
        .fails(503, SILENT),
    ]
}

fn webrtc() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/webrtcsessions/list",
            lists::webrtc_sessions,
            "Sessions over WebRTC on all nodes, oldest first",
        )
        .lists::<WebRtcSession>("Sessions"),
        Endpoint::get(
            "/webrtcsessions/get/{id}",
            lists::webrtc_session,
            "A session over WebRTC",
        )
        .gives::<WebRtcSession>("It")
        .fails(400, BAD_ID)
        .fails(404, "There is no such session"),
        kick("/webrtcsessions/kick/{id}".to_owned(), SessionKind::WebRtc),
    ]
}

fn rtsp(word: &str, kind: SessionKind, tls: bool) -> Vec<Endpoint> {
    let upper = word.to_uppercase();
    vec![
        Endpoint::get(
            format!("/{word}conns/list"),
            move |control, query| lists::connections(control, query, tls),
            format!("{upper} connections to all nodes, oldest first"),
        )
        .lists::<RtspConn>("Connections"),
        Endpoint::get(
            format!("/{word}conns/get/{{id}}"),
            move |control, id| lists::connection(control, id, tls),
            format!("An {upper} connection"),
        )
        .gives::<RtspConn>("It")
        .fails(400, BAD_ID)
        .fails(404, "There is no such connection"),
        Endpoint::get(
            format!("/{word}sessions/list"),
            move |control, query| lists::rtsp_sessions(control, query, kind),
            format!("{upper} sessions on all nodes, oldest first"),
        )
        .lists::<RtspSession>("Sessions"),
        Endpoint::get(
            format!("/{word}sessions/get/{{id}}"),
            move |control, id| lists::rtsp_session(control, id, kind),
            format!("An {upper} session"),
        )
        .gives::<RtspSession>("It")
        .fails(400, BAD_ID)
        .fails(404, "There is no such session"),
        kick(format!("/{word}sessions/kick/{{id}}"), kind),
    ]
}

fn hls() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/hlsmuxers/list",
            lists::muxers,
            "The streams that are made into HLS on some node, oldest first",
        )
        .lists::<HlsMuxer>("Muxers"),
        Endpoint::get(
            "/hlsmuxers/get/{name:.*}",
            lists::muxer,
            "A stream that is made into HLS",
        )
        .gives::<HlsMuxer>("It")
        .fails(400, BAD_NAME)
        .fails(404, "Nobody watches it over HLS"),
    ]
}

fn kick(path: String, kind: SessionKind) -> Endpoint {
    Endpoint::post(
        path,
        move |control, id| orders::kick_session(control, id, kind),
        "Closes a session, on whichever node it is",
    )
    .gives::<Done>("It is closed")
    .fails(400, BAD_ID)
    .fails(404, "There is no such session")
    .fails(503, SILENT)
}
