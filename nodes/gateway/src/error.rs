//! Why the gateway itself does not do a request, with the status and words a client gets to read.
//! What the server behind it says is passed on as it is.

use actix_web::http::StatusCode;
use weft_wire::NameError;

/// A request that the gateway did not pass on, or could not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter of the query is not there.
    #[error("query parameter '{0}' is missing: {usage}", usage = usage(.0))]
    Missing(&'static str),
    /// A parameter of the query is no part of a stream's name.
    #[error("query parameter '{parameter}': {why}")]
    Parameter {
        /// Its name.
        parameter: &'static str,
        /// What is wrong with its value.
        why: NameError,
    },
    /// The path of a session's URL names no stream.
    #[error("invalid path name: {0}")]
    Name(#[from] NameError),
    /// The method does not belong to this URL.
    #[error("method not allowed")]
    Method,
    /// The body is larger than [`crate::body::MAX_BODY_BYTES`].
    #[error("body is larger than {} bytes", crate::body::MAX_BODY_BYTES)]
    TooLarge,
    /// The body did not come in time.
    #[error("body did not arrive within {} s", crate::body::BODY_TIMEOUT.as_secs())]
    BodyTimeout,
    /// The body broke off.
    #[error("body could not be read: {0}")]
    Body(String),
    /// As many requests as may be are on their way to the server.
    #[error("the gateway has {0} requests in progress, its limit; try again")]
    Busy(usize),
    /// The server cannot be reached, or what it says is no HTTP.
    #[error("the server {server} does not answer: {why}; {variable} names it")]
    Unreachable {
        /// Its scheme and authority.
        server: String,
        /// What happened.
        why: String,
        /// The variables to look at.
        variable: &'static str,
    },
    /// The server did not answer in time.
    #[error("the server {server} did not answer within {seconds} s")]
    Late {
        /// Its scheme and authority.
        server: String,
        /// The limit.
        seconds: u64,
    },
}

fn usage(parameter: &str) -> &'static str {
    match parameter {
        "stream" => "write ?stream=NAME",
        _ => "write ?examId=...&participantId=..., or ?stream=NAME for a name of your own",
    }
}

impl Error {
    /// The status it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Missing(_) | Self::Parameter { .. } | Self::Name(_) | Self::Body(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable { .. } => StatusCode::BAD_GATEWAY,
            Self::Late { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}
