//! How fast a stream goes through each stage; prints, asserts only that it is far from being the bottleneck.
//! Not part of the plain run: `cargo test -p weft-rtp --test throughput -- --ignored --nocapture`.
#![allow(clippy::print_stdout, reason = "a measurement is read by a person")]

mod common;

use common::{PPS, SPS, data, packets};
use std::time::{Duration, Instant};
use weft_rtp::{DEFAULT_MTU, Depacketised, Depacketiser, Packet, Packetiser, Reorder};
use weft_wire::{Codec, TrackId};

/// Two seconds of 2 Mbit/s at 30 pictures a second: a key unit of 60 KB, others of 7.5 KB.
fn gop() -> Vec<Vec<u8>> {
    let nal = |header, len| {
        let mut nal = vec![7; len];
        nal[..2].copy_from_slice(&[header, 0x80]);
        nal
    };
    let key = data(&[SPS.to_vec(), PPS.to_vec(), nal(0x65, 60_000)]);
    std::iter::once(key)
        .chain((1..60).map(|_| data(&[nal(0x41, 7_500)])))
        .collect()
}

const ROUNDS: u32 = 300;

#[test]
#[ignore = "prints figures and asserts nothing: run by `tests/run measure`"]
fn packetise_reorder_depacketise() {
    let units = gop();
    let bytes: usize = units.iter().map(Vec::len).sum::<usize>() * ROUNDS as usize;
    let mut packetiser = Packetiser::h264(TrackId(0), 96, 1, DEFAULT_MTU);

    let start = Instant::now();
    let mut count = 0;
    for _ in 0..ROUNDS {
        for (n, unit) in units.iter().enumerate() {
            count += packetiser.packetise(unit, n == 0, n as u32).len();
        }
    }
    report("packetise", bytes, count, start.elapsed());

    let mut stream: Vec<Packet> = Vec::new();
    for (n, unit) in units.iter().enumerate() {
        let block = packetiser.packetise(unit, n == 0, n as u32 * 3_000);
        stream.extend(packets(&block, stream.len() as u16));
    }
    let mut reorder = Reorder::new();
    let start = Instant::now();
    for round in 0..ROUNDS {
        for packet in &stream {
            let seq = packet.seq.wrapping_add((round as usize * stream.len()) as u16);
            reorder.push(
                Duration::ZERO,
                Packet {
                    seq,
                    ..packet.clone()
                },
            );
            while reorder.pop(Duration::ZERO).is_some() {}
            assert!(reorder.next_deadline().is_none());
        }
    }
    report("reorder", bytes, count, start.elapsed());

    let mut depacketiser = Depacketiser::new(Codec::H264).unwrap();
    let start = Instant::now();
    let mut out = 0;
    for _ in 0..ROUNDS {
        for packet in &stream {
            depacketiser.push(packet.clone());
            while let Some(Depacketised::Unit(_)) = depacketiser.pop() {
                out += 1;
            }
        }
    }
    assert_eq!(out, units.len() * ROUNDS as usize);
    let took = start.elapsed();
    report("depacketise", bytes, count, took);
    assert!(took < Duration::from_secs(60));
}

fn report(what: &str, bytes: usize, packets: usize, took: Duration) {
    let per_packet = took.as_nanos() / packets as u128;
    let rate = bytes as f64 / took.as_secs_f64() / 1e6;
    println!(
        "{what}: {per_packet} ns per packet, {rate:.0} MB/s, {} streams of 2 Mbit/s per core",
        (rate * 4.0) as u64
    );
}
