//! The pages in a real Chromium and a real Firefox against real nodes: what they show, how late, and what they say when
//! something is wrong.
//! Pictures of each stay in `target/browser` to be looked at.

mod browser;
mod fabric;
mod firefox;
mod publish;
mod told;
mod watch;
mod weather;
mod words;
