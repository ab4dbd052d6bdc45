//! What the HTTP faces of publishers and readers have in common: bodies within their bounds, queries, who the client is, and the
//! words and headers of their answers. Which answer applies is for ingest and egress to say.

pub mod body;
mod client;
pub mod cors;
pub mod query;
pub mod reply;

pub use body::{BODY_TIMEOUT, BodyError, MAX_BODY_BYTES};
pub use client::{ReachedAt, address, credentials, on_connect};
