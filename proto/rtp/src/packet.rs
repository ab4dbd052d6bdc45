//! An RTP packet as the receiving side carries it: decrypted, header read, padding gone.
//! Reading the header from bytes is `header`'s work, or the WebRTC core's.

use bytes::Bytes;

/// One received packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Sequence number (RFC 3550 §5.1).
    pub seq: u16,
    /// Media timestamp.
    pub timestamp: u32,
    /// Marker bit: for video the last packet of its access unit (RFC 6184 §5.1).
    pub marker: bool,
    /// Payload without padding; empty for packets that were padding only.
    pub payload: Bytes,
    /// The abs-capture-time extension as NTP 64 bits, where present.
    pub abs_capture: Option<u64>,
}
