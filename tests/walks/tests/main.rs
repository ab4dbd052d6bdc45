//! Random walks through the life of names, nodes and readers: publish, take over, partition, heal, expire, drain, in any
//! order. In memory many, in paused time, beside a model of the registry; over NATS a few.
//!
//! Every walk has a seed, and a walk that fails prints it: `WEFT_SEED=<seed>` walks that one alone (up to the dice of the
//! parts themselves).
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed step ends the test; figures are printed"
)]

mod camera;
#[path = "../../../nodes/ingest/src/claim.rs"]
#[allow(dead_code, reason = "the rules as they are; not all of them are walked")]
mod claim;
mod live;
mod model;
mod ownership;
mod reader;
mod session;
#[path = "../../../nodes/ingest/src/standing.rs"]
mod standing;
mod walk;
mod world;

/// What the rules take from `weft-ingest`'s configuration.
mod config {
    /// As there.
    pub(crate) const SILENT_OWNER: std::time::Duration = std::time::Duration::from_secs(2);
}

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use walk::{Course, Tally, walk};
use weft_bus::testing::NatsServer;
use world::World;

const MEMORY: Course = Course {
    steps: 20,
    pause: Duration::from_millis(1500),
    leases: true,
};
const NATS: Course = Course {
    steps: 16,
    pause: Duration::from_millis(800),
    leases: false,
};

/// Seeds from the clock, unless one is given.
fn seeds(walks: u64) -> std::ops::Range<u64> {
    if let Some(seed) = std::env::var("WEFT_SEED").ok().and_then(|seed| seed.parse().ok()) {
        return seed..seed + 1;
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let first = now.unwrap_or_default().as_secs() * 100_000;
    first..first + walks
}

fn in_memory(seed: u64) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async { walk(World::memory().await, seed, MEMORY).await })
}

#[test]
fn whatever_happens_there_is_one_owner_and_every_reader_sees_one_session_at_a_time() {
    let seeds = seeds(10_000);
    eprintln!(
        "{} walks in memory from seed {}",
        seeds.end - seeds.start,
        seeds.start
    );
    let start = std::time::Instant::now();
    let next = AtomicU64::new(seeds.start);
    let sum = Mutex::new(Tally::default());
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || failed.lock().unwrap().is_some() {
                        return;
                    }
                    match in_memory(seed) {
                        Ok(tally) => sum.lock().unwrap().add(tally),
                        Err(wrong) => {
                            failed.lock().unwrap().get_or_insert((seed, wrong));
                        }
                    }
                }
            });
        }
    });
    if let Some((seed, wrong)) = failed.into_inner().unwrap() {
        panic!("WEFT_SEED={seed}: {wrong}");
    }
    eprintln!("{:?} in {:.1?}", sum.into_inner().unwrap(), start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_nats_too() {
    let server = NatsServer::start().await.unwrap();
    let seeds = seeds(6);
    eprintln!(
        "{} walks over NATS from seed {}",
        seeds.end - seeds.start,
        seeds.start
    );
    let start = Instant::now();
    let mut walks = tokio::task::JoinSet::new();
    for seed in seeds {
        let world = World::nats(&server, seed).await;
        walks.spawn(async move { (seed, walk(world, seed, NATS).await) });
    }
    let mut sum = Tally::default();
    while let Some(walked) = walks.join_next().await {
        let (seed, result) = walked.unwrap();
        match result {
            Ok(tally) => sum.add(tally),
            Err(wrong) => panic!("WEFT_SEED={seed}: {wrong}"),
        }
    }
    eprintln!("{sum:?} in {:.1?}", start.elapsed());
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.claims += other.claims;
        self.pictures += other.pictures;
        self.changes += other.changes;
        self.readers += other.readers;
        self.fenced += other.fenced;
        self.oldest = self.oldest.max(other.oldest);
        self.owned += other.owned;
    }
}
