//! What operators have to do with: the old server's configuration, API and habits, asked of real nodes.
//! Each module is one point of what must hold; `tests/run` names them as parts.

mod access;
mod contract;
mod deploy;
mod reload;
mod schema;
mod siege;
mod spec;
