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
    /// The registry or an owner does not answer: 503.
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

impl From<weft_bus::Error> for Error {
    fn from(error: weft_bus::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}
