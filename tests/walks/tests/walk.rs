//! One walk: things happen in an order that the dice say, then everything is mended, and what is left must be one owner,
//! readers that see it, and a table of nodes that names those that live.

use crate::claim::Rules;
use crate::reader::Reader;
use crate::world::{EGRESSES, INGESTS, World};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::Duration;
use tokio::time::sleep;
use weft_bus::{LEASE_LIFE, Registry};
use weft_egress::HubState;
use weft_wire::CloseReason;

/// How long a walk is, in steps and in time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    pub(crate) steps: usize,
    /// Between two steps at most.
    pub(crate) pause: Duration,
    /// Leases may run out in it; the table of nodes is looked at in the end.
    pub(crate) leases: bool,
}

/// What was done and seen, for the sum that is printed.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) claims: u64,
    pub(crate) pictures: u64,
    pub(crate) changes: u64,
    pub(crate) readers: u64,
    pub(crate) fenced: u64,
    /// The oldest picture that any reader was given, in ms.
    pub(crate) oldest: i64,
    /// Walks that ended with a publisher.
    pub(crate) owned: u64,
}

/// After a heal each session looks at its record within 10 s; what failed then is looked at 25 s later.
const SETTLE: Duration = Duration::from_secs(40);

pub(crate) async fn walk(mut world: World, seed: u64, course: Course) -> Result<Tally, String> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut done = Vec::new();
    for _ in 0..course.steps {
        let step = step(&mut world, &mut dice, course).await;
        done.push(step);
        let pause = dice.random_range(0..course.pause.as_millis());
        sleep(Duration::from_millis(u64::try_from(pause).unwrap_or(0))).await;
        look(&world).map_err(|wrong| format!("{wrong}\nafter {done:?}"))?;
    }
    settle(&mut world, course).await;
    judge(&world, course)
        .await
        .map_err(|wrong| format!("{wrong}\nafter {done:?}"))
}

/// The next thing that happens.
async fn step(world: &mut World, dice: &mut StdRng, course: Course) -> String {
    let at = dice.random_range(0..INGESTS);
    let outlet = dice.random_range(0..EGRESSES);
    let any = dice.random_range(0..INGESTS + EGRESSES);
    let rules = Rules {
        override_publisher: dice.random_bool(0.7),
        moves: None,
    };
    match dice.random_range(0..100) {
        0..28 => {
            world.publish(at, rules);
            format!("publish at {at}, override {}", rules.override_publisher)
        }
        28..48 => {
            let (egress, stream) = (&world.outlets[outlet].egress, world.stream.clone());
            let joined = Reader::join(egress, stream, world.bar.clone()).await;
            let word = format!(
                "read at {outlet}: {}",
                if joined.is_ok() { "joined" } else { "refused" }
            );
            world.outlets[outlet].readers.extend(joined);
            word
        }
        48..62 => {
            world.cut(any, true);
            format!("cut {any}")
        }
        62..76 => {
            world.cut(any, false);
            format!("heal {any}")
        }
        76..80 => {
            world.kill(at);
            format!("kill {at}")
        }
        80..86 => {
            for at in 0..INGESTS {
                world.start(at).await;
            }
            "start what is down".into()
        }
        86..90 => {
            let to = (at + 1) % INGESTS;
            world.drain(at, to, Duration::from_secs(2)).await;
            format!("drain {at} to {to}")
        }
        90..94 => {
            for live in world.ingests[at].alive() {
                live.end(CloseReason::PeerLeft);
            }
            format!("publishers at {at} leave")
        }
        94..97 => {
            let silent = dice.random_bool(0.5);
            for live in world.ingests[at].alive() {
                live.camera().silent = silent;
            }
            format!("publishers at {at} silent: {silent}")
        }
        _ if course.leases => {
            sleep(LEASE_LIFE + Duration::from_secs(5)).await;
            "leases run out".into()
        }
        _ => "nothing".into(),
    }
}

/// What must hold at any time.
fn look(world: &World) -> Result<(), String> {
    for judged in &world.judged {
        if let (Some(wrong), _) = judged.verdict() {
            return Err(format!("registry: {wrong}"));
        }
    }
    for (at, outlet) in world.outlets.iter().enumerate() {
        for reader in &outlet.readers {
            if let Some(wrong) = &reader.got().wrong {
                return Err(format!("reader at {at}: {wrong}"));
            }
        }
        for hub in outlet.egress.hubs() {
            let readers = outlet
                .readers
                .iter()
                .filter(|reader| !reader.got().closed)
                .count();
            if hub.readers.len() != readers {
                return Err(format!(
                    "hub at {at} has {} of {readers} readers",
                    hub.readers.len()
                ));
            }
        }
    }
    Ok(())
}

async fn settle(world: &mut World, course: Course) {
    for at in 0..INGESTS + EGRESSES {
        world.cut(at, false);
    }
    for live in world.alive() {
        live.camera().silent = false;
    }
    sleep(SETTLE).await;
    if course.leases {
        for at in 0..INGESTS {
            world.start(at).await;
        }
        sleep(Duration::from_secs(2)).await;
    }
}

/// What must be in the end.
async fn judge(world: &World, course: Course) -> Result<Tally, String> {
    look(world)?;
    let alive = world.alive();
    if alive.len() > 1 {
        let alive: Vec<_> = alive.iter().map(|live| (live.id, live.status().epoch)).collect();
        return Err(format!("several sessions live on: {alive:?}"));
    }
    let held = world.judged[0]
        .lookup(world.stream.clone())
        .await
        .map_err(|e| e.to_string())?;
    if let Some(owner) = alive.first() {
        let epoch = owner.status().epoch;
        let held = held.ok_or("the owner has no record")?;
        if (held.record.session, held.epoch) != (owner.id, epoch) {
            return Err(format!("held by {held:?}, not by {} at {epoch}", owner.id));
        }
        for (at, outlet) in world.outlets.iter().enumerate() {
            for hub in outlet.egress.hubs().iter().filter(|hub| !hub.readers.is_empty()) {
                if (hub.session, hub.epoch, hub.state) != (Some(owner.id), epoch, HubState::Live) {
                    return Err(format!(
                        "hub at {at} is {:?} with {:?} at {}, not with {} at {epoch}",
                        hub.state, hub.session, hub.epoch, owner.id
                    ));
                }
            }
            for reader in &outlet.readers {
                let got = reader.got();
                let age = got.last_at.map(|last| last.elapsed());
                if !got.closed && age.is_none_or(|age| age > Duration::from_secs(1)) {
                    return Err(format!("a reader at {at} sees nothing: {age:?}"));
                }
            }
        }
    } else {
        // The record of a run that died may be there: the sweep's work.
        let ended = held.filter(|held| world.up().contains(&held.record.node));
        let sessions = world.ingests.iter().flat_map(|ingest| &ingest.sessions);
        let mut known = sessions.filter(|session| {
            ended
                .as_ref()
                .is_some_and(|e| e.record.session == session.live.id)
        });
        if let Some(session) = known.next() {
            return Err(format!(
                "a session that ended kept its record, its task {}",
                if session.has_ended() { "ended" } else { "goes on" }
            ));
        }
    }
    if course.leases {
        let seen: std::collections::BTreeSet<_> = world.members.view().nodes.keys().cloned().collect();
        if seen != world.up() {
            return Err(format!("{seen:?} are seen, {:?} are up", world.up()));
        }
    }
    let mut tally = Tally {
        owned: u64::from(!alive.is_empty()),
        claims: world.judged.iter().map(|judged| judged.verdict().1).sum(),
        ..Tally::default()
    };
    for outlet in &world.outlets {
        tally.fenced += outlet
            .egress
            .counters()
            .fenced
            .load(std::sync::atomic::Ordering::Relaxed);
        for reader in &outlet.readers {
            let got = reader.got();
            tally.readers += 1;
            tally.pictures += got.pictures;
            tally.oldest = tally.oldest.max(got.oldest / 1000);
            tally.changes += got.sessions.saturating_sub(1);
        }
    }
    Ok(tally)
}
