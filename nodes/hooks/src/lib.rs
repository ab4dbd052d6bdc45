//! What is run and told when something happens to a stream: MediaMTX's commands (`runOn...`) and webhooks (`onEvent`).
//! Noticing that it happens is the business of ingest, egress and the RTSP server, who tell it here without waiting.
//!
//! `hooks` is the handle and its queue, `chronicle` what has happened to streams of late, `desk` knows what follows from what, `runner` runs commands (`process` one of them,
//! `words` its line, `environment` what it is told), `webhooks` tells URLs (`event` what, `signature` that it is from us).

mod chronicle;
mod counters;
mod desk;
mod environment;
mod event;
#[cfg(test)]
mod guide_tests;
mod happening;
mod hooks;
mod limiter;
mod process;
mod runner;
mod signature;
mod webhooks;
mod words;

pub use environment::Occasion;
pub use happening::Happening;
pub use hooks::{Hooks, Identity, Ports};
pub use runner::Running;
