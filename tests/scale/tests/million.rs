//! What must hold when a million streams arrive at once. The figures themselves are printed by `cargo run -p weft-scale`;
//! here are the bounds that a fault in placement or hashing would break.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use weft_scale::{Door, Outcome, Setup, run};

fn holds(setup: &Setup, o: &Outcome) {
    let mean = setup.streams / setup.cells;
    assert_eq!(o.refused, 0, "{o:?}");
    // Hashing alone: within five standard deviations (square root of the mean) of the mean.
    assert!(
        o.cells.most < mean + 5 * mean.isqrt() && o.cells.least > mean - 5 * mean.isqrt(),
        "{o:?}"
    );
    assert!(
        o.ingest.most <= setup.plan.publishers && o.egress.most <= setup.plan.readers,
        "{o:?}"
    );
    assert_eq!(o.node_lost.2, 0, "everybody of a lost node finds a place: {o:?}");
    assert!(
        o.node_lost.0 > 0 && o.after_node.most <= setup.plan.publishers,
        "{o:?}"
    );
    assert_eq!(o.cell_lost.1, 0, "only the names of the lost cell move: {o:?}");
    assert_eq!(o.cell_added.1, 0, "names move to the new cell only: {o:?}");
    let share = setup.streams / (setup.cells + 1);
    assert!(o.cell_added.0.abs_diff(share) < 5 * share.isqrt(), "{o:?}");
    // One write per claim, one per node every 4 s: nothing per stream while it lives.
    let nodes = f64::from(setup.cells) * f64::from(u32::try_from(setup.plan.nodes()).unwrap());
    assert!(o.renewals <= nodes / 4.0 * 1.05, "{o:?}");
}

#[test]
fn with_any_node_in_front_all_find_a_place_and_nodes_are_evenly_full() {
    let setup = Setup::million(Door::Any);
    let o = run(&setup);
    holds(&setup, &o);
    assert!(o.ingest.most < o.ingest.median * 13 / 10, "{o:?}");
}

#[test]
fn with_one_address_in_front_all_find_a_place_too() {
    let setup = Setup::million(Door::One);
    let o = run(&setup);
    holds(&setup, &o);
    assert!(o.handed_on > u64::from(setup.streams) / 2, "{o:?}");
}
