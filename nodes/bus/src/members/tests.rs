//! This node's standing among the others, over the table of one process and in paused time.
//! How leases behave as such is the conformance suite's business.

use super::*;
use crate::memory::MemoryBus;
use crate::{Error, LEASE_LIFE, LEASE_RENEWAL};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokio::time::{Instant, sleep};

fn name(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A run whose load can be changed.
struct Run {
    describe: Describe,
    publishers: Arc<AtomicU32>,
}

fn run(incarnation: u64) -> Run {
    let publishers = Arc::new(AtomicU32::new(0));
    let count = publishers.clone();
    let describe: Describe = Arc::new(move || NodeRecord {
        role: NodeRole::Ingest,
        incarnation: Incarnation(incarnation),
        version: String::new(),
        addresses: NodeAddresses::default(),
        load: NodeLoad {
            publishers: count.load(Ordering::Relaxed),
            ..NodeLoad::default()
        },
        limits: NodeLimits::default(),
        draining: false,
        started: 0,
    });
    Run { describe, publishers }
}

/// A table that can be taken out of reach.
struct Shaky {
    table: MemoryBus,
    away: AtomicBool,
    writes: AtomicU32,
}

impl Shaky {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            table: MemoryBus::new(),
            away: AtomicBool::new(false),
            writes: AtomicU32::new(0),
        })
    }

    fn away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    fn writes(&self) -> u32 {
        self.writes.load(Ordering::Relaxed)
    }
}

impl Leases for Shaky {
    fn keep(&self, node: NodeName, record: NodeRecord) -> BoxFuture<'_, Result<(), LeaseError>> {
        async move {
            if self.away.load(Ordering::Relaxed) {
                return Err(Error::Away("on purpose".into()).into());
            }
            self.writes.fetch_add(1, Ordering::Relaxed);
            self.table.keep(node, record).await
        }
        .boxed()
    }

    fn release(&self, node: NodeName, record: NodeRecord) -> BoxFuture<'_, Result<(), Error>> {
        self.table.release(node, record)
    }

    fn view(&self) -> watch::Receiver<Arc<NodesView>> {
        self.table.view()
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_joined_is_renewed_and_seen_until_it_leaves() {
    let table = Shaky::new();
    let (members, keeper) = Members::join(table.clone(), name("n"), run(1).describe)
        .await
        .unwrap();
    assert_eq!(*members.standing().borrow(), Standing::Joined);
    sleep(seconds(100)).await;
    assert!(members.view().nodes.contains_key(&name("n")));
    assert!(members.view_age().unwrap() <= seconds(1));
    let expected = 1 + 100 / u32::try_from(LEASE_RENEWAL.as_secs()).unwrap();
    assert!(
        (expected - 1..=expected).contains(&table.writes()),
        "{}",
        table.writes()
    );
    keeper.leave().await.unwrap();
    assert!(members.view().nodes.is_empty());
    assert_eq!(*members.standing().borrow(), Standing::Left);
    let writes = table.writes();
    sleep(seconds(100)).await;
    assert_eq!(table.writes(), writes, "it keeps nothing any more");
}

#[tokio::test(start_paused = true)]
async fn another_run_under_the_name_must_not_start() {
    let table = Shaky::new();
    let (_first, keeper) = Members::join(table.clone(), name("n"), run(1).describe)
        .await
        .unwrap();
    let second = Members::join(table.clone(), name("n"), run(2).describe).await;
    assert!(matches!(second.err(), Some(LeaseError::Held(_))));
    drop(keeper);
    sleep(LEASE_LIFE + seconds(1)).await;
    Members::join(table.clone(), name("n"), run(2).describe)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_finds_its_name_held_later_is_told_whether_it_ever_had_it() {
    let table = Shaky::new();
    table.away(true);
    let (late, _keeper) = Members::join(table.clone(), name("n"), run(1).describe)
        .await
        .unwrap();
    assert_eq!(*late.standing().borrow(), Standing::Outside);
    assert_eq!(late.view_age(), None);
    table.table.keep(name("n"), (run(2).describe)()).await.unwrap();
    table.away(false);
    let mut standing = late.standing();
    standing.changed().await.unwrap();
    match &*standing.borrow() {
        Standing::Held { by, after_joining } => {
            assert_eq!((by.incarnation, *after_joining), (Incarnation(2), false));
        }
        other => panic!("{other:?}"),
    }
    // The other one dies: the name is free, and taken.
    standing.changed().await.unwrap();
    assert_eq!(*standing.borrow(), Standing::Joined);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_tried_again_each_second() {
    let table = Shaky::new();
    let (members, _keeper) = Members::join(table.clone(), name("n"), run(1).describe)
        .await
        .unwrap();
    table.away(true);
    sleep(seconds(60)).await;
    assert!(!members.view().nodes.contains_key(&name("n")), "its life is over");
    assert_eq!(
        *members.standing().borrow(),
        Standing::Joined,
        "nobody else has the name"
    );
    table.away(false);
    let back = Instant::now();
    let mut view = members.views();
    view.wait_for(|view| view.nodes.contains_key(&name("n")))
        .await
        .unwrap();
    assert!(back.elapsed() <= seconds(1));
}

#[tokio::test(start_paused = true)]
async fn what_changed_is_told_at_once_but_once_a_second() {
    let table = Shaky::new();
    let this = run(1);
    let (members, _keeper) = Members::join(table.clone(), name("n"), this.describe)
        .await
        .unwrap();
    sleep(Duration::from_millis(1500)).await;
    let told = || members.view().nodes[&name("n")].record.load.publishers;
    this.publishers.store(7, Ordering::Relaxed);
    members.changed();
    sleep(Duration::from_millis(10)).await;
    assert_eq!((told(), table.writes()), (7, 2), "told at once");
    for round in 8..18 {
        this.publishers.store(round, Ordering::Relaxed);
        members.changed();
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((told(), table.writes()), (7, 2), "not so soon again");
    sleep(Duration::from_millis(600)).await;
    assert_eq!((told(), table.writes()), (17, 3));
    sleep(seconds(3)).await;
    assert_eq!(
        table.writes(),
        3,
        "the next renewal is counted from the last write"
    );
}

#[tokio::test(start_paused = true)]
async fn a_load_that_others_should_know_of_is_told_within_two_seconds() {
    let table = Shaky::new();
    let this = run(1);
    let (members, _keeper) = Members::join(table.clone(), name("n"), this.describe)
        .await
        .unwrap();
    sleep(Duration::from_millis(100)).await;
    this.publishers.store(9, Ordering::Relaxed);
    sleep(seconds(3)).await;
    assert_eq!(table.writes(), 1, "nine of ten thousand are no news");
    sleep(seconds(2)).await;
    assert_eq!(table.writes(), 2, "told with the renewal");
    this.publishers.store(1000, Ordering::Relaxed);
    sleep(seconds(2)).await;
    assert_eq!(table.writes(), 3);
    assert_eq!(members.view().nodes[&name("n")].record.load.publishers, 1000);
}
