//! Request bodies within their bounds of size and time, and their declared type.
//! What the text means is read elsewhere.

use crate::config::{BODY_TIMEOUT, MAX_BODY_BYTES};
use crate::error::Error;
use actix_web::http::header;
use actix_web::{HttpRequest, web};
use futures::StreamExt;

/// A body that is too large is still read up to this, so that the client gets to see the answer.
const DRAIN_BYTES: usize = 1024 * 1024;

/// Checks the declared type; parameters do not count.
pub(super) fn is_of_type(request: &HttpRequest, expected: &'static str) -> Result<(), Error> {
    let declared = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) {
        Ok(())
    } else {
        Err(Error::ContentType { expected })
    }
}

/// Reads a text body.
pub(super) async fn text(request: &HttpRequest, payload: web::Payload) -> Result<String, Error> {
    let declared: Option<usize> = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse().ok());
    if declared.is_some_and(|n| n > DRAIN_BYTES) {
        return Err(Error::TooLarge);
    }
    tokio::time::timeout(BODY_TIMEOUT, collect(payload))
        .await
        .map_err(|_| Error::BodyTimeout)?
}

async fn collect(mut payload: web::Payload) -> Result<String, Error> {
    let mut body = Vec::new();
    let mut total = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Error::Body(error.to_string()))?;
        total += chunk.len();
        if total > DRAIN_BYTES {
            return Err(Error::TooLarge);
        }
        if total <= MAX_BODY_BYTES {
            body.extend_from_slice(&chunk);
        } else {
            body = Vec::new();
        }
    }
    if total > MAX_BODY_BYTES {
        return Err(Error::TooLarge);
    }
    String::from_utf8(body).map_err(|_| Error::BadRequest("body is not UTF-8".to_owned()))
}
