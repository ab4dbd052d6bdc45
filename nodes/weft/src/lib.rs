//! Weft as a library: the assembled node, the command line and the built-in publisher, for the program and for tests.
//! Protocols, media and the bus live in the crates it puts together.

mod check;
pub mod cli;
mod command;
pub mod demo;
mod gateway;
mod health;
mod local_ip;
mod logging;
pub mod node;
mod signals;
mod traces;

pub use node::{Node, Role, StartError};
