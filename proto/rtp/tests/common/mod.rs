//! What the tests of the whole path share: a seeded generator, made-up units, and packets read back from blocks.
//! Everything is derived from the seed, so a failure names all that is needed to repeat it.
#![allow(dead_code, reason = "each test file uses its part")]

use bytes::Bytes;
use weft_rtp::{Packet, PacketBlock, RtpView};

pub(crate) const SPS: &[u8] = &[0x67, 66, 0xc0, 30, 0xd9, 0];
pub(crate) const PPS: &[u8] = &[0x68, 0xce, 1];

/// xorshift64*: small, seeded, good enough to shuffle packets.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// From 0 to `n - 1`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// True in `per_mille` of 1,000 cases.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut out: Vec<u8> = Vec::with_capacity(len + 8);
        while out.len() < len {
            out.extend_from_slice(&self.next().to_le_bytes()[..6]);
        }
        out.truncate(len);
        out
    }
}

/// A unit's `data` from NAL units.
pub(crate) fn data(nals: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for nal in nals {
        out.extend_from_slice(&(nal.len() as u32).to_be_bytes());
        out.extend_from_slice(nal);
    }
    out
}

/// A unit with random contents: parameter sets in front of a key unit, now and then SEI, one to four slices of mixed sizes.
pub(crate) fn unit(rng: &mut Rng, key: bool) -> Vec<u8> {
    let mut nals = Vec::new();
    if key {
        nals.extend([SPS.to_vec(), PPS.to_vec()]);
    }
    let mut nal = |rng: &mut Rng, header: u8, len: u64| {
        let mut nal = vec![header, 0x80];
        nal.extend(rng.bytes(len as usize));
        nals.push(nal);
    };
    if rng.chance(300) {
        let len = rng.below(40);
        nal(rng, 0x06, len);
    }
    for _ in 0..=rng.below(4) {
        let most = [20, 800, 1_500, 9_000][rng.below(4) as usize];
        let len = rng.below(most) + if key { 4_000 } else { 0 };
        nal(rng, if key { 0x65 } else { 0x41 }, len);
    }
    data(&nals)
}

/// The packets of a block as a receiver would have them, from sequence number `base` on.
pub(crate) fn packets(block: &PacketBlock, base: u16) -> Vec<Packet> {
    let read = |raw: &[u8]| {
        let view = RtpView::parse(raw).expect("a packet of ours is an RTP packet");
        let header = view.header();
        Packet {
            seq: header.seq.wrapping_add(base),
            timestamp: header.timestamp,
            marker: header.marker,
            payload: Bytes::copy_from_slice(view.payload()),
            abs_capture: None,
        }
    };
    block.packets().map(read).collect()
}
