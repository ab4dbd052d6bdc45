//! Old names of a path's keys.
//! Those of the keys above paths are in `old_global`.

use super::{Told, inverted};
use crate::tree::Block;

/// Old names and what they are called now.
const RENAMED: [(&str, &str); 5] = [
    ("runOnReady", "runOnAvailable"),
    ("runOnReadyRestart", "runOnAvailableRestart"),
    ("runOnNotReady", "runOnUnavailable"),
    ("sourceProtocol", "rtspTransport"),
    ("sourceAnyPortEnable", "rtspAnyPort"),
];

/// Rewrites a path, or the path defaults.
pub(crate) fn path(block: &mut Block, told: &mut Told) {
    // The API shows it; it is the key that the path stands under.
    block.take("name");
    for (old, new) in RENAMED {
        told.renamed(block, old, new);
    }
    if let Some(entry) = block.take("disablePublisherOverride") {
        told.note(
            "disablePublisherOverride: an old name; write 'overridePublisher', which means the opposite"
                .to_owned(),
        );
        let node = inverted(entry.node);
        told.put(block, "disablePublisherOverride", "overridePublisher", node);
    }
}
