//! Errors of the API in MediaMTX's form: `{"status":"error","error":"..."}`.
//! Success bodies are each route's own.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// A parameter means nothing: 400.
    #[error("{0}")]
    BadRequest(String),
    /// There is no such thing: 404.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// A change asked for from elsewhere than the node itself: 401.
    #[error(
        "this changes the state of the node, which only requests from the node itself may do until users are configured: ask again from there, by 127.0.0.1 or localhost"
    )]
    NotLocal,
    /// A change asked for by a page of another site: 403.
    #[error(
        "this changes the state of the node, which a page of another site ({0}) may not do: ask by a program, or from a page of this very address"
    )]
    OtherSite(String),
    /// The registry, an owner or a node does not answer: 503.
    #[error("{0}")]
    Unavailable(String),
}

/// The body of an error.
#[derive(Serialize)]
struct Body {
    status: &'static str,
    error: String,
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::NotLocal => StatusCode::UNAUTHORIZED,
            Self::OtherSite(_) => StatusCode::FORBIDDEN,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(Body {
            status: "error",
            error: self.to_string(),
        })
    }
}
