//! Which node sees to a stream that comes on demand, or to a path that one node must see to: all nodes give the same answer
//! as long as they see the same nodes. D. Thaler, C. Ravishankar, Using Name-Based Mappings to Increase Hit Rates (1998).

use super::Members;
use weft_wire::{NodeName, NodeRecord, NodeRole, StreamName};

/// True for a node that takes publishers and goes on doing so.
fn fits(record: &NodeRecord) -> bool {
    !record.draining && matches!(record.role, NodeRole::Standalone | NodeRole::Ingest)
}

/// A node's weight for a stream: evenly spread, and the same everywhere (FNV-1a, then mixed).
fn weight(node: &NodeName, stream: &StreamName) -> u64 {
    let bytes = node.as_str().bytes().chain([0]).chain(stream.as_str().bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

impl Members {
    /// The nodes that take publishers in the order in which they see to a stream; this one is among them if it does.
    #[must_use]
    pub fn in_charge_of(&self, stream: &StreamName) -> Vec<NodeName> {
        let view = self.view();
        let others = view.nodes.iter().filter(|(node, _)| *node != self.node());
        let mut nodes: Vec<NodeName> = others
            .filter(|(_, seen)| fits(&seen.record))
            .map(|(node, _)| node.clone())
            .collect();
        if fits(&self.own()) {
            nodes.push(self.node().clone());
        }
        nodes.sort_by_key(|node| std::cmp::Reverse(weight(node, stream)));
        nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn streams_are_spread_evenly_and_a_node_that_goes_moves_only_its_own() {
        let name = |n: usize| NodeName::new(format!("node-{n}")).unwrap();
        let first = |nodes: &[usize], stream: &StreamName| {
            let best = nodes.iter().max_by_key(|n| weight(&name(**n), stream));
            *best.unwrap()
        };
        let mut count = HashMap::new();
        for n in 0..3_000 {
            let stream = StreamName::new(format!("exam/cam_{n}")).unwrap();
            let of_three = first(&[0, 1, 2], &stream);
            *count.entry(of_three).or_insert(0_u32) += 1;
            if of_three != 2 {
                assert_eq!(first(&[0, 1], &stream), of_three);
            }
        }
        assert!(count.values().all(|n| (850..1150).contains(n)), "{count:?}");
    }
}
