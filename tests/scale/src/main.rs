//! Prints what the simulation of a million streams gives, as the table in `docs/scaling.md`.
//! What is simulated is the library's business.

use std::io::Write as _;
use weft_scale::{Door, Outcome, Setup, Spread, run};

fn main() {
    let any = Setup::million(Door::Any);
    let mut text = format!(
        "{} streams, {} cells of {} ingest and {} egress nodes, all within {} s\n",
        any.streams, any.cells, any.plan.ingest, any.plan.egress, any.rush
    );
    let doors = [("any node", any), ("one address", Setup::million(Door::One))];
    for (door, setup) in doors {
        text += &format!("\nclients knock at {door}\n{}", table(&run(&setup)));
    }
    // A pipe whose reader has left is no reason to complain.
    drop(std::io::stdout().write_all(text.as_bytes()));
}

fn table(o: &Outcome) -> String {
    let mut text = String::new();
    let mut row = |what: &str, value: String| text += &format!("| {what} | {value} |\n");
    row("streams per cell (least / median / most)", spread(o.cells));
    row("publishers per ingest node", spread(o.ingest));
    row("readers per egress node", spread(o.egress));
    row("handed on / refused", format!("{} / {}", o.handed_on, o.refused));
    row(
        "claims a second: all / busiest cell",
        format!("{:.0} / {:.1}", o.claims.0, o.claims.1),
    );
    row("lease renewals a second: all", format!("{:.0}", o.renewals));
    row(
        "an ingest node lost: its publishers come again / refused",
        format!("{} / {}", o.node_lost.0, o.node_lost.2),
    );
    row(
        "publishers per ingest node of that cell then",
        spread(o.after_node),
    );
    row(
        "a cell lost: names that move / of other cells",
        format!("{} / {}", o.cell_lost.0, o.cell_lost.1),
    );
    row("streams per cell then", spread(o.after_cell));
    row(
        "a cell added: names that move / to older cells",
        format!("{} / {}", o.cell_added.0, o.cell_added.1),
    );
    text
}

fn spread(s: Spread) -> String {
    format!("{} / {} / {}", s.least, s.median, s.most)
}
