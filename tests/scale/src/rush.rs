//! The start of all exams: every stream and its readers within some minutes, on cells of nodes, then the loss of a node,
//! the loss of a cell, a cell more. Counts where everything is and what is written to the tables of names and nodes.

use crate::cell::{Cell, Door, Plan};
use crate::cells::{Cells, hash};
use rand::SeedableRng;
use rand::rngs::StdRng;
use weft_wire::Guest;

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Streams.
    pub streams: u32,
    /// Of ten streams, this many have a second reader.
    pub second_readers: u32,
    /// Cells.
    pub cells: u32,
    /// Each of them.
    pub plan: Plan,
    /// All arrive within this time, in seconds.
    pub rush: f64,
    /// Where they knock.
    pub door: Door,
    /// Where the dice start.
    pub seed: u64,
}

impl Setup {
    /// A million streams on 500 cells of 5 ingest and 3 egress nodes, within five minutes.
    #[must_use]
    pub fn million(door: Door) -> Self {
        Self {
            streams: 1_000_000,
            second_readers: 2,
            cells: 500,
            plan: Plan {
                ingest: 5,
                egress: 3,
                publishers: 600,
                readers: 1_600,
            },
            rush: 300.0,
            door,
            seed: 1,
        }
    }
}

/// How evenly something lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// The least.
    pub least: u32,
    /// The middle one.
    pub median: u32,
    /// The most.
    pub most: u32,
}

impl Spread {
    fn of(mut values: Vec<u32>) -> Self {
        values.sort_unstable();
        Self {
            least: values.first().copied().unwrap_or_default(),
            median: values.get(values.len() / 2).copied().unwrap_or_default(),
            most: values.last().copied().unwrap_or_default(),
        }
    }
}

/// What came out.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Streams per cell.
    pub cells: Spread,
    /// Publishers per ingest node.
    pub ingest: Spread,
    /// Readers per egress node.
    pub egress: Spread,
    /// Newcomers handed to another node than the one they tried.
    pub handed_on: u64,
    /// Newcomers that found no place.
    pub refused: u64,
    /// Claims a second, in all and in the busiest cell, while all arrive.
    pub claims: (f64, f64),
    /// Renewals of nodes' leases a second, in all.
    pub renewals: f64,
    /// Publishers and readers of a node that is lost: exactly those come again; and refused of them.
    pub node_lost: (u32, u32, u64),
    /// Publishers per living ingest node of that cell afterwards.
    pub after_node: Spread,
    /// Names that have another cell when one is lost, and of them names of other cells than that one.
    pub cell_lost: (u32, u32),
    /// Streams per cell afterwards.
    pub after_cell: Spread,
    /// Names that have another cell when one is added, and of them names that went to an older cell.
    pub cell_added: (u32, u32),
}

/// Simulates it.
#[must_use]
pub fn run(setup: &Setup) -> Outcome {
    let names: Vec<u64> = (0..setup.streams).map(|n| hash(&format!("exam/{n}"))).collect();
    let cells = Cells::new(setup.cells);
    let homes: Vec<u32> = names.iter().map(|name| cells.of(*name)).collect();
    let mut arrivals: Vec<Vec<u32>> = vec![Vec::new(); setup.cells as usize];
    for (number, home) in (0..setup.streams).zip(&homes) {
        arrivals[*home as usize].push(number);
    }
    let mut all: Vec<Cell> = (0..u64::from(setup.cells))
        .map(|cell| Cell::new(&setup.plan, StdRng::seed_from_u64(setup.seed ^ (cell << 20))))
        .collect();
    for (cell, arrivals) in all.iter_mut().zip(&arrivals) {
        fill(cell, arrivals, setup);
    }

    let counts: Vec<u32> = arrivals
        .iter()
        .map(|a| u32::try_from(a.len()).unwrap_or(u32::MAX))
        .collect();
    let busiest = counts.iter().copied().max().unwrap_or_default();
    let loads = |guest| Spread::of(all.iter().flat_map(|cell| cell.loads(guest)).collect());
    let (ingest, egress) = (loads(Guest::Publisher), loads(Guest::Reader));
    let sum = |what: fn(&Cell) -> u64| all.iter().map(what).sum::<u64>();
    let (handed_on, refused, renewals) = (sum(|c| c.handed_on), sum(|c| c.refused), sum(|c| c.renewals));
    let (node_lost, after_node) = lose_a_node(&mut all[0], setup);
    let (cell_lost, after_cell) = lose_a_cell(&cells, &names, &homes);
    #[allow(clippy::cast_precision_loss, reason = "rates")]
    Outcome {
        cells: Spread::of(counts),
        ingest,
        egress,
        handed_on,
        refused,
        claims: (
            f64::from(setup.streams) / setup.rush,
            f64::from(busiest) / setup.rush,
        ),
        renewals: renewals as f64 / setup.rush,
        node_lost,
        after_node,
        cell_lost,
        after_cell,
        cell_added: add_a_cell(&cells, &names, &homes),
    }
}

/// All streams of a cell and their readers, in the order of the numbers, evenly over the rush.
fn fill(cell: &mut Cell, arrivals: &[u32], setup: &Setup) {
    for number in arrivals {
        cell.advance(f64::from(*number) / f64::from(setup.streams) * setup.rush);
        cell.arrive(Guest::Publisher, setup.door);
        for _ in 0..1 + u32::from(number % 10 < setup.second_readers) {
            cell.arrive(Guest::Reader, setup.door);
        }
    }
    cell.advance(setup.rush);
}

/// The first ingest node of a cell dies; its clients come again within 2 s.
fn lose_a_node(cell: &mut Cell, setup: &Setup) -> ((u32, u32, u64), Spread) {
    let (publishers, readers) = cell.kill(0);
    let before = cell.refused;
    for guest in 0..publishers {
        cell.advance(setup.rush + 2.0 * f64::from(guest) / f64::from(publishers.max(1)));
        cell.arrive(Guest::Publisher, setup.door);
    }
    let after = Spread::of(cell.loads(Guest::Publisher));
    ((publishers, readers, cell.refused - before), after)
}

fn lose_a_cell(cells: &Cells, names: &[u64], homes: &[u32]) -> ((u32, u32), Spread) {
    let lost = 0;
    let fewer = cells.without(lost);
    let mut counts = vec![0_u32; cells.numbers().len()];
    let (mut moved, mut needlessly) = (0, 0);
    for (name, home) in names.iter().zip(homes) {
        let now = fewer.of(*name);
        counts[now as usize] += 1;
        moved += u32::from(now != *home);
        needlessly += u32::from(now != *home && *home != lost);
    }
    counts.remove(lost as usize);
    ((moved, needlessly), Spread::of(counts))
}

fn add_a_cell(cells: &Cells, names: &[u64], homes: &[u32]) -> (u32, u32) {
    let new = u32::try_from(cells.numbers().len()).unwrap_or(u32::MAX);
    let more = cells.with(new);
    let (mut moved, mut needlessly) = (0, 0);
    for (name, home) in names.iter().zip(homes) {
        let now = more.of(*name);
        moved += u32::from(now != *home);
        needlessly += u32::from(now != *home && now != new);
    }
    (moved, needlessly)
}
