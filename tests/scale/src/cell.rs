//! One cell: its nodes, what they know of each other (leases some seconds old), and where a newcomer ends up.
//! The choice is the product's own code; networks and media are not simulated.

use rand::Rng;
use rand::rngs::StdRng;
use weft_bus::{LEASE_RENEWAL, two_choices};
use weft_wire::{Guest, Incarnation, NodeAddresses, NodeLimits, NodeLoad, NodeName, NodeRecord, NodeRole};

/// How a cell is built.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Ingest nodes.
    pub ingest: usize,
    /// Egress nodes.
    pub egress: usize,
    /// Publishers that an ingest node takes.
    pub publishers: u32,
    /// Readers that an egress node takes.
    pub readers: u32,
}

impl Plan {
    /// All nodes of a cell.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.ingest + self.egress
    }
}

/// Which node a client tries first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Any, at random: a balancer in front that knows nothing.
    Any,
    /// Always the same one: a single address.
    One,
}

struct Node {
    name: NodeName,
    /// As it is.
    record: NodeRecord,
    /// As the others know it.
    seen: NodeRecord,
    /// When its lease is renewed next, in seconds.
    renewal: f64,
    alive: bool,
}

/// A cell at work.
pub struct Cell {
    nodes: Vec<Node>,
    dice: StdRng,
    /// Leases written.
    pub renewals: u64,
    /// Newcomers handed to another node than the one they tried.
    pub handed_on: u64,
    /// Newcomers that found no place.
    pub refused: u64,
}

impl Cell {
    /// An empty cell.
    #[must_use]
    pub fn new(plan: &Plan, mut dice: StdRng) -> Self {
        let roles = [(NodeRole::Ingest, plan.ingest), (NodeRole::Egress, plan.egress)];
        let roles = roles
            .into_iter()
            .flat_map(|(role, count)| std::iter::repeat_n(role, count));
        let nodes = roles
            .enumerate()
            .map(|(number, role)| {
                let record = blank(role, plan);
                Node {
                    name: NodeName::new(format!("n{number}")).expect("a plain name"),
                    seen: record.clone(),
                    record,
                    renewal: dice.random_range(0.0..LEASE_RENEWAL.as_secs_f64()),
                    alive: true,
                }
            })
            .collect();
        Self {
            nodes,
            dice,
            renewals: 0,
            handed_on: 0,
            refused: 0,
        }
    }

    /// Time goes on to `now` seconds: leases are renewed as they fall due.
    pub fn advance(&mut self, now: f64) {
        for node in self.nodes.iter_mut().filter(|node| node.alive) {
            while node.renewal <= now {
                node.seen.clone_from(&node.record);
                node.renewal += LEASE_RENEWAL.as_secs_f64();
                self.renewals += 1;
            }
        }
    }

    /// A newcomer arrives; the number of the node that takes it.
    pub fn arrive(&mut self, guest: Guest, door: Door) -> Option<usize> {
        let fitting: Vec<usize> = (0..self.nodes.len())
            .filter(|n| self.nodes[*n].alive && fits(self.nodes[*n].record.role, guest))
            .collect();
        let first = match door {
            Door::One => *fitting.first()?,
            Door::Any => {
                fitting[self
                    .dice
                    .random_range(0..fitting.len().max(1))
                    .min(fitting.len() - 1)]
            }
        };
        let place = self.place(first, guest);
        match place {
            Some(place) => {
                self.handed_on += u64::from(place != first);
                let load = &mut self.nodes[place].record.load;
                match guest {
                    Guest::Publisher => load.publishers += 1,
                    Guest::Reader => load.readers += 1,
                }
            }
            None => self.refused += 1,
        }
        place
    }

    /// As a node decides: take it, or hand it to one of two others that is less full by what is known of them; who was
    /// asked answers by what it is.
    fn place(&mut self, first: usize, guest: Guest) -> Option<usize> {
        let own = &self.nodes[first].record;
        let fullness = own.fullness(guest);
        if own.takes(guest) && fullness < SOFT {
            return Some(first);
        }
        let must = !own.takes(guest);
        let others = self.nodes.iter().enumerate().filter(|(n, node)| {
            *n != first
                && node.alive
                && node.seen.takes(guest)
                && (must || node.seen.fullness(guest) + MARGIN <= fullness)
        });
        let others = others
            .map(|(_, node)| (node.name.clone(), node.seen.clone()))
            .collect();
        for (name, _) in two_choices(others, guest, &mut self.dice) {
            let asked = self.nodes.iter().position(|node| node.name == name)?;
            if self.nodes[asked].record.takes(guest) {
                return Some(asked);
            }
        }
        (!must).then_some(first)
    }

    /// A node dies; how many guests of each kind it had.
    pub fn kill(&mut self, number: usize) -> (u32, u32) {
        let node = &mut self.nodes[number];
        node.alive = false;
        let load = std::mem::take(&mut node.record.load);
        (load.publishers, load.readers)
    }

    /// What the living nodes of a role carry.
    #[must_use]
    pub fn loads(&self, guest: Guest) -> Vec<u32> {
        let nodes = self
            .nodes
            .iter()
            .filter(|n| n.alive && fits(n.record.role, guest));
        nodes
            .map(|node| match guest {
                Guest::Publisher => node.record.load.publishers,
                Guest::Reader => node.record.load.readers,
            })
            .collect()
    }
}

/// From here on a node looks for a less full one (the rule of `Members`).
const SOFT: f64 = 0.8;
/// By how much less.
const MARGIN: f64 = 0.1;

fn fits(role: NodeRole, guest: Guest) -> bool {
    match guest {
        Guest::Publisher => role == NodeRole::Ingest,
        Guest::Reader => role == NodeRole::Egress,
    }
}

fn blank(role: NodeRole, plan: &Plan) -> NodeRecord {
    NodeRecord {
        role,
        incarnation: Incarnation(1),
        version: String::new(),
        addresses: NodeAddresses::default(),
        load: NodeLoad::default(),
        limits: NodeLimits {
            publishers: plan.publishers,
            readers: plan.readers,
            bits_per_second: 0,
        },
        draining: false,
        started: 0,
    }
}
