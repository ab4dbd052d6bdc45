//! Which cell a name belongs to: rendezvous hashing, so that a cell that comes or goes moves its own names only.
//! D. Thaler, C. Ravishankar, Using Name-Based Mappings to Increase Hit Rates (IEEE/ACM ToN 6(1), 1998).

use std::hash::{Hash, Hasher};

/// The cells there are, by number.
#[derive(Debug, Clone)]
pub struct Cells(Vec<u32>);

impl Cells {
    /// Cells 0 to `count` - 1.
    #[must_use]
    pub fn new(count: u32) -> Self {
        Self((0..count).collect())
    }

    /// Their numbers.
    #[must_use]
    pub fn numbers(&self) -> &[u32] {
        &self.0
    }

    /// The same without one.
    #[must_use]
    pub fn without(&self, lost: u32) -> Self {
        Self(self.0.iter().copied().filter(|cell| *cell != lost).collect())
    }

    /// The same with one more.
    #[must_use]
    pub fn with(&self, new: u32) -> Self {
        Self(self.0.iter().copied().chain([new]).collect())
    }

    /// The cell of a name: the one whose hash together with the name's is highest.
    ///
    /// # Panics
    /// Without any cell.
    #[must_use]
    pub fn of(&self, name: u64) -> u32 {
        let best = self
            .0
            .iter()
            .copied()
            .max_by_key(|cell| mix(name, u64::from(*cell)));
        best.expect("there is a cell")
    }
}

/// The hash of a name as text.
#[must_use]
pub fn hash(name: &str) -> u64 {
    // Fixed keys: the same on every machine and in every run.
    #[allow(
        deprecated,
        reason = "the one hasher of the standard library that is specified"
    )]
    let mut hasher = std::hash::SipHasher::new_with_keys(0, 0);
    name.hash(&mut hasher);
    hasher.finish()
}

/// Spreads two numbers over 64 bits (the finaliser of SplitMix64).
fn mix(name: u64, cell: u64) -> u64 {
    let mut z = name ^ cell.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_goes_moves_its_own_names_only_and_one_that_comes_takes_its_share_only() {
        let cells = Cells::new(50);
        let names: Vec<u64> = (0..20_000).map(|n| hash(&format!("exam/{n}"))).collect();
        let (fewer, more) = (cells.without(7), cells.with(50));
        for name in &names {
            let (home, less) = (cells.of(*name), fewer.of(*name));
            assert!(home == less || home == 7);
        }
        let moved = names.iter().filter(|n| cells.of(**n) != more.of(**n)).count();
        assert!(
            (250..550).contains(&moved),
            "{moved} of 20,000 to one of 51 cells"
        );
        assert!(names.iter().all(|n| [cells.of(*n), 50].contains(&more.of(*n))));
    }
}
