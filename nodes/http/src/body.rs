//! Request bodies within their bounds of size and time, and their declared type.
//! What the text means is read elsewhere.

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use futures::StreamExt;
use std::time::Duration;

/// The largest body taken, in bytes; MediaMTX's bound of offers.
pub const MAX_BODY_BYTES: usize = 128 * 1024;
/// The time a client has to send it.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A body that is too large is still read up to this, so that the client gets to see the answer.
const DRAIN_BYTES: usize = 1024 * 1024;

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// It is of another type than this request takes.
    #[error("invalid Content-Type: '{expected}' is needed")]
    ContentType {
        /// What it must be.
        expected: &'static str,
    },
    /// It is larger than [`MAX_BODY_BYTES`].
    #[error("body is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// It did not come in time.
    #[error("body did not arrive within 10 s")]
    Timeout,
    /// It broke off.
    #[error("body could not be read: {0}")]
    Broken(String),
    /// It is no text.
    #[error("body is not UTF-8")]
    NotText,
}

/// Checks the declared type; parameters do not count.
///
/// # Errors
/// [`BodyError::ContentType`].
pub fn is_of_type(request: &HttpRequest, expected: &'static str) -> Result<(), BodyError> {
    let declared = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) {
        Ok(())
    } else {
        Err(BodyError::ContentType { expected })
    }
}

/// Reads a text body.
///
/// # Errors
/// What is wrong with it, [`BodyError::ContentType`] excepted.
pub async fn text(request: &HttpRequest, payload: web::Payload) -> Result<String, BodyError> {
    let declared: Option<usize> = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse().ok());
    if declared.is_some_and(|n| n > DRAIN_BYTES) {
        return Err(BodyError::TooLarge);
    }
    tokio::time::timeout(BODY_TIMEOUT, collect(payload))
        .await
        .map_err(|_| BodyError::Timeout)?
}

async fn collect(mut payload: web::Payload) -> Result<String, BodyError> {
    let mut body = Vec::new();
    let mut total = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| BodyError::Broken(error.to_string()))?;
        total += chunk.len();
        if total > DRAIN_BYTES {
            return Err(BodyError::TooLarge);
        }
        if total <= MAX_BODY_BYTES {
            body.extend_from_slice(&chunk);
        } else {
            body = Vec::new();
        }
    }
    if total > MAX_BODY_BYTES {
        return Err(BodyError::TooLarge);
    }
    String::from_utf8(body).map_err(|_| BodyError::NotText)
}
