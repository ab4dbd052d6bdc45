//! A million streams on cells of nodes, by simulation: where they go, what a loss moves, what is written meanwhile.
//! The placement is the product's code; the arithmetic around it, with its limits, is in `docs/scaling.md`.

pub mod cell;
pub mod cells;
pub mod rush;

pub use cell::{Door, Plan};
pub use rush::{Outcome, Setup, Spread, run};
