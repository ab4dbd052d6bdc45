//! When to ask a publisher for a key unit: the needs and wishes of all readers joined into requests at a bounded rate.
//! Pure state; the session actor owns it, sends the requests and sets the timer.

use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;
use weft_wire::NodeName;

/// Requests are at least this far apart: an encoder that gets them faster spends its bits on key units alone.
pub(crate) const REQUEST_SPACING: Duration = Duration::from_millis(500);
/// A node's wish lapses when it is not renewed for this long.
pub(crate) const WISH_LIFE: Duration = Duration::from_secs(10);
/// No wish asks for key units more often than this.
const SHORTEST_INTERVAL: Duration = REQUEST_SPACING;

#[derive(Debug)]
struct Wish {
    interval: Duration,
    lapses: Instant,
}

/// The joined wish for key units of one stream.
#[derive(Debug, Default)]
pub(crate) struct Keyframes {
    /// Somebody waits for a key unit: ask until one came, or until this instant if nobody repeats the need.
    needed: Option<Instant>,
    /// A hub asked for it: it has readers. Else it was this node's own wish, after a loss.
    asked: bool,
    requested: Option<Instant>,
    key: Option<Instant>,
    wishes: HashMap<NodeName, Wish>,
}

/// What is to be done now, and when to look again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) request: bool,
    pub(crate) again: Option<Instant>,
}

impl Keyframes {
    /// A key unit is needed as soon as possible. Lapses like a wish.
    pub(crate) fn need(&mut self, now: Instant) {
        self.needed = Some(now + WISH_LIFE);
    }

    /// The same, by a hub.
    pub(crate) fn ask(&mut self, now: Instant) {
        self.asked = true;
        self.need(now);
    }

    /// Nobody reads the stream: what only this node needs can wait.
    pub(crate) fn unread(&mut self) {
        if !self.asked {
            self.needed = None;
        }
    }

    /// A node's readers want a key unit at least every `interval`; zero takes the wish back.
    pub(crate) fn wish(&mut self, node: NodeName, interval: Duration, now: Instant) {
        if interval.is_zero() {
            self.wishes.remove(&node);
        } else {
            self.wishes.insert(
                node,
                Wish {
                    interval: interval.max(SHORTEST_INTERVAL),
                    lapses: now + WISH_LIFE,
                },
            );
        }
    }

    /// A key unit arrived.
    pub(crate) fn key_arrived(&mut self, now: Instant) {
        self.needed = None;
        self.asked = false;
        self.key = Some(now);
    }

    /// Whether to send a request now, and when to ask again.
    pub(crate) fn poll(&mut self, now: Instant) -> Due {
        self.wishes.retain(|_, wish| wish.lapses > now);
        let interval = self.wishes.values().map(|wish| wish.interval).min();
        // An answered wish counts from the key unit, an unanswered one from its request.
        let last = self.key.max(self.requested);
        let periodic = interval.map(|i| last.map_or(now, |last| last + i));
        if periodic.is_some_and(|at| at <= now) {
            self.ask(now);
        }
        self.needed = self.needed.filter(|lapses| *lapses > now);
        self.asked &= self.needed.is_some();
        let allowed = self.requested.map_or(now, |at| at + REQUEST_SPACING);
        if self.needed.is_some() && allowed <= now {
            self.requested = Some(now);
            return Due {
                request: true,
                again: Some(now + REQUEST_SPACING),
            };
        }
        let again = if self.needed.is_some() {
            Some(allowed)
        } else {
            periodic
        };
        Due {
            request: false,
            again,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn node(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    #[test]
    fn without_a_wish_nothing_is_ever_asked_for() {
        let now = Instant::now();
        let mut k = Keyframes::default();
        assert_eq!(
            k.poll(now),
            Due {
                request: false,
                again: None
            }
        );
        k.key_arrived(now);
        assert!(!k.poll(now + 60_000 * MS).request);
    }

    #[test]
    fn a_need_is_repeated_every_half_second_until_a_key_unit_comes() {
        let now = Instant::now();
        let mut k = Keyframes::default();
        let mut sent = Vec::new();
        for ms in (0..2000).step_by(10) {
            k.need(now);
            if k.poll(now + ms * MS).request {
                sent.push(ms);
            }
        }
        assert_eq!(sent, [0, 500, 1000, 1500]);
        k.key_arrived(now + 2000 * MS);
        assert!(!k.poll(now + 5000 * MS).request);
    }

    #[test]
    fn what_only_the_node_itself_needs_is_dropped_when_nobody_reads() {
        let now = Instant::now();
        let mut k = Keyframes::default();
        k.need(now);
        assert!(k.poll(now).request);
        k.unread();
        assert_eq!(k.poll(now + 500 * MS).again, None);
        k.ask(now);
        k.unread();
        assert!(k.poll(now + 500 * MS).request, "a hub has readers");
        k.key_arrived(now + 600 * MS);
        k.need(now + 600 * MS);
        k.unread();
        assert!(!k.poll(now + 1_000 * MS).request);
    }

    #[test]
    fn a_need_that_nobody_repeats_lapses() {
        let now = Instant::now();
        let mut k = Keyframes::default();
        k.need(now);
        assert!(k.poll(now + 9999 * MS).request);
        assert!(!k.poll(now + 10_500 * MS).request);
    }

    #[test]
    fn the_smallest_wish_present_decides_and_lapses_when_not_renewed() {
        let now = Instant::now();
        let mut k = Keyframes::default();
        k.key_arrived(now);
        k.wish(node("a"), 4000 * MS, now);
        k.wish(node("b"), 2000 * MS, now);
        assert_eq!(k.poll(now).again, Some(now + 2000 * MS));
        assert!(k.poll(now + 2000 * MS).request);
        k.key_arrived(now + 2100 * MS);
        k.wish(node("a"), 4000 * MS, now + 9000 * MS);
        // b's wish is 10 s old and gone; a's is fresh.
        k.key_arrived(now + 10_000 * MS);
        assert_eq!(k.poll(now + 10_000 * MS).again, Some(now + 14_000 * MS));
        k.wish(node("a"), Duration::ZERO, now + 10_000 * MS);
        assert_eq!(k.poll(now + 10_000 * MS).again, None);
    }
}
