//! The blocks of sender and receiver reports (RFC 3550 §6.4) as values.
//! Computing jitter and loss to put into them is the receiver's work.

use core::time::Duration;

/// Bytes of a report block.
pub(super) const BLOCK: usize = 24;
/// Bytes of the sender's part of a sender report.
pub(super) const INFO: usize = 20;

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// What a sender says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP 64 bits.
    pub ntp: u64,
    /// The same instant on the media clock.
    pub rtp_time: u32,
    /// RTP packets sent since the start.
    pub packets: u32,
    /// Payload bytes sent since the start.
    pub octets: u32,
}

impl SenderInfo {
    pub(super) fn from_bytes(b: &[u8; INFO]) -> Self {
        Self {
            ntp: u64::from(word(b, 0)) << 32 | u64::from(word(b, 4)),
            rtp_time: word(b, 8),
            packets: word(b, 12),
            octets: word(b, 16),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; INFO] {
        let mut out = [0; INFO];
        out[..8].copy_from_slice(&self.ntp.to_be_bytes());
        out[8..12].copy_from_slice(&self.rtp_time.to_be_bytes());
        out[12..16].copy_from_slice(&self.packets.to_be_bytes());
        out[16..].copy_from_slice(&self.octets.to_be_bytes());
        out
    }
}

/// What a receiver says about one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// Loss since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the start, 24 bits signed.
    pub lost: i32,
    /// Highest sequence number, extended to 32 bits.
    pub highest_seq: u32,
    /// Interarrival jitter in ticks of the media clock.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report; 0 if there was none.
    pub last_sr: u32,
    /// Time from that report to this one, in 1/65536 s.
    pub delay: u32,
}

impl ReportBlock {
    pub(super) fn from_bytes(b: &[u8; BLOCK]) -> Self {
        Self {
            ssrc: word(b, 0),
            fraction_lost: b[4],
            lost: (word(b, 4) << 8).cast_signed() >> 8,
            highest_seq: word(b, 8),
            jitter: word(b, 12),
            last_sr: word(b, 16),
            delay: word(b, 20),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; BLOCK] {
        let mut out = [0; BLOCK];
        let lost = self.lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0xff_ffff;
        let words = [
            self.ssrc,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest_seq,
            self.jitter,
            self.last_sr,
            self.delay,
        ];
        for (out, word) in out.chunks_exact_mut(4).zip(words) {
            out.copy_from_slice(&word.to_be_bytes());
        }
        out
    }

    /// The round trip it tells, if it answers a sender report of ours and arrived at `now` of the clock of those reports
    /// (§6.4.1, "delay since last SR"). `None` without such a report or when the numbers cannot be true.
    #[must_use]
    pub fn round_trip(&self, now_ntp: u64) -> Option<Duration> {
        if self.last_sr == 0 {
            return None;
        }
        let trip = middle_of_ntp(now_ntp)
            .wrapping_sub(self.last_sr)
            .wrapping_sub(self.delay);
        // Half the range is 9 hours: beyond it the difference was negative.
        (trip < 0x8000_0000).then(|| Duration::from_micros(u64::from(trip) * 1_000_000 / 65_536))
    }
}

/// The middle 32 bits of an NTP timestamp, as `last_sr` has them.
#[must_use]
pub fn middle_of_ntp(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}
