//! The typed configuration: a YAML file with MediaMTX's key names plus a `fabric` block for what is ours, read strictly.
//! What a key does is the business of the part that reads it; opening the ports too.

mod address;
mod config;
mod duration;
mod error;
mod file;
mod nearest;
mod secret;
mod validate;

pub use address::ListenAddress;
pub use config::{Config, Fabric, Faces, Limits, LogLevel, Nats};
pub use error::{Error, Problem};
pub use secret::Secret;

/// The commented reference file: every key with its default.
pub const REFERENCE: &str = include_str!("../weft.yml");
