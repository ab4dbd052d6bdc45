//! Which shard has the peer of a user fragment: asked once for each new TCP connection, written when peers come and go.
//! Whether a check is really that peer's is for the shard to prove.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The user fragments of all shards; cheap to clone, clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory(Arc<Mutex<HashMap<String, usize>>>);

impl Directory {
    // Held for a look-up, never across a wait.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shard of the peer that is known by this user fragment.
    pub(crate) fn shard(&self, ufrag: &str) -> Option<usize> {
        self.lock().get(ufrag).copied()
    }

    pub(crate) fn add(&self, ufrag: String, shard: usize) {
        self.lock().insert(ufrag, shard);
    }

    pub(crate) fn remove(&self, ufrag: &str) {
        self.lock().remove(ufrag);
    }
}
