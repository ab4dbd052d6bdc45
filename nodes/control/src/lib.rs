//! The control face of a node: the `/v3` API in MediaMTX's shape, metrics for Prometheus, and health.
//! It asks every node of the fabric and answers the same on each; what it is told to end, the node that has it ends.

mod error;
mod fabric;
mod guard;
mod health;
mod info;
mod lists;
mod metrics;
mod nodes;
mod orders;
mod page;
mod path;
mod process;
mod prometheus;
mod rfc3339;
mod routes;
mod sessions;
mod span;
mod view;

pub use health::Health;
pub use nodes::{Node, NodeAddresses, NodeLimits, NodeLoad};
pub use path::{Path, PathReader, PathSource, PathTrack};
pub use routes::{Control, not_found};
pub use view::{Identity, NodeView, SessionKind, SessionLine};
