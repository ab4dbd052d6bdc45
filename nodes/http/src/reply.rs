//! The words and headers that all answers have in common: JSON errors as MediaMTX writes them, CORS, unknown routes.
//! Which answer applies is the handlers' decision.

use crate::cors;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use std::time::Duration;
use weft_auth::Denied;
use weft_wire::ResourceReply;

/// Seconds a client should wait before it tries a full or unavailable node again.
const RETRY_AFTER_SECONDS: &str = "2";

/// How a client is asked who it is; MediaMTX's realm.
const CHALLENGE: &str = "Basic realm=\"mediamtx\"";

/// `{"status":"error","error":"..."}` as MediaMTX writes it; a closed session's reason as a token of its own.
#[must_use]
pub fn error_json(error: &str, reason: Option<&'static str>) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        status: &'static str,
        error: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    }
    let status = "error";
    // Strings have a JSON form, whatever is in them.
    serde_json::to_string(&Body {
        status,
        error,
        reason,
    })
    .unwrap_or_default()
}

/// An answer of this status with a JSON body.
#[must_use]
pub fn json(status: StatusCode, body: String) -> HttpResponse {
    build(status).content_type("application/json").body(body)
}

/// An answer of this status; overload says when to come again, to scripts too.
#[must_use]
pub fn build(status: StatusCode) -> HttpResponseBuilder {
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

/// Asks a client without credentials who it is.
pub fn challenge(headers: &mut HeaderMap) {
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
}

/// Says when to come again: the next whole second, so that nobody comes a moment early.
pub fn retry_after(headers: &mut HeaderMap, wait: Duration) {
    headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
}

/// The status of a login that failed, and MediaMTX's words for it; whoever must wait is told how long.
#[must_use]
pub fn denied(denied: &Denied) -> (StatusCode, String) {
    let (status, told) = match denied {
        Denied::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, true),
        Denied::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, true),
        _ => (StatusCode::UNAUTHORIZED, false),
    };
    let words = if told {
        denied.to_string()
    } else {
        "authentication error".to_owned()
    };
    (status, words)
}

/// What a session's node answered, as it said it.
#[must_use]
pub fn passed(reply: ResourceReply) -> HttpResponse {
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
pub async fn unknown() -> HttpResponse {
    not_found()
}

/// MediaMTX's answer to a URL or method it does not know.
#[must_use]
pub fn not_found() -> HttpResponse {
    HttpResponse::NotFound()
        .content_type("text/plain")
        .body("404 page not found")
}

/// The answer to a CORS preflight of any URL.
#[must_use]
pub fn preflight() -> HttpResponse {
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

/// `Server` and the CORS headers of every answer to publishers and readers, for a page of this origin.
pub fn common_headers(headers: &mut HeaderMap, origin: Option<&HeaderValue>, listed: &[String]) {
    headers.insert(header::SERVER, HeaderValue::from_static("weft"));
    if cors::readable(headers, origin, listed) {
        let yes = HeaderValue::from_static("true");
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
    }
}
