//! What it costs to hand one access unit to 1, 10 and 100 subscribers of the bus in memory, their taking it included.
//! Subscribers are hubs, one per egress role, so that one is the rule; readers are the hub's.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::executor::block_on;
use std::hint::black_box;
use std::sync::Arc;
use weft_allocations::{each, tell};
use weft_bus::memory::MemoryBus;
use weft_bus::{Bus, MediaFilter, Sent, StreamOwner, UnitsAnswer};
use weft_wire::*;

const UNIT: usize = 8_000;
const COUNTED: u32 = 1_000;

/// An owner that nobody asks.
struct Owner;

impl StreamOwner for Owner {
    fn units(&self, _: &UnitsRequest) -> UnitsAnswer {
        unreachable!("the bench asks nothing")
    }
    fn keyframe(&self, _: KeyframeRequest) {}
    fn owner(&self) -> OwnerInfo {
        unreachable!("the bench asks nothing")
    }
    fn kick(&self, _: Kick) {}
}

fn unit() -> AccessUnit {
    AccessUnit {
        track: TrackId(0),
        seq: UnitSeq(1),
        gop: GopSeq(1),
        pts: MediaTime(1),
        dts: MediaTime(1),
        capture: CaptureTime(1),
        capture_source: CaptureSource::Arrival,
        capture_offset: 0,
        sent: SentTime(1),
        flags: UnitFlags::default(),
        data: vec![0x55; UNIT].into(),
    }
}

fn fan_out(c: &mut Criterion) {
    let mut group = c.benchmark_group("bus in memory");
    for subscribers in [1, 10, 100] {
        let (bus, stream) = (MemoryBus::new(), StreamName::new("bench").unwrap());
        let mut publication = block_on(bus.publish(stream.clone(), Arc::new(Owner))).unwrap();
        let subscribe = |_| block_on(bus.subscribe(stream.clone(), MediaFilter::All)).unwrap();
        let mut subscriptions: Vec<_> = (0..subscribers).map(subscribe).collect();
        let unit = unit();
        let mut pass = || {
            let batch = UnitBatch {
                session: SessionId([1; 16]),
                epoch: Epoch::default(),
                units: vec![unit.clone()],
            };
            assert_eq!(publication.send(MediaClass::Delta, batch), Sent::Published);
            for subscription in &mut subscriptions {
                black_box(subscription.try_recv()).unwrap();
            }
        };
        let name = format!("to {subscribers}");
        tell(&format!("bus in memory, a unit {name}"), each(COUNTED, &mut pass));
        group.throughput(Throughput::Elements(subscribers));
        group.bench_function(name, |b| b.iter(&mut pass));
    }
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
