//! What the pages for people live on: the fabric as of each second, told by server-sent events to whoever looks, and what
//! has happened to a stream. The pages themselves are elsewhere; so is how the fabric is asked.
//!
//! `lines` is how a node and a stream are told, `rates` what is differences of counters in it, `board` all lines of one
//! second and what has changed since the last, `live` who listens, `routes` the dashboard's events, `wall` the proctors'.

mod board;
mod events;
mod lines;
mod live;
mod pattern;
mod rates;
mod routes;
mod wall;

pub(crate) use events::{StreamEvents, events};
pub(crate) use live::{Counts, Live};
pub(crate) use routes::live;
pub(crate) use wall::wall;
