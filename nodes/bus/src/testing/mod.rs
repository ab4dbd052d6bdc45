//! What tests of the fabric share at the bottom: a real NATS server that starts, dies and comes back.
//! Nodes, publishers and readers for tests are the testkit's.

mod nats_server;

pub use nats_server::{NatsServer, NatsServerOptions};
