//! How much the bus carries and how soon it is there; printed, not judged: `cargo test -p weft-bus --test measure -- --ignored
//! --nocapture --test-threads 1`. The figures of a shared machine are lower bounds.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed step ends the test; figures are printed"
)]

#[path = "conformance/fixture.rs"]
#[allow(dead_code, reason = "shared with the suite, which uses the rest")]
mod fixture;
#[path = "conformance/source.rs"]
#[allow(dead_code, reason = "shared with the suite, which uses the rest")]
mod source;

use fixture::Fixture;
use source::{Source, from, name, next};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use weft_bus::{Delivery, MediaFilter, Sent};
use weft_wire::{MediaClass, UnitsFrom};

/// Units of `size` as fast as one reader takes them; on their way are at most 100 and 4 MB: from half of `max_pending` on, a
/// server drops.
async fn throughput(on: &Fixture, size: usize, count: usize) -> f64 {
    let stream = format!("t{size}");
    let mut reader = on
        .reader
        .subscribe(name(&stream), MediaFilter::All)
        .await
        .unwrap();
    let mut source = Source::start(&on.publisher, &stream).await;
    let on_their_way = (4_000_000 / size).min(100);
    let start = Instant::now();
    let mut received = 0;
    for sent in 1..=count {
        assert_eq!(source.send(MediaClass::Delta, size), Sent::Published);
        while sent - received > on_their_way || (sent == count && received < count) {
            let Delivery::Units(batch) = next(&mut reader).await else {
                panic!("no end was sent");
            };
            received += batch.units.len();
        }
    }
    count as f64 / start.elapsed().as_secs_f64()
}

/// 80 units a second on each of `streams`; the time from `send` to `recv`.
async fn latency(on: &Fixture, streams: usize, time: Duration) -> (Duration, Duration, Duration) {
    let mut tasks = Vec::new();
    for i in 0..streams {
        let stream = format!("l{i}");
        let mut reader = on
            .reader
            .subscribe(name(&stream), MediaFilter::All)
            .await
            .unwrap();
        let mut source = Source::start(&on.publisher, &stream).await;
        let (sent, mut sent_at) = tokio::sync::mpsc::channel(1000);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_micros(12_500));
            let start = Instant::now();
            while start.elapsed() < time {
                tick.tick().await;
                if sent.try_send(Instant::now()).is_err()
                    || source.send(MediaClass::Delta, 8_000) != Sent::Published
                {
                    panic!("not published");
                }
            }
        });
        tasks.push(tokio::spawn(async move {
            let mut waited = Vec::new();
            while let Some(at) = sent_at.recv().await {
                next(&mut reader).await;
                waited.push(at.elapsed());
            }
            waited
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all.sort_unstable();
    (all[all.len() / 2], all[all.len() * 99 / 100], all[all.len() - 1])
}

/// The answer to a join: 4 s of 2 Mbit/s.
async fn join(on: &Fixture) -> Duration {
    let mut source = Source::start(&on.publisher, "join").await;
    source.send(MediaClass::Key, 70_000);
    for _ in 0..120 {
        source.send(MediaClass::Delta, 7_300);
        source.audio();
    }
    let mut times = VecDeque::new();
    for _ in 0..50 {
        let start = Instant::now();
        on.reader
            .units(name("join"), from(UnitsFrom::NewestGop))
            .await
            .unwrap();
        times.push_back(start.elapsed());
    }
    times.make_contiguous().sort_unstable();
    times[25]
}

async fn measure(what: &str, on: Fixture) {
    let small = throughput(&on, 160, 50_000).await;
    let picture = throughput(&on, 8_000, 50_000).await;
    let large = throughput(&on, 200_000, 2_000).await;
    println!("{what}: {small:.0}/s of 160 B, {picture:.0}/s of 8 kB, {large:.0}/s of 200 kB");
    for streams in [1, 50] {
        let (p50, p99, max) = latency(&on, streams, Duration::from_secs(4)).await;
        println!("{what}: {streams} streams x 80 units/s: p50 {p50:?}, p99 {p99:?}, max {max:?}");
    }
    println!(
        "{what}: units of a whole GOP (965 kB), median {:?}",
        join(&on).await
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures and asserts nothing: run by `tests/run measure`"]
async fn memory() {
    measure("memory", Fixture::memory().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures and asserts nothing: run by `tests/run measure`"]
async fn nats() {
    measure("nats", Fixture::nats().await).await;
}
