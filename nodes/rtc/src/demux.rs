//! Who a datagram is for (RFC 7983, RFC 8445 §7.3): by learnt source address, or by the user fragment of a check.
//! An address is learnt only from a check whose integrity was proved, so spoofed packets can neither insert nor steal.

use crate::remote::Remote;
use crate::tcp::Directory;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Addresses kept of one peer; more appear only when it roams.
const MOST_ADDRESSES: usize = 8;
/// Addresses learnt of one peer in its life. The core keeps each, so whoever replays a check from many ports must not
/// make it grow for ever.
const MOST_LEARNT: usize = 64;
/// An address may pass to another peer once its owner has been silent for so long: a publisher that reconnects from the
/// same port must not wait for its old session to fail.
const SILENCE: Duration = Duration::from_secs(2);

/// What a datagram is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Stun,
    Dtls,
    Media,
    Junk,
}

/// Longest datagram looked at; real ones fit an Ethernet frame, some loopback ones do not.
const LONGEST: usize = 4096;

impl Kind {
    pub(crate) fn of(datagram: &[u8]) -> Self {
        match datagram {
            _ if datagram.len() > LONGEST => Self::Junk,
            [0..=3, ..] => Self::Stun,
            [20..=63, ..] => Self::Dtls,
            [128..=191, ..] => Self::Media,
            _ => Self::Junk,
        }
    }
}

#[derive(Debug)]
struct Route {
    peer: u64,
    heard: Instant,
}

/// The tables of one shard.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    by_ufrag: HashMap<String, u64>,
    by_address: HashMap<Remote, Route>,
    addresses: HashMap<u64, Addresses>,
    /// Addresses that lead to nobody any more, since they were last asked for.
    forgotten: Vec<Remote>,
    /// Where other threads find the shard of a user fragment.
    directory: Directory,
    shard: usize,
}

#[derive(Debug, Default)]
struct Addresses {
    kept: Vec<Remote>,
    learnt: usize,
}

impl Demux {
    /// Empty tables; user fragments are written into `directory` too, as those of shard `shard`.
    pub(crate) fn new(directory: Directory, shard: usize) -> Self {
        Self {
            directory,
            shard,
            ..Self::default()
        }
    }

    /// A peer is known by its user fragment from now on, and by no earlier one: checks that name it carry a password
    /// that is void, and a peer may restart ICE as often as it likes.
    pub(crate) fn add_ufrag(&mut self, ufrag: String, peer: u64) {
        self.forget_ufrags(peer);
        self.directory.add(ufrag.clone(), self.shard);
        self.by_ufrag.insert(ufrag, peer);
    }

    /// The peer a check is for.
    pub(crate) fn by_ufrag(&self, ufrag: &str) -> Option<u64> {
        self.by_ufrag.get(ufrag).copied()
    }

    /// The peer that was proved to send from this address.
    pub(crate) fn by_address(&mut self, address: Remote, now: Instant) -> Option<u64> {
        let route = self.by_address.get_mut(&address)?;
        route.heard = now;
        Some(route.peer)
    }

    /// `peer` has proved that it sends from `address`. `chosen` is where its media goes, which is never forgotten for
    /// another. False: the address belongs to another peer that is alive, or this one has had too many.
    pub(crate) fn learn(&mut self, address: Remote, peer: u64, chosen: Option<Remote>, now: Instant) -> bool {
        if self.addresses.get(&peer).is_some_and(|a| a.learnt >= MOST_LEARNT)
            && self.by_address.get(&address).is_none_or(|r| r.peer != peer)
        {
            return false;
        }
        match self.by_address.get_mut(&address) {
            Some(route) if route.peer == peer => {
                route.heard = now;
                return true;
            }
            Some(route) if now.saturating_duration_since(route.heard) < SILENCE => return false,
            Some(route) => {
                if let Some(old) = self.addresses.get_mut(&route.peer) {
                    old.kept.retain(|a| *a != address);
                }
            }
            None => {}
        }
        self.by_address.insert(address, Route { peer, heard: now });
        let addresses = self.addresses.entry(peer).or_default();
        addresses.learnt += 1;
        addresses.kept.push(address);
        if addresses.kept.len() > MOST_ADDRESSES {
            let heard = |i: &usize| self.by_address.get(&addresses.kept[*i]).map(|r| r.heard);
            let silent = (0..MOST_ADDRESSES)
                .filter(|i| Some(addresses.kept[*i]) != chosen)
                .min_by_key(heard);
            if let Some(i) = silent {
                let silent = addresses.kept.swap_remove(i);
                self.by_address.remove(&silent);
                self.forgotten.push(silent);
            }
        }
        true
    }

    /// Forgets a peer.
    pub(crate) fn remove(&mut self, peer: u64) {
        self.forget_ufrags(peer);
        for address in self.addresses.remove(&peer).unwrap_or_default().kept {
            self.by_address.remove(&address);
            self.forgotten.push(address);
        }
    }

    /// Forgets an address: its connection is gone.
    pub(crate) fn forget(&mut self, address: Remote) {
        let peer = self.by_address.remove(&address).map(|route| route.peer);
        if let Some(addresses) = peer.and_then(|peer| self.addresses.get_mut(&peer)) {
            addresses.kept.retain(|kept| *kept != address);
        }
    }

    /// The addresses that lead to nobody any more, each once.
    pub(crate) fn take_forgotten(&mut self) -> Vec<Remote> {
        std::mem::take(&mut self.forgotten)
    }

    fn forget_ufrags(&mut self, peer: u64) {
        let (by_ufrag, directory) = (&mut self.by_ufrag, &self.directory);
        by_ufrag.retain(|ufrag, p| {
            if *p == peer {
                directory.remove(ufrag);
            }
            *p != peer
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn address(port: u16) -> Remote {
        Remote::udp(SocketAddr::from(([192, 0, 2, 1], port)))
    }

    #[test]
    fn a_living_peer_keeps_its_address_and_a_silent_one_loses_it() {
        let now = Instant::now();
        let mut d = Demux::default();
        assert!(d.learn(address(1), 1, None, now));
        assert!(!d.learn(address(1), 2, None, now + Duration::from_secs(1)));
        assert_eq!(d.by_address(address(1), now + Duration::from_secs(1)), Some(1));
        assert!(d.learn(address(1), 2, None, now + Duration::from_secs(4)));
        assert_eq!(d.by_address(address(1), now), Some(2));
        d.remove(1);
        assert_eq!(d.by_address(address(1), now), Some(2));
    }

    #[test]
    fn a_removed_peer_leaves_nothing_behind_and_roaming_is_bounded() {
        let now = Instant::now();
        let mut d = Demux::default();
        d.add_ufrag("u".into(), 1);
        let learnt = (1..1000u16).filter(|port| {
            let now = now + Duration::from_millis(u64::from(*port));
            d.learn(address(*port), 1, Some(address(1)), now)
        });
        assert_eq!(learnt.count(), MOST_LEARNT);
        assert_eq!(
            (d.by_address.len(), d.by_address(address(1), now)),
            (MOST_ADDRESSES, Some(1))
        );
        d.remove(1);
        assert!(d.by_ufrag.is_empty() && d.by_address.is_empty() && d.addresses.is_empty());
    }

    #[test]
    fn udp_and_tcp_of_one_address_are_two_ways_and_a_connection_that_is_gone_leads_nowhere() {
        let now = Instant::now();
        let mut d = Demux::default();
        let by_tcp = Remote::tcp(address(1).address);
        assert!(d.learn(address(1), 1, None, now) && d.learn(by_tcp, 2, None, now));
        assert_eq!(
            (d.by_address(address(1), now), d.by_address(by_tcp, now)),
            (Some(1), Some(2))
        );
        d.forget(by_tcp);
        assert_eq!(d.by_address(by_tcp, now), None);
        d.remove(2);
        d.remove(1);
        assert_eq!(d.take_forgotten(), [address(1)]);
        assert!(d.take_forgotten().is_empty());
    }

    #[test]
    fn the_directory_knows_the_shard_of_each_peer_until_it_is_gone() {
        let directory = Directory::default();
        let mut d = Demux::new(directory.clone(), 3);
        d.add_ufrag("old".into(), 1);
        d.add_ufrag("new".into(), 1);
        assert_eq!((directory.shard("old"), directory.shard("new")), (None, Some(3)));
        d.remove(1);
        assert_eq!(directory.shard("new"), None);
    }

    #[test]
    fn a_peer_that_restarts_ice_for_ever_is_known_by_its_last_user_fragment() {
        let mut d = Demux::default();
        d.add_ufrag("other".into(), 2);
        for n in 0..100 {
            d.add_ufrag(n.to_string(), 1);
        }
        assert_eq!(d.by_ufrag.len(), 2);
        assert_eq!(
            [d.by_ufrag("98"), d.by_ufrag("99"), d.by_ufrag("other")],
            [None, Some(1), Some(2)]
        );
    }

    #[test]
    fn the_first_byte_tells_the_protocols_apart() {
        let kinds = [0, 4, 19, 20, 63, 64, 127, 128, 191, 192].map(|b| Kind::of(&[b]));
        use Kind::{Dtls, Junk, Media, Stun};
        assert_eq!(
            kinds,
            [Stun, Junk, Junk, Dtls, Dtls, Junk, Junk, Media, Media, Junk]
        );
        assert_eq!((Kind::of(&[]), Kind::of(&[128; LONGEST + 1])), (Junk, Junk));
    }
}
