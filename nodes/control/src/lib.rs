//! The control face of a node: the `/v3` API in MediaMTX's shape, metrics for Prometheus, and health.
//! It asks every node of the fabric and answers the same on each; what it is told to end, the node that has it ends.

mod config_api;
mod dashboard;
mod endpoint;
mod error;
mod fabric;
mod guard;
mod health;
mod info;
mod keys;
mod lists;
mod metrics;
mod muxers;
mod nodes;
mod notice;
mod openapi;
mod orders;
mod page;
mod path;
mod process;
mod prometheus;
mod rfc3339;
mod routes;
mod sessions;
mod span;
mod table;
mod uuid;
mod view;

pub use config_api::{Configurator, NotChanged};
pub use health::Health;
pub use nodes::{Node, NodeAddresses, NodeLimits, NodeLoad};
pub use openapi::document;
pub use path::{Path, PathReader, PathSource, PathTrack};
pub use process::cpu_ms;
pub use routes::{Control, not_found};
pub use view::{Identity, NodeView, SessionKind, SessionLine};
