//! What a media message costs between two nodes: an access unit of 8 KB written, and read back without a copy.
//! Carrying it is the bus's business.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use weft_allocations::{each, tell};
use weft_wire::{
    AccessUnit, CaptureSource, CaptureTime, Epoch, GopSeq, MediaTime, SentTime, SessionId, TrackId,
    UnitBatch, UnitFlags, UnitSeq, decode_batch, encode_batch,
};

const UNIT: usize = 8_000;
const COUNTED: u32 = 1_000;

fn batch() -> UnitBatch {
    let unit = AccessUnit {
        track: TrackId(0),
        seq: UnitSeq(1_234_567),
        gop: GopSeq(12_345),
        pts: MediaTime(987_654_321),
        dts: MediaTime(987_654_321),
        capture: CaptureTime(1_700_000_000_000_000),
        capture_source: CaptureSource::SenderReport,
        capture_offset: -1_234,
        sent: SentTime(9_876_543_210),
        flags: UnitFlags::default(),
        data: vec![0x55; UNIT].into(),
    };
    UnitBatch {
        session: SessionId([7; 16]),
        epoch: Epoch {
            generation: 1_700_000_000_000_000,
            revision: 42,
        },
        units: vec![unit],
    }
}

fn media(c: &mut Criterion) {
    let batch = batch();
    let message = encode_batch(&batch);
    let (read, _) = decode_batch(&message).unwrap();
    assert_eq!(read, batch);
    let within = message.as_ptr_range();
    assert!(
        within.contains(&read.units[0].data.as_ptr()),
        "read without a copy"
    );

    let mut group = c.benchmark_group("media message");
    group.throughput(Throughput::Bytes(UNIT as u64));
    let encode = || _ = black_box(encode_batch(black_box(&batch)));
    tell("encode, a unit of 8 KB", each(COUNTED, encode));
    group.bench_function("encode, a unit of 8 KB", |b| b.iter(encode));
    let decode = || _ = black_box(decode_batch(black_box(&message)));
    tell("decode, a unit of 8 KB", each(COUNTED, decode));
    group.bench_function("decode, a unit of 8 KB", |b| b.iter(decode));
    group.finish();
}

criterion_group!(benches, media);
criterion_main!(benches);
