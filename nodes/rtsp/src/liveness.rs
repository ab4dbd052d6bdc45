//! Signs of life that reach a session from beside its connection: RTCP datagrams from its client's port.
//! Who is too long silent is decided by the session.

use crate::reception::Reception;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// When a session's client was last heard, since the server's start, and what it reported.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    last: AtomicU64,
    pub(crate) reception: Reception,
}

impl Pulse {
    pub(crate) fn beat(&self, now: Duration) {
        self.last
            .fetch_max(u64::try_from(now.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(crate) fn last(&self) -> Duration {
        Duration::from_micros(self.last.load(Relaxed))
    }
}

type Key = (IpAddr, u16);

/// Which session a client's address and RTCP port belong to.
#[derive(Debug, Default)]
pub(crate) struct Pulses(Mutex<HashMap<Key, Arc<Pulse>>>);

impl Pulses {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Pulse>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a client's port for a session; `None` when a living session has it (two at one port would mix).
    pub(crate) fn claim(self: &Arc<Self>, ip: IpAddr, port: u16, pulse: &Arc<Pulse>) -> Option<Claim> {
        let mut map = self.lock();
        if map.contains_key(&(ip, port)) {
            return None;
        }
        map.insert((ip, port), Arc::clone(pulse));
        Some(Claim {
            pulses: Arc::clone(self),
            key: (ip, port),
        })
    }

    /// A datagram came; false when nobody known sent it.
    pub(crate) fn heard(&self, from: SocketAddr, report: &[u8], now: Duration) -> bool {
        match self.lock().get(&(from.ip().to_canonical(), from.port())) {
            Some(pulse) => {
                pulse.beat(now);
                pulse.reception.heard(report);
                true
            }
            None => false,
        }
    }
}

/// A client's port, held until dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    pulses: Arc<Pulses>,
    key: Key,
}

impl Claim {
    /// Holds this port of this client.
    pub(crate) fn is_of(&self, ip: IpAddr, port: u16) -> bool {
        self.key == (ip, port)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.pulses.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_port_belongs_to_one_session_until_it_ends() {
        let (pulses, pulse) = (Arc::new(Pulses::default()), Arc::new(Pulse::default()));
        let ip = IpAddr::from([127, 0, 0, 1]);
        let claim = pulses.claim(ip, 5001, &pulse).unwrap();
        assert!(pulses.claim(ip, 5001, &pulse).is_none());
        assert!(pulses.heard(
            "[::ffff:127.0.0.1]:5001".parse().unwrap(),
            &[],
            Duration::from_secs(3)
        ));
        assert_eq!(pulse.last(), Duration::from_secs(3));
        assert!(!pulses.heard(SocketAddr::new(ip, 5000), &[], Duration::from_secs(9)));
        drop(claim);
        assert!(!pulses.heard(SocketAddr::new(ip, 5001), &[], Duration::from_secs(9)));
    }
}
