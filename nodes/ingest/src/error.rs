//! Why a publisher's request is refused, with the status and words it gets to read.
//! The table of statuses is MediaMTX's and RFC 9725's; finding out which applies is the handlers' work.

use actix_web::http::StatusCode;
use std::time::Duration;
use weft_auth::Denied;
use weft_http::{BodyError, reply};
use weft_wire::{CloseReason, NameError, StreamName};

/// A request of a publisher that was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The path is no stream name.
    #[error("invalid path name: {0}")]
    InvalidName(#[from] NameError),
    /// No path of the configuration means this name (MediaMTX's words).
    #[error("path '{0}' is not configured")]
    NotConfigured(StreamName),
    /// The path's media comes from elsewhere.
    #[error("path '{0}' takes no publishers: its source is {1}")]
    NotForPublishers(StreamName, &'static str),
    /// The body is not what this request takes.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The offer or the fragment makes no sense, or agrees on nothing.
    #[error("{0}")]
    BadRequest(String),
    /// The offer's media are not what a publisher may send here.
    #[error("{0}")]
    NotAcceptable(String),
    /// Somebody publishes under this name and is not to be replaced.
    #[error("someone is already publishing to path '{0}'")]
    Conflict(String),
    /// The node has as many publishers as it may.
    #[error("this node is full: {0}")]
    Full(&'static str),
    /// The client's address has as much of this node as it may; others may have more.
    #[error("{0}")]
    OfAddress(&'static str),
    /// The node takes nobody new because it will end; another node may.
    #[error("this node is draining, try again")]
    Draining,
    /// Names cannot be claimed now.
    #[error("{0}, try again")]
    Unavailable(String),
    /// Neither this node nor any that was asked has a place.
    #[error("{why}; {}, try again", asked_others(*.asked))]
    NoRoom {
        /// Why not this one.
        why: String,
        /// How many others were asked.
        asked: usize,
    },
    /// What another node answered to an offer that was passed on to it: its status and words.
    #[error("{words}")]
    Elsewhere {
        /// 400, 406, 409 or 429.
        status: u16,
        /// What is wrong.
        words: String,
    },
    /// The session part of the URL is none of ours.
    #[error("invalid secret")]
    InvalidSecret,
    /// No such session.
    #[error("session not found")]
    NotFound,
    /// The session was there and has ended.
    #[error("session is closed: {}", .0.token())]
    Closed(CloseReason),
    /// The method does not belong to this URL.
    #[error("method not allowed")]
    Method,
    /// The client may not. What it showed is told by nothing in the answer.
    #[error("{}", reply::denied(.0).1)]
    Denied(Denied),
    /// The client's address asks too often about sessions of other nodes.
    #[error("too many requests from this address")]
    TooOften(Duration),
    /// A fault of ours.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// `{"status":"error","error":"..."}` as MediaMTX writes it; a closed session's reason as a token of its own.
    pub(crate) fn to_json(&self) -> String {
        let reason = match self {
            Self::Closed(reason) => Some(reason.token()),
            _ => None,
        };
        reply::error_json(&self.to_string(), reason)
    }

    /// The HTTP status it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InvalidName(_)
            | Self::NotConfigured(_)
            | Self::NotForPublishers(..)
            | Self::BadRequest(_)
            | Self::InvalidSecret => StatusCode::BAD_REQUEST,
            Self::Body(BodyError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::Timeout) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(_) => StatusCode::BAD_REQUEST,
            // An offer whose set of media lines this endpoint does not take (MediaMTX's choice of status).
            Self::NotAcceptable(_) => StatusCode::NOT_ACCEPTABLE,
            // One publisher per name.
            Self::Conflict(_) => StatusCode::CONFLICT,
            // RFC 9725 §4.5: overload, with Retry-After.
            Self::Full(_) | Self::Draining | Self::NoRoom { .. } | Self::Unavailable(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Elsewhere { status, .. } => {
                StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::TooOften(_) | Self::OfAddress(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Denied(denied) => reply::denied(denied).0,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Closed(_) => StatusCode::GONE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

fn asked_others(asked: usize) -> String {
    match asked {
        0 => "there is no other node to take it".to_owned(),
        1 => "one other node was asked and did not take it".to_owned(),
        n => format!("{n} other nodes were asked and none took it"),
    }
}
