//! Hubs as their readers and publishers see them: synthetic publishers on the in-process bus, time under control.
//! Real publishers, real readers and NATS are the end-to-end tests' business.

#![allow(
    clippy::unwrap_used,
    reason = "in a scene of a test, a failed unwrap is a failed test"
)]

mod camera;
mod demand;
mod gate;
mod hls;
mod join;
mod life;
mod loss;
mod panics;
mod paths;
mod slow;
mod stale;
mod takeover;
mod viewer;
mod waiting;
