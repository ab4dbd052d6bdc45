//! Bits, pictures and losses per second, from counters that only rise while a session lives.
//! Where the counters come from is the fabric's business, how the rates are shown that of `lines`.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;
use tokio::time::Instant;

/// Looks over whose span a rate is taken: long enough that a key picture is no peak, short enough to see a change.
const LOOKS: usize = 3;

/// Counters of something at one look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Bytes that came in.
    pub(crate) received: u64,
    /// Bytes that went out.
    pub(crate) sent: u64,
    /// Pictures that came in.
    pub(crate) pictures: u64,
    /// Packets that came in.
    pub(crate) packets: u64,
    /// Packets that never came.
    pub(crate) lost: u64,
    /// CPU time, in ms.
    pub(crate) cpu_ms: u64,
}

/// What follows from two looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rates {
    /// Bits per second in, to a thousand.
    pub(crate) bits_in: u64,
    /// Bits per second out, to a thousand.
    pub(crate) bits_out: u64,
    /// Pictures per second, to a tenth.
    pub(crate) pictures: f64,
    /// Packets that never came, of all, in per cent, to a hundredth.
    pub(crate) loss: f64,
    /// CPU time in per cent of one core.
    pub(crate) cpu: u64,
}

/// The last looks at many things; `V` tells a thing from another of the same name (a session, a run).
#[derive(Debug)]
pub(crate) struct Looks<K, V>(HashMap<K, (V, VecDeque<(Instant, Counters)>)>);

impl<K, V> Default for Looks<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone, V: PartialEq> Looks<K, V> {
    /// Takes a look; `None`: there is nothing to compare with yet.
    pub(crate) fn look(&mut self, key: &K, of: V, now: Instant, counters: Counters) -> Option<Rates> {
        if !self.0.get(key).is_some_and(|(known, _)| *known == of) {
            self.0.insert(key.clone(), (of, VecDeque::new()));
        }
        let (_, looks) = self.0.get_mut(key)?;
        looks.push_back((now, counters));
        if looks.len() > LOOKS + 1 {
            looks.pop_front();
        }
        let (then, before) = looks.front()?;
        rates(now.saturating_duration_since(*then), before, &counters)
    }

    /// Forgets what has not been looked at now.
    pub(crate) fn forget(&mut self, now: Instant) {
        self.0
            .retain(|_, (_, looks)| looks.back().is_some_and(|(at, _)| *at == now));
    }
}

fn rates(span: Duration, before: &Counters, now: &Counters) -> Option<Rates> {
    let seconds = span.as_secs_f64();
    if seconds < 0.05 {
        return None;
    }
    let per_second = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
    let bits = |now, before| (per_second(now, before) * 8.0 / 1e3).round() as u64 * 1_000;
    let came = now.packets.saturating_sub(before.packets);
    // A packet that comes late after all takes one back.
    let lost = now.lost.saturating_sub(before.lost);
    let all = came + lost;
    Some(Rates {
        bits_in: bits(now.received, before.received),
        bits_out: bits(now.sent, before.sent),
        pictures: (per_second(now.pictures, before.pictures) * 10.0).round() / 10.0,
        loss: if all == 0 {
            0.0
        } else {
            (lost as f64 * 1e4 / all as f64).round() / 100.0
        },
        cpu: (per_second(now.cpu_ms, before.cpu_ms) / 10.0).round() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Counters {
        Counters {
            received: 250_000 * second,
            sent: 500_000 * second,
            pictures: 30 * second,
            packets: 198 * second,
            lost: 2 * second,
            cpu_ms: 500 * second,
        }
    }

    #[test]
    fn rates_are_differences_over_the_last_looks_and_begin_anew_with_a_new_session() {
        let (mut looks, start) = (Looks::<&str, u8>::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(looks.look(&"a", 1, start, at(0)), None);
        let want = Rates {
            bits_in: 2_000_000,
            bits_out: 4_000_000,
            pictures: 30.0,
            loss: 1.0,
            cpu: 50,
        };
        for second in 1..10 {
            assert_eq!(looks.look(&"a", 1, after(second), at(second)), Some(want));
        }
        // It stands still: after three looks nothing is left of the past.
        let stands: Vec<u64> = (10..14)
            .filter_map(|s| Some(looks.look(&"a", 1, after(s), at(9))?.bits_in))
            .collect();
        assert_eq!((stands[0] > 0, stands[3]), (true, 0));
        assert_eq!(looks.look(&"a", 2, after(14), at(1)), None, "another session");
    }

    #[test]
    fn what_is_not_looked_at_any_more_is_forgotten() {
        let (mut looks, start) = (Looks::<&str, u8>::default(), Instant::now());
        looks.look(&"a", 1, start, at(0));
        looks.look(&"b", 1, start, at(0));
        let later = start + Duration::from_secs(1);
        looks.look(&"b", 1, later, at(1));
        looks.forget(later);
        assert_eq!(looks.0.keys().copied().collect::<Vec<_>>(), ["b"]);
    }
}
