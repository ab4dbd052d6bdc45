//! The control face of a node: the `/v3` API in MediaMTX's shape, metrics for Prometheus, and health.
//! It asks the registry, the owners and its own node, and answers the same on every node; it changes nothing.

mod error;
mod health;
mod info;
mod metrics;
mod page;
mod path;
mod paths;
mod process;
mod rfc3339;
mod routes;
mod view;

pub use health::Health;
pub use path::{Path, PathReader, PathSource, PathTrack};
pub use routes::{Control, not_found};
pub use view::{HubLine, Identity, NodeView, ReaderLine, SessionKind, SessionLine};
