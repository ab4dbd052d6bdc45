//! How often an address may do something: a token bucket each (a second's worth at once), in a table of bounded size.
//! What is done, and what a refusal says, is each server's business.

use crate::Address;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Most addresses remembered. Some 5 MB.
const MOST: usize = 65_536;

/// The buckets of all addresses.
#[derive(Debug, Default)]
pub struct Rates(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    buckets: HashMap<Address, Bucket>,
    /// Of all addresses that the table has no room for.
    rest: Option<Bucket>,
}

/// What is left of an address's allowance, as of a moment.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn full(per_second: f64, now: Instant) -> Self {
        Self {
            tokens: per_second,
            at: now,
        }
    }

    fn refill(&mut self, per_second: f64, now: Instant) {
        let more = now.saturating_duration_since(self.at).as_secs_f64() * per_second;
        self.tokens = (self.tokens + more).min(per_second);
        self.at = now;
    }

    fn take(&mut self, per_second: f64, now: Instant) -> Result<(), Duration> {
        self.refill(per_second, now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.tokens) / per_second))
    }
}

impl Rates {
    /// Once more for this address, at so many per second; 0: no limit.
    ///
    /// # Errors
    /// When it has used up what it may; says in what time there is one more.
    pub fn take(&self, ip: IpAddr, per_second: u32) -> Result<(), Duration> {
        if per_second == 0 {
            return Ok(());
        }
        let (rate, now) = (f64::from(per_second), Instant::now());
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Table { buckets, rest } = &mut *table;
        let address = Address::from(ip);
        if buckets.len() >= MOST && !buckets.contains_key(&address) {
            // A bucket that is full again says nothing more than one that is not there.
            buckets.retain(|_, bucket| now.saturating_duration_since(bucket.at) < Duration::from_secs(1));
        }
        // overflow: addresses that find the table full share one allowance.
        let bucket = if buckets.len() >= MOST && !buckets.contains_key(&address) {
            rest.get_or_insert_with(|| Bucket::full(rate, now))
        } else {
            buckets.entry(address).or_insert_with(|| Bucket::full(rate, now))
        };
        bucket.take(rate, now)
    }

    /// How many addresses are remembered.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .buckets
            .len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_may_so_often_in_a_second_and_no_more() {
        let rates = Rates::default();
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for _ in 0..5 {
            rates.take(a, 5).unwrap();
        }
        let wait = rates.take(a, 5).unwrap_err();
        assert!(
            wait > Duration::from_millis(190) && wait <= Duration::from_millis(200),
            "{wait:?}"
        );
        rates.take(b, 5).unwrap();
        rates.take(a, 0).unwrap();
        tokio::time::advance(Duration::from_millis(210)).await;
        rates.take(a, 5).unwrap();
        rates.take(a, 5).unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded_and_forgets_who_is_quiet() {
        let rates = Rates::default();
        let ip = |n: u32| IpAddr::from(n.to_be_bytes());
        for n in 0..MOST as u32 {
            rates.take(ip(n), 1).unwrap();
        }
        // No room: the strangers share one allowance.
        rates.take(ip(u32::MAX), 1).unwrap();
        rates.take(ip(u32::MAX - 1), 1).unwrap_err();
        assert_eq!(rates.addresses(), MOST);
        rates.take(ip(7), 1).unwrap_err();
        tokio::time::advance(Duration::from_secs(1)).await;
        rates.take(ip(u32::MAX - 1), 1).unwrap();
        assert_eq!(rates.addresses(), 1);
    }
}
