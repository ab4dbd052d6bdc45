//! Who may publish, read and administer: one gate that every face asks, by the users of the file, an HTTP callback or JWT.
//! How a client shows who it is (headers, URLs, digests) is read here too; how it is refused is worded by each face.
//!
//! # What a student can do with a token for one name
//!
//! Such a token says `{action: publish, path: NAME}`. With it one can publish under that name, open its publish page, and
//! take the name over from whoever holds it by the same right: who shares a name shares it. One cannot read it or anything
//! else, publish under any other name (names are compared whole, and a pattern in a token is the issuer's word, for it is
//! signed), ask API or metrics, or learn which names there are: every refusal comes before a name is looked for, in the
//! same words, after the same pause. The secret in a session's URL is a right of its own, over that session alone. A token
//! that is seen by somebody else is that somebody's until it expires; sessions that it opened stay. It goes to no other
//! node, into no log, list or hook. Guessing costs a pause of seconds, ten guesses a minute of silence for the address.

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
