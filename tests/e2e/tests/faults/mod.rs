//! What breaks and what must happen then: real nodes on a real NATS cluster, ten streams with two readers each, and one fault
//! after the other, each followed by a return to a state in which all is well. The bounds are those of docs/fabric.md.

mod cluster;
mod fabric;
mod live;
mod rolling;
mod single;
mod table;
mod vanish;

use anyhow::{Result, ensure};
use std::time::Duration;
use table::Row;

/// Two cores carry all nodes, servers, publishers and readers of these tests: so late may a picture be although nothing that
/// it depends on was touched.
const NOISE: Duration = Duration::from_millis(300);

const fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// What holds after every fault, whatever its bound: nothing stale, nothing backwards, nobody else disturbed.
fn disturbs_nobody_else(row: &Row) -> Result<()> {
    ensure!(
        row.stale == 0,
        "{}: {} pictures older than 1 s",
        row.name,
        row.stale
    );
    ensure!(row.back == 0, "{}: time went back {} times", row.name, row.back);
    ensure!(
        row.closed == 0,
        "{}: {} sessions of untouched nodes were closed",
        row.name,
        row.closed
    );
    ensure!(
        row.lost == 0,
        "{}: {} sessions of publishers were lost",
        row.name,
        row.lost
    );
    ensure!(
        row.others <= NOISE,
        "{}: a reader not in its way had no picture for {:?}",
        row.name,
        row.others
    );
    Ok(())
}

/// The bound on the middle one of the worst readers of all repetitions.
fn within(row: &Row, bound: Duration) -> Result<()> {
    ensure!(row.readers > 0, "{}: nobody was in its way", row.name);
    let gap = row.median_worst();
    ensure!(gap <= bound, "{}: {gap:?}, more than {bound:?}", row.name);
    disturbs_nobody_else(row)
}

/// Checks all rows before it fails, so that one run tells everything.
fn all(checks: Vec<Result<()>>) -> Result<()> {
    let failed: Vec<String> = checks
        .into_iter()
        .filter_map(|check| check.err().map(|error| format!("{error:#}")))
        .collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}
