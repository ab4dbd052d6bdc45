//! Section 2 of the contract: the control API, on one node and on a fabric.
//! Settings are in `settings`, users in `users`.

use super::fields::{CONNECTION, MUXER, PATH, RTSP, WEBRTC, check, check_list};
use super::place::{Place, STREAM};
use super::row::{Body, Row, row};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

const OK: Body = Body::Json(r#"{"status":"ok"}"#);
const PLAIN: Body = Body::Text("404 page not found");

fn info(info: &Value) -> Result<()> {
    check(info, &[("version", "string"), ("started", "time")])
}

fn paths(list: &Value) -> Result<()> {
    check_list(list, PATH)?;
    let names: Vec<&str> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|p| p["name"].as_str())
        .collect();
    // Static paths are listed while idle; the order is that of the names.
    ensure!(names == [STREAM, "hall"], "{names:?}");
    ensure!(list["itemCount"] == 2 && list["pageCount"] == 1, "the counts");
    Ok(())
}

fn path(path: &Value) -> Result<()> {
    check(path, PATH)?;
    ensure!(
        path["name"] == STREAM && path["confName"] == "all_others",
        "names"
    );
    ensure!(
        path["ready"] == true && path["available"] == true && path["online"] == true,
        "ready"
    );
    ensure!(path["source"]["type"] == "webRTCSession", "the source");
    check(&path["source"], &[("type", "string"), ("id", "uuid")])?;
    ensure!(path["tracks"][0] == "H264", "the tracks");
    let first = &path["tracks2"][0];
    ensure!(first["codec"] == "H264", "the codec");
    let h264 = [
        ("width", "uint"),
        ("height", "uint"),
        ("profile", "string"),
        ("level", "string"),
    ];
    check(&first["codecProps"], &h264)?;
    let readers = path["readers"].as_array().context("readers")?;
    ensure!(readers.iter().any(|r| r["type"] == "rtspSession"), "the readers");
    ensure!(
        path["inboundBytes"] == path["bytesReceived"] && path["outboundBytes"] == path["bytesSent"],
        "old names"
    );
    Ok(())
}

fn idle_path(path: &Value) -> Result<()> {
    check(path, PATH)?;
    ensure!(path["confName"] == "hall" && path["ready"] == false, "idle");
    ensure!(
        path["source"].is_null() && path["readyTime"].is_null() && path["tracks"] == json!([]),
        "nothing"
    );
    Ok(())
}

fn webrtc(session: &Value) -> Result<()> {
    check(session, WEBRTC)?;
    ensure!(
        session["state"] == "publish" && session["path"] == STREAM,
        "state"
    );
    ensure!(session["peerConnectionEstablished"] == true, "established");
    let local = session["localCandidate"].as_str().context("local")?;
    ensure!(local.starts_with("host/udp/127.0.0.1/"), "localCandidate {local}");
    let remote = session["remoteCandidate"].as_str().context("remote")?;
    ensure!(remote.split('/').count() == 4, "remoteCandidate {remote}");
    ensure!(session["query"] == "quality=hd", "query {}", session["query"]);
    let agent = session["userAgent"].as_str().context("userAgent")?;
    ensure!(agent.starts_with("Lavf"), "userAgent {agent}");
    ensure!(session["inboundRTCPPackets"].as_u64() > Some(0), "RTCP");
    Ok(())
}

fn reader(session: &Value) -> Result<()> {
    check(session, RTSP)?;
    ensure!(session["state"] == "read" && session["path"] == STREAM, "state");
    ensure!(
        session["transport"] == "TCP" && session["profile"] == "AVP",
        "transport"
    );
    ensure!(session["conns"].as_array().is_some_and(|c| c.len() == 1), "conns");
    ensure!(session["outboundRTPPackets"].as_u64() > Some(0), "packets");
    Ok(())
}

fn idle(session: &Value) -> Result<()> {
    check(session, RTSP)?;
    ensure!(
        session["state"] == "idle" && session["userAgent"] == "Idler/1",
        "idle"
    );
    Ok(())
}

fn connection(connection: &Value) -> Result<()> {
    check(connection, CONNECTION)?;
    ensure!(
        connection["tunnel"] == "none" && connection["inboundBytes"].as_u64() > Some(0),
        "tunnel, bytes"
    );
    Ok(())
}

fn muxer(muxer: &Value) -> Result<()> {
    check(muxer, MUXER)?;
    ensure!(muxer["path"] == STREAM, "path");
    ensure!(muxer["outboundBytes"] == muxer["bytesSent"], "old name");
    Ok(())
}

fn empty(list: &Value) -> Result<()> {
    ensure!(
        list["itemCount"] == 0 && list["pageCount"] == 0 && list["items"] == json!([]),
        "empty"
    );
    Ok(())
}

fn beyond(list: &Value) -> Result<()> {
    ensure!(
        list["itemCount"] == 2 && list["pageCount"] == 1 && list["items"] == json!([]),
        "beyond the end"
    );
    Ok(())
}

fn second_page(list: &Value) -> Result<()> {
    ensure!(list["itemCount"] == 2 && list["pageCount"] == 2, "the counts");
    ensure!(
        list["items"].as_array().is_some_and(|i| i.len() == 1) && list["items"][0]["name"] == "hall",
        "the page"
    );
    Ok(())
}

const UNKNOWN: &str = "§2 Unknown route or wrong method";
const PAGES: &str = "§2 Pagination on every list";
const CORS: &str = "§2 CORS";
const SESSIONS: &str = "§2 /v3/{rtspsessions,webrtcsessions}/list, get, kick";
const CONNS: &str = "§2 /v3/{rtspconns,rtspsconns}/list, get";
const MUXERS: &str = "§2 GET /v3/hlsmuxers/list, /get/{name}";
const PATHS: &str = "§2 /v3/paths/list, get";
const PREFLIGHT: &[(&str, &str)] = &[
    ("Access-Control-Request-Method", "POST"),
    ("Origin", "https://a.example"),
];
const ALLOWED: &[(&str, &str)] = &[
    (
        "Access-Control-Allow-Methods",
        "OPTIONS, GET, POST, PATCH, DELETE",
    ),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type"),
    ("Access-Control-Allow-Origin", "*"),
];

const LOOKS: &[Row] = &[
    row("§2 GET /v3/info", "GET /v3/info", 200, Body::Good(info)),
    row(PATHS, "GET /v3/paths/list", 200, Body::Good(paths)),
    row(PATHS, "GET /v3/paths/get/{stream}", 200, Body::Good(path)),
    row(PATHS, "GET /v3/paths/get/exam%2F17", 200, Body::Good(path)),
    row(PATHS, "GET /v3/paths/get/hall", 200, Body::Good(idle_path)),
    row(
        PATHS,
        "GET /v3/paths/get/attic",
        404,
        Body::Error("path not found"),
    ),
    row(
        SESSIONS,
        "GET /v3/webrtcsessions/list",
        200,
        Body::Good(|l| check_list(l, WEBRTC)),
    ),
    row(
        SESSIONS,
        "GET /v3/webrtcsessions/get/{publisher}",
        200,
        Body::Good(webrtc),
    ),
    row(
        SESSIONS,
        "GET /v3/webrtcsessions/get/{nobody}",
        404,
        Body::Error("session not found"),
    ),
    row(
        SESSIONS,
        "GET /v3/webrtcsessions/get/{reader}",
        404,
        Body::Error("session not found"),
    ),
    row(
        SESSIONS,
        "GET /v3/webrtcsessions/get/7",
        400,
        Body::Error("invalid UUID length: 1"),
    ),
    row(
        SESSIONS,
        "GET /v3/rtspsessions/list",
        200,
        Body::Good(|l| check_list(l, RTSP)),
    ),
    row(
        SESSIONS,
        "GET /v3/rtspsessions/get/{reader}",
        200,
        Body::Good(reader),
    ),
    row(SESSIONS, "GET /v3/rtspsessions/get/{idle}", 200, Body::Good(idle)),
    row(
        SESSIONS,
        "GET /v3/rtspsessions/get/{nobody}",
        404,
        Body::Error("session not found"),
    ),
    row(
        SESSIONS,
        "GET /v3/rtspsessions/get/x",
        400,
        Body::Error("invalid UUID length: 1"),
    ),
    row(SESSIONS, "GET /v3/rtspssessions/list", 200, Body::Good(empty)),
    row(
        SESSIONS,
        "GET /v3/rtspssessions/get/{reader}",
        404,
        Body::Error("session not found"),
    ),
    row(
        CONNS,
        "GET /v3/rtspconns/list",
        200,
        Body::Good(|l| check_list(l, CONNECTION)),
    ),
    row(CONNS, "GET /v3/rtspconns/get/{conn}", 200, Body::Good(connection)),
    row(
        CONNS,
        "GET /v3/rtspconns/get/{nobody}",
        404,
        Body::Error("connection not found"),
    ),
    row(
        CONNS,
        "GET /v3/rtspconns/get/x",
        400,
        Body::Error("invalid UUID length: 1"),
    ),
    row(CONNS, "POST /v3/rtspconns/kick/{conn}", 404, PLAIN),
    row(CONNS, "GET /v3/rtspsconns/list", 200, Body::Good(empty)),
    row(
        MUXERS,
        "GET /v3/hlsmuxers/list",
        200,
        Body::Good(|l| check_list(l, MUXER)),
    ),
    row(MUXERS, "GET /v3/hlsmuxers/get/{stream}", 200, Body::Good(muxer)),
    row(
        MUXERS,
        "GET /v3/hlsmuxers/get/attic",
        404,
        Body::Error("muxer not found"),
    ),
    row(MUXERS, "POST /v3/hlsmuxers/kick/{stream}", 404, PLAIN),
    row(
        PAGES,
        "GET /v3/paths/list?itemsPerPage=0",
        400,
        Body::Error("invalid items per page"),
    ),
    row(
        PAGES,
        "GET /v3/rtspsessions/list?itemsPerPage=0",
        400,
        Body::Error("invalid items per page"),
    ),
    row(PAGES, "GET /v3/paths/list?page=x", 400, Body::SomeError),
    row(PAGES, "GET /v3/paths/list?itemsPerPage=-1", 400, Body::SomeError),
    row(PAGES, "GET /v3/paths/list?page=5", 200, Body::Good(beyond)),
    row(
        PAGES,
        "GET /v3/paths/list?itemsPerPage=1&page=1",
        200,
        Body::Good(second_page),
    ),
    row(UNKNOWN, "GET /v3/nothing", 404, PLAIN),
    row(UNKNOWN, "POST /v3/paths/list", 404, PLAIN),
    row(UNKNOWN, "GET /v3/webrtcsessions/kick/{publisher}", 404, PLAIN),
    row(UNKNOWN, "DELETE /v3/paths/get/{stream}", 404, PLAIN),
    row(CORS, "OPTIONS /v3/paths/list", 204, Body::Any)
        .with(PREFLIGHT)
        .told(ALLOWED),
    row(
        CORS,
        "OPTIONS /v3/webrtcsessions/kick/{publisher}",
        204,
        Body::Any,
    )
    .with(PREFLIGHT)
    .told(ALLOWED),
    row(CORS, "GET /v3/info", 200, Body::Good(info))
        .with(&[("Origin", "https://a.example")])
        .told(&[("Access-Control-Allow-Origin", "*")]),
];

/// In this order: each ends something.
const ORDERS: &[Row] = &[
    row(
        "§2 POST /v3/auth/jwks/refresh",
        "POST /v3/auth/jwks/refresh",
        200,
        OK,
    ),
    row(
        SESSIONS,
        "POST /v3/rtspsessions/kick/{nobody}",
        404,
        Body::Error("session not found"),
    ),
    row(
        SESSIONS,
        "POST /v3/webrtcsessions/kick/x",
        400,
        Body::Error("invalid UUID length: 1"),
    ),
    row(
        SESSIONS,
        "POST /v3/webrtcsessions/kick/{reader}",
        404,
        Body::Error("session not found"),
    ),
    row(
        SESSIONS,
        "POST /v3/rtspssessions/kick/{reader}",
        404,
        Body::Error("session not found"),
    ),
    row(SESSIONS, "POST /v3/rtspsessions/kick/{idle}", 200, OK),
    row(SESSIONS, "POST /v3/rtspsessions/kick/{reader}", 200, OK),
    row(
        SESSIONS,
        "GET /v3/rtspsessions/get/{reader}",
        404,
        Body::Error("session not found"),
    ),
    row(SESSIONS, "POST /v3/webrtcsessions/kick/{publisher}", 200, OK),
    row(SESSIONS, "GET /v3/webrtcsessions/list", 200, Body::Good(empty)),
];

async fn the_api_of(place: &Place) -> Result<()> {
    place.ask_all(LOOKS).await?;
    place.ask_in_turn(ORDERS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_api_holds_on_one_node() -> Result<()> {
    the_api_of(&Place::alone().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_api_holds_on_nodes_that_have_neither_publisher_nor_reader() -> Result<()> {
    the_api_of(&Place::fabric().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_deleted_by_the_specification_s_route_wherever_it_is() -> Result<()> {
    let place = Place::fabric().await?;
    let rows = [
        row(
            "§0 DELETE /v3/paths/delete/{name}",
            "DELETE /v3/paths/delete/{stream}",
            200,
            OK,
        )
        .told(&[("Weft-Notice", "*")]),
        row(
            "§0 DELETE /v3/paths/delete/{name}",
            "GET /v3/webrtcsessions/list",
            200,
            Body::Good(empty),
        ),
        row(
            "§0 DELETE /v3/paths/delete/{name}",
            "DELETE /v3/paths/delete/attic",
            404,
            Body::Error("path not found"),
        ),
    ];
    place.ask_in_turn(&rows).await
}
