//! Who may publish, read and administer: one gate that every face asks, by the users of the file, an HTTP callback or JWT.
//! How a client shows who it is (headers, URLs, digests) is read here too; how it is refused is worded by each face.

mod gate;
mod request;

pub use gate::{Gate, still_allowed};
pub use request::{Action, Credentials, Denied, DigestAnswer, Grant, Protocol, Request, client_ip};
