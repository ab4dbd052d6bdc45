//! Why bytes from the network are no RTP or RTCP packet.
//! Broken payloads of a codec are not errors but [`crate::Damage`]: they concern a unit, not a packet.

/// Bytes that cannot be read; drop them and count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The packet ends before what it announces.
    #[error("packet of {have} bytes ends before byte {need}")]
    Truncated {
        /// Bytes that would be needed.
        need: usize,
        /// Bytes there are.
        have: usize,
    },
    /// The version field is not 2 (RFC 3550 §5.1, §6.4.1).
    #[error("version {0} is not 2")]
    Version(u8),
    /// The padding count is 0 or longer than the payload (RFC 3550 §5.1).
    #[error("padding of {0} bytes does not fit")]
    Padding(u8),
}
