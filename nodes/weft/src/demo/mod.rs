//! `weft demo`: a built-in publisher that plays a small clip into this node over real WebRTC, so that a newcomer without a
//! camera has a stream to read. The server half knows nothing of it.

pub mod clip;
pub mod events;
mod feedback;
pub mod follower;
pub mod journal;
mod peer;
pub mod publisher;
mod runtime;
mod sender;
pub mod source;
pub mod stamp;
pub mod whip;

pub use clip::Clip;
pub use follower::Follower;
pub use publisher::Publisher;
pub use source::{ClipLoop, UnitSource};
pub use stamp::StampedLoop;
