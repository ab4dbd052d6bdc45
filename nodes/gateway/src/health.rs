//! Whether the server behind the gateway is well: asked over HTTP as the old system's backend did, and by RTSP's port.
//! Asked at most once a second, however many ask the gateway.

use crate::client::{Client, Outgoing};
use crate::error::Error;
use crate::settings::{RTSP, Settings, WHEP, WHIP};
use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, StatusCode};
use bytes::Bytes;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// The time each part of the server has to answer.
const LIMIT: Duration = Duration::from_secs(3);
/// An answer holds for this long.
const FRESH: Duration = Duration::from_secs(1);
/// What tells that the API is there; MediaMTX of today has another name for it, and has it elsewhere.
const CONFIG: &str = "/v3/config/get";
/// A stream that nobody needs to publish.
const PROBE: &str = "/health/";

/// What was found out last.
#[derive(Default)]
pub(crate) struct Health(Mutex<Option<(Instant, Vec<String>)>>);

impl Health {
    /// What is wrong with the server now; nothing where it is well.
    pub(crate) async fn problems(&self, client: &Client, settings: &Settings) -> Vec<String> {
        // Those who come while it is asked wait for that answer.
        let mut last = self.0.lock().await;
        if let Some((at, problems)) = &*last
            && at.elapsed() < FRESH
        {
            return problems.clone();
        }
        let problems = ask(client, settings).await;
        *last = Some((Instant::now(), problems.clone()));
        problems
    }
}

async fn ask(client: &Client, settings: &Settings) -> Vec<String> {
    let whep = async {
        match settings.whep == settings.whip {
            true => Ok(()),
            false => face(client, &settings.whep, "whep", WHEP).await,
        }
    };
    let (whip, whep, rtsp) = tokio::join!(face(client, &settings.whip, "whip", WHIP), whep, rtsp(settings));
    let found = [whip, whep, rtsp].into_iter();
    found.filter_map(Result::err).collect()
}

/// One of the HTTP faces: its API, else what it says about a path of WHIP. Whatever it answers, it is there, unless it says
/// itself that it is not well.
async fn face(client: &Client, server: &str, word: &str, variable: &'static str) -> Result<(), String> {
    let config = status(client, server, &Method::GET, CONFIG, variable).await?;
    if config.is_success() {
        return Ok(());
    }
    let path = format!("{PROBE}{word}");
    let probe = status(client, server, &Method::OPTIONS, &path, variable).await?;
    match probe.is_server_error() {
        false => Ok(()),
        true => Err(format!("the server {server} answers {probe} to OPTIONS {path}")),
    }
}

async fn status(
    client: &Client,
    server: &str,
    method: &Method,
    path: &str,
    variable: &'static str,
) -> Result<StatusCode, String> {
    let out = Outgoing {
        method,
        server,
        path,
        headers: &HeaderMap::new(),
        peer: None,
        body: Bytes::new(),
        variable,
        limit: LIMIT,
    };
    let asked = client.ask(out).await;
    asked
        .map(|answer| answer.status)
        .map_err(|error: Error| error.to_string())
}

/// Whether somebody listens for readers.
async fn rtsp(settings: &Settings) -> Result<(), String> {
    let url = settings.rtsp("localhost");
    let address = url.trim_start_matches("rtsp://");
    let why = match timeout(LIMIT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("not within {} s", LIMIT.as_secs()),
    };
    Err(format!(
        "the RTSP server {url} does not answer: {why}; {RTSP} name it"
    ))
}
