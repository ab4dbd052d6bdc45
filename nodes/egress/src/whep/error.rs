//! Why a reader's request is refused, with the status and words it gets to read.
//! The table of statuses is MediaMTX's; finding out which applies is the handlers' work.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use std::time::Duration;
use weft_auth::Denied;
use weft_http::{BodyError, reply};
use weft_rtc::Error as Rtc;
use weft_rtsp_server::Refusal;
use weft_wire::{CloseReason, NameError, StreamName};

/// A request of a reader that was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("invalid path name: {0}")]
    InvalidName(#[from] NameError),
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Nobody publishes it (MediaMTX's words).
    #[error("no stream is available on path '{0}'")]
    NoStream(StreamName),
    /// The path does not allow it, or the offer makes no sense.
    #[error("{0}")]
    Refused(String),
    /// None of the stream's codecs is one that the reader takes.
    #[error("{0}")]
    NotAcceptable(String),
    /// Another node is to be asked, at this URL.
    #[error("read at {0}")]
    Moved(String),
    #[error("this node is full: as many readers as fabric.limits.readers allows, try again")]
    Full,
    #[error("this node cannot serve the stream now, try again")]
    Unavailable(Duration),
    #[error("this address has as many sessions as it may (fabric.limits.sessionsPerAddress)")]
    OfAddress,
    #[error("too many requests from this address")]
    TooOften(Duration),
    #[error("invalid secret")]
    InvalidSecret,
    #[error("session not found")]
    NotFound,
    #[error("session is closed: {}", .0.token())]
    Closed(CloseReason),
    #[error("method not allowed")]
    Method,
    #[error("{}", reply::denied(.0).1)]
    Denied(Denied),
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// What the hubs say, about this stream.
    pub(super) fn of(refusal: Refusal, stream: &StreamName) -> Self {
        match refusal {
            Refusal::NotFound => Self::NoStream(stream.clone()),
            Refusal::Moved(url) if url.starts_with("http") => Self::Moved(url),
            Refusal::Moved(_) => Self::Refused(format!(
                "path '{stream}' cannot be read over WebRTC: its source is redirect"
            )),
            Refusal::Refused(why) => Self::Refused(why),
            Refusal::Full => Self::Full,
            Refusal::Unavailable(wait) => Self::Unavailable(wait),
            _ => Self::Internal("the stream cannot be read".to_owned()),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::InvalidName(_) | Self::Refused(_) | Self::InvalidSecret => StatusCode::BAD_REQUEST,
            Self::Body(BodyError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::Timeout) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(_) => StatusCode::BAD_REQUEST,
            Self::NoStream(_) | Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotAcceptable(_) => StatusCode::NOT_ACCEPTABLE,
            Self::Moved(_) => StatusCode::TEMPORARY_REDIRECT,
            Self::Full | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::OfAddress | Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Closed(_) => StatusCode::GONE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Denied(denied) => reply::denied(denied).0,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// As MediaMTX writes it.
    pub(super) fn json(&self) -> String {
        let reason = match self {
            Self::Closed(reason) => Some(reason.token()),
            _ => None,
        };
        reply::error_json(&self.to_string(), reason)
    }

    pub(super) fn answer(&self) -> HttpResponse {
        let mut response = reply::json(self.status(), self.json());
        let headers = response.headers_mut();
        match self {
            Self::Denied(Denied::NoCredentials) => reply::challenge(headers),
            Self::Denied(Denied::TooMany(wait)) | Self::TooOften(wait) | Self::Unavailable(wait) => {
                reply::retry_after(headers, *wait);
            }
            Self::Moved(url) => {
                if let Ok(url) = header::HeaderValue::from_str(url) {
                    headers.insert(header::LOCATION, url);
                }
            }
            _ => {}
        }
        response
    }
}

impl From<Rtc> for Error {
    fn from(error: Rtc) -> Self {
        match error {
            Rtc::Offer(refused) if refused.status() == 406 => Self::NotAcceptable(refused.to_string()),
            Rtc::Offer(_) | Rtc::Negotiation(_) => Self::Refused(error.to_string()),
            Rtc::Full => Self::Full,
            Rtc::Refused(CloseReason::Internal) => {
                Self::Internal("the session could not be begun".to_owned())
            }
            Rtc::Refused(reason) => Self::Closed(reason),
            Rtc::Closed => Self::Closed(CloseReason::PeerLost),
            Rtc::Stopped => Self::Unavailable(Duration::from_secs(1)),
            _ => Self::Internal(error.to_string()),
        }
    }
}
