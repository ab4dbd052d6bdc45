//! TLS for every port that speaks it: certificates read from files and read again when the files change, one set of rustls
//! settings, handshakes bounded in number and time. Which port speaks TLS is the configuration's word; listening is the
//! servers' work.

mod certificates;
mod counters;
mod error;
mod handshakes;
mod pair;

pub use certificates::Certificates;
pub use counters::Counters;
pub use error::{Error, Keys};
pub use handshakes::{Acceptor, HandshakeError};
