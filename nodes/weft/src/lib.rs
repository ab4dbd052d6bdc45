//! Weft as a library: the assembled node, the command line and the built-in publisher, for the program and for tests.
//! Protocols, media and the bus live in the crates it puts together.

pub mod cli;
mod command;
pub mod demo;
mod logging;
pub mod node;
mod signals;

pub use node::{Node, Role, StartError};
