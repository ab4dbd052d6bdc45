//! Addresses that show wrong credentials too often must wait, alone; each wrong login is answered after a pause.
//! What is wrong is judged elsewhere.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Failures are counted in this time, from an address's first.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are watched.
const ADDRESSES: usize = 16 * 1024;
/// Answers that wait at once.
const PAUSES: usize = 256;
/// A pause is this long, half of it more or less.
const PAUSE: Duration = Duration::from_secs(2);

/// Who has failed how often.
#[derive(Debug)]
pub(crate) struct Throttle {
    state: Mutex<State>,
    pauses: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    failed: HashMap<IpAddr, (Instant, u32)>,
    /// In the order of their first failures, which is that of their ends.
    order: VecDeque<(Instant, IpAddr)>,
}

/// What counts as one address: of IPv6, a whole network as one customer has it.
pub(crate) fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & !u128::from(u64::MAX)).into()),
        ip => ip,
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            pauses: Semaphore::new(PAUSES),
        }
    }
}

impl Throttle {
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget(Instant::now(), ADDRESSES);
        state
    }

    /// How long an address must wait; `limit` failures are allowed in a minute, 0: any number.
    pub(crate) fn wait(&self, ip: IpAddr, limit: u32) -> Option<Duration> {
        let state = self.lock();
        let (first, count) = state.failed.get(&network(ip))?;
        let over = limit > 0 && *count >= limit;
        over.then(|| (*first + WINDOW).saturating_duration_since(Instant::now()))
    }

    /// Notes a failure.
    pub(crate) fn failed(&self, ip: IpAddr) {
        let now = Instant::now();
        let ip = network(ip);
        let mut state = self.lock();
        if let Some((_, count)) = state.failed.get_mut(&ip) {
            *count = count.saturating_add(1);
            return;
        }
        // overflow: the address that failed first is forgotten, soon before its time.
        state.forget(now, ADDRESSES - 1);
        state.failed.insert(ip, (now, 1));
        state.order.push_back((now, ip));
    }

    /// Lets some time pass; false when too many do already, and none has passed.
    pub(crate) async fn pause(&self) -> bool {
        // overflow: answered at once; the caller counts it.
        let Ok(_pause) = self.pauses.try_acquire() else {
            return false;
        };
        tokio::time::sleep(PAUSE.mul_f64(rand::random_range(0.5..1.5))).await;
        true
    }
}

impl State {
    fn forget(&mut self, now: Instant, most: usize) {
        while let Some((first, ip)) = self.order.front().copied() {
            if now < first + WINDOW && self.order.len() <= most {
                break;
            }
            self.order.pop_front();
            self.failed.remove(&ip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_waits_until_its_minute_is_over_and_nobody_else_does() {
        let throttle = Throttle::default();
        for _ in 0..3 {
            assert_eq!(throttle.wait(ip("10.0.0.1"), 3), None);
            throttle.failed(ip("10.0.0.1"));
            tokio::time::advance(Duration::from_secs(10)).await;
        }
        assert_eq!(throttle.wait(ip("10.0.0.1"), 3), Some(Duration::from_secs(30)));
        assert_eq!(
            throttle.wait(ip("::ffff:10.0.0.1"), 3),
            Some(Duration::from_secs(30))
        );
        assert_eq!(throttle.wait(ip("10.0.0.2"), 3), None);
        assert_eq!(throttle.wait(ip("10.0.0.1"), 0), None);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(throttle.wait(ip("10.0.0.1"), 3), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_is_one_address() {
        let throttle = Throttle::default();
        throttle.failed(ip("2001:db8::1"));
        assert!(throttle.wait(ip("2001:db8::2"), 1).is_some());
        assert!(throttle.wait(ip("2001:db8:0:1::1"), 1).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_are_bounded() {
        let throttle = Throttle::default();
        let all = ADDRESSES as u32 + 10;
        for n in 0..all {
            throttle.failed(Ipv4Addr::from(n).into());
        }
        assert_eq!(throttle.lock().failed.len(), ADDRESSES);
        assert_eq!(throttle.lock().order.len(), ADDRESSES);
        assert!(throttle.wait(Ipv4Addr::from(all - 1).into(), 1).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_run_side_by_side_and_are_bounded() {
        let throttle = Throttle::default();
        let began = Instant::now();
        let all = futures::future::join_all((0..PAUSES + 5).map(|_| throttle.pause())).await;
        assert_eq!(all.iter().filter(|paused| **paused).count(), PAUSES);
        let took = began.elapsed();
        assert!(
            took > Duration::from_secs(1) && took <= Duration::from_millis(3100),
            "{took:?}"
        );
    }
}
