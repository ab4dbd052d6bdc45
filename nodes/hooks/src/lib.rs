//! What is run and told when something happens to a stream: MediaMTX's commands (`runOn...`) and webhooks (`onEvent`).
//! Noticing that it happens is the business of ingest, egress and the RTSP server, who tell it here without waiting.

mod happening;
mod hooks;

pub use happening::Happening;
pub use hooks::{Hooks, Identity};
