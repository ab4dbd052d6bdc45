//! RTP in: any header, any order, any payload. RTP out: what the packetiser writes comes back byte for byte.
//! The records that make packets and units of plain bytes are described at their readers; `seeds` writes the same form.

use crate::Input;
use bytes::Bytes;
use std::time::Duration;
use weft_rtp::{
    Damage, Depacketised, DepacketisedUnit, Depacketiser, KeyGate, NalKind, Ordered, Packet, PacketBlock,
    Packetiser, Reorder, RtpView, rtcp::RtcpPackets,
};
use weft_wire::{Codec, MAX_UNIT_BYTES, TrackId, nal_units};

/// The whole way in, twice: as the headers of one datagram, and as records of packets of one track.
///
/// First byte: odd is Opus, even is H.264. Then records: milliseconds passed, step of the sequence number (signed), flags
/// (1 marker, 2 next timestamp, 4 loop stalled, 8 jump by 256 steps), payload length, payload.
pub fn rtp_reorder_depacketise(data: &[u8]) {
    headers(data);
    let mut input = Input(data);
    let codec = if input.byte() & 1 == 1 {
        Codec::Opus
    } else {
        Codec::H264
    };
    let mut path = Path::new(codec);
    let (mut seq, mut timestamp) = (0_u16, 0_u32);
    while !input.is_empty() {
        let wait = u64::from(input.byte());
        let step = i16::from(input.byte().cast_signed());
        let flags = input.byte();
        let len = usize::from(input.byte());
        seq = seq.wrapping_add_signed(if flags & 8 != 0 {
            step.wrapping_mul(256)
        } else {
            step
        });
        if flags & 2 != 0 {
            timestamp = timestamp.wrapping_add(3_000);
        }
        let pause = Duration::from_millis(wait * 20);
        path.now += if flags & 4 != 0 {
            pause
        } else {
            Duration::from_millis(wait)
        };
        if flags & 4 != 0 {
            path.reorder.excuse(pause);
        }
        path.push(Packet {
            seq,
            timestamp,
            marker: flags & 1 != 0,
            payload: Bytes::copy_from_slice(input.take(len)),
            abs_capture: None,
        });
    }
    path.finish();
}

fn headers(data: &[u8]) {
    if let Ok(view) = RtpView::parse(data) {
        assert!(view.payload().len() + 12 <= data.len());
        let extensions: usize = view.extensions().map(|e| e.data.len()).sum();
        assert!(extensions + view.contributors().count() * 4 <= data.len());
        assert_eq!(view.header().to_bytes()[1..], data[1..12]);
    }
    let packets = RtcpPackets::new(data);
    assert!(packets.count() <= data.len() / 4 + 1);
}

struct Path {
    now: Duration,
    reorder: Reorder,
    depacketiser: Depacketiser,
    gate: KeyGate,
    codec: Codec,
    /// What the next ordered packet's number must be.
    next: Option<u64>,
    came_out: u64,
    /// The next unit must say that something is missing.
    broken: bool,
}

impl Path {
    fn new(codec: Codec) -> Self {
        Self {
            now: Duration::ZERO,
            reorder: Reorder::new(),
            depacketiser: Depacketiser::new(codec).expect("both codecs have one"),
            gate: KeyGate::new(),
            codec,
            next: None,
            came_out: 0,
            broken: false,
        }
    }

    fn push(&mut self, packet: Packet) {
        self.reorder.push(self.now, packet);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(ordered) = self.reorder.pop(self.now) {
            match ordered {
                Ordered::Packet { packet, seq } => {
                    assert!(self.next.is_none_or(|next| next == seq));
                    assert_eq!(packet.seq, seq as u16);
                    self.next = Some(seq + 1);
                    self.came_out += 1;
                    self.depacketiser.push(packet);
                }
                Ordered::Lost { first, count } => {
                    assert!(self.next.is_none_or(|next| next == first));
                    // A count of 0: the numbers begin anew, higher up.
                    self.next = (count > 0).then_some(first + count);
                    self.broken = true;
                    self.depacketiser.lost();
                }
            }
            self.units();
        }
        let asked = self.reorder.poll_nacks(self.now);
        assert!(asked.len() <= 256);
        assert!(self.reorder.next_deadline().is_none_or(|d| d > self.now));
    }

    fn units(&mut self) {
        let mut many = 0;
        while let Some(out) = self.depacketiser.pop() {
            many += 1;
            assert!(many <= 3, "bounded output for one packet");
            match out {
                Depacketised::Unit(mut unit) => {
                    assert!(unit.discontinuity || !self.broken);
                    self.broken = false;
                    check_unit(&unit, self.codec);
                    let key = unit.key;
                    assert!(self.gate.admit(&mut unit) || !key);
                }
                Depacketised::Damaged { damage, .. } => {
                    assert!(damage != Damage::Oversize, "inputs are far smaller");
                    self.broken = true;
                    self.gate.shut();
                }
            }
        }
    }

    /// Lets time pass until nothing is held: every gap ends, and what came in is accounted for.
    fn finish(mut self) {
        let mut steps = 0;
        while let Some(deadline) = self.reorder.next_deadline() {
            self.now = self.now.max(deadline);
            self.drain();
            steps += 1;
            assert!(steps < 100_000, "time brings it to an end");
        }
        let stats = self.reorder.stats();
        assert!(self.came_out + stats.duplicates + stats.late <= stats.received);
        assert!(stats.reordered <= self.came_out);
    }
}

fn check_unit(unit: &DepacketisedUnit, codec: Codec) {
    assert!(!unit.data.is_empty() && unit.data.len() <= MAX_UNIT_BYTES);
    if codec == Codec::Opus {
        assert!((1..=5_760).contains(&unit.duration) && !unit.key);
        return;
    }
    let total: usize = nal_units(&unit.data).map(|nal| 4 + nal.len()).sum();
    assert_eq!(total, unit.data.len(), "lengths and nothing else");
    let kinds: Vec<NalKind> = nal_units(&unit.data).map(|nal| NalKind::of(nal[0])).collect();
    let picture = kinds
        .iter()
        .find(|k| k.is_picture())
        .expect("no unit without a picture");
    assert!(
        !kinds
            .iter()
            .any(|k| matches!(k, NalKind::Delimiter | NalKind::Void | NalKind::None))
    );
    if unit.key {
        assert_eq!(*picture, NalKind::Idr);
        assert_eq!(kinds[0], NalKind::Sps);
        assert!(kinds.contains(&NalKind::Pps));
    }
}

const SPS: &[u8] = &[0x67, 66, 0xc0, 30, 0xd9, 0];
const PPS: &[u8] = &[0x68, 0xce, 1];

/// Units to packets and back. First two bytes: the packet size. Then records of units: flags (1 key), number of NAL units,
/// and for each a kind and a length of two bytes; contents are made up. Last, the input itself as a unit of each codec.
pub fn packetise_roundtrip(data: &[u8]) {
    let mut input = Input(data);
    let mtu = usize::from(input.word());
    let mut h264 = Packetiser::h264(TrackId(0), 96, 7, mtu);
    let mut back = Back::new(Codec::H264);
    let mut rtp_time = u32::from(input.word()) << 16;
    let mut total = 0;
    let mut first = true;
    while !input.is_empty() && total < 1 << 20 {
        let key = input.byte() & 1 == 1 || first;
        first = false;
        let unit = made_up_unit(&mut input, key);
        total += unit.len();
        rtp_time = rtp_time.wrapping_add(3_000);
        let block = h264.packetise(&unit, key, rtp_time);
        check_block(&block, &unit, mtu.max(weft_rtp::MIN_MTU));
        assert_eq!(back.unit(&block), Some((unit, key)));
    }
    check_block(&h264.packetise(data, false, 0), data, mtu.max(weft_rtp::MIN_MTU));

    let block = Packetiser::opus(TrackId(1), 97, 8).packetise(data, false, 1);
    if data.len() > 61_000 {
        return;
    }
    let opus = weft_rtp::opus_duration(data).is_some();
    let out = Back::new(Codec::Opus).unit(&block);
    assert_eq!(out, opus.then(|| (data.to_vec(), false)));
}

fn made_up_unit(input: &mut Input<'_>, key: bool) -> Vec<u8> {
    let mut unit = Vec::new();
    let mut put = |nal: &[u8]| {
        unit.extend_from_slice(&(nal.len() as u32).to_be_bytes());
        unit.extend_from_slice(nal);
    };
    if key {
        put(SPS);
        put(PPS);
    }
    let picture = if key { 0x65 } else { 0x41 };
    for n in 0..=input.byte() % 8 {
        let kind = input.byte();
        let len = 1 + usize::from(input.word()) % 20_000;
        // SEI only before the picture, where it belongs.
        let header = if n == 0 && kind & 1 == 1 { 0x06 } else { picture };
        let mut nal = vec![kind; len];
        nal[0] = header;
        put(&nal);
    }
    put(&[picture, 0x80]);
    unit
}

fn check_block(block: &PacketBlock, unit: &[u8], mtu: usize) {
    assert!(block.len() <= 1 << 16 && block.packets().all(|p| p.len() <= mtu.max(weft_rtp::MIN_MTU)));
    assert_eq!(
        block.packets().map(|p| p.len() + 4).sum::<usize>(),
        block.bytes.len()
    );
    assert!(block.payload_bytes as usize <= unit.len() + 2 * block.len());
    assert_eq!(block.bytes.len(), block.payload_bytes as usize + 16 * block.len());
}

/// A receiver of blocks.
struct Back {
    depacketiser: Depacketiser,
}

impl Back {
    fn new(codec: Codec) -> Self {
        let depacketiser = Depacketiser::new(codec).expect("both codecs have one");
        Self { depacketiser }
    }

    /// The one unit of a block, and whether it is key.
    fn unit(&mut self, block: &PacketBlock) -> Option<(Vec<u8>, bool)> {
        let mut found = None;
        for raw in block.packets() {
            let view = RtpView::parse(raw).expect("ours are RTP packets");
            let header = view.header();
            self.depacketiser.push(Packet {
                seq: header.seq,
                timestamp: header.timestamp,
                marker: header.marker,
                payload: Bytes::copy_from_slice(view.payload()),
                abs_capture: None,
            });
            while let Some(out) = self.depacketiser.pop() {
                if let Depacketised::Unit(unit) = out {
                    assert_eq!(unit.timestamp, block.rtp_time);
                    assert!(found.is_none(), "one unit from one block");
                    found = Some((unit.data.to_vec(), unit.key));
                }
            }
        }
        found
    }
}
