//! The words and headers all answers have in common: JSON errors as MediaMTX writes them, CORS, unknown routes.
//! Which answer applies is the handlers' decision.

use crate::config::IceServer;
use crate::error::Error;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use weft_auth::Denied;
use weft_wire::ResourceReply;

/// Seconds a client should wait before it tries a full or unavailable node again.
const RETRY_AFTER_SECONDS: &str = "2";

/// How a client is asked who it is; MediaMTX's realm.
const CHALLENGE: &str = "Basic realm=\"mediamtx\"";

/// The error's JSON with its status.
pub(super) fn error(error: &Error) -> HttpResponse {
    let mut response = json(error.status(), error.to_json());
    let headers = response.headers_mut();
    match error {
        Error::Denied(Denied::NoCredentials) => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        Error::Denied(Denied::TooMany(wait)) | Error::TooOften(wait) => {
            // The next whole second, so that nobody comes a moment early.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        }
        _ => {}
    }
    response
}

fn json(status: StatusCode, body: String) -> HttpResponse {
    build(status).content_type("application/json").body(body)
}

/// An answer of this status; overload says when to come again, to scripts too.
fn build(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    if matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    ) {
        response
            .insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS))
            .insert_header((header::ACCESS_CONTROL_EXPOSE_HEADERS, "Retry-After"));
    }
    response
}

/// What a session's node answered, as it said it.
pub(super) fn passed(reply: ResourceReply) -> HttpResponse {
    // Another node's word: what is no status or header is a fault of that node's.
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = build(status);
    if let Ok(etag) = HeaderValue::from_str(&reply.etag)
        && !etag.is_empty()
    {
        response.insert_header((header::ETAG, etag));
    }
    if let Ok(content_type) = HeaderValue::from_str(&reply.content_type)
        && !content_type.is_empty()
    {
        response.insert_header((header::CONTENT_TYPE, content_type));
    }
    if reply.body.is_empty() {
        response.finish()
    } else {
        response.body(reply.body)
    }
}

/// A route that is none.
pub(super) async fn unknown() -> HttpResponse {
    not_found()
}

/// MediaMTX's answer to a URL or method it does not know.
pub(super) fn not_found() -> HttpResponse {
    HttpResponse::NotFound()
        .content_type("text/plain")
        .body("404 page not found")
}

/// The answer to a CORS preflight of any URL.
pub(super) fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "OPTIONS, GET, POST, PATCH, DELETE",
        ))
        .insert_header((
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, If-Match",
        ))
        .finish()
}

/// `Server` and the CORS headers of every answer.
pub(super) fn common_headers(headers: &mut HeaderMap, origin: &str) {
    headers.insert(header::SERVER, HeaderValue::from_static("weft"));
    if let Ok(origin) = HeaderValue::from_str(origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
}

/// A `Link` value naming an ICE server (RFC 9725 §4.6).
pub(super) fn ice_link(server: &IceServer) -> String {
    let mut link = format!("<{}>; rel=\"ice-server\"", server.url);
    if let Some((user, credential)) = &server.credential {
        let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        link += &format!(
            "; username=\"{}\"; credential=\"{}\"; credential-type=\"password\"",
            quote(user),
            quote(credential)
        );
    }
    link
}

/// A method that does not belong to a URL which is there (RFC 9110 §15.5.6).
pub(super) fn method(allowed: &'static str) -> HttpResponse {
    let mut response = error(&Error::Method);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
