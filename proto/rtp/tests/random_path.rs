//! The whole way in under random loss, delay, duplication and retransmission: whatever arrives, what leaves is whole, in
//! order, once, and decodable. Time is simulated; each run is fixed by its seed.
#![allow(
    clippy::unwrap_used,
    reason = "what a test needs and does not get is its failure"
)]

mod common;

use common::{Rng, packets, unit};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;
use weft_rtp::{
    Depacketised, Depacketiser, KeyGate, NackStats, Ordered, Packet, Packetiser, Reorder, ReorderStats,
};
use weft_wire::{Codec, TrackId};

/// What the path does to packets; chances in 1/1000, times in µs.
#[derive(Clone, Copy)]
struct Path {
    loss: u64,
    duplicate: u64,
    /// Some packets are this much later than they should be.
    late: u64,
    late_by: u64,
    /// The publisher answers NACKs; retransmissions are lost and delayed like any other packet.
    retransmits: bool,
    rtt: u64,
}

const CLEAN: Path = Path {
    loss: 0,
    duplicate: 0,
    late: 0,
    late_by: 0,
    retransmits: false,
    rtt: 20_000,
};

struct Outcome {
    /// Units sent.
    sent: usize,
    /// Units passed by the gate, by their place in the source.
    passed: Vec<usize>,
    /// Longest time from sending a unit's last packet to its coming out, in µs.
    longest: u64,
    reorder: ReorderStats,
    nacks: NackStats,
}

struct Simulation {
    rng: Rng,
    path: Path,
    now: u64,
    /// (arrival, order of sending, packet)
    wire: BinaryHeap<Reverse<(u64, usize)>>,
    flying: HashMap<usize, Packet>,
    sent: HashMap<u16, Packet>,
    reorder: Reorder,
    depacketiser: Depacketiser,
    gate: KeyGate,
    /// Units sent: data, key, when.
    units: Vec<(Vec<u8>, bool, u64)>,
    passed: Vec<usize>,
    broken: usize,
    longest: u64,
    last_key: u64,
    keyframe_wanted: bool,
}

impl Simulation {
    fn new(seed: u64, path: Path) -> Self {
        let mut reorder = Reorder::new();
        reorder.set_rtt(Duration::from_micros(path.rtt));
        Self {
            rng: Rng::new(seed),
            path,
            now: 0,
            wire: BinaryHeap::new(),
            flying: HashMap::new(),
            sent: HashMap::new(),
            reorder,
            depacketiser: Depacketiser::new(Codec::H264).unwrap(),
            gate: KeyGate::new(),
            units: Vec::new(),
            passed: Vec::new(),
            broken: 0,
            longest: 0,
            last_key: 0,
            keyframe_wanted: false,
        }
    }

    fn transmit(&mut self, packet: &Packet, extra: u64) {
        let copies = if self.rng.chance(self.path.duplicate) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            if self.rng.chance(self.path.loss) {
                continue;
            }
            let mut at = self.now + self.path.rtt / 2 + extra;
            // Not the first unit: what is overtaken before anything came cannot be waited for.
            if self.path.late_by > 0 && self.units.len() > 1 && self.rng.chance(self.path.late) {
                at += self.rng.below(self.path.late_by);
            }
            let id = self.flying.len() + 1;
            self.flying.insert(id, packet.clone());
            self.wire.push(Reverse((at, id)));
        }
    }

    /// Lets time pass until `until`, handling what arrives and falls due.
    fn run_to(&mut self, until: u64) {
        loop {
            let arrival = self.wire.peek().map(|Reverse((at, _))| *at);
            let deadline = self
                .reorder
                .next_deadline()
                .map(|d| d.as_nanos().div_ceil(1_000) as u64);
            let Some(next) = arrival.into_iter().chain(deadline).min().filter(|t| *t <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(next);
            let now = Duration::from_micros(self.now);
            if arrival == Some(next) {
                let Reverse((_, id)) = self.wire.pop().unwrap();
                let packet = self.flying[&id].clone();
                self.reorder.push(now, packet);
            }
            while let Some(ordered) = self.reorder.pop(now) {
                match ordered {
                    Ordered::Packet { packet, .. } => self.depacketiser.push(packet),
                    Ordered::Lost { .. } => self.depacketiser.lost(),
                }
                self.take_units();
            }
            for seq in self.reorder.poll_nacks(now) {
                if self.path.retransmits && !self.rng.chance(self.path.loss) {
                    let packet = self.sent[&seq].clone();
                    self.transmit(&packet, self.path.rtt / 2);
                }
            }
        }
    }

    fn take_units(&mut self) {
        while let Some(out) = self.depacketiser.pop() {
            let mut u = match out {
                Depacketised::Unit(u) => u,
                Depacketised::Damaged { .. } => {
                    self.broken += 1;
                    self.gate.shut();
                    self.keyframe_wanted = true;
                    continue;
                }
            };
            let n = (u.timestamp / 3_000) as usize;
            let (source, key, sent) = &self.units[n];
            assert_eq!(u.data, *source, "unit {n} is not what was sent");
            assert_eq!(u.key, *key);
            if !self.gate.admit(&mut u) {
                self.keyframe_wanted = true;
                continue;
            }
            if let Some(last) = self.passed.last() {
                assert!(n > *last, "unit {n} after {last}");
                assert!(
                    n == last + 1 || u.key && u.discontinuity,
                    "unit {n} refers to what is missing"
                );
            }
            self.longest = self.longest.max(self.now - sent);
            self.passed.push(n);
        }
    }

    /// 30 pictures a second, a key unit every 2 s and 100 ms after one is asked for.
    fn run(mut self, count: usize) -> Outcome {
        let mut packetiser = Packetiser::h264(TrackId(0), 96, 1, 1_200);
        let mut base = self.rng.next() as u16;
        for n in 0..count {
            let wanted = self.keyframe_wanted && self.now - self.last_key > 300_000;
            let key = n % 60 == 0 || wanted;
            if key {
                self.last_key = self.now;
                self.keyframe_wanted = false;
            }
            let source = unit(&mut self.rng, key);
            let block = packetiser.packetise(&source, key, n as u32 * 3_000);
            self.units.push((source, key, self.now));
            for (i, packet) in packets(&block, base).into_iter().enumerate() {
                self.sent.insert(packet.seq, packet.clone());
                // Paced a little, as real senders are.
                self.transmit(&packet, i as u64 * 20);
            }
            base = base.wrapping_add(block.len() as u16);
            self.run_to((n as u64 + 1) * 33_333);
        }
        self.run_to(self.now + 2_000_000);
        Outcome {
            sent: count,
            passed: self.passed,
            longest: self.longest,
            reorder: self.reorder.stats(),
            nacks: self.reorder.nack_stats(),
        }
    }
}

#[test]
fn a_clean_path_passes_every_unit_without_delay() {
    for seed in 0..5 {
        let o = Simulation::new(seed, CLEAN).run(300);
        assert_eq!(o.passed.len(), o.sent);
        // One way and the pacing of the largest unit.
        assert!(o.longest < 11_500, "{}", o.longest);
        assert_eq!(o.reorder.lost + o.reorder.reordered + o.reorder.duplicates, 0);
        assert_eq!(o.nacks, NackStats::default());
    }
}

#[test]
fn reordering_within_the_hold_loses_nothing() {
    let path = Path {
        late: 50,
        late_by: 100_000,
        duplicate: 20,
        ..CLEAN
    };
    for seed in 0..10 {
        let o = Simulation::new(seed, path).run(300);
        assert_eq!(o.passed.len(), o.sent, "seed {seed}");
        assert!(o.reorder.reordered > 0 && o.reorder.duplicates > 0 && o.reorder.lost == 0);
    }
}

#[test]
fn three_per_cent_loss_is_repaired_by_retransmission() {
    let path = Path {
        loss: 30,
        late: 30,
        late_by: 30_000,
        duplicate: 5,
        retransmits: true,
        rtt: 40_000,
    };
    let (mut sent, mut passed, mut longest) = (0, 0, 0);
    for seed in 0..20 {
        let o = Simulation::new(seed, path).run(600);
        sent += o.sent;
        passed += o.passed.len();
        longest = longest.max(o.longest);
        assert!(o.nacks.requested > 0);
    }
    assert!(passed * 1_000 >= sent * 999, "{passed} of {sent}");
    assert!(longest < 300_000, "{longest}");
}

#[test]
fn whatever_the_path_does_what_leaves_is_whole_and_decodable() {
    for seed in 0..60 {
        let mut rng = Rng::new(1_000 + seed);
        let path = Path {
            loss: rng.below(150),
            late: rng.below(200),
            late_by: rng.below(900_000),
            duplicate: rng.below(50),
            retransmits: rng.chance(500),
            rtt: rng.below(300_000),
        };
        // The assertions are in the simulation; nothing may come out later than the longest hold allows.
        let o = Simulation::new(seed, path).run(300);
        assert!(
            o.longest < path.rtt + path.late_by + 700_000,
            "seed {seed}: {}",
            o.longest
        );
        assert!(o.passed.len() <= o.sent);
    }
}
