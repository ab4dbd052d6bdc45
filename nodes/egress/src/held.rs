//! Units that came before the ones they follow, kept in order of `seq` while those are asked for.
//! How long to wait, and what to do when the wait is over, is the repair's business.

use std::collections::BTreeMap;
use tokio::time::Instant;
use weft_wire::{AccessUnit, UnitSeq};

/// Most units and bytes kept: a key unit of the largest size and more than a second of anything reasonable.
const MAX_UNITS: usize = 1024;
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The buffer. Bounded by whoever inserts: see [`Held::is_full`].
#[derive(Debug, Default)]
pub(crate) struct Held {
    units: BTreeMap<u64, (AccessUnit, Instant)>,
    bytes: usize,
}

impl Held {
    /// Keeps a unit; false if it is there already.
    pub(crate) fn insert(&mut self, unit: AccessUnit, arrival: Instant) -> bool {
        let bytes = unit.data.len();
        let new = !self.units.contains_key(&unit.seq.0);
        if new {
            self.bytes += bytes;
            self.units.insert(unit.seq.0, (unit, arrival));
        }
        new
    }

    /// Takes the unit with this number.
    pub(crate) fn take(&mut self, seq: UnitSeq) -> Option<AccessUnit> {
        let (unit, _) = self.units.remove(&seq.0)?;
        self.bytes -= unit.data.len();
        Some(unit)
    }

    /// Drops all before this number; says how many.
    pub(crate) fn drop_before(&mut self, seq: UnitSeq) -> u64 {
        let kept = self.units.split_off(&seq.0);
        let dropped = std::mem::replace(&mut self.units, kept);
        self.bytes -= dropped.values().map(|(u, _)| u.data.len()).sum::<usize>();
        dropped.len() as u64
    }

    /// Number and arrival of the first one.
    pub(crate) fn first(&self) -> Option<(UnitSeq, Instant)> {
        let (seq, (_, arrival)) = self.units.first_key_value()?;
        Some((UnitSeq(*seq), *arrival))
    }

    /// The first one that decoding can start at.
    pub(crate) fn first_key(&self) -> Option<UnitSeq> {
        self.units
            .values()
            .find(|(unit, _)| unit.is_key())
            .map(|(unit, _)| unit.seq)
    }

    /// The last number that is missing between those kept, or before the first; `None` when nothing is kept.
    pub(crate) fn last_missing(&self) -> Option<UnitSeq> {
        let mut run = self.units.last_key_value().map(|(seq, _)| *seq)?;
        for seq in self.units.keys().rev() {
            if run.saturating_sub(*seq) > 1 {
                break;
            }
            run = *seq;
        }
        Some(UnitSeq(run.saturating_sub(1)))
    }

    /// True when no more may be kept.
    pub(crate) fn is_full(&self) -> bool {
        self.units.len() >= MAX_UNITS || self.bytes >= MAX_BYTES
    }

    /// True when nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.units.clear();
        self.bytes = 0;
    }
}
