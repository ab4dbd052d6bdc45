//! The way out of a peer: packets of a source, cut already, get this reader's numbers and go out at the path's pace; what the
//! reader reports and misses comes back here. What is sent, and to whom, is the source's business (WHEP).

mod feedback;
mod history;
mod lane;
mod pacer;
mod path;

pub(crate) use feedback::{Heard, heard};

use crate::counters::{Counters, add, count};
use crate::handle::Shared;
use crate::peer::{MediaSource, Outbound, PeerAddresses};
use lane::Lane;
use pacer::Pacer;
use path::Path;
use rtc::rtcp::goodbye::Goodbye;
use rtc::shared::error::Error as CoreError;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::Instant;
use weft_rtp::PacketBlock;
use weft_sdp::watch::WatchedTrack;
use weft_sdp::watch_answer::Sources;
use weft_wire::CloseReason;

/// Retransmissions that wait for their turn.
const MOST_RESENDS: usize = 512;
/// Units begun in one turn of the loop: after that other peers get theirs.
const MOST_UNITS: usize = 256;

/// What goes to the core.
pub(crate) enum Write {
    Rtp(rtc::rtp::Packet),
    Rtcp(Box<dyn rtc::rtcp::Packet>),
}

/// One packet to be sent again.
#[derive(Debug, Clone, Copy)]
struct Resend {
    lane: usize,
    seq: u16,
}

/// A unit on its way.
struct Unit {
    block: Arc<PacketBlock>,
    lane: usize,
    next: usize,
}

/// Everything a reader's peer has beyond its link.
pub(crate) struct Outgoing {
    source: Box<dyn MediaSource>,
    lanes: Vec<Lane>,
    pacer: Pacer,
    path: Path,
    unit: Option<Unit>,
    resends: VecDeque<Resend>,
    counters: Arc<Counters>,
    shared: Arc<Shared>,
    /// abs-send-time counts from here.
    began: Instant,
    connected: bool,
    ended: Option<CloseReason>,
    /// When the pacer lets the next packet go; `None`: nothing waits for it.
    wake: Option<Instant>,
    round_trip: Duration,
}

/// What it is made of.
pub(crate) struct OutParts {
    pub(crate) source: Box<dyn MediaSource>,
    pub(crate) tracks: Vec<(WatchedTrack, Sources)>,
    pub(crate) cname: String,
}

impl Outgoing {
    pub(crate) fn new(now: Instant, parts: OutParts, shared: Arc<Shared>, counters: Arc<Counters>) -> Self {
        let cname = parts.cname;
        Self {
            source: parts.source,
            lanes: parts
                .tracks
                .into_iter()
                .map(|(track, sources)| Lane::new(track, sources, cname.clone()))
                .collect(),
            pacer: Pacer::new(now),
            path: Path::new(now),
            unit: None,
            resends: VecDeque::new(),
            counters,
            shared,
            began: now,
            connected: false,
            ended: None,
            wake: None,
            round_trip: Duration::ZERO,
        }
    }

    pub(crate) fn connected(&mut self, now: Instant, addresses: PeerAddresses) {
        self.connected = true;
        self.source.connected(now, addresses);
    }

    pub(crate) fn round_trip(&mut self, rtt: Duration) {
        self.round_trip = rtt;
        self.path.round_trip(rtt);
    }

    /// The loop stood still: what is late now is not the path's doing.
    pub(crate) fn loop_stalled(&mut self, now: Instant, pause: Duration) {
        self.pacer.stalled(now);
        self.source.loop_stalled(now, pause);
    }

    /// When [`Self::run`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.wake
    }

    /// Why it is over, once the source has said so and all is sent.
    pub(crate) fn ended(&self) -> Option<CloseReason> {
        self.ended
    }

    pub(crate) fn closed(&mut self, reason: CloseReason) {
        self.source.closed(reason);
    }

    /// The last words: goodbye to each track (RFC 3550 section 6.6).
    pub(crate) fn goodbye(&self) -> Option<Write> {
        if !self.connected {
            return None;
        }
        let sources = self.lanes.iter().map(Lane::ssrc).collect();
        Some(Write::Rtcp(Box::new(Goodbye {
            sources,
            ..Goodbye::default()
        })))
    }

    /// Sends what may be sent now.
    pub(crate) fn run(
        &mut self,
        now: Instant,
        write: &mut dyn FnMut(Write) -> Result<(), CoreError>,
    ) -> bool {
        self.wake = None;
        if !self.connected || self.ended.is_some() {
            return false;
        }
        let (mut packets, mut bytes, mut units, mut any) = (0, 0, 0, false);
        let mut put = |w: Write| {
            any = true;
            if let Err(error) = write(w) {
                tracing::debug!(%error, "the WebRTC core refused a packet");
            }
        };
        loop {
            if let Some(at) = self.pacer.wait(now) {
                self.wake = Some(at);
                self.path.waited(now);
                break;
            }
            if let Some(resend) = self.resends.pop_front() {
                if let Some((packet, size)) = self.lanes[resend.lane].again(now, resend.seq, self.began) {
                    count(&self.counters.resent);
                    self.pacer.sent(now, size);
                    put(Write::Rtp(packet));
                }
                continue;
            }
            if let Some(unit) = &mut self.unit {
                let lane = &mut self.lanes[unit.lane];
                match lane.packet(now, &unit.block, unit.next, self.began) {
                    Some((packet, size)) => {
                        unit.next += 1;
                        packets += 1;
                        bytes += size;
                        self.pacer.sent(now, size);
                        self.path.sent(now, size);
                        put(Write::Rtp(packet));
                    }
                    None => self.unit = None,
                }
                continue;
            }
            if units == MOST_UNITS {
                self.wake = Some(now);
                break;
            }
            match self.source.next(now) {
                Some(Outbound::Unit(block)) => {
                    units += 1;
                    let lane = self.lanes.iter().position(|l| l.track() == block.track);
                    self.unit = lane.map(|lane| Unit { block, lane, next: 0 });
                }
                Some(Outbound::Report {
                    track,
                    rtp_time,
                    capture,
                }) => {
                    if let Some(lane) = self.lanes.iter_mut().find(|l| l.track() == track) {
                        for report in lane.report(now, rtp_time, capture) {
                            put(Write::Rtcp(report));
                        }
                    }
                }
                Some(Outbound::Closed(reason)) => {
                    self.ended = Some(reason);
                    break;
                }
                None => break,
            }
        }
        if packets > 0 {
            add(&self.counters.rtp_sent, packets);
            self.shared.packets.fetch_add(packets as u64, Relaxed);
            self.shared.bytes.fetch_add(bytes as u64, Relaxed);
            self.source.sent(packets as u64, bytes as u64);
        }
        any
    }

    /// What the reader said.
    pub(crate) fn hear(&mut self, now: Instant, said: Heard) {
        match said {
            Heard::Missing { ssrc, seqs } => self.missing(now, ssrc, &seqs),
            Heard::KeyWanted => {
                count(&self.counters.plis_received);
                self.source.keyframe(now);
            }
            Heard::Report {
                ssrc,
                highest_seq,
                lost,
                last_report,
                delay,
            } => {
                let Some(lane) = self.lanes.iter_mut().find(|l| l.ssrc() == ssrc) else {
                    return;
                };
                let rtt = lane.round_trip(now, last_report, delay);
                let fraction = lane.reported(now, highest_seq, lost);
                let video = lane.is_video();
                if let Some(rtt) = rtt {
                    self.round_trip(rtt);
                    let micros = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
                    self.shared.round_trip_us.store(micros, Relaxed);
                }
                let all: u64 = self.lanes.iter().map(|l| u64::from(l.lost)).sum();
                self.shared.reported_lost.store(all, Relaxed);
                // The few packets of sound beside pictures say little of the path, and would speak against what those say.
                if let Some(fraction) = fraction.filter(|_| video || !self.lanes.iter().any(Lane::is_video)) {
                    self.path.reported(now, fraction);
                    self.pacer.set_rate(self.path.rate());
                }
            }
            Heard::Estimate {
                bits_per_second,
                ssrcs,
            } => {
                // aiortc makes one for each source: that for sound says nothing of the path.
                let of_all = ssrcs.is_empty() || !self.lanes.iter().any(Lane::is_video);
                let of_video = |l: &Lane| l.is_video() && ssrcs.contains(&l.ssrc());
                if !of_all && !self.lanes.iter().any(of_video) {
                    return;
                }
                self.path.estimated(now, bits_per_second);
                self.pacer.set_rate(self.path.rate());
            }
        }
    }

    fn missing(&mut self, now: Instant, ssrc: u32, seqs: &[u16]) {
        let Some(lane) = self.lanes.iter().position(|l| l.ssrc() == ssrc) else {
            return;
        };
        let spacing = self
            .round_trip
            .clamp(Duration::from_millis(20), Duration::from_millis(300));
        for seq in seqs {
            count(&self.counters.nacks_received);
            match self.lanes[lane].may_again(now, *seq, spacing) {
                // overflow: dropped and counted; the reader asks again, or for a key unit.
                Some(true) if self.resends.len() < MOST_RESENDS => {
                    self.resends.push_back(Resend { lane, seq: *seq });
                }
                Some(true) => count(&self.counters.resends_dropped),
                // It is on its way already.
                Some(false) => {}
                None => count(&self.counters.resends_gone),
            }
        }
        self.wake = Some(now);
    }
}
