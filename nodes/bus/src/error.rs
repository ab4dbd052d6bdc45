//! What can go wrong on the bus, by what the caller can do about it.
//! Which of these a client is told, and in which words, is decided by its users.

use crate::Registered;

/// The bus or registry could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is away: keep what flows, refuse what is new, try again.
    #[error("the bus is away: {0}")]
    Away(String),
    /// It refused for good: the configuration or its permissions are wrong.
    #[error("the bus refused: {0}")]
    Refused(String),
}

/// A question got no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Nobody owns the stream; or, asked of a node, there is no such node.
    #[error("nobody is there to answer")]
    NoOwner,
    /// Whoever was asked did not answer in time.
    #[error("no answer came in time")]
    Timeout,
    /// The bus itself failed.
    #[error(transparent)]
    Bus(#[from] Error),
}

/// A claim failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Somebody holds the name: contest it or refuse the newcomer.
    #[error("the name is held by {} since {}", .0.record.node, .0.epoch)]
    Held(Box<Registered>),
    /// The record changed meanwhile and nobody holds it now: look again.
    #[error("the record changed meanwhile")]
    Changed,
    /// The registry itself failed.
    #[error(transparent)]
    Bus(#[from] Error),
}
