//! From what the bus delivers to units in unbroken order of one session at a time: the epoch fence, the search for holes,
//! the questions that fill them, and the point where that is given up. Asking itself is the hub's work: no I/O here.

use crate::age::{Age, age};
use crate::allowance::Allowance;
use crate::counters::{Counters, add};
use crate::held::Held;
use crate::question::{Ask, Out, Owner};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use weft_bus::{RequestError, UnitsAnswer};
use weft_wire::{AccessUnit, Epoch, SessionId, TrackInfo, UnitSeq, UnitsEnd};

/// The longest stretch that is brought back unit by unit. Nothing that is older comes out, other than at a beginning.
const RANGE: Duration = Duration::from_secs(1);
/// The longest that units wait for what is missing before them: what comes out late is still not older than [`RANGE`].
const PATIENCE: Duration = Duration::from_millis(800);
/// So few missing units are asked for however long ago they were sent: a stream of one picture per second has gaps, too.
const FEW: u64 = 8;
/// A silence this long may hide a lost tail, or the end of the owner.
const SILENCE: Duration = Duration::from_millis(300);
const LONGEST_SILENCE: Duration = Duration::from_secs(2);
/// Without an answer for so long, a key unit at hand is a beginning good enough.
const ANSWER_WAIT: Duration = Duration::from_millis(500);
/// Pause after a question that failed.
const RETRY: Duration = Duration::from_millis(250);
/// The first pause after a reconnect; each further one is twice as long. An owner whose server died too is back a moment
/// later than this node: with the longer pause from the start readers saw nothing for 270 ms, and half of them lost units.
const FIRST_RETRY: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Live units wait for the answer that says where to begin; `resync`: after a hole too long to fill.
    Joining { since: Instant, resync: bool },
    /// Nothing is missing.
    Flowing,
    /// `next` is missing; what follows waits.
    Hole { since: Instant },
}

/// The order of one stream's units.
#[derive(Debug)]
pub(crate) struct Repair {
    counters: Arc<Counters>,
    epoch: Epoch,
    session: Option<SessionId>,
    /// The session changed and its first unit has not come out yet.
    announce: bool,
    /// A session's units have come out before: there may be readers who know them.
    begun: bool,
    next: UnitSeq,
    /// What the owner said it would publish next: all before it exists.
    published: UnitSeq,
    phase: Phase,
    held: Held,
    out: VecDeque<Out>,
    pub(crate) age: Age,
    /// When the last live unit came, and how far apart they usually are.
    heard: Instant,
    spacing: Duration,
    /// The question under way.
    asking: Option<Ask>,
    /// No question before this.
    not_before: Instant,
    /// Pause after the next question that fails; short for a while after a reconnect, when "nobody there" may mean "not yet".
    retry: Duration,
    /// Answers in a row that came from a loser.
    losers: u32,
    allowance: Allowance,
    /// A question is due whether or not anything seems to be missing.
    prompted: bool,
}

impl Repair {
    /// Nothing is known yet: the first question is due.
    pub(crate) fn new(now: Instant, counters: Arc<Counters>) -> Self {
        Self {
            counters,
            epoch: Epoch::default(),
            session: None,
            announce: true,
            begun: false,
            next: UnitSeq::default(),
            published: UnitSeq::default(),
            phase: Phase::Joining {
                since: now,
                resync: false,
            },
            held: Held::default(),
            out: VecDeque::new(),
            age: Age::new(now),
            heard: now,
            spacing: Duration::ZERO,
            asking: None,
            not_before: now,
            retry: RETRY,
            losers: 0,
            allowance: Allowance::new(now),
            prompted: false,
        }
    }

    /// The epoch that reaches readers.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The session that reaches readers.
    pub(crate) fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// The next thing for the readers.
    pub(crate) fn pop(&mut self) -> Option<Out> {
        self.out.pop_front()
    }

    /// A live unit of this session and epoch arrived.
    pub(crate) fn live(&mut self, now: Instant, session: SessionId, epoch: Epoch, unit: AccessUnit) {
        if epoch < self.epoch || (epoch == self.epoch && self.session.is_some_and(|s| s != session)) {
            add(&self.counters.fenced, 1);
            return;
        }
        self.epoch = epoch;
        if self.session != Some(session) {
            self.change_session(now, session);
        }
        if self.age.is_stale_counted(now, unit.sent, &self.counters) {
            return;
        }
        let idle = now.duration_since(self.heard);
        self.heard = now;
        // Between two that follow each other: an outage is no spacing, and would let older units be brought back.
        if unit.seq == self.next {
            self.spacing = (self.spacing * 7 + idle.min(LONGEST_SILENCE)) / 8;
        }
        if idle > SILENCE && self.asking.is_some() {
            // Asked while nothing came, it may have gone the way of what did not come: 0.8 s were lost waiting for it.
            self.asking = None;
            self.not_before = now;
            self.allowance = Allowance::new(now);
        }
        match self.phase {
            Phase::Flowing if unit.seq == self.next => self.emit(unit),
            Phase::Flowing if unit.seq > self.next => {
                let long = idle > RANGE && unit.seq.0 - self.next.0 > FEW;
                self.phase = if long {
                    Phase::Joining {
                        since: now,
                        resync: true,
                    }
                } else {
                    Phase::Hole { since: now }
                };
                self.held.insert(unit, now);
            }
            Phase::Flowing => add(&self.counters.duplicates, 1),
            Phase::Joining { .. } | Phase::Hole { .. } => self.hold(now, unit),
        }
    }

    fn hold(&mut self, now: Instant, unit: AccessUnit) {
        // overflow: while joining the oldest are forgotten (the answer or a further question brings them back), in a hole
        // the missing ones are given up; both show in the counters.
        if self.held.is_full() {
            match self.phase {
                Phase::Hole { .. } => self.give_up(now),
                _ => self.held.clear(),
            }
        }
        // Asked after the giving up: that may have passed this very unit by.
        let before = !matches!(self.phase, Phase::Joining { .. }) && unit.seq < self.next;
        if before || !self.held.insert(unit, now) {
            add(&self.counters.duplicates, 1);
        }
        self.drain(now);
    }

    fn change_session(&mut self, now: Instant, session: SessionId) {
        self.session = Some(session);
        self.announce = true;
        self.held.clear();
        self.age = Age::new(now);
        // A question for the newest group under way may well be answered by the newcomer.
        self.asking = self.asking.filter(|ask| *ask == Ask::Newest);
        self.not_before = now;
        // Another owner, which nobody here has asked anything yet.
        self.allowance = Allowance::new(now);
        self.published = UnitSeq::default();
        self.phase = Phase::Joining {
            since: now,
            resync: false,
        };
    }

    /// The question to ask now. Its answer, or failure, must come back by [`Self::answered`].
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Ask> {
        self.expire(now);
        if self.asking.is_some() || now < self.due() {
            return None;
        }
        self.allowance.take(now);
        self.prompted = false;
        let ask = match (self.phase, self.session) {
            (Phase::Joining { .. }, _) | (_, None) => Ask::Newest,
            (Phase::Hole { .. }, Some(session)) => {
                add(&self.counters.repairs, 1);
                Ask::Range(session, self.next, self.held.last_missing())
            }
            (Phase::Flowing, Some(session)) => Ask::Range(session, self.next, None),
        };
        self.asking = Some(ask);
        Some(ask)
    }

    /// When [`Self::poll`] has something to do next.
    pub(crate) fn deadline(&self) -> Instant {
        let limit = match self.phase {
            Phase::Hole { since } => Some(since + PATIENCE),
            Phase::Joining { since, .. } if self.held.first_key().is_some() => Some(since + ANSWER_WAIT),
            Phase::Joining { since, .. } if !self.held.is_empty() => Some(since + PATIENCE),
            _ => None,
        };
        let due = self.asking.is_none().then(|| self.due());
        // A question under way always ends, with an answer or without.
        limit
            .into_iter()
            .chain(due)
            .min()
            .unwrap_or(self.heard + LONGEST_SILENCE * 30)
    }

    fn due(&self) -> Instant {
        let wanted = match self.phase {
            Phase::Joining { .. } | Phase::Hole { .. } => self.not_before,
            Phase::Flowing if self.prompted => self.not_before,
            Phase::Flowing => {
                let silence = (self.spacing * 3).clamp(SILENCE, LONGEST_SILENCE);
                (self.heard + silence).max(self.not_before)
            }
        };
        wanted.max(self.allowance.ready_at())
    }

    fn expire(&mut self, now: Instant) {
        match self.phase {
            Phase::Hole { since } if now >= since + PATIENCE => self.give_up(now),
            Phase::Joining { since, .. } if now >= since + ANSWER_WAIT => {
                let patience_over = now >= since + PATIENCE;
                let first = self.held.first().filter(|_| patience_over).map(|(seq, _)| seq);
                if let Some(start) = self.held.first_key().or(first) {
                    // Another session's numbers mean nothing here.
                    let start = if self.announce {
                        start
                    } else {
                        start.max(self.next)
                    };
                    self.begin(now, start, None);
                }
            }
            _ => {}
        }
    }

    /// The bus is back after an absence: what was missed is asked for at once.
    pub(crate) fn reconnected(&mut self, now: Instant) {
        self.not_before = now;
        self.retry = FIRST_RETRY;
        self.prompted = true;
        self.asking = None;
        self.allowance = Allowance::new(now);
        if self.phase == Phase::Flowing && now.duration_since(self.heard) > RANGE {
            self.phase = Phase::Joining {
                since: now,
                resync: true,
            };
        }
    }

    /// This node itself did not run for a second or longer, and questions under way were dropped: what waits here is old, and
    /// so may be what waits on its way here.
    pub(crate) fn stood_still(&mut self, now: Instant) {
        self.asking = None;
        self.not_before = now;
        self.allowance = Allowance::new(now);
        self.held.clear();
        self.phase = Phase::Joining {
            since: now,
            // A session that has not begun yet has nothing to go on from.
            resync: !self.announce,
        };
    }

    /// A question ended.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        ask: Ask,
        answer: Result<UnitsAnswer, RequestError>,
    ) -> Owner {
        let current = self.asking == Some(ask);
        let perhaps_not_yet = self.retry < RETRY;
        if current {
            self.asking = None;
            if answer.is_ok() {
                self.retry = RETRY;
                // A silence that goes on is asked about again, but not in a loop.
                self.not_before = now + SILENCE;
            } else {
                self.not_before = now + self.retry;
                self.retry = (self.retry * 2).min(RETRY);
            }
        }
        match answer {
            Ok(answer) => {
                if current || ask == Ask::Newest {
                    self.accept(now, ask, answer);
                }
                Owner::Here
            }
            Err(RequestError::NoOwner) => {
                if current && perhaps_not_yet {
                    self.allowance.give_back();
                    // Asked again soon, also where nothing seems to be missing.
                    self.prompted = true;
                } else if current && matches!(self.phase, Phase::Hole { .. }) {
                    self.give_up(now);
                }
                Owner::Gone
            }
            Err(_) => Owner::Unknown,
        }
    }

    fn accept(&mut self, now: Instant, ask: Ask, answer: UnitsAnswer) {
        let mut end = answer.end;
        let stranger = self.session != Some(end.session);
        if end.epoch < self.epoch || (stranger && end.epoch == self.epoch && self.session.is_some()) {
            // A loser that has not heard of it yet: the winner answers next time, which is soon, since a loser is told at
            // once. With the pause after a good answer readers saw nothing for 310 ms at one takeover in eight.
            self.not_before = now + FIRST_RETRY * (1 << self.losers);
            self.losers = (self.losers + 1).min(4);
            self.allowance.give_back();
            return;
        }
        self.losers = 0;
        self.epoch = end.epoch;
        if stranger {
            self.change_session(now, end.session);
        }
        self.age.as_of_arrival(now, &mut end);
        let units = answer.batches.into_iter().filter(|b| b.session == end.session);
        let units: Vec<AccessUnit> = units.flat_map(|b| b.units).collect();
        match (ask, self.phase) {
            (Ask::Newest, Phase::Joining { resync, .. }) => self.joined(now, resync, units, &end),
            // Another session answered: now its newest group of pictures is asked for.
            (Ask::Range(..), _) if stranger => {}
            (Ask::Range(_, _, until), _) => self.filled(now, until, units, &end),
            (Ask::Newest, _) => {}
        }
    }

    /// The answer that says where to begin, or to go on after a hole that was too long.
    fn joined(&mut self, now: Instant, resync: bool, mut units: Vec<AccessUnit>, end: &UnitsEnd) {
        let recent = Duration::from_millis(end.key_age_ms.into()) <= RANGE;
        // Who joins a silent stream sees the last that there was; who saw its last publisher waits for something new.
        if self.begun && units.last().is_some_and(|unit| age(unit, end) > LONGEST_SILENCE) {
            units.clear();
        }
        let first = units.first().map(|u| u.seq);
        let start = match first {
            Some(first) if !resync => first,
            Some(first) if recent => first.max(self.next),
            _ if resync => end.next.max(self.next),
            _ => end.next,
        };
        if !resync || recent {
            for unit in units {
                self.held.insert(unit, now);
            }
        }
        self.begin(now, start, Some(end.tracks.clone()));
    }

    fn begin(&mut self, now: Instant, start: UnitSeq, tracks: Option<Vec<TrackInfo>>) {
        if self.announce {
            (self.announce, self.begun) = (false, true);
            self.out.push_back(Out::Session(tracks));
        } else if start > self.next {
            self.lose(start);
        }
        self.next = start;
        self.held.drop_before(start);
        self.phase = Phase::Flowing;
        self.heard = now;
        self.drain(now);
    }

    /// The answer to a question for missing units.
    fn filled(&mut self, now: Instant, until: Option<UnitSeq>, units: Vec<AccessUnit>, end: &UnitsEnd) {
        let span = match (units.first(), units.last()) {
            (Some(first), Some(last)) => Duration::from_micros(last.sent.0.saturating_sub(first.sent.0)),
            _ => Duration::ZERO,
        };
        if until.is_none() && span > RANGE {
            // A tail this long is no repair: readers would be behind by as much.
            self.phase = Phase::Joining {
                since: now,
                resync: true,
            };
            self.not_before = now;
            return;
        }
        // A stream of a picture per second is asked for its last one later than one of thirty.
        let oldest = RANGE.max(self.spacing * 3);
        let units = units.into_iter().filter(|unit| unit.seq >= self.next);
        let (old, units): (Vec<_>, Vec<_>) = units.partition(|unit| age(unit, end) > oldest);
        add(&self.counters.stale, old.len() as u64);
        for unit in units {
            if self.held.insert(unit, now) {
                add(&self.counters.repaired, 1);
            }
        }
        if let Some(last) = old.last() {
            self.held.drop_before(last.seq.next());
            self.skip_to(now, last.seq.next());
        }
        self.drain(now);
        let Some(until) = until else {
            // All up to now was asked for. What the owner does not keep may still be on its way here, unlike what is missing
            // before a unit that has come.
            self.published = self.published.max(end.next);
            if self.next < self.published && self.phase == Phase::Flowing {
                self.phase = Phase::Hole { since: now };
            }
            return;
        };
        // What the owner did not send although it was asked for will never come.
        while self.next <= until {
            match self.held.first() {
                Some((first, _)) if first <= until => self.skip_to(now, first),
                _ => self.skip_to(now, until.next()),
            }
        }
    }

    fn give_up(&mut self, now: Instant) {
        match self.held.first() {
            Some((first, _)) => self.skip_to(now, first),
            None if self.next < self.published => self.skip_to(now, self.published),
            None => self.phase = Phase::Flowing,
        }
    }

    fn skip_to(&mut self, now: Instant, seq: UnitSeq) {
        self.lose(seq);
        self.next = seq;
        self.phase = Phase::Flowing;
        self.drain(now);
    }

    fn lose(&mut self, until: UnitSeq) {
        let count = until.0.saturating_sub(self.next.0);
        add(&self.counters.lost, count);
        add(&self.counters.repairs_failed, 1);
        self.out.push_back(Out::Lost(count));
    }

    /// Emits what follows without a hole; a hole further on begins its own wait.
    fn drain(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Joining { .. }) {
            return;
        }
        let before = self.next;
        while let Some(unit) = self.held.take(self.next) {
            self.emit(unit);
        }
        match self.held.first() {
            None => self.phase = Phase::Flowing,
            Some((_, arrival)) if self.phase == Phase::Flowing || self.next != before => {
                self.phase = Phase::Hole { since: arrival };
                self.not_before = now;
            }
            Some(_) => {}
        }
    }

    fn emit(&mut self, unit: AccessUnit) {
        self.next = unit.seq.next();
        self.out.push_back(Out::Unit(unit));
    }
}

#[cfg(test)]
#[path = "repair_tests.rs"]
mod tests;
