//! The RTP header (RFC 3550 §5.1): a view over received bytes, and the 12 bytes written before each payload.
//! Header extensions are found here and read in `extension`.

use crate::{Error, Extensions};

/// Bytes of a header without contributors and extensions.
pub const RTP_HEADER: usize = 12;

/// A received packet, checked once; the accessors cannot fail.
#[derive(Debug, Clone, Copy)]
pub struct RtpView<'a> {
    packet: &'a [u8],
    extension_at: usize,
    payload_at: usize,
    payload_end: usize,
}

impl<'a> RtpView<'a> {
    /// Checks the header's lengths.
    ///
    /// # Errors
    /// [`Error`] when the bytes are no RTP packet.
    pub fn parse(packet: &'a [u8]) -> Result<Self, Error> {
        let truncated = |need| Error::Truncated {
            need,
            have: packet.len(),
        };
        let first = *packet.first().ok_or(truncated(RTP_HEADER))?;
        if first >> 6 != 2 {
            return Err(Error::Version(first >> 6));
        }
        let extension_at = RTP_HEADER + 4 * usize::from(first & 0x0f);
        let mut payload_at = extension_at;
        if first & 0x10 != 0 {
            let head = packet
                .get(extension_at..extension_at + 4)
                .ok_or(truncated(extension_at + 4))?;
            payload_at += 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        }
        if packet.len() < payload_at {
            return Err(truncated(payload_at));
        }
        let mut payload_end = packet.len();
        if first & 0x20 != 0 {
            let padding = packet[packet.len() - 1];
            if padding == 0 || usize::from(padding) > packet.len() - payload_at {
                return Err(Error::Padding(padding));
            }
            payload_end -= usize::from(padding);
        }
        Ok(Self {
            packet,
            extension_at,
            payload_at,
            payload_end,
        })
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_be_bytes([
            self.packet[at],
            self.packet[at + 1],
            self.packet[at + 2],
            self.packet[at + 3],
        ])
    }

    /// The fixed fields.
    #[must_use]
    pub fn header(&self) -> RtpHeader {
        RtpHeader {
            marker: self.packet[1] & 0x80 != 0,
            payload_type: self.packet[1] & 0x7f,
            seq: u16::from_be_bytes([self.packet[2], self.packet[3]]),
            timestamp: self.word(4),
            ssrc: self.word(8),
        }
    }

    /// Contributing sources, in order.
    pub fn contributors(&self) -> impl Iterator<Item = u32> + use<'a> {
        let view = *self;
        (RTP_HEADER..view.extension_at)
            .step_by(4)
            .map(move |at| view.word(at))
    }

    /// The header extensions (RFC 8285), none when there are none or their profile is unknown.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'a> {
        if self.packet[0] & 0x10 == 0 {
            return Extensions::none();
        }
        let at = self.extension_at;
        let profile = u16::from_be_bytes([self.packet[at], self.packet[at + 1]]);
        Extensions::new(profile, &self.packet[at + 4..self.payload_at])
    }

    /// The payload without padding; may be empty.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.packet[self.payload_at..self.payload_end]
    }
}

/// The fields of a header without contributors and extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader {
    /// Marker bit.
    pub marker: bool,
    /// Payload type, 0..=127.
    pub payload_type: u8,
    /// Sequence number.
    pub seq: u16,
    /// Media timestamp.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

impl RtpHeader {
    /// The 12 bytes; a payload type above 127 loses its top bit.
    #[must_use]
    pub fn to_bytes(self) -> [u8; RTP_HEADER] {
        let mut out = [0; RTP_HEADER];
        out[0] = 0x80;
        out[1] = u8::from(self.marker) << 7 | (self.payload_type & 0x7f);
        out[2..4].copy_from_slice(&self.seq.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: RtpHeader = RtpHeader {
        marker: true,
        payload_type: 96,
        seq: 0xfffe,
        timestamp: 0x0102_0304,
        ssrc: 0xdead_beef,
    };

    #[test]
    fn what_is_written_is_read_back() {
        let mut packet = HEADER.to_bytes().to_vec();
        packet.extend_from_slice(b"payload");
        let view = RtpView::parse(&packet).unwrap();
        assert_eq!(view.header(), HEADER);
        assert_eq!(view.payload(), b"payload");
        assert_eq!(view.extensions().count(), 0);
    }

    #[test]
    fn contributors_extensions_and_padding_are_no_payload() {
        let mut packet = HEADER.to_bytes().to_vec();
        packet[0] |= 0x30 | 2;
        packet.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 2]);
        packet.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0]);
        packet.extend_from_slice(b"xy\0\0\x03");
        let view = RtpView::parse(&packet).unwrap();
        assert_eq!(view.contributors().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(view.payload(), b"xy");
        let found: Vec<_> = view.extensions().map(|e| (e.id, e.data)).collect();
        assert_eq!(found, [(1, &[0xaa][..])]);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let whole = {
            let mut p = HEADER.to_bytes().to_vec();
            p[0] |= 0x10 | 1;
            p.extend_from_slice(&[0, 0, 0, 1, 0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0]);
            p
        };
        assert!(RtpView::parse(&whole).is_ok());
        for len in 0..whole.len() {
            assert!(RtpView::parse(&whole[..len]).is_err(), "{len}");
        }
        let mut padded = HEADER.to_bytes().to_vec();
        padded[0] |= 0x20;
        padded.push(2);
        assert_eq!(RtpView::parse(&padded).unwrap_err(), Error::Padding(2));
        *padded.last_mut().unwrap() = 0;
        assert_eq!(RtpView::parse(&padded).unwrap_err(), Error::Padding(0));
        *padded.last_mut().unwrap() = 1;
        assert_eq!(RtpView::parse(&padded).unwrap().payload(), b"");
        assert_eq!(RtpView::parse(&[0x40; 12]).unwrap_err(), Error::Version(1));
    }
}
