//! What the control face asks of whoever has the node's configuration. The program implements it over file and store.
//! What a change says, and whether it can be, is the config crate's business.

use futures::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;
use weft_config::{EditError, Layers, Scope, Verb};

/// A change was not made.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NotChanged {
    /// It cannot be: 400, or 404 where there is no such path.
    #[error(transparent)]
    Refused(#[from] EditError),
    /// The store is away, or cannot be written: 503.
    #[error("{0}")]
    Unavailable(String),
}

/// Shows and changes the settings of the whole fabric.
pub trait Configurator: Send + Sync + 'static {
    /// What is in force on this node.
    fn layers(&self) -> Arc<Layers>;

    /// Makes a change for every node; it holds on this one when this is done, and was written where it survives.
    fn edit(&self, scope: Scope, verb: Verb, body: Value) -> BoxFuture<'_, Result<(), NotChanged>>;
}
