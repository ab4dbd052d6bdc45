//! The HTTP side of a WHIP client (RFC 9725): an offer for an answer, the farewell, why a session has ended.
//! What is in offer and answer is the peer connection's business.

use actix_web::http::header;
use std::time::Duration;
use url::Url;

/// How long a farewell may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(2);

/// The link relation of RFC 9725's extension for server-sent events.
const EVENTS: &str = "urn:ietf:params:whip:ext:core:server-sent-events";

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
    /// Where the server tells what its publisher should know, where it has such a channel.
    pub events: Option<Url>,
}

/// Offers to publish; the answer must come within `limit`.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn post(
    url: &str,
    offer: String,
    token: Option<String>,
    limit: Duration,
) -> Result<WhipSession, WhipError> {
    let base = Url::parse(url).map_err(|_| WhipError::Url(url.to_owned()))?;
    on_own_thread(move || async move {
        let mut request = client(limit)
            .post(base.as_str())
            .insert_header((header::CONTENT_TYPE, "application/sdp"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let mut response = expect(request.send_body(offer).await, 201).await?;
        let body = response.body().await.unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        let text = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        // RFC 9725 §4.2: the Location may be relative to the endpoint.
        let location = text("location").and_then(|l| base.join(&l).ok());
        let links = response.headers().get_all(header::LINK);
        let events = links
            .filter_map(|link| event_link(link.to_str().ok()?))
            .find_map(|link| base.join(link).ok());
        Ok(WhipSession {
            events,
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
        let mut response = client(TIMEOUT)
            .delete(session.as_str())
            .send()
            .await
            .map_err(unreachable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let body = response.body().await.unwrap_or_default();
        Err(refused(status.as_u16(), &body))
    })
    .await
}

/// Why a session has ended, as its URL tells within `limit`: the reason, or nothing where it is not known any more.
///
/// # Errors
/// When the server cannot be reached.
pub async fn ended(session: Url, limit: Duration) -> Result<Option<String>, WhipError> {
    on_own_thread(move || async move {
        let mut response = client(limit)
            .get(session.as_str())
            .send()
            .await
            .map_err(unreachable)?;
        let body = response.body().await.unwrap_or_default();
        Ok(reason_of(response.status().as_u16(), &body))
    })
    .await
}

/// The reason in an answer that says that a session is gone.
fn reason_of(status: u16, body: &[u8]) -> Option<String> {
    if status != 410 {
        return None;
    }
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(body["reason"].as_str()?.to_owned())
}

impl WhipError {
    /// The reason of the session's end, where this error tells it.
    #[must_use]
    pub fn closed(&self) -> Option<String> {
        match self {
            Self::Refused { status, body } => reason_of(*status, body.as_bytes()),
            _ => None,
        }
    }
}

/// The URL of a `Link` value with the relation of events channels (RFC 8288 §3).
fn event_link(value: &str) -> Option<&str> {
    value.split('<').skip(1).find_map(|link| {
        let (url, parameters) = link.split_once('>')?;
        parameters.contains(EVENTS).then_some(url)
    })
}

/// The answer, if it has this status.
pub(super) async fn expect<S>(
    answer: Result<awc::ClientResponse<S>, awc::error::SendRequestError>,
    status: u16,
) -> Result<awc::ClientResponse<S>, WhipError>
where
    S: futures::Stream<Item = Result<bytes::Bytes, awc::error::PayloadError>> + Unpin,
{
    let mut response = answer.map_err(unreachable)?;
    let got = response.status().as_u16();
    if got == status {
        return Ok(response);
    }
    let body = response.body().await.unwrap_or_default();
    Err(refused(got, &body))
}

fn unreachable(error: awc::error::SendRequestError) -> WhipError {
    WhipError::Unreachable(error.to_string())
}

fn refused(status: u16, body: &[u8]) -> WhipError {
    WhipError::Refused {
        status,
        body: String::from_utf8_lossy(body).into_owned(),
    }
}

/// A client whose answers begin within `limit`.
pub(super) fn client(limit: Duration) -> awc::Client {
    let connector = awc::Connector::new().timeout(limit.min(CONNECT));
    awc::Client::builder()
        .connector(connector)
        .timeout(limit)
        .finish()
}

/// Runs a request to its end on a thread of its own: awc needs a single-threaded runtime, and the publisher runs on any.
pub(super) async fn on_own_thread<T, F>(make: impl FnOnce() -> F + Send + 'static) -> Result<T, WhipError>
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_channel_is_found_among_the_links() {
        let ours = format!("</cam/whip/n.s/events>; rel=\"{EVENTS}\"; events=\"move,closed\"");
        assert_eq!(event_link(&ours), Some("/cam/whip/n.s/events"));
        let both = format!("<stun:a:1>; rel=\"ice-server\", {ours}");
        assert_eq!(event_link(&both), Some("/cam/whip/n.s/events"));
        assert_eq!(event_link("<stun:a:1>; rel=\"ice-server\""), None);
    }

    #[test]
    fn only_gone_has_a_reason() {
        let body = br#"{"status":"error","error":"session is closed: kicked","reason":"kicked"}"#;
        assert_eq!(reason_of(410, body).as_deref(), Some("kicked"));
        assert_eq!(reason_of(404, body), None);
        assert_eq!(reason_of(410, b"gone"), None);
    }
}
