//! The HTTP side of a WHIP client (RFC 9725): an offer for an answer, and the farewell.
//! What is in offer and answer is the peer connection's business.

use actix_web::http::header;
use std::time::Duration;
use url::Url;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A request did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WhipError {
    /// The address is no URL.
    #[error("'{0}' is not a WHIP URL")]
    Url(String),
    /// The server cannot be reached or does not speak HTTP.
    #[error("no answer from the WHIP server: {0}")]
    Unreachable(String),
    /// The server said no.
    #[error("the WHIP server refused with {status}: {body}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        body: String,
    },
}

/// An accepted session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhipSession {
    /// The SDP answer.
    pub answer: String,
    /// The session's own URL.
    pub location: Url,
    /// The session's id in the API, where the server tells it.
    pub id: Option<String>,
}

/// Offers to publish.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn post(url: &str, offer: String, token: Option<String>) -> Result<WhipSession, WhipError> {
    let base = Url::parse(url).map_err(|_| WhipError::Url(url.to_owned()))?;
    on_own_thread(move || async move {
        let mut request = client()
            .post(base.as_str())
            .insert_header((header::CONTENT_TYPE, "application/sdp"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let mut response = request
            .send_body(offer)
            .await
            .map_err(|e| WhipError::Unreachable(e.to_string()))?;
        let body = response.body().await.unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        let status = response.status().as_u16();
        if status != 201 {
            return Err(WhipError::Refused { status, body });
        }
        let text = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        // RFC 9725 §4.2: the Location may be relative to the endpoint.
        let location = text("location").and_then(|l| base.join(&l).ok());
        Ok(WhipSession {
            answer: body,
            location: location.ok_or_else(|| WhipError::Unreachable("201 without a Location".to_owned()))?,
            id: text("id"),
        })
    })
    .await
}

/// Ends a session.
///
/// # Errors
/// When the server cannot be reached or does not know the session.
pub async fn delete(session: Url) -> Result<(), WhipError> {
    on_own_thread(move || async move {
        let mut response = client()
            .delete(session.as_str())
            .send()
            .await
            .map_err(|e| WhipError::Unreachable(e.to_string()))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let body = response.body().await.unwrap_or_default();
        Err(WhipError::Refused {
            status: status.as_u16(),
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    })
    .await
}

fn client() -> awc::Client {
    awc::Client::builder().timeout(TIMEOUT).finish()
}

/// Runs a request to its end on a thread of its own: awc needs a single-threaded runtime, and the publisher runs on any.
async fn on_own_thread<T, F>(make: impl FnOnce() -> F + Send + 'static) -> Result<T, WhipError>
where
    F: Future<Output = Result<T, WhipError>>,
    T: Send + 'static,
{
    let done = tokio::task::spawn_blocking(move || {
        let runtime = actix_rt::Runtime::new().map_err(|e| WhipError::Unreachable(e.to_string()))?;
        runtime.block_on(make())
    });
    done.await.map_err(|e| WhipError::Unreachable(e.to_string()))?
}
