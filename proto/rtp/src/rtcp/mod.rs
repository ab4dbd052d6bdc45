//! RTCP (RFC 3550 §6): compound packets read one by one, sender and receiver reports and goodbyes written.
//! When to send them, and what feedback messages mean, is decided elsewhere.

mod report;
#[cfg(test)]
mod tests;
mod write;

pub use report::{ReportBlock, SenderInfo, middle_of_ntp};
pub use write::{bye, receiver_report, sender_report};

use crate::Error;

/// Longest CNAME and other text written or read, in bytes: its length has one byte (§6.5).
pub const MAX_TEXT: usize = 255;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const CNAME: u8 = 1;

/// One packet of a compound, as far as we read it. Nothing is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RtcpPacket<'a> {
    /// Sender report (§6.4.1).
    SenderReport {
        /// Who reports.
        ssrc: u32,
        /// What it sent.
        info: SenderInfo,
        /// What it received.
        reports: ReportBlocks<'a>,
    },
    /// Receiver report (§6.4.2).
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// What it received.
        reports: ReportBlocks<'a>,
    },
    /// Source description (§6.5).
    SourceDescription {
        /// The first source; 0 when there is none.
        ssrc: u32,
        /// Its CNAME, as far as it is there.
        cname: Option<&'a [u8]>,
    },
    /// Goodbye (§6.6).
    Bye {
        /// The first source that leaves; 0 when none is named.
        ssrc: u32,
    },
    /// Any other packet.
    Other {
        /// Its type (RFC 3550 §12.1).
        packet_type: u8,
        /// The five bits beside the version.
        count: u8,
        /// What follows its first four bytes, padding included.
        body: &'a [u8],
    },
}

/// Report blocks of one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportBlocks<'a> {
    rest: &'a [u8],
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.rest.split_first_chunk::<{ report::BLOCK }>()?;
        self.rest = rest;
        Some(ReportBlock::from_bytes(block))
    }
}

/// The packets of a compound; after an error it ends.
#[derive(Debug, Clone)]
pub struct RtcpPackets<'a> {
    rest: &'a [u8],
}

impl<'a> RtcpPackets<'a> {
    /// Reads a datagram, or the content of an interleaved frame.
    #[must_use]
    pub fn new(compound: &'a [u8]) -> Self {
        Self { rest: compound }
    }

    fn read(&mut self) -> Result<RtcpPacket<'a>, Error> {
        let (head, _) = self.rest.split_first_chunk::<4>().ok_or(Error::Truncated {
            need: 4,
            have: self.rest.len(),
        })?;
        if head[0] >> 6 != 2 {
            return Err(Error::Version(head[0] >> 6));
        }
        let len = 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        let (packet, rest) = self.rest.split_at_checked(len).ok_or(Error::Truncated {
            need: len,
            have: self.rest.len(),
        })?;
        self.rest = rest;
        read_packet(head[0] & 0x1f, head[1], &packet[4..])
    }
}

impl<'a> Iterator for RtcpPackets<'a> {
    type Item = Result<RtcpPacket<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let packet = self.read();
        if packet.is_err() {
            self.rest = &[];
        }
        Some(packet)
    }
}

fn read_packet(count: u8, packet_type: u8, body: &[u8]) -> Result<RtcpPacket<'_>, Error> {
    let source = || body.first_chunk::<4>().map(|b| u32::from_be_bytes(*b));
    let need = |need: usize| Error::Truncated {
        need: 4 + need,
        have: 4 + body.len(),
    };
    let reports = |at: usize| {
        let end = at + report::BLOCK * usize::from(count);
        let rest = body.get(at..end).ok_or(need(end))?;
        Ok(ReportBlocks { rest })
    };
    Ok(match packet_type {
        SENDER_REPORT => {
            let info = body
                .get(4..)
                .and_then(|b| b.first_chunk())
                .ok_or(need(4 + report::INFO))?;
            RtcpPacket::SenderReport {
                ssrc: source().ok_or(need(4))?,
                info: SenderInfo::from_bytes(info),
                reports: reports(4 + report::INFO)?,
            }
        }
        RECEIVER_REPORT => RtcpPacket::ReceiverReport {
            ssrc: source().ok_or(need(4))?,
            reports: reports(4)?,
        },
        SOURCE_DESCRIPTION => RtcpPacket::SourceDescription {
            ssrc: source().unwrap_or(0),
            cname: body.get(4..).and_then(cname),
        },
        BYE => RtcpPacket::Bye {
            ssrc: source().filter(|_| count > 0).unwrap_or(0),
        },
        _ => RtcpPacket::Other {
            packet_type,
            count,
            body,
        },
    })
}

/// The CNAME among the items of a chunk (§6.5.1).
fn cname(mut items: &[u8]) -> Option<&[u8]> {
    loop {
        let (&kind, rest) = items.split_first()?;
        if kind == 0 {
            return None;
        }
        let (&len, rest) = rest.split_first()?;
        let (text, rest) = rest.split_at_checked(usize::from(len))?;
        if kind == CNAME {
            return Some(text);
        }
        items = rest;
    }
}
