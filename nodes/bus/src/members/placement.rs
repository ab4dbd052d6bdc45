//! Two at random, the less full of them first: near the best spread at the price of no agreement.
//! M. Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (IEEE TPDS 12(10), 2001).

use rand::Rng;
use rand::seq::SliceRandom;
use weft_wire::{Guest, NodeName, NodeRecord};

/// Two of `nodes` at random, the less full first.
#[must_use]
pub fn two_choices(
    mut nodes: Vec<(NodeName, NodeRecord)>,
    guest: Guest,
    dice: &mut impl Rng,
) -> Vec<(NodeName, NodeRecord)> {
    let (chosen, _) = nodes.partial_shuffle(dice, 2);
    chosen.sort_by(|a, b| a.1.fullness(guest).total_cmp(&b.1.fullness(guest)));
    chosen.to_vec()
}
