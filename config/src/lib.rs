//! The typed configuration: a YAML file with MediaMTX's key names plus a `fabric` block for what is ours, read strictly.
//! What a key does is the business of the part that reads it; opening the ports too.

mod address;
mod auth;
mod config;
mod duration;
mod error;
mod ip_rule;
mod layers;
mod live;
mod nearest;
mod path_conf;
mod rewrite;
mod schema;
mod secret;
mod tree;
mod typed;
mod validate;

pub use address::ListenAddress;
pub use auth::{
    Action, Auth, AuthMethod, HttpAuth, JwtAuth, Password, PathMatch, Permission, RtspAuthMethod, User,
    UserName,
};
pub use config::{
    AllowOrigins, Config, Fabric, FaceTls, Faces, Hls, HlsVariant, IceServer, Limits, LogDestination,
    LogLevel, LogSettings, Nats, TrustedProxies,
};
pub use error::{Error, Problem};
pub use ip_rule::{IpRule, IpRuleError};
pub use layers::{Base, Change, EditError, Flag, Layers, Scope, Verb};
pub use live::Live;
pub use path_conf::{
    Command, Encryption, Found, OnDemand, PathConf, PathHooks, Paths, Pattern, Source, TlsFiles, Webhook,
};
pub use schema::{idle_keys, obeyed_keys, old_keys};
pub use secret::Secret;

/// The commented reference file: every key with its default.
pub const REFERENCE: &str = include_str!("../weft.yml");
