//! A reader's tracks on their way out: sequence numbers, channels and ports, sender reports, what was sent.
//! Media and timelines come ready from the hub; sockets and time limits are the connection's.

use crate::outbox::Outbox;
use crate::udp::UdpPair;
use crate::{Joined, PlayReader, ReaderEvent, RtpLine};
use bytes::{BufMut, BytesMut};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use weft_rtp::rtcp::{self, SenderInfo};
use weft_rtp::{INTERLEAVE_HEADER, PacketBlock};
use weft_rtsp::Chosen;
use weft_wire::{ClockRate, CloseReason, TrackId};

/// Where the sequence number stands in an RTP header.
const SEQUENCE: std::ops::Range<usize> = 2..4;
/// The canonical name in every report, one for all tracks: they share a clock (RFC 3550 §6.5.1).
const CNAME: &str = "weft";
/// After a pause the next key unit may be an interval away; the answer to PLAY waits for it at most this long.
const RESUME_WAIT: Duration = Duration::from_secs(2);
/// Once one track is there, the others are waited for at most this long.
const RESUME_REST: Duration = Duration::from_millis(200);

/// One track of one reader.
#[derive(Debug)]
struct Lane {
    track: TrackId,
    chosen: Chosen,
    ssrc: u32,
    clock: ClockRate,
    /// Sequence number of its next packet.
    seq: u16,
    /// RTP timestamp of its newest packet and when it was taken.
    newest: (u32, Instant),
    packets: u32,
    octets: u32,
}

/// A reader and its tracks.
pub(crate) struct Playback {
    reader: Box<dyn PlayReader>,
    lanes: Vec<Lane>,
    /// Where each track begins, for the first sender reports.
    lines: Vec<(TrackId, RtpLine)>,
    /// Events taken ahead of the answer to a PLAY that resumes. Bounded by [`RESUME_WAIT`].
    held: VecDeque<ReaderEvent>,
}

/// What one event did.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Sender reports.
    pub(crate) reports: u64,
}

impl Playback {
    /// Joins what the hub gave with what the client set up; `None` when a track is missing.
    pub(crate) fn new(joined: Joined, tracks: &[(TrackId, Chosen, ClockRate)]) -> Option<Self> {
        let now = Instant::now();
        let lane = |&(track, chosen, clock): &(TrackId, Chosen, ClockRate)| {
            let start = joined.starts.iter().find(|s| s.track == track)?;
            Some(Lane {
                track,
                chosen,
                ssrc: start.ssrc,
                clock,
                // RFC 3550 §5.1: random, and a reader's own, so that what is dropped on purpose leaves no hole.
                seq: rand::random(),
                newest: (start.rtp_time, now),
                packets: 0,
                octets: 0,
            })
        };
        Some(Self {
            lanes: tracks.iter().map(lane).collect::<Option<_>>()?,
            lines: joined.starts.iter().map(|s| (s.track, s.line)).collect(),
            reader: joined.reader,
            held: VecDeque::new(),
        })
    }

    /// Sequence number and RTP timestamp of each track's next packet, for `RTP-Info`.
    pub(crate) fn starts(&self) -> Vec<(u8, u16, u32)> {
        self.lanes
            .iter()
            .map(|l| (l.track.0, l.seq, l.newest.0))
            .collect()
    }

    /// Writes the first sender reports: before any packet, so that capture times are known from the first picture on.
    /// Returns how many.
    pub(crate) fn open(&mut self, out: &mut Outbox, udp: Option<&UdpPair>) -> u64 {
        let lines = std::mem::take(&mut self.lines);
        let sum = lines.len() as u64;
        for (track, line) in lines {
            self.report(track, line, out, udp);
        }
        sum
    }

    /// Stops taking; the hub empties the queue.
    pub(crate) fn pause(&mut self) {
        self.reader.set_paused(true);
        self.held.clear();
    }

    /// Goes on at the next key unit: waits for the first packets, so that `RTP-Info` is exact. A track that stays silent
    /// is placed by the clock.
    pub(crate) async fn resume(&mut self) -> Vec<(u8, u16, u32)> {
        self.reader.set_paused(false);
        let mut until = Instant::now() + RESUME_WAIT;
        let mut seen: Vec<(TrackId, u32)> = Vec::new();
        while seen.len() < self.lanes.len() {
            let Ok(event) = timeout_at(until, self.reader.next()).await else {
                break;
            };
            if let ReaderEvent::Block(block) = &event
                && self.lanes.iter().any(|l| l.track == block.track)
                && seen.iter().all(|s| s.0 != block.track)
            {
                seen.push((block.track, block.rtp_time));
                until = until.min(Instant::now() + RESUME_REST);
            }
            let ends = matches!(event, ReaderEvent::Closed(_));
            self.held.push_back(event);
            if ends {
                break;
            }
        }
        let now = Instant::now();
        for lane in &mut self.lanes {
            let first = seen.iter().find(|s| s.0 == lane.track).map(|s| s.1);
            let elapsed = now.duration_since(lane.newest.1).as_micros();
            let ticks = lane
                .clock
                .micros_to_ticks(i64::try_from(elapsed).unwrap_or(i64::MAX));
            // RTP timestamps wrap.
            lane.newest = (first.unwrap_or(lane.newest.0.wrapping_add(ticks as u32)), now);
        }
        self.starts()
    }

    /// The next event. Cancel-safe.
    pub(crate) async fn next(&mut self) -> ReaderEvent {
        match self.held.pop_front() {
            Some(event) => event,
            None => self.reader.next().await,
        }
    }

    /// The next event if there is one already.
    pub(crate) fn try_next(&mut self) -> Option<ReaderEvent> {
        self.held.pop_front().or_else(|| self.reader.try_next())
    }

    /// Writes one event; `Err` at the end of the stream.
    pub(crate) fn write(
        &mut self,
        event: ReaderEvent,
        out: &mut Outbox,
        udp: Option<&UdpPair>,
    ) -> Result<Written, CloseReason> {
        match event {
            ReaderEvent::Block(block) => Ok(self.block(&block, out, udp)),
            ReaderEvent::Report(track, line) => {
                self.report(track, line, out, udp);
                Ok(Written {
                    reports: 1,
                    ..Written::default()
                })
            }
            ReaderEvent::Closed(reason) => Err(reason),
        }
    }

    /// Tells the hub what was written.
    pub(crate) fn tell(&self, written: Written) {
        self.reader.sent(written.packets, written.bytes);
    }

    fn block(&mut self, block: &PacketBlock, out: &mut Outbox, udp: Option<&UdpPair>) -> Written {
        let Some(lane) = self.lanes.iter_mut().find(|l| l.track == block.track) else {
            return Written::default();
        };
        match (lane.chosen, &mut out.datagrams, udp) {
            (Chosen::Tcp { rtp, .. }, _, _) => put_interleaved(&mut out.stream, block, rtp, lane.seq),
            (Chosen::Udp { rtp, .. }, Some(datagrams), Some(udp)) => {
                let segments = udp.max_segments();
                for packet in packets(block) {
                    datagrams.push(rtp, packet, false, segments, |copy| add_sequence(copy, lane.seq));
                }
            }
            (Chosen::Udp { .. }, _, _) => {}
        }
        let count = block.len();
        // Sequence numbers and the counts of sender reports wrap (RFC 3550 §5.1, §6.4.1).
        lane.seq = lane.seq.wrapping_add(count as u16);
        lane.packets = lane.packets.wrapping_add(count as u32);
        lane.octets = lane.octets.wrapping_add(block.payload_bytes);
        lane.newest = (block.rtp_time, Instant::now());
        Written {
            packets: count as u64,
            bytes: block.bytes.len().saturating_sub(count * INTERLEAVE_HEADER) as u64,
            reports: 0,
        }
    }

    fn report(&self, track: TrackId, line: RtpLine, out: &mut Outbox, udp: Option<&UdpPair>) {
        let Some(lane) = self.lanes.iter().find(|l| l.track == track) else {
            return;
        };
        let info = SenderInfo {
            ntp: line.capture.to_ntp(),
            rtp_time: line.rtp_time,
            packets: lane.packets,
            octets: lane.octets,
        };
        let packet = rtcp::sender_report(lane.ssrc, info, CNAME);
        lane.put_report(&packet, out, udp);
    }

    /// Writes the end of every track.
    pub(crate) fn goodbye(&self, out: &mut Outbox, udp: Option<&UdpPair>) {
        for lane in &self.lanes {
            lane.put_report(&rtcp::bye(lane.ssrc, None, CNAME), out, udp);
        }
    }
}

impl Lane {
    fn put_report(&self, packet: &[u8], out: &mut Outbox, udp: Option<&UdpPair>) {
        match (self.chosen, &mut out.datagrams, udp) {
            (Chosen::Tcp { rtcp, .. }, _, _) => {
                // A report is far below 64 KiB.
                out.stream.put_slice(&[b'$', rtcp]);
                out.stream.put_u16(packet.len() as u16);
                out.stream.put_slice(packet);
            }
            (Chosen::Udp { rtcp, .. }, Some(datagrams), Some(_)) => {
                datagrams.push(rtcp, packet, true, 1, |_| {})
            }
            (Chosen::Udp { .. }, _, _) => {}
        }
    }
}

/// The packets of a block without their interleave headers.
fn packets(block: &PacketBlock) -> impl Iterator<Item = &[u8]> {
    let ends = block
        .offsets
        .iter()
        .skip(1)
        .map(|o| *o as usize)
        .chain([block.bytes.len()]);
    let starts = block.offsets.iter().map(|o| *o as usize + INTERLEAVE_HEADER);
    starts
        .zip(ends)
        .filter_map(|(start, end)| block.bytes.get(start..end))
}

/// One copy of the whole block, then channel and sequence number of each packet in place.
fn put_interleaved(out: &mut BytesMut, block: &PacketBlock, channel: u8, base: u16) {
    let at = out.len();
    out.extend_from_slice(&block.bytes);
    for offset in &block.offsets {
        if let Some(packet) = out.get_mut(at + *offset as usize..) {
            if let Some(place) = packet.get_mut(1) {
                *place = channel;
            }
            add_sequence(packet.get_mut(INTERLEAVE_HEADER..).unwrap_or_default(), base);
        }
    }
}

/// Adds a reader's base to a packet's place in its block.
fn add_sequence(packet: &mut [u8], base: u16) {
    if let Some(Ok(place)) = packet.get_mut(SEQUENCE).map(<&mut [u8; 2]>::try_from) {
        *place = u16::from_be_bytes(*place).wrapping_add(base).to_be_bytes();
    }
}
