//! Two at random, the less full of them first: near the best spread at the price of no agreement.
//! M. Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (IEEE TPDS 12(10), 2001).

use crate::leases::{NodesView, SeenNode};
use rand::Rng;
use rand::seq::SliceRandom;
use std::collections::HashMap;
use tokio::time::Instant;
use weft_wire::{Guest, NodeLoad, NodeName, NodeRecord};

/// From this fullness on a node hands newcomers to a less full one, if there is one.
const SOFT: f64 = 0.8;
/// How much less full that one must be.
const LESS: f64 = 0.1;
/// Tries of an offer.
const CANDIDATES: usize = 3;
/// What a guest is taken to cost where a node carries none yet.
const BITS_PER_GUEST: u64 = 2_000_000;

/// Where a newcomer goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Better {
    /// It stays here.
    Stay,
    /// It is offered to these, in this order.
    Offer {
        /// At most three; none where nobody has a place.
        candidates: Vec<(NodeName, NodeRecord)>,
        /// This node cannot take it itself: where no candidate does, the newcomer is told to come again later. Otherwise it
        /// stays here then.
        must: bool,
    },
}

fn less_full_first(nodes: &mut [(NodeName, NodeRecord)], guest: Guest) {
    nodes.sort_by(|a, b| a.1.fullness(guest).total_cmp(&b.1.fullness(guest)));
}

/// What was sent to a node since it was last heard of.
#[derive(Debug, Clone, Copy)]
struct Sent {
    /// When it was last heard of: a later word says more than what is counted here.
    heard: Instant,
    publishers: u32,
    readers: u32,
    refused: bool,
}

/// Chooses nodes, and remembers whom it chose until they are heard of again. [`super::Members`] has one; simulations have
/// their own, with dice of their own.
#[derive(Debug, Default)]
pub struct Chooser {
    sent: HashMap<NodeName, Sent>,
}

impl Chooser {
    /// As [`super::Members::choose`], among those that `fits` takes.
    pub(super) fn choose(
        &mut self,
        view: &NodesView,
        own: &NodeName,
        guest: Guest,
        except: &[NodeName],
        fits: impl Fn(&NodeRecord) -> bool,
        dice: &mut impl Rng,
    ) -> Vec<(NodeName, NodeRecord)> {
        self.pick(view, own, guest, except, fits, 2, dice)
    }

    /// As [`super::Members::better`], by the record and the view given.
    pub fn better(
        &mut self,
        record: &NodeRecord,
        view: &NodesView,
        own: &NodeName,
        guest: Guest,
        except: &[NodeName],
        dice: &mut impl Rng,
    ) -> Better {
        let fullness = record.fullness(guest);
        let must = record.draining || fullness >= 1.0;
        if !must && fullness < SOFT {
            return Better::Stay;
        }
        let fits = |other: &NodeRecord| {
            let other = other.fullness(guest);
            must || (other < SOFT && other <= fullness - LESS)
        };
        let candidates = self.pick(view, own, guest, except, fits, CANDIDATES, dice);
        if candidates.is_empty() && !must {
            return Better::Stay;
        }
        Better::Offer { candidates, must }
    }

    /// `node` refused: it is not chosen until it is heard of again.
    pub fn refused(&mut self, view: &NodesView, node: &NodeName) {
        if let Some(seen) = view.nodes.get(node) {
            self.sent_to(node, seen).refused = true;
        }
    }

    /// At most `most` at random: the less full of the first two, the other, and the rest as the dice fell.
    #[allow(clippy::too_many_arguments, reason = "one place for the two uses above")]
    fn pick(
        &mut self,
        view: &NodesView,
        own: &NodeName,
        guest: Guest,
        except: &[NodeName],
        fits: impl Fn(&NodeRecord) -> bool,
        most: usize,
        dice: &mut impl Rng,
    ) -> Vec<(NodeName, NodeRecord)> {
        self.sent
            .retain(|node, sent| view.nodes.get(node).is_some_and(|seen| seen.heard == sent.heard));
        let others = view.nodes.iter().filter_map(|(name, seen)| {
            let there = name != own && !except.contains(name);
            let record = self.corrected(name, seen).filter(|_| there)?;
            (record.takes(guest) && fits(&record)).then(|| (name.clone(), record))
        });
        let mut others: Vec<_> = others.collect();
        let (chosen, _) = others.partial_shuffle(dice, most);
        let two = chosen.len().min(2);
        less_full_first(&mut chosen[..two], guest);
        let chosen = chosen.to_vec();
        if let Some((first, _)) = chosen.first()
            && let Some(seen) = view.nodes.get(first)
        {
            let sent = self.sent_to(first, seen);
            match guest {
                Guest::Publisher => sent.publishers += 1,
                Guest::Reader => sent.readers += 1,
            }
        }
        chosen
    }

    fn sent_to(&mut self, node: &NodeName, seen: &SeenNode) -> &mut Sent {
        let nothing = Sent {
            heard: seen.heard,
            publishers: 0,
            readers: 0,
            refused: false,
        };
        let sent = self.sent.entry(node.clone()).or_insert(nothing);
        if sent.heard != seen.heard {
            *sent = nothing;
        }
        sent
    }

    /// The node's record with what was sent to it since; `None` if it refused.
    fn corrected(&self, node: &NodeName, seen: &SeenNode) -> Option<NodeRecord> {
        let Some(sent) = self.sent.get(node) else {
            return Some(seen.record.clone());
        };
        if sent.refused {
            return None;
        }
        let mut record = seen.record.clone();
        let load = &mut record.load;
        let guests = u64::from(sent.publishers) + u64::from(sent.readers);
        let bits = guests.saturating_mul(bits_per_guest(load));
        load.publishers = load.publishers.saturating_add(sent.publishers);
        load.readers = load.readers.saturating_add(sent.readers);
        load.bits_per_second = load.bits_per_second.saturating_add(bits);
        Some(record)
    }
}

/// What one more guest will cost: as much as those who are there do on average.
fn bits_per_guest(load: &NodeLoad) -> u64 {
    let guests = u64::from(load.publishers) + u64::from(load.readers);
    load.bits_per_second
        .checked_div(guests)
        .filter(|bits| *bits > 0)
        .unwrap_or(BITS_PER_GUEST)
}
