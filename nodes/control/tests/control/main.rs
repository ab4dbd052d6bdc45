//! The API over nodes that are made up but talk over a true bus: shapes, one view of all nodes, orders, who may ask, and
//! the reference page. That real nodes fill these in is tested end to end.
#![allow(clippy::unwrap_used)] // a helper of a test fails by panicking

mod guard;
mod live;
mod many;
mod metrics;
mod orders;
mod reference;
mod shapes;
mod silence;
mod thousand;
mod world;
