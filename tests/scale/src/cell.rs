//! One cell: its nodes, what they know of each other (leases some seconds old), and where a newcomer ends up.
//! The choice is the product's own code; networks and media are not simulated.

use rand::Rng;
use rand::rngs::StdRng;
use std::time::Duration;
use tokio::time::Instant;
use weft_bus::{Better, Chooser, LEASE_RENEWAL, NodesView, SeenNode};
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
    /// How it chooses others.
    chooser: Chooser,
    /// When its lease is renewed next, in seconds.
    renewal: f64,
    alive: bool,
}

/// A cell at work.
pub struct Cell {
    nodes: Vec<Node>,
    /// As all of them know all of them.
    view: NodesView,
    /// The simulation's second 0.
    zero: Instant,
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
                    record,
                    chooser: Chooser::default(),
                    renewal: dice.random_range(0.0..LEASE_RENEWAL.as_secs_f64()),
                    alive: true,
                }
            })
            .collect();
        let mut cell = Self {
            nodes,
            view: NodesView::default(),
            zero: Instant::now(),
            dice,
            renewals: 0,
            handed_on: 0,
            refused: 0,
        };
        for number in 0..cell.nodes.len() {
            cell.renew(number, 0.0);
        }
        cell
    }

    /// A node tells the others what it carries.
    fn renew(&mut self, number: usize, now: f64) {
        let node = &self.nodes[number];
        let heard = self.zero + Duration::from_secs_f64(now);
        let record = node.record.clone();
        self.view
            .nodes
            .insert(node.name.clone(), SeenNode { record, heard });
    }

    /// Time goes on to `now` seconds: leases are renewed as they fall due.
    pub fn advance(&mut self, now: f64) {
        for number in 0..self.nodes.len() {
            while self.nodes[number].alive && self.nodes[number].renewal <= now {
                self.renew(number, self.nodes[number].renewal);
                self.nodes[number].renewal += LEASE_RENEWAL.as_secs_f64();
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

    /// As a node decides by what it knows of the others; who is asked answers by what it is.
    fn place(&mut self, first: usize, guest: Guest) -> Option<usize> {
        let Node {
            name,
            record,
            chooser,
            ..
        } = &mut self.nodes[first];
        let (name, record) = (name.clone(), record.clone());
        let Better::Offer { candidates, must } =
            chooser.better(&record, &self.view, &name, guest, &[], &mut self.dice)
        else {
            return Some(first);
        };
        for (name, _) in candidates {
            let asked = self.nodes.iter().position(|node| node.name == name)?;
            if self.nodes[asked].alive && self.nodes[asked].record.takes(guest) {
                return Some(asked);
            }
            self.nodes[first].chooser.refused(&self.view, &name);
        }
        (!must).then_some(first)
    }

    /// A node dies; how many guests of each kind it had.
    pub fn kill(&mut self, number: usize) -> (u32, u32) {
        let node = &mut self.nodes[number];
        node.alive = false;
        // Known to all within the life of its lease; here at once, since its clients are told by the connection's loss.
        self.view.nodes.remove(&node.name);
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
