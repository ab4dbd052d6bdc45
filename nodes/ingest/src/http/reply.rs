//! How what went wrong becomes an answer.
//! The words and headers that all answers have in common are `weft-http`'s.

use crate::error::Error;
use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use weft_auth::Denied;
use weft_http::reply;

/// The error's JSON with its status.
pub(super) fn error(error: &Error) -> HttpResponse {
    let mut response = reply::json(error.status(), error.to_json());
    let headers = response.headers_mut();
    match error {
        Error::Denied(Denied::NoCredentials) => reply::challenge(headers),
        Error::Denied(Denied::TooMany(wait)) | Error::TooOften(wait) => reply::retry_after(headers, *wait),
        _ => {}
    }
    response
}

/// A method that does not belong to a URL which is there (RFC 9110 §15.5.6).
pub(super) fn method(allowed: &'static str) -> HttpResponse {
    let mut response = error(&Error::Method);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
