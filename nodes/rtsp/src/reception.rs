//! What a session's client has told of its reception, in RTCP of either transport, and what it was told in turn.
//! Whether it lives is the pulse's business; who shows these figures, the views'.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use weft_rtp::rtcp::{RtcpPacket, RtcpPackets};

/// Sources that a client may report on: a session has two tracks, and each of their SSRCs lasts as long as the hub.
// overflow: what it says of any further one is left out.
const SOURCES: usize = 8;

/// Counts of one session.
#[derive(Debug, Default)]
pub(crate) struct Reception {
    received: AtomicU64,
    sent: AtomicU64,
    /// Packets lost so far, by source (RFC 3550 §6.4.1).
    lost: Mutex<Vec<(u32, i32)>>,
}

impl Reception {
    /// Takes note of a compound of reports. Its other contents mean nothing here.
    pub(crate) fn heard(&self, compound: &[u8]) {
        self.received.fetch_add(1, Relaxed);
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        for packet in RtcpPackets::new(compound).map_while(Result::ok) {
            let (RtcpPacket::ReceiverReport { reports, .. } | RtcpPacket::SenderReport { reports, .. }) =
                packet
            else {
                continue;
            };
            for block in reports {
                if let Some((_, count)) = lost.iter_mut().find(|(ssrc, _)| *ssrc == block.ssrc) {
                    *count = block.lost;
                } else if lost.len() < SOURCES {
                    lost.push((block.ssrc, block.lost));
                }
            }
        }
    }

    /// Takes note of reports sent.
    pub(crate) fn told(&self, reports: u64) {
        self.sent.fetch_add(reports, Relaxed);
    }

    /// Compounds received, reports sent.
    pub(crate) fn reports(&self) -> (u64, u64) {
        (self.received.load(Relaxed), self.sent.load(Relaxed))
    }

    /// Packets that never reached the client, as it says; duplicates count against them.
    pub(crate) fn lost(&self) -> u64 {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.iter()
            .map(|(_, count)| u64::try_from(*count).unwrap_or(0))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_rtp::rtcp::{ReportBlock, receiver_report};

    #[test]
    fn the_newest_count_of_each_source_counts_and_few_sources_do() {
        let reception = Reception::default();
        let block = |ssrc, lost| ReportBlock {
            ssrc,
            lost,
            ..ReportBlock::default()
        };
        reception.heard(&receiver_report(9, &[block(1, 3), block(2, -5)], "c"));
        reception.heard(&receiver_report(9, &[block(1, 7)], "c"));
        reception.heard(b"no report");
        reception.told(2);
        assert_eq!((reception.lost(), reception.reports()), (7, (3, 2)));
        for ssrc in 10..40 {
            reception.heard(&receiver_report(9, &[block(ssrc, 1)], "c"));
        }
        assert_eq!(reception.lost(), 7 + 6);
    }
}
