//! `/{path}/`, the page that shows a stream, on every node's WebRTC port, and the way there from `/{path}`. Who may not read the
//! stream is told so before anything is asked of it; what the page does is in `nodes/pages/web`.

use super::addresses::Addresses;
use super::http::Face;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use weft_auth::{Action, Denied, Gate, Protocol, Request};
use weft_config::Live;
use weft_http::reply;
use weft_wire::StreamName;

const PAGE: &str = "watch.html";
/// What tells the page where this node serves HLS.
const HLS_PORT: &str = "weft-hls-port";
/// Paths of the API and of the gateway, which are no streams to watch.
const NOT_STREAMS: [&str; 3] = ["v3", "api", "weft-pages"];

/// What the handlers stand on; cheap to clone.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) gate: Gate,
    pub(crate) settings: Live,
    pub(crate) hls: HlsPorts,
}

/// Where a node serves HLS: a browser takes it over TLS only where the page came so, and never the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HlsPorts {
    plain: Option<u16>,
    secure: Option<u16>,
}

impl HlsPorts {
    pub(crate) fn of(addresses: &Addresses) -> Self {
        let secure = addresses.hls_tls;
        // Where it is one port, with TLS, both are that.
        let plain = addresses.hls.filter(|plain| Some(*plain) != secure);
        Self {
            plain: plain.map(|address| address.port()),
            secure: secure.map(|address| address.port()),
        }
    }

    /// For a page that came over TLS, or in the clear.
    fn for_page(self, secure: bool) -> Option<u16> {
        if secure { self.secure } else { self.plain }
    }
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
        Ok(()) => match watch.hls.for_page(is_secure(&request)) {
            Some(port) => weft_pages::page_told(&request, PAGE, HLS_PORT, &port.to_string()),
            // The page looks on the usual port then: of a proxy, or of nobody.
            None => weft_pages::page(&request, PAGE),
        },
        Err((refusal, words)) => weft_pages::refused(&request, PAGE, refusal, &words),
    }
}

/// True when the page is asked for over TLS of ours.
fn is_secure(request: &HttpRequest) -> bool {
    let face = request.app_data::<web::Data<Face>>();
    face.is_some_and(|face| face.is_secure())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_the_port_that_its_browser_may_ask() {
        let [plain, secure] = [8888, 8443].map(|port| Some(([127, 0, 0, 1], port).into()));
        let ports = |hls, hls_tls| {
            HlsPorts::of(&Addresses {
                hls,
                hls_tls,
                ..Addresses::default()
            })
        };
        for (hls, hls_tls, in_the_clear, over_tls) in [
            (plain, None, Some(8888), None),
            (secure, secure, None, Some(8443)),
            (plain, secure, Some(8888), Some(8443)),
            (None, None, None, None),
        ] {
            let ports = ports(hls, hls_tls);
            assert_eq!(
                (ports.for_page(false), ports.for_page(true)),
                (in_the_clear, over_tls)
            );
        }
    }
}
