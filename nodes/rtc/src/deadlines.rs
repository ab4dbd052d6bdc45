//! When each peer wants to be called next: one entry per peer, the earliest first, no scanning.
//! A peer whose deadline moves later keeps its entry and is asked again when that one comes.

use std::collections::BTreeSet;
use tokio::time::Instant;

/// The shard's timetable.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    entries: BTreeSet<(Instant, u64)>,
}

impl Deadlines {
    /// Sets `peer`'s entry to `at` if that is earlier than the one it has; returns the entry that now stands.
    pub(crate) fn earlier(&mut self, peer: u64, standing: Option<Instant>, at: Instant) -> Option<Instant> {
        match standing {
            Some(s) if s <= at => Some(s),
            Some(s) => {
                self.entries.remove(&(s, peer));
                self.entries.insert((at, peer));
                Some(at)
            }
            None => {
                self.entries.insert((at, peer));
                Some(at)
            }
        }
    }

    /// Takes out the first peer whose entry is due.
    pub(crate) fn due(&mut self, now: Instant) -> Option<u64> {
        let (at, peer) = *self.entries.first()?;
        if at > now {
            return None;
        }
        self.entries.pop_first();
        Some(peer)
    }

    /// Forgets a peer.
    pub(crate) fn remove(&mut self, peer: u64, standing: Option<Instant>) {
        if let Some(at) = standing {
            self.entries.remove(&(at, peer));
        }
    }

    /// The earliest entry.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.entries.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_peer_has_one_entry_and_it_only_moves_earlier() {
        let now = Instant::now();
        let ms = |n| now + Duration::from_millis(n);
        let mut d = Deadlines::default();
        let mut standing = None;
        for at in [100, 50, 70, 60, 50] {
            standing = d.earlier(1, standing, ms(at));
        }
        assert_eq!((standing, d.entries.len()), (Some(ms(50)), 1));
        d.earlier(2, None, ms(40));
        assert_eq!(d.next(), Some(ms(40)));
        assert_eq!(d.due(ms(39)), None);
        assert_eq!(
            (d.due(ms(60)), d.due(ms(60)), d.due(ms(60))),
            (Some(2), Some(1), None)
        );
        let standing = d.earlier(3, None, ms(10));
        d.remove(3, standing);
        assert_eq!(d.next(), None);
    }
}
