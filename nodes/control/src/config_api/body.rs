//! The body of a change: a JSON object of bounded length that comes in bounded time.
//! Which keys may be in it is decided by the config crate.

use crate::error::Error;
use actix_web::web::Payload;
use futures::StreamExt;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// The longest body.
pub(super) const MAX_BODY: usize = 128 * 1024;
/// How long it may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads it.
///
/// # Errors
/// 400 when it is no JSON object, 413 when it is too long.
pub(super) async fn object(mut payload: Payload) -> Result<Value, Error> {
    let read = async {
        let mut text = Vec::new();
        while let Some(part) = payload.next().await {
            let part = part.map_err(|error| Error::BadRequest(error.to_string()))?;
            if text.len() + part.len() > MAX_BODY {
                return Err(Error::TooLong(MAX_BODY));
            }
            text.extend_from_slice(&part);
        }
        Ok(text)
    };
    let text = timeout(PATIENCE, read)
        .await
        .unwrap_or_else(|_| Err(Error::BadRequest("the body did not come within 10 s".to_owned())))?;
    match serde_json::from_slice(&text) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(_) => Err(Error::BadRequest("the body must be a JSON object".to_owned())),
        // The text may hold secrets; where it is wrong is enough.
        Err(error) => Err(Error::BadRequest(format!(
            "the body is no JSON: line {}, column {}",
            error.line(),
            error.column()
        ))),
    }
}
