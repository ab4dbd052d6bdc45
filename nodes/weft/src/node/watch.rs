//! `/{path}/`, the page that shows a stream, on every node's WebRTC port, and the way there from `/{path}`. Who may not read the
//! stream is told so before anything is asked of it; what the page does is in `nodes/pages/web`.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use std::net::Ipv4Addr;
use weft_auth::{Action, Credentials, Denied, Gate, Protocol, Request};
use weft_config::Live;
use weft_wire::StreamName;

const PAGE: &str = "watch.html";
/// Paths of the API and of the gateway, which are no streams to watch.
const NOT_STREAMS: [&str; 3] = ["v3", "api", "weft-pages"];
/// How a client is asked who it is; MediaMTX's realm.
const CHALLENGE: &str = "Basic realm=\"mediamtx\"";

/// What the handlers stand on; cheap to clone.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) gate: Gate,
    pub(crate) settings: Live,
}

impl Watch {
    /// Registers the routes; everything that has a route of its own comes before.
    pub(crate) fn configure(self, service: &mut web::ServiceConfig) {
        let seen = || guard::Any(guard::Get()).or(guard::Head());
        service
            .app_data(web::Data::new(self))
            .service(web::resource("/{path:.+}/").guard(seen()).route(web::to(page)))
            .service(web::resource("/{path:.+}").guard(seen()).route(web::to(lead)));
    }

    async fn may(&self, request: &HttpRequest, stream: &StreamName) -> Result<(), (HttpResponse, String)> {
        let headers = request.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let config = self.settings.now();
        let peer = request
            .peer_addr()
            .map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
        let query = request.query_string().to_owned();
        let asked = self.gate.check(Request {
            action: Action::Read,
            path: stream.to_string(),
            protocol: Protocol::WebRtc,
            session: None,
            ip: weft_auth::client_ip(
                peer,
                forwarded(headers).as_deref(),
                &config.trusted_proxies.webrtc,
            ),
            credentials: Credentials::from_http(text(header::AUTHORIZATION), &query),
            query,
            user_agent: text(header::USER_AGENT).unwrap_or_default().to_owned(),
        });
        asked.await.map_err(denied)?;
        if config.paths.find(stream).is_some() {
            return Ok(());
        }
        let words = format!("path '{stream}' is not configured");
        Err((error(StatusCode::BAD_REQUEST, &words), words))
    }
}

/// The page.
async fn page(request: HttpRequest, watch: web::Data<Watch>) -> HttpResponse {
    let Some(stream) = stream(&request) else {
        return weft_control::not_found(request).await;
    };
    match watch.may(&request, &stream).await {
        Ok(()) => weft_pages::page(&request, PAGE),
        Err((refusal, words)) => weft_pages::refused(&request, PAGE, refusal, &words),
    }
}

/// From `/{path}` to the page, the query kept.
async fn lead(request: HttpRequest) -> HttpResponse {
    let Some(stream) = stream(&request) else {
        return weft_control::not_found(request).await;
    };
    let query = match request.query_string() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    HttpResponse::Found()
        .insert_header((header::LOCATION, format!("/{stream}/{query}")))
        .finish()
}

/// The stream of the URL, where it names one.
fn stream(request: &HttpRequest) -> Option<StreamName> {
    let path = request.match_info().query("path");
    let first = path.split('/').next().unwrap_or_default();
    if NOT_STREAMS.contains(&first) {
        return None;
    }
    StreamName::new(path).ok()
}

/// Every line of `X-Forwarded-For`: proxies may add one of their own after the client's.
fn forwarded(headers: &HeaderMap) -> Option<String> {
    let lines: Vec<_> = headers
        .get_all("X-Forwarded-For")
        .filter_map(|line| line.to_str().ok())
        .collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

fn denied(denied: Denied) -> (HttpResponse, String) {
    let (status, words) = match &denied {
        Denied::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, denied.to_string()),
        Denied::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, denied.to_string()),
        _ => (StatusCode::UNAUTHORIZED, "authentication error".to_owned()),
    };
    let mut response = error(status, &words);
    let headers = response.headers_mut();
    match denied {
        Denied::NoCredentials => {
            headers.insert(
                header::WWW_AUTHENTICATE,
                header::HeaderValue::from_static(CHALLENGE),
            );
        }
        Denied::TooMany(wait) => {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from(wait.as_secs() + 1));
        }
        _ => {}
    }
    (response, words)
}

fn error(status: StatusCode, words: &str) -> HttpResponse {
    HttpResponse::build(status).json(serde_json::json!({ "status": "error", "error": words }))
}
