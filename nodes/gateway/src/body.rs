//! Bodies of requests within their bounds of size and time.
//! What they say is read by the server.

use crate::error::Error;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use std::time::Duration;

/// The largest offer passed on, in bytes; MediaMTX's bound.
pub(crate) const MAX_BODY_BYTES: usize = 128 * 1024;
/// The time a client has to send a body.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// A body that is too large is still read up to this, so that the client gets to see the answer.
const DRAIN_BYTES: usize = 1024 * 1024;

/// Reads a body.
pub(crate) async fn read(headers: &HeaderMap, payload: web::Payload) -> Result<Bytes, Error> {
    let declared = headers.get(header::CONTENT_LENGTH);
    let declared: Option<usize> = declared.and_then(|v| v.to_str().ok()?.parse().ok());
    if declared.is_some_and(|n| n > DRAIN_BYTES) {
        return Err(Error::TooLarge);
    }
    tokio::time::timeout(BODY_TIMEOUT, collect(payload))
        .await
        .map_err(|_| Error::BodyTimeout)?
}

async fn collect(mut payload: web::Payload) -> Result<Bytes, Error> {
    let mut body = BytesMut::new();
    let mut total = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Error::Body(error.to_string()))?;
        total += chunk.len();
        if total > DRAIN_BYTES {
            return Err(Error::TooLarge);
        }
        if total <= MAX_BODY_BYTES {
            body.extend_from_slice(&chunk);
        }
    }
    match total <= MAX_BODY_BYTES {
        true => Ok(body.freeze()),
        false => Err(Error::TooLarge),
    }
}
