//! Session descriptions (RFC 8866): WHIP and WHEP offers with their ICE fragments, and the descriptions that RTSP readers get.
//! Text to data and back, nothing else: no sockets, no clock, no peer.

mod description;
pub mod offer;
pub mod offer_fragment;
mod offer_parse;
pub mod watch;
pub mod watch_answer;

pub use description::{
    AUDIO_PAYLOAD_TYPE, DescribedTrack, DescriptionError, VIDEO_PAYLOAD_TYPE, description, parse_description,
    payload_type,
};
