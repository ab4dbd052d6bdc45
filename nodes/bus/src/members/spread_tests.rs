//! How well guests spread over nodes that are known by old news only, and who is never chosen.
//! The dice are seeded; what is asserted held for each of many seeds.

use super::placement::{Better, Chooser};
use crate::leases::{NodesView, SeenNode};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use weft_wire::{Guest, Incarnation, NodeAddresses, NodeLimits, NodeLoad, NodeName, NodeRecord, NodeRole};

const NODES: usize = 10;
const GUESTS: u32 = 1000;
const RENEWAL_MS: u64 = 4000;

fn name(number: usize) -> NodeName {
    NodeName::new(format!("n{number}")).unwrap()
}

fn record(publishers: u32, limit: u32) -> NodeRecord {
    NodeRecord {
        role: NodeRole::Ingest,
        incarnation: Incarnation(1),
        version: String::new(),
        addresses: NodeAddresses::default(),
        load: NodeLoad {
            publishers,
            bits_per_second: u64::from(publishers) * 2_000_000,
            ..NodeLoad::default()
        },
        limits: NodeLimits {
            publishers: limit,
            ..NodeLimits::default()
        },
        draining: false,
        started: 0,
    }
}

fn view(nodes: impl IntoIterator<Item = (usize, NodeRecord)>, heard: Instant) -> NodesView {
    let seen = |(number, record)| (name(number), SeenNode { record, heard });
    NodesView {
        nodes: nodes.into_iter().map(seen).collect(),
        as_of: Some(heard),
    }
}

/// Some nodes place guests for a time in which each node is heard of every 4 s; how many each node has in the end.
fn spread(seed: u64, placers: usize, seconds: u64) -> Vec<u32> {
    let mut dice = StdRng::seed_from_u64(seed);
    let start = Instant::now();
    let mut truth = [0_u32; NODES];
    let mut seen = view((0..NODES).map(|n| (n, record(0, 0))), start);
    let mut choosers: Vec<Chooser> = (0..placers).map(|_| Chooser::default()).collect();
    let outsider = NodeName::new("outsider").unwrap();
    let phases: Vec<u64> = (0..NODES).map(|_| dice.random_range(0..RENEWAL_MS)).collect();
    let mut before = 0;
    for guest in 0..GUESTS {
        let at = u64::from(guest) * seconds * 1000 / u64::from(GUESTS);
        for (n, phase) in phases.iter().enumerate() {
            if (at + phase) / RENEWAL_MS != (before + phase) / RENEWAL_MS {
                let heard = start + Duration::from_millis(at);
                let record = record(truth[n], 0);
                seen.nodes.insert(name(n), SeenNode { record, heard });
            }
        }
        before = at;
        let placer = dice.random_range(0..placers);
        let chosen = choosers[placer].choose(&seen, &outsider, Guest::Publisher, &[], |_| true, &mut dice);
        let number = (0..NODES).find(|n| name(*n) == chosen[0].0).unwrap();
        truth[number] += 1;
    }
    truth.to_vec()
}

#[test]
fn a_thousand_guests_spread_evenly_although_the_news_is_old() {
    let mut worst: BTreeMap<(usize, u64), (u32, u32)> = BTreeMap::new();
    for (placers, seconds) in [(1, 1), (1, 20), (4, 1), (4, 20), (10, 20)] {
        for seed in 0..40 {
            let spread = spread(seed, placers, seconds);
            assert_eq!(spread.iter().sum::<u32>(), GUESTS);
            let (least, most) = (spread.iter().min().unwrap(), spread.iter().max().unwrap());
            let worst = worst.entry((placers, seconds)).or_insert((GUESTS, 0));
            *worst = (worst.0.min(*least), worst.1.max(*most));
        }
    }
    // Measured (least and most on one node): 1 placer 95 to 102, 4 or 10 placers over 20 s 90 to 114, 4 within 1 s 37 to 132.
    for ((placers, seconds), (least, most)) in worst {
        // 100 each would be perfect; random choice alone gives about 70 to 135. A burst of a thousand within one renewal, by
        // several who see nothing of each other, is as uneven as the news is: whoever was just heard of looks full.
        let bound = match (placers, seconds) {
            (1, _) => 92..=108,
            (_, 1) => 30..=140,
            _ => 85..=120,
        };
        assert!(
            bound.contains(&least) && bound.contains(&most),
            "{placers} placers, {seconds} s: {least} to {most}"
        );
    }
}

#[test]
fn whoever_drains_is_full_has_another_role_or_refused_is_never_chosen() {
    let now = Instant::now();
    let mut draining = record(0, 100);
    draining.draining = true;
    let mut egress = record(0, 100);
    egress.role = NodeRole::Egress;
    let view = view(
        [
            (0, record(100, 100)),
            (1, draining),
            (2, egress),
            (3, record(50, 100)),
            (4, record(98, 100)),
            (5, record(0, 100)),
            (6, record(0, 100)),
        ],
        now,
    );
    let mut chooser = Chooser::default();
    let mut dice = StdRng::seed_from_u64(1);
    chooser.refused(&view, &name(6));
    let mut first = BTreeMap::<NodeName, u32>::new();
    for _ in 0..300 {
        let chosen = chooser.choose(&view, &name(5), Guest::Publisher, &[], |_| true, &mut dice);
        for (node, record) in &chosen {
            assert!([name(3), name(4)].contains(node), "{node}");
            assert!(record.takes(Guest::Publisher));
        }
        if let Some((node, _)) = chosen.into_iter().next() {
            *first.entry(node).or_default() += 1;
        }
    }
    // Counted up locally until they are heard of again: no more than they have places for.
    assert_eq!(first, BTreeMap::from([(name(3), 50), (name(4), 2)]));
    let mut later = view.clone();
    for seen in later.nodes.values_mut() {
        seen.heard += Duration::from_secs(4);
    }
    let again = chooser.choose(
        &later,
        &name(5),
        Guest::Publisher,
        &[name(3)],
        |_| true,
        &mut dice,
    );
    assert!(!again.is_empty() && again.iter().all(|(node, _)| *node != name(3)));
}

/// What a node of some fullness does, with others of some fullness.
fn better(own: NodeRecord, others: &[u32], seed: u64) -> Better {
    let others = others.iter().enumerate().map(|(n, load)| (n, record(*load, 100)));
    let view = view(others.chain([(99, own.clone())]), Instant::now());
    let mut dice = StdRng::seed_from_u64(seed);
    Chooser::default().better(&own, &view, &name(99), Guest::Publisher, &[], &mut dice)
}

#[test]
fn a_node_keeps_its_guests_until_it_is_rather_full_and_others_are_less_so() {
    for seed in 0..50 {
        assert_eq!(better(record(79, 100), &[0, 0, 0], seed), Better::Stay);
        assert_eq!(better(record(85, 100), &[76, 80, 100], seed), Better::Stay);
        assert_eq!(better(record(99, 100), &[80, 81], seed), Better::Stay);
        assert_eq!(better(record(99, 100), &[], seed), Better::Stay);
        let Better::Offer { candidates, must } = better(record(80, 100), &[10, 70, 75, 20, 30], seed) else {
            panic!("there are less full ones");
        };
        assert!(!must && candidates.len() == 3);
        let loads: Vec<u32> = candidates.iter().map(|(_, r)| r.load.publishers).collect();
        assert!(loads.iter().all(|load| *load <= 70), "{loads:?}");
        assert!(loads[0] <= loads[1], "{loads:?}");
    }
}

#[test]
fn a_full_or_draining_node_must_hand_on_to_whoever_has_a_place() {
    let mut draining = record(0, 100);
    draining.draining = true;
    for seed in 0..50 {
        for own in [record(100, 100), draining.clone()] {
            let Better::Offer { candidates, must } = better(own.clone(), &[99, 100], seed) else {
                panic!("it has no place");
            };
            assert!(must);
            let names: Vec<NodeName> = candidates.into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, [name(0)]);
            let nobody = Better::Offer {
                candidates: vec![],
                must: true,
            };
            assert_eq!(better(own, &[100, 100], seed), nobody);
        }
    }
}
