//! The server against raw sockets and against retina, with streams made up in the test.
//! Real hubs and real players meet it in `tests/e2e` and `tests/interop`.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod access;
mod client;
mod hostile;
mod life;
mod methods;
mod mock;
mod readers;
mod secure;
mod transports;
