//! The exam gateway: `/api/webrtc/whip`, `/api/webrtc/whep` and `/api/webrtc/health`, which name a stream after an exam and a
//! participant. It runs inside of a node or in front of another server; what WHIP and WHEP answer is that server's business.

mod answer;
mod asked;
mod body;
mod client;
mod error;
mod front;
mod health;
mod inside;
mod location;
mod names;
mod settings;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use front::serve;
pub use inside::{Gateway, Host};
pub use settings::{Settings, SettingsError};
