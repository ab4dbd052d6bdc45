//! What every request must keep to before a route sees it: how often its address asks, how long its URL is, how large its
//! body is and how fast it comes. Pages that are asked for in the clear are sent to the TLS port, where there is one.

use super::counters::Counters;
use super::face::Face;
use super::stream::Progress;
use actix_http::{HttpMessage, Request, Response};
use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use weft_config::Config;

/// The largest body, in bytes, that is read to its end, so that the client gets to see the answer.
const MAX_BODY: usize = 1024 * 1024;
/// What is kept of it: a byte more than any route takes, so that each says in its own words that it is too large.
/// Thousands of clients may send one at a time.
const KEPT_BODY: usize = weft_http::MAX_BODY_BYTES + 1;
/// The longest URL, in bytes.
const MAX_URL: usize = 8 * 1024;

/// Why a request is refused before its route.
enum Refusal {
    TooOften(Duration),
    LongUrl,
    LargeBody,
    SlowBody,
    BrokenBody,
}

/// Keeps a request to its limits, then passes it on.
pub(super) async fn limit<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let progress = request.conn_data::<Rc<Progress>>().map(Rc::clone);
    if let Some(progress) = &progress {
        progress.begins();
    }
    let Some(face) = request.app_data::<web::Data<Face>>().cloned() else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let config = face.now();
    let response = match judge(&face, &config, &mut request).await {
        Ok(None) => next.call(request).await?.map_into_left_body(),
        Ok(Some(url)) => {
            Counters::one(&face.counters.redirected);
            // 307 and not 308: a browser would remember that for ever.
            let response = HttpResponse::TemporaryRedirect()
                .insert_header((header::LOCATION, url))
                .finish();
            request.into_response(response).map_into_right_body()
        }
        Err(refusal) => {
            if let Some(progress) = &progress {
                progress.breaks_off();
            }
            let response = refused(&face, &config, &refusal);
            return Ok(request.into_response(response).map_into_right_body());
        }
    };
    // One that goes on for long has no end that is seen here.
    if let Some(progress) = &progress
        && !matches!(response.response().body().size(), BodySize::Stream)
    {
        progress.ends();
    }
    Ok(response)
}

/// `Ok(Some)`: to be asked there. The body is whole when the route gets the request.
async fn judge(
    face: &Face,
    config: &Config,
    request: &mut ServiceRequest,
) -> Result<Option<String>, Refusal> {
    if let Some(ip) = counted(face, config, request) {
        let asked = face.rates.take(ip, config.fabric.limits.requests_per_second);
        asked.map_err(Refusal::TooOften)?;
    }
    let uri = request.uri();
    if uri.path_and_query().map_or(0, |text| text.as_str().len()) > MAX_URL {
        return Err(Refusal::LongUrl);
    }
    if let Some(port) = face.secure_port
        && is_page(request.method(), uri.path())
        && let Some(url) = there(request.headers(), uri, port)
    {
        return Ok(Some(url));
    }
    if declared(request.headers()).is_some_and(|bytes| bytes > MAX_BODY as u64) {
        return Err(Refusal::LargeBody);
    }
    let body = collect(request.take_payload());
    let body = tokio::time::timeout(config.read_timeout, body)
        .await
        .map_err(|_| Refusal::SlowBody)??;
    if !body.is_empty() {
        let (_, mut payload) = actix_http::h1::Payload::create(true);
        payload.unread_data(body);
        request.set_payload(Payload::from(payload));
    }
    Ok(None)
}

/// Whom a request counts for: the client behind a trusted proxy; nobody where that is the proxy itself.
fn counted(face: &Face, config: &Config, request: &ServiceRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    // Every line of it: a proxy may add one of its own after the client's.
    let lines = request.headers().get_all("X-Forwarded-For");
    let lines: Vec<_> = lines.filter_map(|line| line.to_str().ok()).collect();
    let forwarded = (!lines.is_empty()).then(|| lines.join(","));
    let client = weft_auth::client_ip(peer, forwarded.as_deref(), face.proxies(config));
    (!face.trusts(config, client)).then_some(client)
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn collect(mut payload: Payload) -> Result<Bytes, Refusal> {
    let (mut body, mut total) = (BytesMut::new(), 0);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| match error {
            PayloadError::Overflow => Refusal::LargeBody,
            _ => Refusal::BrokenBody,
        })?;
        total += chunk.len();
        if total > MAX_BODY {
            return Err(Refusal::LargeBody);
        }
        let room = KEPT_BODY.saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    Ok(body.freeze())
}

/// What a person opens in a browser; what programs ask for stays where they ask.
fn is_page(method: &Method, path: &str) -> bool {
    let asks = matches!(*method, Method::GET | Method::HEAD);
    let of_programs = path == "/healthz"
        || ["/v3/", "/api/"].iter().any(|start| path.starts_with(start))
        || path.split('/').any(|part| part == "whip" || part == "whep")
        || ["/snapshot.jpg", "/keyframe.mp4", "/keyframe.h264"]
            .iter()
            .any(|end| path.ends_with(end));
    asks && !of_programs
}

/// The same at the TLS port of the host that the client named.
fn there(headers: &HeaderMap, uri: &Uri, port: u16) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let name = match host.rsplit_once(':') {
        Some((name, digits)) if digits.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if name.is_empty() || !name.bytes().all(plain) {
        return None;
    }
    let port = match port {
        443 => String::new(),
        port => format!(":{port}"),
    };
    let rest = uri.path_and_query().map_or("/", |text| text.as_str());
    Some(format!("https://{name}{port}{rest}"))
}

fn refused(face: &Face, config: &Config, refusal: &Refusal) -> HttpResponse {
    let counters = &face.counters;
    let (counter, status, why) = match refusal {
        Refusal::TooOften(_) => (
            Some(&counters.too_often),
            StatusCode::TOO_MANY_REQUESTS,
            "too many requests from this address",
        ),
        Refusal::LongUrl => (
            None,
            StatusCode::URI_TOO_LONG,
            "the URL is longer than 8192 bytes",
        ),
        Refusal::LargeBody => (
            Some(&counters.large_bodies),
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is larger than 1048576 bytes",
        ),
        Refusal::SlowBody => (
            Some(&counters.slow_bodies),
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come in time",
        ),
        Refusal::BrokenBody => (None, StatusCode::BAD_REQUEST, "the body broke off"),
    };
    if let Some(counter) = counter {
        Counters::one(counter);
    }
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::SERVER, "weft"))
        .insert_header((header::CONNECTION, "close"));
    if let Refusal::TooOften(wait) = refusal {
        let seconds = wait.as_secs_f64().ceil().max(1.0);
        response.insert_header((header::RETRY_AFTER, format!("{seconds}")));
    }
    if face.is_open_to_pages(config) {
        response
            .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
            .insert_header((header::ACCESS_CONTROL_EXPOSE_HEADERS, "Retry-After"));
    }
    response.json(serde_json::json!({ "status": "error", "error": why }))
}

/// `Expect: 100-continue` (RFC 9110 section 10.1.1): a body that would be refused is not asked for.
pub(super) async fn expect(request: Request) -> Result<Request, Response<BoxBody>> {
    if declared(request.headers()).is_none_or(|bytes| bytes <= MAX_BODY as u64) {
        return Ok(request);
    }
    let body = r#"{"status":"error","error":"the body is larger than 1048576 bytes"}"#;
    let mut response = Response::build(StatusCode::PAYLOAD_TOO_LARGE);
    response
        .insert_header((header::SERVER, "weft"))
        .insert_header((header::CONTENT_TYPE, "application/json"));
    Err(response.body(body).map_into_boxed_body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_a_body_no_more_is_kept_than_a_route_may_take() {
        let of = async |bytes: usize| {
            let (mut sender, payload) = actix_http::h1::Payload::create(false);
            for _ in 0..bytes / 1024 {
                sender.feed_data(Bytes::from_static(&[b'x'; 1024]));
            }
            sender.feed_eof();
            collect(Payload::from(payload)).await.map(|body| body.len())
        };
        for (sent, kept) in [(0, 0), (128 * 1024, 128 * 1024), (MAX_BODY, KEPT_BODY)] {
            assert_eq!(of(sent).await.ok(), Some(kept), "{sent}");
        }
        assert!(matches!(of(MAX_BODY + 1024).await, Err(Refusal::LargeBody)));
    }

    #[test]
    fn pages_go_to_the_tls_port_and_programs_stay() {
        for path in ["/cam/publish", "/cam/", "/", "/a/b/publish"] {
            assert!(is_page(&Method::GET, path), "{path}");
            assert!(!is_page(&Method::POST, path), "{path}");
        }
        for path in [
            "/cam/whip",
            "/cam/whip/n.s/events",
            "/cam/whep",
            "/cam/snapshot.jpg",
            "/a/b/keyframe.mp4",
            "/v3/paths/list",
            "/api/webrtc/health",
            "/healthz",
        ] {
            assert!(!is_page(&Method::GET, path), "{path}");
        }
    }

    #[test]
    fn the_redirect_keeps_host_path_and_query() {
        let to = |host: &str, url: &str, port| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            there(&headers, &url.parse().unwrap(), port)
        };
        let is = |url: &str| Some(url.to_owned());
        assert_eq!(
            to("a.example:8889", "/cam/publish?jwt=x%20", 8443),
            is("https://a.example:8443/cam/publish?jwt=x%20")
        );
        assert_eq!(to("[fd00::1]:8889", "/cam/", 443), is("https://[fd00::1]/cam/"));
        assert_eq!(to("[fd00::1]", "/", 8443), is("https://[fd00::1]:8443/"));
        assert_eq!(to("localhost", "/cam/", 8443), is("https://localhost:8443/cam/"));
        assert_eq!(to("a/b@evil", "/", 8443), None);
    }
}
