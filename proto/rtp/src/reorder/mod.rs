//! Puts the packets of one source back in order, in bounded time and memory: nothing waits unless a packet is missing.
//! What a loss means for the unit it hits is the depacketiser's business.

mod hold;
#[cfg(test)]
mod tests;

use crate::{NackScheduler, NackStats, Packet, SeqUnwrapper};
use core::time::Duration;
use hold::Hold;
use std::collections::VecDeque;

/// Longest window in packets, missing ones included: a unit of 4 MB in packets of 1,200 bytes fits.
const MAX_PACKETS: usize = 4_096;
/// Most payload held, in bytes: twice the largest unit.
const MAX_BYTES: usize = 2 * weft_wire::MAX_UNIT_BYTES;
/// A step forward larger than this is no loss but a jump, believed when the next packet confirms it (RFC 3550 A.1).
const MAX_DROPOUT: u64 = 3_000;
/// A packet further behind than this is no straggler; believed like a jump.
const MAX_MISORDER: u64 = 2_048;
/// So many stragglers in a row, and nothing else, are a source that began anew a little behind.
const RESTART_RUN: u32 = 64;
/// After so long a silence a jump forward counts as loss; sooner it is a source that began anew.
const OUTAGE: Duration = Duration::from_secs(1);
/// Holes remembered after they were given up, to tell late packets from duplicates.
const REMEMBERED_HOLES: usize = 32;

/// What comes out, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordered {
    /// The next packet.
    Packet {
        /// The packet.
        packet: Packet,
        /// Its sequence number, extended; rises by one per packet and by `count` more per loss.
        seq: u64,
    },
    /// Packets that did not come in time.
    Lost {
        /// The first of them, extended.
        first: u64,
        /// How many; 0 when the source began its numbers anew and nobody knows.
        count: u64,
    },
}

/// Counters since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReorderStats {
    /// Packets taken in, duplicates included.
    pub received: u64,
    /// Packets given up.
    pub lost: u64,
    /// Packets that came after they were given up.
    pub late: u64,
    /// Packets that had come before.
    pub duplicates: u64,
    /// Packets that came out of order or by retransmission, in time.
    pub reordered: u64,
    /// Times the source began its sequence anew.
    pub restarts: u64,
}

#[derive(Debug)]
enum Slot {
    Missing { since: Duration },
    Held(Packet),
}

/// A hole that was given up.
#[derive(Debug)]
struct Hole {
    first: u64,
    count: u64,
    since: Duration,
}

/// The window over one source's packets. `now` is time since any fixed start and must not fall.
///
/// After each [`Self::push`], and when [`Self::next_deadline`] comes: [`Self::pop`] until `None`, then
/// [`Self::poll_nacks`].
#[derive(Debug, Default)]
pub struct Reorder {
    /// Sequence number of the window's first slot; `None` before the first packet.
    next: Option<u64>,
    /// The last slot, if any, is never missing.
    window: VecDeque<Slot>,
    held_bytes: usize,
    /// What left the window before its time, because of bounds or a jump.
    ready: VecDeque<Ordered>,
    hold: Hold,
    nacks: NackScheduler,
    holes: VecDeque<Hole>,
    /// A packet far from the window that the next one may confirm.
    probe: Option<Packet>,
    /// The straggler expected next, and how many came in a row.
    stragglers: (u16, u32),
    /// The latest `now`.
    now: Duration,
    /// When a packet was taken into the window last.
    last_arrival: Duration,
    stats: ReorderStats,
}

impl Reorder {
    /// An empty window.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the round trip to the source: widens the hold, spaces the NACKs.
    pub fn set_rtt(&mut self, rtt: Duration) {
        self.hold.set_rtt(rtt);
        self.nacks.set_rtt(rtt);
    }

    /// Takes a packet in.
    pub fn push(&mut self, now: Duration, packet: Packet) {
        self.now = now.max(self.now);
        self.stats.received += 1;
        let next = *self.next.get_or_insert(0x1_0000 + u64::from(packet.seq));
        let end = next + self.window.len() as u64;
        let seq = SeqUnwrapper::nearest(end, packet.seq);
        if seq >= end {
            if seq - end > MAX_DROPOUT {
                self.probe(packet);
            } else {
                self.append(end, seq, packet);
            }
        } else if seq >= next {
            self.fill(seq, (seq - next) as usize, packet);
        } else if next - seq <= MAX_MISORDER {
            self.straggler(seq, packet);
        } else {
            self.probe(packet);
        }
    }

    /// The next packet or loss that is due.
    pub fn pop(&mut self, now: Duration) -> Option<Ordered> {
        self.now = now.max(self.now);
        if let Some(ready) = self.ready.pop_front() {
            return Some(ready);
        }
        match self.window.front()? {
            Slot::Missing { since } if *since + self.hold.current(self.now) > self.now => None,
            _ => self.release(),
        }
    }

    /// The sequence numbers to ask the source for now (RFC 4585 §6.2.1); mostly empty, then without allocation.
    pub fn poll_nacks(&mut self, now: Duration) -> Vec<u16> {
        self.nacks.poll(now)
    }

    /// When [`Self::pop`] or [`Self::poll_nacks`] has something next, if nothing arrives before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(self.now);
        }
        let release = match self.window.front()? {
            Slot::Missing { since } => *since + self.hold.current(self.now),
            Slot::Held(_) => self.now,
        };
        Some(self.nacks.next_deadline().map_or(release, |n| n.min(release)))
    }

    /// The loop that feeds this did not run for `pause`: packets may lie in the socket, so gaps are held that much longer.
    pub fn excuse(&mut self, pause: Duration) {
        for slot in &mut self.window {
            if let Slot::Missing { since } = slot {
                *since += pause;
            }
        }
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> ReorderStats {
        self.stats
    }

    /// Counters of the requests for retransmission.
    #[must_use]
    pub fn nack_stats(&self) -> NackStats {
        self.nacks.stats()
    }

    /// How long a gap is held at present.
    #[must_use]
    pub fn hold(&self) -> Duration {
        self.hold.current(self.now)
    }

    /// A packet at or after the window's end.
    fn append(&mut self, end: u64, seq: u64, packet: Packet) {
        if seq > end {
            let since = self.now;
            self.window.extend((end..seq).map(|_| Slot::Missing { since }));
            self.nacks.gap(end..seq, self.now);
        }
        self.hold_packet(packet);
        self.believe();
        // overflow: the oldest hole is given up before its time, counted as lost
        while self.window.len() > MAX_PACKETS || self.held_bytes > MAX_BYTES {
            match self.release() {
                Some(ordered) => self.ready.push_back(ordered),
                None => break,
            }
        }
    }

    fn hold_packet(&mut self, packet: Packet) {
        self.held_bytes += packet.payload.len();
        self.window.push_back(Slot::Held(packet));
    }

    /// A packet inside the window.
    fn fill(&mut self, seq: u64, at: usize, packet: Packet) {
        let Slot::Missing { since } = self.window[at] else {
            self.stats.duplicates += 1;
            return;
        };
        self.stats.reordered += 1;
        self.hold.observe(self.now, self.now.saturating_sub(since));
        self.nacks.received(seq);
        self.held_bytes += packet.payload.len();
        self.window[at] = Slot::Held(packet);
        self.believe();
    }

    /// A packet shortly before the window: late, or a duplicate, or one of a source that began anew.
    fn straggler(&mut self, seq: u64, packet: Packet) {
        let run = if self.stragglers.0 == packet.seq {
            self.stragglers.1 + 1
        } else {
            1
        };
        self.stragglers = (packet.seq.wrapping_add(1), run);
        if run >= RESTART_RUN {
            self.restart(packet.seq);
            self.hold_packet(packet);
            return;
        }
        let hole = self
            .holes
            .iter()
            .find(|h| (h.first..h.first + h.count).contains(&seq));
        if let Some(hole) = hole {
            self.stats.late += 1;
            self.hold.observe(self.now, self.now.saturating_sub(hole.since));
        } else {
            self.stats.duplicates += 1;
        }
    }

    /// A packet far away: held until its neighbour confirms that the source is there now.
    fn probe(&mut self, packet: Packet) {
        match self.probe.take() {
            Some(first) if first.seq.wrapping_add(1) == packet.seq => {
                self.restart(first.seq);
                self.hold_packet(first);
                self.hold_packet(packet);
            }
            _ => self.probe = Some(packet),
        }
    }

    /// A packet was taken into the window: what was far away was a stray.
    fn believe(&mut self) {
        self.last_arrival = self.now;
        self.probe = None;
        self.stragglers.1 = 0;
    }

    /// Empties the window and begins again at `seq`, with extended numbers that keep rising.
    fn restart(&mut self, seq: u16) {
        while let Some(ordered) = self.release() {
            self.ready.push_back(ordered);
        }
        let end = self.next.unwrap_or_default();
        let ahead = u64::from(seq.wrapping_sub(end as u16));
        let next = end + ahead;
        let outage = ahead < 0x8000 && self.now.saturating_sub(self.last_arrival) >= OUTAGE;
        let count = if outage { ahead } else { 0 };
        self.stats.lost += count;
        self.stats.restarts += u64::from(!outage);
        self.ready.push_back(Ordered::Lost { first: end, count });
        self.next = Some(next);
        self.nacks.forget_before(next);
        self.holes.clear();
        self.believe();
    }

    /// Takes the window's first packet, or its first hole whole, whatever the time.
    fn release(&mut self) -> Option<Ordered> {
        let first = self.next?;
        let ordered = match self.window.pop_front()? {
            Slot::Held(packet) => {
                self.held_bytes -= packet.payload.len();
                self.next = Some(first + 1);
                Ordered::Packet { packet, seq: first }
            }
            Slot::Missing { since } => {
                let mut count = 1;
                while matches!(self.window.front(), Some(Slot::Missing { .. })) {
                    self.window.pop_front();
                    count += 1;
                }
                self.next = Some(first + count);
                self.stats.lost += count;
                self.nacks.forget_before(first + count);
                self.remember(Hole { first, count, since });
                Ordered::Lost { first, count }
            }
        };
        if self.window.is_empty() && self.window.capacity() > MAX_PACKETS / 8 {
            self.window.shrink_to(0);
        }
        Some(ordered)
    }

    fn remember(&mut self, hole: Hole) {
        // overflow: the oldest hole is forgotten; its late packets count as duplicates
        if self.holes.len() == REMEMBERED_HOLES {
            self.holes.pop_front();
        }
        self.holes.push_back(hole);
    }
}
