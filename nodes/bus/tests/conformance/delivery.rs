//! Cases about units on their way: order, size, filters, slow readers, the end.
//! Each holds on every bus that loses nothing.

use crate::fixture::Fixture;
use crate::source::{Source, name, next, read};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::timeout;
use weft_bus::{Delivery, DropReason, MediaFilter, Sent};
use weft_wire::{CloseReason, MAX_UNIT_BYTES, MediaClass, UnitBatch};

pub(crate) async fn units_arrive_in_order_and_unchanged(on: Fixture) {
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(
            on.reader
                .subscribe(name("a.b/c"), MediaFilter::All)
                .await
                .unwrap(),
        );
    }
    let mut source = Source::start(&on.publisher, "a.b/c").await;
    for i in 0..200 {
        let sent = match i % 8 {
            0 => source.key(),
            1 | 4 | 6 => source.audio(),
            _ => source.delta(),
        };
        assert_eq!(sent, Sent::Published);
    }
    for reader in &mut readers {
        assert!(read(reader, 200).await == source.made());
    }
}

pub(crate) async fn a_batch_of_several_units_and_tracks_arrives_in_order(on: Fixture) {
    let mut reader = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let mut source = Source::start(&on.publisher, "s").await;
    for _ in 0..6 {
        source.audio();
    }
    let mut units = source.made();
    read(&mut reader, 6).await;
    units[3].track.0 = 7;
    units[4].track.0 = 7;
    let batch = UnitBatch {
        session: source.kept.session,
        epoch: source.kept.epoch,
        units: units.clone(),
    };
    assert_eq!(source.publication.send(MediaClass::Audio, batch), Sent::Published);
    assert_eq!(read(&mut reader, 6).await, units);
}

pub(crate) async fn large_units_arrive_whole_among_small_ones(on: Fixture) {
    let mut reader = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let mut source = Source::start(&on.publisher, "s").await;
    for size in [900_000, 3_000_000, 1_100_000, MAX_UNIT_BYTES] {
        assert_eq!(source.audio(), Sent::Published);
        assert_eq!(source.send(MediaClass::Key, size), Sent::Published);
        assert_eq!(source.delta(), Sent::Published);
        // Read in between: what is on its way at once stays below what a server keeps for a client.
        assert_eq!(
            read(&mut reader, 3).await,
            source.made()[source.made().len() - 3..]
        );
    }
}

pub(crate) async fn a_unit_above_the_limit_is_dropped_and_nothing_else(on: Fixture) {
    let mut reader = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let mut source = Source::start(&on.publisher, "s").await;
    source.key();
    assert_eq!(
        source.send(MediaClass::Key, MAX_UNIT_BYTES + 1),
        Sent::Dropped(DropReason::TooLarge)
    );
    source.delta();
    let seqs: Vec<u64> = read(&mut reader, 2).await.iter().map(|u| u.seq.0).collect();
    assert_eq!(seqs, [0, 2], "the hole shows in `seq`");
}

pub(crate) async fn a_reader_of_key_units_gets_key_units_and_the_end(on: Fixture) {
    let mut reader = on.reader.subscribe(name("s"), MediaFilter::Keys).await.unwrap();
    let mut all = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let mut source = Source::start(&on.publisher, "s").await;
    for _ in 0..3 {
        source.key();
        source.audio();
        source.delta();
    }
    assert_eq!(source.end(), Sent::Published);
    let keys = read(&mut reader, 3).await;
    assert!(keys.iter().all(weft_wire::AccessUnit::is_key));
    assert_eq!(keys.iter().map(|u| u.seq.0).collect::<Vec<_>>(), [0, 3, 6]);
    read(&mut all, 9).await;
    for reader in [&mut reader, &mut all] {
        let Delivery::Ended(notice) = next(reader).await else {
            panic!("the end should follow the last unit");
        };
        assert_eq!(notice.reason, CloseReason::PeerLeft);
        assert_eq!(notice.epoch, source.kept.epoch);
    }
}

pub(crate) async fn a_reader_gets_the_units_of_its_stream_only(on: Fixture) {
    let mut reader = on.reader.subscribe(name("a"), MediaFilter::All).await.unwrap();
    let mut a = Source::start(&on.publisher, "a").await;
    let mut ab = Source::start(&on.publisher, "a/b").await;
    let mut dotted = Source::start(&on.publisher, "a.b").await;
    ab.key();
    dotted.key();
    a.key();
    a.audio();
    assert_eq!(read(&mut reader, 2).await, a.made());
}

pub(crate) async fn dropping_a_subscription_ends_its_delivery_only(on: Fixture) {
    let leaving = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let mut staying = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let mut source = Source::start(&on.publisher, "s").await;
    source.key();
    read(&mut staying, 1).await;
    drop(leaving);
    source.delta();
    read(&mut staying, 1).await;
}

pub(crate) async fn a_slow_reader_loses_the_newest_and_nobody_else_does(on: Fixture) {
    let mut slow = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let mut quick = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let mut source = Source::start(&on.publisher, "s").await;
    // More than any queue on the way holds, in steps that the quick reader follows.
    for _ in 0..60 {
        for _ in 0..50 {
            assert_eq!(source.audio(), Sent::Published);
        }
        read(&mut quick, 50).await;
    }
    let mut seen: Vec<u64> = Vec::new();
    while let Ok(Some(Delivery::Units(batch))) = timeout(Duration::from_millis(300), slow.recv()).await {
        seen.extend(batch.units.iter().map(|u| u.seq.0));
    }
    assert_eq!(seen[..256], (0..256).collect::<Vec<_>>(), "the oldest are kept");
    assert!(seen.is_sorted_by(|a, b| a < b), "in order");
    assert!(seen.len() < 2500, "bounded, not {}", seen.len());
    // And it goes on: the hole shows in `seq`.
    source.audio();
    read(&mut quick, 1).await;
    assert_eq!(read(&mut slow, 1).await[0].seq.0, 3000);
}

pub(crate) async fn two_publishers_of_a_name_keep_their_own_order(on: Fixture) {
    let mut reader = on.reader.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let mut old = Source::start_at(&on.publisher, "s", 1).await;
    let mut new = Source::start_at(&on.reader, "s", 2).await;
    for _ in 0..20 {
        old.audio();
        new.audio();
    }
    let mut seqs = [Vec::new(), Vec::new()];
    let mut epochs = BTreeSet::new();
    while seqs.iter().map(Vec::len).sum::<usize>() < 40 {
        let Delivery::Units(batch) = next(&mut reader).await else {
            panic!("no end was sent");
        };
        epochs.insert(batch.epoch);
        seqs[batch.epoch.revision as usize - 1].extend(batch.units.iter().map(|u| u.seq.0));
    }
    assert_eq!(epochs.len(), 2, "each unit says whose it is");
    let whole: Vec<u64> = (0..20).collect();
    assert_eq!(seqs, [whole.clone(), whole]);
}
