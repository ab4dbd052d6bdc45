//! Whether a stream's publisher is there, away, or gone for good, and how long its readers are held meanwhile.
//! Pure: it is told what was heard and when, and says when it changes its mind.

use crate::config::EgressConfig;
use std::time::Duration;
use tokio::time::Instant;
use weft_wire::CloseReason;

/// Silence after which a stream counts as stalled (design §5).
const STALLED: Duration = Duration::from_secs(4);
/// After an absence of the bus, an owner that lives may take this long to be reachable again: nobody is given up before.
const OWNER_RETURNS: Duration = Duration::from_secs(5);

/// What a stream is doing, as its readers feel it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HubState {
    /// Asking who owns the stream.
    Opening,
    /// Media flows.
    Live,
    /// The publisher is there, but no media has come for 4 s.
    Stalled,
    /// The publisher is gone; readers wait for the next one.
    Held,
    /// The publisher said goodbye: the stream is over for newcomers, readers wait a moment for it to come back.
    Leaving,
    /// Over; readers are closed.
    Ended(CloseReason),
}

/// The life of one stream at one hub.
#[derive(Debug)]
pub(crate) struct Life {
    grace: Duration,
    goodbye: Duration,
    /// The newest unit, or the hub's beginning.
    media: Instant,
    /// Nobody has answered for the stream since then.
    gone: Option<Instant>,
    /// The publisher said that it ends.
    ended: Option<(Instant, CloseReason)>,
}

impl Life {
    pub(crate) fn new(now: Instant, config: &EgressConfig) -> Self {
        Self {
            grace: config.publisher_grace,
            goodbye: config.goodbye_grace,
            media: now,
            gone: None,
            ended: None,
        }
    }

    /// A unit came.
    pub(crate) fn media(&mut self, now: Instant) {
        self.media = now;
        self.gone = None;
        self.ended = None;
    }

    /// This node itself did not run for so long: no silence of the publisher's.
    pub(crate) fn stood_still(&mut self, pause: Duration) {
        self.media += pause;
        self.gone = self.gone.map(|at| at + pause);
        self.ended = self.ended.map(|(at, reason)| (at + pause, reason));
    }

    /// The owner answered.
    pub(crate) fn here(&mut self) {
        // After a goodbye only media counts: the answer may have been given before it.
        if self.ended.is_none() {
            self.gone = None;
        }
    }

    /// Nobody owns the stream.
    pub(crate) fn nobody(&mut self, now: Instant) {
        self.gone.get_or_insert(now);
    }

    /// The owner said its last word.
    pub(crate) fn goodbye(&mut self, now: Instant, reason: CloseReason) {
        self.ended = Some((now, reason));
        self.gone.get_or_insert(now);
    }

    /// What the stream is doing now.
    pub(crate) fn state(&self, now: Instant) -> HubState {
        match self.end() {
            Some((end, reason)) if now >= end => HubState::Ended(reason),
            Some(_) if matches!(self.ended, Some((_, CloseReason::PeerLeft))) => HubState::Leaving,
            Some(_) => HubState::Held,
            None if now >= self.media + STALLED => HubState::Stalled,
            None => HubState::Live,
        }
    }

    /// When [`Self::state`] changes next if nothing is heard.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let stalled = self.media + STALLED;
        self.end()
            .map(|(end, _)| end)
            .or((now < stalled).then_some(stalled))
    }

    /// True while nobody publishes: what is asked for now will not come soon.
    pub(crate) fn is_away(&self) -> bool {
        self.gone.is_some()
    }

    fn end(&self) -> Option<(Instant, CloseReason)> {
        let held = (self.media + self.grace).max(self.gone? + self.grace.min(OWNER_RETURNS));
        Some(match self.ended {
            Some((at, CloseReason::Kicked)) => (at, CloseReason::Kicked),
            Some((at, CloseReason::PeerLeft)) => (at + self.goodbye, CloseReason::StreamEnded),
            Some(_) | None => (held, CloseReason::StreamEnded),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life() -> (Life, Instant) {
        let now = Instant::now();
        (Life::new(now, &EgressConfig::default()), now)
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_vanished_publisher_is_waited_for_from_its_last_unit_on() {
        let (mut life, t) = life();
        assert_eq!(life.state(t + s(3)), HubState::Live);
        assert_eq!(life.state(t + s(4)), HubState::Stalled);
        life.nobody(t + s(5));
        life.nobody(t + s(6));
        assert_eq!(life.state(t + s(29)), HubState::Held);
        assert_eq!(life.state(t + s(30)), HubState::Ended(CloseReason::StreamEnded));
        life.media(t + s(29));
        assert_eq!(life.state(t + s(30)), HubState::Live);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_node_stood_still_counts_against_nobody() {
        let (mut life, t) = life();
        life.goodbye(t, CloseReason::PeerLeft);
        life.stood_still(s(6));
        assert_eq!(life.state(t + s(8)), HubState::Leaving);
        assert_eq!(life.state(t + s(9)), HubState::Ended(CloseReason::StreamEnded));
        let (mut life, t) = self::life();
        life.nobody(t + s(1));
        life.stood_still(s(40));
        assert_eq!(life.state(t + s(69)), HubState::Held);
        assert_eq!(life.state(t + s(70)), HubState::Ended(CloseReason::StreamEnded));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_given_up_at_once_after_a_long_absence_of_the_bus() {
        let (mut life, t) = life();
        life.nobody(t + s(100));
        assert_eq!(life.state(t + s(104)), HubState::Held);
        life.here();
        assert_eq!(life.state(t + s(200)), HubState::Stalled);
    }

    #[tokio::test(start_paused = true)]
    async fn a_goodbye_ends_readers_after_three_seconds_and_a_kick_at_once() {
        let (mut life, t) = life();
        life.goodbye(t, CloseReason::PeerLeft);
        life.nobody(t + s(1));
        assert_eq!(life.state(t + s(2)), HubState::Leaving);
        assert_eq!(life.state(t + s(3)), HubState::Ended(CloseReason::StreamEnded));
        life.media(t + s(2));
        life.goodbye(t + s(2), CloseReason::Kicked);
        assert_eq!(life.state(t + s(2)), HubState::Ended(CloseReason::Kicked));
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_shuts_down_or_a_publisher_that_vanishes_leaves_its_readers_held() {
        for reason in [
            CloseReason::Shutdown,
            CloseReason::PeerLost,
            CloseReason::TakenOver,
            CloseReason::NoMedia,
        ] {
            let (mut life, t) = life();
            life.goodbye(t, reason);
            assert_eq!(life.state(t + s(29)), HubState::Held, "{reason:?}");
        }
    }
}
