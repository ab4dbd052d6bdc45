//! Who may ask: the contract's words for those who show nothing, something wrong, or the right thing, on every face.
//! Which rule lets whom do what is tested in `access`.

use super::row::{Body, Row, row};
use super::whip::OFFER;
use anyhow::{Context, Result, ensure};
use weft_testkit::http;
use weft_testkit::node::{Plan, Role};
use weft_testkit::rtsp::Dialogue;

const USERS: &str = "authInternalUsers: [{user: boss, pass: hush, permissions: [{action: api}, {action: publish}, {action: read}]}]";
const AUTH: &str = "§2 Auth: every route needs action api";
const WHIP: &str = "§3 POST errors: 401 auth";
const DENIED: Body = Body::Error("authentication error");
const REALM: &[(&str, &str)] = &[("WWW-Authenticate", "Basic realm=\"mediamtx\"")];
const NO_REALM: &[(&str, &str)] = &[("WWW-Authenticate", "")];
/// boss:wrong and boss:hush.
const WRONG: &[(&str, &str)] = &[("Authorization", "Basic Ym9zczp3cm9uZw==")];
const RIGHT: &[(&str, &str)] = &[("Authorization", "Basic Ym9zczpodXNo")];
const BEARER: &[(&str, &str)] = &[("Authorization", "Bearer boss:hush")];
const SDP: &[(&str, &str)] = &[("Content-Type", "application/sdp")];
const WRONG_SDP: &[(&str, &str)] = &[
    ("Content-Type", "application/sdp"),
    ("Authorization", "Basic Ym9zczp3cm9uZw=="),
];

const API: &[Row] = &[
    row(AUTH, "GET /v3/paths/list", 401, DENIED).told(REALM),
    row(AUTH, "POST /v3/webrtcsessions/kick/x", 401, DENIED).told(REALM),
    row(AUTH, "PATCH /v3/config/global/patch", 401, DENIED).told(REALM),
    row(AUTH, "GET /v3/nothing", 401, DENIED).told(REALM),
    row(AUTH, "GET /v3/paths/list", 401, DENIED)
        .with(WRONG)
        .told(NO_REALM),
    row(AUTH, "GET /v3/paths/list", 200, Body::Any).with(RIGHT),
    row(AUTH, "GET /v3/paths/list", 200, Body::Any).with(BEARER),
    row(AUTH, "GET /v3/node/ready", 200, Body::Any),
    row("§2 CORS", "OPTIONS /v3/paths/list", 204, Body::Any)
        .with(&[("Access-Control-Request-Method", "GET")]),
];

const PUBLISH: &[Row] = &[
    row(WHIP, "POST /cam/whip", 401, DENIED)
        .with(SDP)
        .sends(OFFER)
        .told(REALM),
    row(WHIP, "OPTIONS /cam/whip", 401, DENIED).told(REALM),
    row(WHIP, "POST /cam/whip", 401, DENIED)
        .with(WRONG_SDP)
        .sends(OFFER)
        .told(NO_REALM),
    row("§3 OPTIONS", "OPTIONS /cam/whip", 204, Body::Any).with(RIGHT),
];

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_nothing_is_asked_and_who_shows_something_wrong_is_not() -> Result<()> {
    let node = Plan::new(Role::Standalone).with(USERS).start().await?;
    let (api, webrtc) = (node.address("api")?, node.address("webrtc")?);
    for row in API {
        row.ask("the API's port", api, &[]).await?;
    }
    for row in API.iter().chain(PUBLISH) {
        row.ask("the port of WebRTC", webrtc, &[]).await?;
    }
    // Section 4: RTSP keeps the connection of who shows nothing.
    let mut dialogue = Dialogue::open(node.address("rtsp")?).await?;
    let url = node.rtsp("cam")?;
    let answer = dialogue.ask("DESCRIBE", &url, &[]).await?;
    let challenge = answer.header("WWW-Authenticate").context("a challenge")?;
    ensure!(
        answer.status == 401 && challenge.contains("realm=\"ipcam\""),
        "{answer:?}"
    );
    let answer = dialogue.ask("DESCRIBE", &url, RIGHT).await?;
    ensure!(
        answer.status == 404,
        "let in, and nobody publishes it: {answer:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_ask_for_their_own_action() -> Result<()> {
    let node = Plan::new(Role::Standalone)
        .with("metrics: yes")
        .with(USERS)
        .start()
        .await?;
    let address = node.address("metrics")?;
    let answer = http::get(address, "/metrics").await?;
    ensure!(answer.status == 401, "{answer:?}");
    let answer = http::request("GET", address, "/metrics", RIGHT, b"").await?;
    ensure!(
        answer.status == 401,
        "the api's action is not the metrics': {answer:?}"
    );
    Ok(())
}
