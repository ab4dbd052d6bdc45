//! How much one client address may have: open connections of a port, sessions of a node, requests per second.
//! The bounds are the configuration's; how a refusal is worded and counted is each server's business.

mod address;
mod door;
mod rates;
mod shares;

pub use address::Address;
pub use door::{Bounds, Door, Full, Guest};
pub use rates::Rates;
pub use shares::{Share, Shares};
