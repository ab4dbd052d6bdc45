//! One track of one reader on its way out: payload type, sources, sequence numbers and header extensions of its packets, its
//! sender reports, and what was sent for those who miss it. When anything is sent is decided in `out`.

use super::history::History;
use bytes::{BufMut, Bytes, BytesMut};
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::source_description::{
    SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem,
};
use rtc::rtp::{Header, Packet};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use weft_rtp::{INTERLEAVE_HEADER, PacketBlock, RTP_HEADER, rtcp};
use weft_sdp::watch::WatchedTrack;
use weft_sdp::watch_answer::Sources;
use weft_wire::{CaptureTime, MediaKind, TrackId};

/// Reports remembered until the reader answers them.
const MOST_REPORTS: usize = 8;

/// Loss is judged over so long and so many packets at least: a few lost of a few sent say nothing.
const JUDGED_TIME: Duration = Duration::from_secs(1);
const JUDGED_PACKETS: u32 = 50;

/// What a report said, and when.
#[derive(Debug, Clone, Copy)]
struct Reported {
    at: Instant,
    highest_seq: u32,
    lost: u32,
}

/// The state of one track.
pub(super) struct Lane {
    agreed: WatchedTrack,
    sources: Sources,
    cname: String,
    seq: u16,
    rtx_seq: u16,
    packets: u32,
    octets: u32,
    history: History,
    /// Middle of the NTP time of our reports, and when they left.
    reports: VecDeque<(u32, Instant)>,
    /// A point of the line between RTP time and capture.
    line: Option<(u32, CaptureTime)>,
    /// Packets that the reader says it never got.
    pub(super) lost: u32,
    /// The report from which loss is counted.
    judged: Option<Reported>,
}

impl Lane {
    pub(super) fn new(agreed: WatchedTrack, sources: Sources, cname: String) -> Self {
        Self {
            agreed,
            sources,
            cname,
            // RFC 3550 section 5.1; below the half, so that the first wrap is not near (RFC 3711 section 3.3.1).
            seq: rand::random::<u16>() >> 1,
            rtx_seq: rand::random::<u16>() >> 1,
            packets: 0,
            octets: 0,
            history: History::default(),
            reports: VecDeque::new(),
            line: None,
            lost: 0,
            judged: None,
        }
    }

    pub(super) fn track(&self) -> TrackId {
        self.agreed.track
    }

    pub(super) fn is_video(&self) -> bool {
        self.agreed.codec.kind() == MediaKind::Video
    }

    pub(super) fn ssrc(&self) -> u32 {
        self.sources.media
    }

    /// Packet `index` of a unit and its size; `None` behind the last.
    pub(super) fn packet(
        &mut self,
        now: Instant,
        block: &Arc<PacketBlock>,
        index: usize,
        began: Instant,
    ) -> Option<(Packet, usize)> {
        let (marker, payload) = part(block, index)?;
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        // The counts of sender reports wrap (RFC 3550 section 6.4.1).
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload.len() as u32);
        if self.agreed.nack {
            self.history.push(now, seq, block, index);
        }
        let header = Header {
            version: 2,
            marker,
            payload_type: self.agreed.payload_type,
            sequence_number: seq,
            timestamp: block.rtp_time,
            ssrc: self.sources.media,
            ..Header::default()
        };
        Some(self.with_extensions(header, payload, now, began, index == 0))
    }

    /// Whether a packet may be sent again; `None`: it is gone.
    pub(super) fn may_again(&mut self, now: Instant, seq: u16, spacing: Duration) -> Option<bool> {
        self.history.may_again(now, seq, spacing)
    }

    /// A packet once more: as a retransmission (RFC 4588), or just as it was for a reader that takes none.
    pub(super) fn again(&mut self, now: Instant, seq: u16, began: Instant) -> Option<(Packet, usize)> {
        let kept = self.history.get(seq)?.clone();
        let (marker, payload) = part(&kept.block, kept.index)?;
        let mut header = Header {
            version: 2,
            marker,
            payload_type: self.agreed.payload_type,
            sequence_number: seq,
            timestamp: kept.block.rtp_time,
            ssrc: self.sources.media,
            ..Header::default()
        };
        let first = kept.index == 0;
        let Some(payload_type) = self.agreed.rtx else {
            // To the bit: the same number must never protect two different packets (RFC 3711 section 9.1).
            return Some(self.with_extensions(header, payload, kept.at, began, first));
        };
        let mut wrapped = BytesMut::with_capacity(2 + payload.len());
        wrapped.put_u16(seq);
        wrapped.extend_from_slice(&payload);
        header.payload_type = payload_type;
        header.ssrc = self.sources.rtx;
        header.sequence_number = self.rtx_seq;
        self.rtx_seq = self.rtx_seq.wrapping_add(1);
        Some(self.with_extensions(header, wrapped.freeze(), now, began, first))
    }

    /// `first`: of its unit.
    fn with_extensions(
        &self,
        mut header: Header,
        payload: Bytes,
        at: Instant,
        began: Instant,
        first: bool,
    ) -> (Packet, usize) {
        let mut size = RTP_HEADER + payload.len();
        let timestamp = header.timestamp;
        let mut extend = |id: u8, bytes: Bytes| {
            size += 1 + bytes.len();
            if let Err(error) = header.set_extension(id, bytes) {
                tracing::debug!(%error, id, "header extension left out");
            }
        };
        if let Some(id) = self.agreed.abs_send_time {
            // 6.18 fixed point seconds of any clock.
            let seconds = at.saturating_duration_since(began).as_micros();
            let fixed = ((seconds << 18) / 1_000_000) as u32;
            extend(id, Bytes::copy_from_slice(&fixed.to_be_bytes()[1..]));
        }
        if let (Some(id), true, Some((rtp_time, capture))) = (self.agreed.abs_capture, first, self.line) {
            // The distance is a few seconds of 32 bits.
            let ticks = timestamp.wrapping_sub(rtp_time) as i32;
            let micros = self.agreed.clock_rate.ticks_to_micros(i64::from(ticks));
            let ntp = capture.shifted(micros).to_ntp();
            extend(id, Bytes::copy_from_slice(&ntp.to_be_bytes()));
        }
        (Packet { header, payload }, size)
    }

    /// A sender report with its source description (RFC 3550 section 6.4.1, 6.5).
    pub(super) fn report(
        &mut self,
        now: Instant,
        rtp_time: u32,
        capture: CaptureTime,
    ) -> [Box<dyn rtc::rtcp::Packet>; 2] {
        self.line = Some((rtp_time, capture));
        let ntp = capture.to_ntp();
        if self.reports.len() == MOST_REPORTS {
            self.reports.pop_front();
        }
        self.reports.push_back((rtcp::middle_of_ntp(ntp), now));
        let report = SenderReport {
            ssrc: self.sources.media,
            ntp_time: ntp,
            rtp_time,
            packet_count: self.packets,
            octet_count: self.octets,
            ..SenderReport::default()
        };
        let description = SourceDescription {
            chunks: vec![SourceDescriptionChunk {
                source: self.sources.media,
                items: vec![SourceDescriptionItem {
                    sdes_type: SdesType::SdesCname,
                    text: Bytes::copy_from_slice(self.cname.as_bytes()),
                }],
            }],
        };
        [Box::new(report), Box::new(description)]
    }

    /// The reader got so far and missed so many: the part lost of 256, once enough was sent to judge it.
    pub(super) fn reported(&mut self, at: Instant, highest_seq: u32, lost: u32) -> Option<u8> {
        let report = Reported {
            at,
            highest_seq,
            lost,
        };
        self.lost = lost;
        let from = *self.judged.get_or_insert(report);
        let expected = highest_seq.wrapping_sub(from.highest_seq);
        let soon = at.saturating_duration_since(from.at) < JUDGED_TIME;
        // One that overtook another goes back a little.
        if soon || !(JUDGED_PACKETS..1 << 31).contains(&expected) {
            return None;
        }
        self.judged = Some(report);
        // Signed, of 24 bits (RFC 3550 section 6.4.1): packets that came twice make up for lost ones.
        let gone = (lost.wrapping_sub(from.lost) << 8) as i32 >> 8;
        let gone = u64::from(gone.max(0).unsigned_abs());
        Some(u8::try_from(gone * 256 / u64::from(expected)).unwrap_or(u8::MAX))
    }

    /// The round trip by the reader's answer to a report of ours. Their times are those of capture, so it is looked up when
    /// it left.
    pub(super) fn round_trip(&self, now: Instant, last_report: u32, delay: u32) -> Option<Duration> {
        let (_, sent) = self.reports.iter().find(|(middle, _)| *middle == last_report)?;
        let held = Duration::from_micros(u64::from(delay) * 1_000_000 / 65_536);
        Some(now.saturating_duration_since(*sent).saturating_sub(held))
    }
}

/// Marker and payload of packet `index`; nothing is copied.
fn part(block: &PacketBlock, index: usize) -> Option<(bool, Bytes)> {
    let from = *block.offsets.get(index)? as usize + INTERLEAVE_HEADER;
    let to = block
        .offsets
        .get(index + 1)
        .map_or(block.bytes.len(), |next| *next as usize);
    let marker = block.bytes.get(from + 1)? & 0x80 != 0;
    (from + RTP_HEADER <= to).then(|| (marker, block.bytes.slice(from + RTP_HEADER..to)))
}
