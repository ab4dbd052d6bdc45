//! The configuration as it is now, for parts that follow its changes while they run.
//! Who changes it, and whether a change needs a restart, is the program's business.

use crate::Config;
use std::sync::Arc;
use tokio::sync::watch;

/// The configuration now and at each change; cheap to clone.
#[derive(Debug, Clone)]
pub struct Live(watch::Receiver<Arc<Config>>);

impl Live {
    /// One that follows what is sent.
    #[must_use]
    pub fn new(receiver: watch::Receiver<Arc<Config>>) -> Self {
        Self(receiver)
    }

    /// One that never changes.
    #[must_use]
    pub fn fixed(config: Config) -> Self {
        Self(watch::Sender::new(Arc::new(config)).subscribe())
    }

    /// As it is now.
    #[must_use]
    pub fn now(&self) -> Arc<Config> {
        Arc::clone(&self.0.borrow())
    }

    /// Waits for the next change and gives what it is then; `None` when there will be none any more. Cancel-safe.
    pub async fn changed(&mut self) -> Option<Arc<Config>> {
        self.0.changed().await.ok()?;
        Some(Arc::clone(&self.0.borrow_and_update()))
    }
}

impl Default for Live {
    /// The defaults, for ever.
    fn default() -> Self {
        Self::fixed(Config::default())
    }
}
