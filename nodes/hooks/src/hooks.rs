//! The handle that everybody tells what happens; a task behind it runs commands and tells webhooks.
//! Commands and webhooks have modules of their own.

use crate::Happening;
use weft_config::Live;
use weft_wire::NodeName;

/// Whom hooks speak of.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The node.
    pub node: NodeName,
    /// `RTSP_PORT` of commands; 0 where there is none.
    pub rtsp_port: u16,
}

/// Takes what happens; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Hooks(Option<()>);

impl Hooks {
    /// Hooks that do nothing.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Hooks as the configuration has them at each happening. Needs a Tokio runtime.
    #[must_use]
    pub fn start(_live: Live, _identity: Identity) -> Self {
        Self(Some(()))
    }

    /// Something has happened; never waits.
    pub fn happened(&self, _happening: Happening) {}

    /// Ends every command, tells what is still to be told (2 s at most), and returns.
    #[allow(clippy::unused_async)] // until there is something to end
    pub async fn shutdown(&self) {}

    /// Each counter: metric name, help, value.
    pub fn counters(&self, _visit: &mut dyn FnMut(&'static str, &'static str, u64)) {}
}
