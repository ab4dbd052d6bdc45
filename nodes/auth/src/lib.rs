//! Who may publish, read and administer: one gate that every face asks, by the users of the file, an HTTP callback or JWT.
//! How a client shows who it is (headers, URLs, digests) is read here too; how it is refused is worded by each face.

mod answers;
mod argon;
mod callback;
mod client;
mod compare;
mod credentials;
mod crypto;
mod gate;
mod internal;
mod keys;
mod request;
mod still;
#[cfg(test)]
mod testing;
mod throttle;
mod token;
mod verdict;

pub use credentials::without_secrets;
pub use gate::Gate;
pub use request::{Action, Credentials, Denied, DigestAnswer, Grant, Protocol, Request, client_ip};
pub use still::still_allowed;
