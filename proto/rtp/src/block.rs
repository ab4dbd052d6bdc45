//! One access unit cut into RTP packets once, in the form every reader can copy from: interleave headers in place,
//! sequence numbers and channels left for the copier to write.

use bytes::Bytes;
use weft_wire::TrackId;

/// Bytes in front of each packet: `$`, channel, length (RFC 2326 §10.12).
pub const INTERLEAVE_HEADER: usize = 4;

/// The packets of one access unit. `bytes` is `[$ 0 len len | RTP packet]*`, back to back; in each packet SSRC, payload
/// type, marker and timestamp are final, the sequence number is the packet's place in the block (0, 1, ...): the reader
/// adds its own base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketBlock {
    /// Which track.
    pub track: TrackId,
    /// A reader may start here.
    pub key: bool,
    /// RTP timestamp of all its packets.
    pub rtp_time: u32,
    /// The packets.
    pub bytes: Bytes,
    /// Offset of each packet's interleave header in `bytes`.
    pub offsets: Vec<u32>,
    /// Bytes of RTP payload, for sender reports (RFC 3550 §6.4.1).
    pub payload_bytes: u32,
}

impl PacketBlock {
    /// Number of packets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// The RTP packets, without their interleave headers.
    pub fn packets(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.offsets.iter().enumerate().map(|(i, from)| {
            let end = self
                .offsets
                .get(i + 1)
                .map_or(self.bytes.len(), |next| *next as usize);
            &self.bytes[*from as usize + INTERLEAVE_HEADER..end]
        })
    }

    /// True when there are no packets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }
}
