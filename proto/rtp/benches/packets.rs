//! What the way of one access unit through this crate costs: reorder, depacketise, packetise, in time and in allocations.
//! Pictures are of 8 KB in packets of 1,200 bytes, sounds of 160 bytes; the way between two nodes is measured elsewhere.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use weft_allocations::{each, tell};
use weft_rtp::{Depacketised, Depacketiser, Packet, Packetiser, Reorder, RtpView};
use weft_wire::{Codec, TrackId};

const PICTURE: usize = 8_000;
const SOUND: usize = 160;
const MTU: usize = 1_200;
const COUNTED: u32 = 1_000;
/// Units of a bench that goes through several; with some 700 packets, of which each hundredth is lost.
const MANY: usize = 100;
const SETS: [&[u8]; 2] = [&[0x67, 66, 0xc0, 30, 0xd9, 0], &[0x68, 0xce, 1]];

/// One unit's `data`.
fn picture(key: bool) -> Vec<u8> {
    let mut slice = vec![0x55; PICTURE];
    slice[..2].copy_from_slice(&[if key { 0x65 } else { 0x41 }, 0x88]);
    let sets: &[&[u8]] = if key { &SETS } else { &[] };
    let nals = sets.iter().copied().chain([&slice[..]]);
    nals.flat_map(|nal| [&(nal.len() as u32).to_be_bytes()[..], nal].concat())
        .collect()
}

/// The packets of a unit, each with memory of its own, from sequence number `base` on.
fn packets(packetiser: &mut Packetiser, data: &[u8], base: u16, timestamp: u32) -> Vec<Packet> {
    let block = packetiser.packetise(data, false, timestamp);
    let read = |raw: &[u8]| {
        let view = RtpView::parse(raw).unwrap();
        Packet {
            seq: view.header().seq.wrapping_add(base),
            timestamp,
            marker: view.header().marker,
            payload: Bytes::copy_from_slice(view.payload()),
            abs_capture: None,
        }
    };
    block.packets().map(read).collect()
}

fn video() -> Packetiser {
    Packetiser::h264(TrackId(0), 96, 1, MTU)
}

fn stream() -> Vec<Packet> {
    let (mut packetiser, data) = (video(), picture(false));
    let mut stream = Vec::new();
    for n in 0..MANY {
        let base = stream.len() as u16;
        stream.extend(packets(&mut packetiser, &data, base, n as u32 * 3_000));
    }
    stream
}

/// Pushes packets and takes the units that come; says how many.
fn through(depacketiser: &mut Depacketiser, packets: &[Packet]) -> usize {
    let mut units = 0;
    for packet in packets {
        depacketiser.push(packet.clone());
        while let Some(out) = depacketiser.pop() {
            units += usize::from(matches!(black_box(out), Depacketised::Unit(_)));
        }
    }
    units
}

fn depacketise(c: &mut Criterion) {
    let mut group = c.benchmark_group("depacketise");
    let many = stream();
    let mut h264 = Depacketiser::new(Codec::H264).unwrap();
    through(&mut h264, &packets(&mut video(), &picture(true), 0, u32::MAX));
    assert_eq!(through(&mut h264, &many), MANY, "each is whole");
    let cost = each(COUNTED / 10, || _ = through(&mut h264, &many));
    tell("depacketise/h264, a unit of 8 KB", cost / MANY as f64);
    group.throughput(Throughput::Elements(MANY as u64));
    group.bench_function("h264, 100 units of 8 KB", |b| {
        b.iter(|| through(&mut h264, &many));
    });

    let mut sound = vec![0x55; SOUND];
    sound[0] = 0xfc;
    let sounds = packets(&mut Packetiser::opus(TrackId(1), 97, 2), &sound, 0, 0);
    let mut opus = Depacketiser::new(Codec::Opus).unwrap();
    tell(
        "depacketise/opus, a unit",
        each(COUNTED, || _ = through(&mut opus, &sounds)),
    );
    group.throughput(Throughput::Elements(1));
    group.bench_function("opus, a unit of 160 bytes", |b| {
        b.iter(|| through(&mut opus, &sounds));
    });
    group.finish();
}

fn packetise(c: &mut Criterion) {
    let mut group = c.benchmark_group("packetise");
    let (mut packetiser, data) = (video(), picture(false));
    let mut one = || _ = black_box(packetiser.packetise(black_box(&data), false, 1));
    tell("packetise/h264, a unit of 8 KB", each(COUNTED, &mut one));
    group.throughput(Throughput::Bytes(data.len() as u64));
    group.bench_function("h264, a unit of 8 KB", |b| b.iter(&mut one));

    let (mut packetiser, data) = (Packetiser::opus(TrackId(1), 97, 2), vec![0xfc; SOUND]);
    let mut one = || _ = black_box(packetiser.packetise(black_box(&data), false, 1));
    tell("packetise/opus, a unit", each(COUNTED, &mut one));
    group.throughput(Throughput::Bytes(data.len() as u64));
    group.bench_function("opus, a unit of 160 bytes", |b| b.iter(&mut one));
    group.finish();
}

/// Pushes packets 1 ms apart and takes what is due, as the receiving loop does.
fn reordered(packets: Vec<Packet>) -> u64 {
    let (mut reorder, mut taken) = (Reorder::new(), 0);
    for (n, packet) in packets.into_iter().enumerate() {
        let now = Duration::from_millis(n as u64);
        reorder.push(now, packet);
        while let Some(out) = reorder.pop(now) {
            black_box(out);
            taken += 1;
        }
        black_box(reorder.poll_nacks(now));
    }
    assert_eq!(reorder.stats().lost, 0);
    taken
}

/// Each hundredth packet comes 40 ms late, as one that was asked for again does.
fn repaired() -> Vec<Packet> {
    const LATE: usize = 40;
    let mut order: Vec<(usize, Packet)> = stream().into_iter().enumerate().collect();
    order.sort_by_key(|(n, _)| if n % 100 == 50 { n + LATE } else { *n });
    order.into_iter().map(|(_, packet)| packet).collect()
}

fn reorder(c: &mut Criterion) {
    let mut group = c.benchmark_group("reorder");
    for (name, packets) in [("in order", stream()), ("1 % lost and repaired", repaired())] {
        let count = packets.len();
        assert_eq!(reordered(packets.clone()), count as u64, "all come out");
        let copy = each(10, || _ = black_box(packets.clone()));
        let cost = each(COUNTED / 10, || _ = reordered(packets.clone()));
        tell(&format!("reorder/{name}, {count} packets"), cost - copy);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("{name}, {count} packets"), |b| {
            b.iter_batched(|| packets.clone(), reordered, BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, depacketise, packetise, reorder);
criterion_main!(benches);
