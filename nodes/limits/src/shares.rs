//! How many of something each address has, and no more than it may: publishers and readers of a node, for instance.
//! What it has is the holder's business; letting go of the share counts it down.

use crate::Address;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What each address has; cheap to clone, clones are one.
#[derive(Debug, Clone, Default)]
pub struct Shares(Arc<Mutex<HashMap<Address, usize>>>);

/// One of what an address has, until it is dropped.
#[derive(Debug)]
pub struct Share {
    shares: Shares,
    address: Address,
}

impl Shares {
    fn lock(&self) -> MutexGuard<'_, HashMap<Address, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more for this address; `None` when it has `most` already. 0: no limit.
    #[must_use]
    pub fn take(&self, ip: IpAddr, most: usize) -> Option<Share> {
        let address = Address::from(ip);
        // Bounded by what is held: an address without a share has no entry.
        let mut map = self.lock();
        let has = map.entry(address).or_default();
        if most > 0 && *has >= most {
            return None;
        }
        *has += 1;
        Some(Share {
            shares: self.clone(),
            address,
        })
    }

    /// How many addresses have something.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.lock().len()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut map = self.shares.lock();
        if let Some(has) = map.get_mut(&self.address) {
            *has -= 1;
            if *has == 0 {
                map.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_what_it_may_and_gets_back_what_it_lets_go() {
        let shares = Shares::default();
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let first = shares.take(a, 2).unwrap();
        let _second = shares.take(a, 2).unwrap();
        assert!(shares.take(a, 2).is_none());
        assert!(shares.take(a, 0).is_some());
        assert!(shares.take(b, 2).is_some());
        drop(first);
        assert!(shares.take(a, 2).is_some());
        assert_eq!(shares.addresses(), 1);
    }
}
