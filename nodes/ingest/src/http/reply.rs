//! The words and headers all answers have in common: JSON errors as MediaMTX writes them, CORS, unknown routes.
//! Which answer applies is the handlers' decision.

use crate::config::IceServer;
use crate::error::Error;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use serde::Serialize;

/// Seconds a client should wait before it tries a full or unavailable node again.
const RETRY_AFTER_SECONDS: &str = "2";

#[derive(Serialize)]
struct ErrorBody<'a> {
    status: &'static str,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// `{"status":"error","error":"..."}` with the error's status; a closed session's reason as a token of its own.
pub(super) fn error(error: &Error) -> HttpResponse {
    let status = error.status();
    let mut response = HttpResponse::build(status);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS));
    }
    response.json(ErrorBody {
        status: "error",
        error: &error.to_string(),
        reason: match error {
            Error::Closed(reason) => Some(reason.token()),
            _ => None,
        },
    })
}

/// `{"status":"ok"}`.
pub(super) fn ok() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))
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
