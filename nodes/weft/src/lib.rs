//! Weft as a library: the assembled node and the built-in publisher, for the program and for tests.
//! Protocols, media and the bus live in the crates it puts together.

pub mod demo;
