//! What tests of the fabric share at the bottom: a real NATS server, or a cluster of them, that starts, dies and comes back.
//! Nodes, publishers and readers for tests are the testkit's.

mod nats_cluster;
mod nats_server;

pub use nats_cluster::NatsCluster;
pub use nats_server::{NatsServer, NatsServerOptions, ROLE_PASSWORD};
