//! `/{path}/`, the page that shows a stream, on every node's WebRTC port, and the way there from `/{path}`. Who may not read the
//! stream is told so before anything is asked of it; what the page does is in `nodes/pages/web`.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use weft_auth::{Action, Denied, Gate, Protocol, Request};
use weft_config::Live;
use weft_http::reply;
use weft_wire::StreamName;

const PAGE: &str = "watch.html";
/// Paths of the API and of the gateway, which are no streams to watch.
const NOT_STREAMS: [&str; 3] = ["v3", "api", "weft-pages"];

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

    /// The refusal with its words, where there is one.
    async fn may(&self, request: &HttpRequest, stream: &StreamName) -> Result<(), (HttpResponse, String)> {
        let config = self.settings.now();
        let query = request.query_string().to_owned();
        let (credentials, user_agent) = weft_http::credentials(request, &query);
        let asked = self.gate.check(Request {
            action: Action::Read,
            path: stream.to_string(),
            protocol: Protocol::WebRtc,
            session: None,
            ip: weft_http::address(request, &config.trusted_proxies.webrtc),
            credentials,
            query,
            user_agent,
        });
        asked.await.map_err(|no| denied(&no))?;
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

fn denied(denied: &Denied) -> (HttpResponse, String) {
    let (status, words) = reply::denied(denied);
    let mut response = error(status, &words);
    match denied {
        Denied::NoCredentials => reply::challenge(response.headers_mut()),
        Denied::TooMany(wait) => reply::retry_after(response.headers_mut(), *wait),
        _ => {}
    }
    (response, words)
}

fn error(status: StatusCode, words: &str) -> HttpResponse {
    reply::json(status, reply::error_json(words, None))
}
