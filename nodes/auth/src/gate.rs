//! The gate: judges requests by the configuration as it is now.
//! Each way of judging has a module of its own.

use crate::request::{Action, Denied, Grant, Request};
use std::net::IpAddr;
use std::sync::Arc;
use weft_config::{Config, Live};

/// Judges who may do what; cheap to clone. A judgement never waits for another one.
#[derive(Clone, Default)]
pub struct Gate(Option<Arc<Inner>>);

struct Inner {
    #[allow(dead_code)] // until it judges
    live: Live,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

impl Gate {
    /// One that lets everybody do everything.
    #[must_use]
    pub fn open() -> Self {
        Self(None)
    }

    /// One that judges by the configuration, as it is at each request. Needs a Tokio runtime.
    #[must_use]
    pub fn new(live: Live) -> Self {
        Self(Some(Arc::new(Inner { live })))
    }

    /// Whether somebody may do something. A wrong login is answered after a pause, in which nothing else waits.
    ///
    /// # Errors
    /// [`Denied`] says how to answer.
    #[allow(clippy::unused_async)] // until it judges
    pub async fn check(&self, _request: Request) -> Result<Grant, Denied> {
        Ok(Grant::default())
    }

    /// Each counter: metric name, help, value.
    pub fn counters(&self, _visit: &mut dyn FnMut(&'static str, &'static str, u64)) {}
}

/// Whether a session that was let in under the old configuration may stay under the new one: its path is still there, its
/// address still allowed, its user still has the permission and the same password. A function of its arguments alone, so
/// that any node can judge any session by its principal.
#[must_use]
pub fn still_allowed(
    _old: &Config,
    _new: &Config,
    _principal: &str,
    _action: Action,
    _path: &str,
    _ip: IpAddr,
) -> bool {
    true
}
