//! Session descriptions (RFC 8866): WHIP offers with their ICE fragments, and the descriptions that RTSP readers get.
//! Text to data and back, nothing else: no sockets, no clock, no peer.

pub mod offer;
pub mod offer_fragment;
mod offer_parse;
