//! Cases about interest and the past: what nobody reads is not sent, what is asked for is, and nothing falls between.
//! Whole seconds pass here because refusals count only when they are a second apart.

use crate::fixture::Fixture;
use crate::source::{Source, from, name, read, units_of};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use weft_bus::{Bus, Delivery, MediaFilter, Sent, Subscription};
use weft_wire::{AccessUnit, UnitSeq, UnitsFrom};

/// Publishes 30 pictures and 50 packets of sound a second until the stream is paused; how long that took.
async fn until_paused(source: &mut Source) -> Duration {
    let start = Instant::now();
    source.key();
    while source.publication.wanted() {
        assert!(start.elapsed() < Duration::from_secs(5), "never paused");
        sleep(Duration::from_millis(20)).await;
        source.delta();
        source.audio();
    }
    start.elapsed()
}

fn sent_messages(bus: &Arc<dyn Bus>) -> u64 {
    bus.counters().sent_messages.load(Ordering::Relaxed)
}

pub(crate) async fn a_stream_that_nobody_reads_is_paused_and_costs_nothing(on: Fixture) {
    let mut source = Source::start(&on.publisher, "s").await;
    let took = until_paused(&mut source).await;
    assert!(
        took >= Duration::from_secs(1),
        "two refusals a second apart: {took:?}"
    );
    assert!(took < Duration::from_millis(2500), "{took:?}");
    let before = sent_messages(&on.publisher);
    for _ in 0..50 {
        assert_eq!(source.key(), Sent::Paused);
        assert_eq!(source.audio(), Sent::Paused);
    }
    assert_eq!(sent_messages(&on.publisher), before);
}

pub(crate) async fn a_request_for_units_wakes_a_paused_stream(on: Fixture) {
    let mut source = Source::start(&on.publisher, "s").await;
    until_paused(&mut source).await;
    let mut reader = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let answer = on
        .reader
        .units(name("s"), from(UnitsFrom::NewestGop))
        .await
        .unwrap();
    let made = source.made();
    assert_eq!(answer.end.next, UnitSeq(made.len() as u64));
    let units = units_of(answer);
    assert!(units == made[made.len() - units.len()..]);
    assert!(units[0].is_key());
    assert_eq!(source.delta(), Sent::Published);
    assert_eq!(read(&mut reader, 1).await, source.made()[made.len()..]);
}

pub(crate) async fn a_stream_is_paused_again_when_its_last_reader_leaves(on: Fixture) {
    let mut source = Source::start(&on.publisher, "s").await;
    let mut reader = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    for _ in 0..3 {
        source.key();
        sleep(Duration::from_millis(500)).await;
        assert_eq!(source.audio(), Sent::Published, "somebody reads it");
    }
    read(&mut reader, 6).await;
    drop(reader);
    until_paused(&mut source).await;
}

pub(crate) async fn a_reader_of_key_units_is_sent_nothing_else_until_somebody_asks(on: Fixture) {
    let mut reader = on.reader.subscribe(name("s"), MediaFilter::Keys).await.unwrap();
    let mut source = Source::start(&on.publisher, "s").await;
    source.key();
    let start = Instant::now();
    while source.delta() == Sent::Published {
        assert!(start.elapsed() < Duration::from_secs(5), "never narrowed");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "two refusals a second apart"
    );
    for _ in 0..4 {
        assert_eq!(source.key(), Sent::Published);
        assert_eq!(source.audio(), Sent::Paused);
        sleep(Duration::from_millis(600)).await;
    }
    assert!(source.publication.wanted());
    assert_eq!(read(&mut reader, 5).await.len(), 5);
    // A hub comes.
    let mut all = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    on.reader.units(name("s"), from(UnitsFrom::Live)).await.unwrap();
    assert_eq!(source.delta(), Sent::Published);
    assert_eq!(read(&mut all, 1).await, source.made()[source.made().len() - 1..]);
}

pub(crate) async fn a_request_for_key_units_wakes_those_alone(on: Fixture) {
    let mut source = Source::start(&on.publisher, "s").await;
    until_paused(&mut source).await;
    let mut reader = on.reader.subscribe(name("s"), MediaFilter::Keys).await.unwrap();
    let request = weft_wire::UnitsRequest {
        key_only: true,
        ..from(UnitsFrom::NewestGop)
    };
    let answer = on.reader.units(name("s"), request).await.unwrap();
    let units = units_of(answer);
    assert!(units.len() == 1 && units[0].is_key(), "{} units", units.len());
    assert_eq!(source.delta(), Sent::Paused);
    assert_eq!(source.key(), Sent::Published);
    assert!(read(&mut reader, 1).await[0].is_key());
}

/// Joins a live stream as a hub does, and reads on; every unit by its number.
async fn join(on: &Fixture) -> (Subscription, BTreeMap<u64, AccessUnit>) {
    let mut reader = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let answer = on
        .reader
        .units(name("s"), from(UnitsFrom::NewestGop))
        .await
        .unwrap();
    let next = answer.end.next.0;
    let mut units: BTreeMap<u64, AccessUnit> = units_of(answer).into_iter().map(|u| (u.seq.0, u)).collect();
    let first = *units.keys().next().expect("a key unit was made");
    while !units.keys().any(|seq| *seq >= next + 10) {
        let live = read(&mut reader, 1).await.into_iter().map(|u| (u.seq.0, u));
        // What came before the answer's key unit, a hub has no use for.
        units.extend(live.filter(|(seq, _)| *seq >= first));
    }
    (reader, units)
}

pub(crate) async fn no_hole_between_the_answer_and_the_live_units(on: Fixture) {
    let mut source = Source::start(&on.publisher, "s").await;
    until_paused(&mut source).await;
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = stop.clone();
    // Something is always on its way: 400 units a second, 120 of them large.
    let publishing = tokio::spawn(async move {
        let mut i = 0;
        while !stopping.load(Ordering::Relaxed) {
            i += 1;
            match i % 40 {
                0 => source.key(),
                n if n % 3 == 0 => source.delta(),
                _ => source.audio(),
            };
            sleep(Duration::from_micros(2500)).await;
        }
        source
    });
    let mut joins = Vec::new();
    for _ in 0..25 {
        joins.push(join(&on).await.1);
    }
    stop.store(true, Ordering::Relaxed);
    let made = publishing.await.unwrap().made();
    for units in joins {
        let first = *units.keys().next().unwrap();
        assert!(units[&first].is_key());
        for (expected, (seq, unit)) in (first..).zip(&units) {
            assert_eq!(*seq, expected, "a hole");
            assert!(*unit == made[expected as usize], "unit {seq} is another");
        }
    }
}

pub(crate) async fn a_long_answer_arrives_whole(on: Fixture) {
    let mut source = Source::start(&on.publisher, "s").await;
    source.send(weft_wire::MediaClass::Key, 3_000_000);
    for _ in 0..300 {
        source.audio();
        source.delta();
    }
    let request = weft_wire::UnitsRequest {
        from: UnitsFrom::Seq(UnitSeq(0)),
        until: Some(UnitSeq(555)),
        session: Some(source.kept.session),
        key_only: false,
    };
    let answer = on.reader.units(name("s"), request).await.unwrap();
    assert_eq!(answer.end.next, UnitSeq(601));
    assert!(units_of(answer) == source.made()[..556]);
}

pub(crate) async fn what_is_gone_is_said_to_be_gone(on: Fixture) {
    let mut source = Source::start(&on.publisher, "s").await;
    source.key();
    let answer = on
        .reader
        .units(name("s"), from(UnitsFrom::Seq(UnitSeq(99))))
        .await
        .unwrap();
    assert!(answer.end.gone);
    assert!(units_of(answer).is_empty());
}

/// Under loss: a hub sees the holes by `seq` and fills them from the owner's memory.
pub(crate) async fn every_loss_shows_in_seq_and_is_repaired_by_units(on: Fixture) {
    let mut reader = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let mut source = Source::start(&on.publisher, "s").await;
    let mut hub = Repairing::default();
    for _ in 0..40 {
        source.key();
        for _ in 0..20 {
            source.delta();
        }
        // The queue is bounded: read before it is full.
        while let Ok(Some(delivery)) = timeout(Duration::from_millis(5), reader.recv()).await {
            hub.take(&on, &source, delivery).await;
        }
    }
    // What is still on its way.
    while let Ok(Some(delivery)) = timeout(Duration::from_millis(300), reader.recv()).await {
        hub.take(&on, &source, delivery).await;
    }
    assert!(hub.repairs > 5, "the dice lost nothing: {}", hub.repairs);
    assert!(hub.got.len() > 800, "{}", hub.got.len());
    assert!(hub.got == source.made()[..hub.got.len()]);
}

/// What a hub does about holes, at its simplest.
#[derive(Default)]
struct Repairing {
    got: Vec<AccessUnit>,
    repairs: usize,
}

impl Repairing {
    async fn take(&mut self, on: &Fixture, source: &Source, delivery: Delivery) {
        let Delivery::Units(batch) = delivery else {
            panic!("no end was sent");
        };
        for unit in batch.units {
            let next = self.got.last().map_or(0, |last| last.seq.0 + 1);
            assert!(unit.seq.0 >= next, "order holds under loss");
            if unit.seq.0 > next {
                self.repairs += 1;
                let request = weft_wire::UnitsRequest {
                    from: UnitsFrom::Seq(UnitSeq(next)),
                    until: Some(UnitSeq(unit.seq.0 - 1)),
                    session: Some(source.kept.session),
                    key_only: false,
                };
                self.got
                    .extend(units_of(on.reader.units(name("s"), request).await.unwrap()));
            }
            self.got.push(unit);
        }
    }
}
