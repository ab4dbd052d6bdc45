//! What the packetiser writes, the depacketiser reads back byte for byte, at every packet size.
//! Also the form of what is written: headers, bounds, equal fragments.
#![allow(
    clippy::unwrap_used,
    reason = "what a test needs and does not get is its failure"
)]

mod common;

use common::{PPS, Rng, SPS, data, packets, unit};
use weft_rtp::{
    DEFAULT_MTU, Depacketised, Depacketiser, INTERLEAVE_HEADER, MIN_MTU, PacketBlock, Packetiser, RTP_HEADER,
    RtpView,
};
use weft_wire::{Codec, MAX_UNIT_BYTES, TrackId};

fn units_of(block: &PacketBlock, d: &mut Depacketiser) -> Vec<Depacketised> {
    let mut out = Vec::new();
    for p in packets(block, 0) {
        d.push(p);
        out.extend(std::iter::from_fn(|| d.pop()));
    }
    out
}

fn check_form(block: &PacketBlock, mtu: usize) {
    let mut at = 0;
    let mut payload = 0;
    for (i, packet) in block.packets().enumerate() {
        assert_eq!(block.offsets[i] as usize, at);
        assert_eq!(block.bytes[at..at + 2], [b'$', 0]);
        assert_eq!(
            usize::from(block.bytes[at + 2]) << 8 | usize::from(block.bytes[at + 3]),
            packet.len()
        );
        assert!(packet.len() <= mtu);
        let view = RtpView::parse(packet).unwrap();
        let header = view.header();
        assert_eq!(
            (usize::from(header.seq), header.ssrc, header.payload_type),
            (i, 7, 96)
        );
        assert_eq!(
            (header.timestamp, header.marker),
            (block.rtp_time, i + 1 == block.len())
        );
        at += INTERLEAVE_HEADER + packet.len();
        payload += packet.len() - RTP_HEADER;
    }
    assert_eq!((at, payload), (block.bytes.len(), block.payload_bytes as usize));
}

#[test]
fn units_of_every_shape_come_back_as_they_were() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mtu = MIN_MTU + rng.below(1_300) as usize;
        let mut p = Packetiser::h264(TrackId(0), 96, 7, mtu);
        let mut d = Depacketiser::new(Codec::H264).unwrap();
        for n in 0..20_u32 {
            let key = n == 0 || rng.chance(200);
            let source = unit(&mut rng, key);
            let block = p.packetise(&source, key, n * 3_000);
            check_form(&block, mtu);
            let out = units_of(&block, &mut d);
            let [Depacketised::Unit(got)] = &out[..] else {
                panic!("seed {seed}: {out:?}")
            };
            assert_eq!(got.data, source, "seed {seed}, unit {n}");
            assert_eq!(
                (got.key, got.timestamp, got.discontinuity),
                (key, n * 3_000, false)
            );
        }
    }
}

#[test]
fn sizes_around_the_packet_size_come_back_as_they_were() {
    let max = MIN_MTU - RTP_HEADER;
    let mut p = Packetiser::h264(TrackId(0), 96, 7, MIN_MTU);
    let mut d = Depacketiser::new(Codec::H264).unwrap();
    let start = data(&[SPS.to_vec(), PPS.to_vec(), vec![0x65, 0x80]]);
    units_of(&p.packetise(&start, true, 0), &mut d);
    for (t, len) in (1..4 * max).enumerate() {
        for nals in [
            vec![vec![0x41; len]],
            vec![vec![0x41; len], vec![0x41; max - 3], vec![0x41]],
        ] {
            let source = data(&nals);
            let block = p.packetise(&source, false, 1 + t as u32);
            check_form(&block, MIN_MTU);
            let out = units_of(&block, &mut d);
            assert!(
                matches!(&out[..], [Depacketised::Unit(u)] if u.data == source),
                "{len}: {out:?}"
            );
        }
    }
}

#[test]
fn fragments_are_as_few_as_possible_and_equal_but_for_the_last() {
    let mut p = Packetiser::h264(TrackId(0), 96, 7, DEFAULT_MTU);
    for len in [1_389, 2_773, 2_774, 50_000, 123_457] {
        let block = p.packetise(&data(&[vec![0x65; len]]), true, 0);
        let sizes: Vec<usize> = block.packets().map(<[u8]>::len).collect();
        let (last, rest) = sizes.split_last().unwrap();
        assert!(
            rest.iter().all(|s| s == &sizes[0]) && *last <= sizes[0],
            "{sizes:?}"
        );
        assert_eq!(sizes.len(), (len - 1).div_ceil(DEFAULT_MTU - RTP_HEADER - 2));
    }
}

#[test]
fn small_nals_travel_together() {
    let mut p = Packetiser::h264(TrackId(0), 96, 7, DEFAULT_MTU);
    let source = data(&[
        SPS.to_vec(),
        PPS.to_vec(),
        vec![0x06, 1],
        vec![0x65; 5_000],
        vec![0x65; 20],
    ]);
    let block = p.packetise(&source, true, 0);
    let kinds: Vec<u8> = block.packets().map(|p| p[RTP_HEADER] & 0x1f).collect();
    assert_eq!(kinds, [24, 28, 28, 28, 28, 5]);
    assert_eq!(
        block.packets().next().unwrap()[RTP_HEADER],
        0x78,
        "the importance of the SPS"
    );
}

#[test]
fn what_cannot_be_sent_gives_an_empty_block() {
    let mut p = Packetiser::h264(TrackId(0), 96, 7, DEFAULT_MTU);
    let undefined = data(&[vec![], vec![0x1c, 1], vec![0x18]]);
    for unit in [
        &[][..],
        &[0, 0, 0, 9, 1],
        &undefined,
        &vec![0; MAX_UNIT_BYTES + 1],
    ] {
        let block = p.packetise(unit, false, 0);
        assert!(block.is_empty() && block.bytes.is_empty() && block.payload_bytes == 0);
    }
    let mut p = Packetiser::opus(TrackId(1), 97, 8);
    assert!(p.packetise(&[], false, 0).is_empty());
    assert!(p.packetise(&[0; 70_000], false, 0).is_empty());
}

#[test]
fn the_largest_unit_fits_whatever_its_nals() {
    for nals in [
        vec![vec![0x41; MAX_UNIT_BYTES - 4]],
        vec![vec![0x41]; MAX_UNIT_BYTES / 5],
        vec![vec![]; MAX_UNIT_BYTES / 4],
    ] {
        let source = data(&nals);
        let block = Packetiser::h264(TrackId(0), 96, 7, 0).packetise(&source, false, 0);
        assert!(block.len() < 1 << 16);
        check_form(&block, MIN_MTU);
    }
}

#[test]
fn opus_packets_come_back_as_they_were() {
    let mut p = Packetiser::opus(TrackId(1), 97, 8);
    let mut d = Depacketiser::new(Codec::Opus).unwrap();
    for len in [1, 2, 100, 1_275, 3_000, 61_000] {
        let source = vec![0xfc; len];
        let block = p.packetise(&source, false, 960);
        assert_eq!((block.len(), block.payload_bytes as usize), (1, len));
        assert!(
            !RtpView::parse(block.packets().next().unwrap())
                .unwrap()
                .header()
                .marker
        );
        let out = units_of(&block, &mut d);
        assert!(matches!(&out[..], [Depacketised::Unit(u)] if u.data == source && u.duration == 960));
    }
}
