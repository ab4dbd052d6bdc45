//! Errors of the API in MediaMTX's form: `{"status":"error","error":"..."}`.
//! Success bodies are each route's own.

use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use schemars::JsonSchema;
use serde::Serialize;
use weft_auth::Denied;

/// Seconds after which who does not answer now is asked again.
const AGAIN: u64 = 2;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// A parameter means nothing: 400.
    #[error("{0}")]
    BadRequest(String),
    /// The body is longer than so many bytes: 413.
    #[error("the body is longer than {} KiB", .0 / 1024)]
    TooLong(usize),
    /// There is no such thing: 404.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Who asks may not, or must show who it is: 401, 429 or 503.
    // One answer whatever is wrong, as MediaMTX gives it.
    #[error("{}", match .0 {
        Denied::NoCredentials => "authentication error".to_owned(),
        other => other.to_string(),
    })]
    Denied(Denied),
    /// A change asked for by a page of another site: 403.
    #[error(
        "this changes the state of the node, which a page of another site ({0}) may not do: ask by a program, from a page of this very address, or list the site by its name in apiAllowOrigins"
    )]
    OtherSite(String),
    /// The registry, an owner or a node does not answer: 503.
    #[error("{0}")]
    Unavailable(String),
}

/// The body of an error.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(crate) struct Body {
    /// `error`.
    status: &'static str,
    /// What is wrong.
    error: String,
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Denied(Denied::NoCredentials | Denied::Wrong) => StatusCode::UNAUTHORIZED,
            Self::Denied(Denied::TooMany(_)) => StatusCode::TOO_MANY_REQUESTS,
            Self::OtherSite(_) => StatusCode::FORBIDDEN,
            Self::Denied(_) | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::Denied(Denied::NoCredentials) => {
                response.insert_header((WWW_AUTHENTICATE, r#"Basic realm="mediamtx""#));
            }
            Self::Denied(Denied::TooMany(wait)) => {
                response.insert_header((RETRY_AFTER, wait.as_secs().max(1)));
            }
            Self::Denied(Denied::Unavailable(_)) | Self::Unavailable(_) => {
                response.insert_header((RETRY_AFTER, AGAIN));
            }
            _ => {}
        }
        response.json(Body {
            status: "error",
            error: self.to_string(),
        })
    }
}
