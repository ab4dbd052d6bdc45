//! Whether anybody wants a stream, whole or its key units alone: a state machine over probes sent, probes refused and `units`
//! requests.
//! How a probe travels and how a refusal is noticed is each bus's own business.

use std::collections::VecDeque;
use std::time::Duration;
use weft_wire::MediaClass;

/// Two refusals of probes sent this far apart say that nobody is there: a hub that changes its connection is back sooner.
pub(crate) const APART: Duration = Duration::from_secs(1);
/// They must also be heard this far apart, a little less for what the way differs: after an outage many come in one burst,
/// and the hubs a moment later.
const HEARD_APART: Duration = Duration::from_millis(900);

/// Probes whose refusal may still come. Two a second at most are sent, so this is more than a server's silence may last.
const OUTSTANDING: usize = 16;

/// Names one probe; the refusal brings it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ProbeId(pub(crate) u64);

/// What a refusal leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing yet.
    Doubt,
    /// Every class but the key units was refused: send this probe on the key subject, to hear about those too.
    AskKeys(ProbeId),
    /// Nobody is there: publish nothing until [`Interest::wake`] or [`Interest::wake_keys`].
    Paused,
}

#[derive(Debug, Clone, Copy)]
struct Probe {
    id: ProbeId,
    at: Duration,
    key: bool,
    /// Probes of other classes than key units so far, this one included.
    others: u64,
}

/// Probes refused one after another, none accepted in between.
#[derive(Debug, Clone, Copy)]
struct Run {
    last: ProbeId,
    /// When the first was sent,
    since: Duration,
    /// and when its refusal was heard.
    heard: Duration,
    /// A key unit was among them: not even a hub that takes key units only is there.
    key: bool,
}

/// Refusals that say that nobody takes everything: what key units met with in between, says nothing of that.
#[derive(Debug, Clone, Copy)]
struct OthersRun {
    others: u64,
    since: Duration,
    heard: Duration,
}

/// How much of the stream is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    All,
    /// Key units: whoever is there takes nothing else.
    Keys,
    Nothing,
}

/// The interest in one publication. `now` is the time since any fixed start.
#[derive(Debug)]
pub(crate) struct Interest {
    extent: Extent,
    run: Option<Run>,
    others_run: Option<OthersRun>,
    outstanding: VecDeque<Probe>,
    next: u64,
    others: u64,
    last_key: Option<Duration>,
    last_any: Option<Duration>,
}

impl Default for Interest {
    fn default() -> Self {
        Self::new()
    }
}

impl Interest {
    /// Wanted until refused: readers of an earlier publisher may be waiting.
    pub(crate) fn new() -> Self {
        Self {
            extent: Extent::All,
            run: None,
            others_run: None,
            outstanding: VecDeque::with_capacity(OUTSTANDING),
            next: 0,
            others: 0,
            last_key: None,
            last_any: None,
        }
    }

    /// False while paused.
    pub(crate) fn wanted(&self) -> bool {
        self.extent != Extent::Nothing
    }

    /// Whether units of this class are to be published.
    pub(crate) fn takes(&self, class: MediaClass) -> bool {
        match self.extent {
            Extent::All => true,
            Extent::Keys => class == MediaClass::Key,
            Extent::Nothing => false,
        }
    }

    /// A `units` request came: somebody wants the stream, and refusals of what was sent before mean nothing any more.
    /// Says whether this ended a pause.
    pub(crate) fn wake(&mut self) -> bool {
        self.wake_to(Extent::All)
    }

    /// The same by somebody who wants key units alone: others have what they had.
    pub(crate) fn wake_keys(&mut self) -> bool {
        self.wake_to(match self.extent {
            Extent::Nothing => Extent::Keys,
            extent => extent,
        })
    }

    fn wake_to(&mut self, extent: Extent) -> bool {
        let paused = !self.wanted();
        self.extent = extent;
        self.run = None;
        self.others_run = None;
        self.outstanding.clear();
        paused
    }

    /// Asked before each message: `Some` if it shall go out as a probe. Key units probe for every reader, other units for
    /// those that take everything; each at most once in [`APART`].
    pub(crate) fn probe(&mut self, now: Duration, class: MediaClass) -> Option<ProbeId> {
        let key = class == MediaClass::Key;
        let last = if key { self.last_key } else { self.last_any };
        if last.is_some_and(|last| now.saturating_sub(last) < APART) {
            return None;
        }
        Some(self.issue(now, key))
    }

    /// The probe just issued could not be sent: no refusal will come, and its silence says nothing. The next message asks.
    pub(crate) fn unsent(&mut self, id: ProbeId) {
        if self.outstanding.back().is_some_and(|probe| probe.id == id) {
            let unsent = self.outstanding.pop_back();
            self.next = id.0;
            self.others -= u64::from(unsent.is_some_and(|probe| !probe.key));
            self.last_any = self.outstanding.back().map(|probe| probe.at);
            self.last_key = self
                .outstanding
                .iter()
                .rfind(|probe| probe.key)
                .map(|probe| probe.at);
        }
    }

    /// The probe was refused: nobody subscribes to what it was sent on.
    pub(crate) fn refused(&mut self, now: Duration, id: ProbeId) -> Verdict {
        let Some(probe) = self.outstanding.iter().find(|p| p.id == id).copied() else {
            return Verdict::Doubt;
        };
        if !self.wanted() {
            return Verdict::Paused;
        }
        self.narrow(now, probe);
        let next = match self.run {
            Some(run) if id.0 == run.last.0 + 1 => Run {
                last: id,
                key: run.key || probe.key,
                ..run
            },
            Some(run) if id.0 <= run.last.0 => return Verdict::Doubt,
            _ => Run {
                last: id,
                since: probe.at,
                heard: now,
                key: probe.key,
            },
        };
        self.run = Some(next);
        if !apart(next.since, probe.at, next.heard, now) {
            Verdict::Doubt
        } else if next.key {
            self.extent = Extent::Nothing;
            self.outstanding.clear();
            Verdict::Paused
        } else {
            Verdict::AskKeys(self.issue(now, true))
        }
    }

    /// Publishes key units alone when refusals say that nobody takes more. Whoever does, asks for units first.
    fn narrow(&mut self, now: Duration, probe: Probe) {
        let next = match self.others_run {
            Some(run) if probe.others < run.others => return,
            Some(run) if probe.others - run.others <= u64::from(!probe.key) => OthersRun {
                others: probe.others,
                ..run
            },
            _ => OthersRun {
                others: probe.others,
                since: probe.at,
                heard: now,
            },
        };
        self.others_run = Some(next);
        if apart(next.since, probe.at, next.heard, now) {
            self.extent = Extent::Keys;
        }
    }

    fn issue(&mut self, now: Duration, key: bool) -> ProbeId {
        let id = ProbeId(self.next);
        self.next += 1;
        if self.outstanding.len() == OUTSTANDING {
            self.outstanding.pop_front();
        }
        self.others += u64::from(!key);
        self.outstanding.push_back(Probe {
            id,
            at: now,
            key,
            others: self.others,
        });
        self.last_any = Some(now);
        if key {
            self.last_key = Some(now);
        }
        id
    }
}

/// Two refusals count when they were sent and heard far enough apart.
fn apart(sent: Duration, sent_then: Duration, heard: Duration, heard_then: Duration) -> bool {
    sent_then.saturating_sub(sent) >= APART && heard_then.saturating_sub(heard) >= HEARD_APART
}

#[cfg(test)]
mod tests {
    use super::*;
    use MediaClass::{Audio, Delta, Key};

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn refused(interest: &mut Interest, ms: u64, class: MediaClass) -> Verdict {
        let id = interest.probe(at(ms), class).expect("a probe is due");
        interest.refused(at(ms + 3), id)
    }

    #[test]
    fn one_refusal_does_not_pause() {
        let mut interest = Interest::new();
        assert_eq!(refused(&mut interest, 0, Key), Verdict::Doubt);
        assert!(interest.wanted());
    }

    #[test]
    fn a_refused_key_unit_and_any_refusal_a_second_later_pause() {
        let mut interest = Interest::new();
        assert_eq!(refused(&mut interest, 0, Key), Verdict::Doubt);
        assert_eq!(interest.probe(at(500), Audio), None, "too soon to say more");
        assert_eq!(refused(&mut interest, 1000, Delta), Verdict::Paused);
        assert!(!interest.wanted());
    }

    #[test]
    fn refusals_that_come_late_count_by_when_their_probes_were_sent() {
        let mut interest = Interest::new();
        let first = interest.probe(at(0), Key).unwrap();
        let second = interest.probe(at(900), Audio);
        assert_eq!(second, None);
        assert_eq!(interest.refused(at(5000), first), Verdict::Doubt);
        assert!(interest.wanted());
    }

    #[test]
    fn refusals_heard_in_one_burst_after_an_outage_do_not_pause() {
        let mut interest = Interest::new();
        let probes: Vec<_> = (0..4)
            .map(|i| interest.probe(at(i * 1000), Key).unwrap())
            .collect();
        for probe in probes {
            assert_eq!(interest.refused(at(5000), probe), Verdict::Doubt);
        }
        assert!(interest.wanted());
        assert_eq!(
            refused(&mut interest, 6000, Key),
            Verdict::Paused,
            "but the next one counts"
        );
    }

    #[test]
    fn an_accepted_probe_between_two_refused_ones_starts_anew() {
        let mut interest = Interest::new();
        assert_eq!(refused(&mut interest, 0, Key), Verdict::Doubt);
        interest.probe(at(1000), Audio).unwrap();
        assert_eq!(refused(&mut interest, 2000, Key), Verdict::Doubt);
        assert_eq!(refused(&mut interest, 3000, Key), Verdict::Paused);
    }

    #[test]
    fn a_hub_that_takes_key_units_only_keeps_the_stream() {
        let mut interest = Interest::new();
        interest.probe(at(0), Key).unwrap();
        let mut now = 0;
        for _ in 0..20 {
            now += 1500;
            match refused(&mut interest, now, Audio) {
                // The probe on the key subject is heard: no refusal of it ever comes.
                Verdict::AskKeys(_) | Verdict::Doubt => {}
                Verdict::Paused => panic!("paused under a reader of key units"),
            }
        }
        assert!(interest.takes(Key) && !interest.takes(Audio) && !interest.takes(Delta));
        assert!(!interest.wake(), "nothing was paused, but it is whole again");
        assert!(interest.takes(Audio));
    }

    #[test]
    fn key_units_that_are_heard_hide_nothing_of_what_nobody_takes() {
        let mut interest = Interest::new();
        // A key unit each 2 s with other units in between: the refusals of those never follow each other.
        interest.probe(at(0), Key).unwrap();
        assert_eq!(refused(&mut interest, 1000, Delta), Verdict::Doubt);
        interest.probe(at(2000), Key).unwrap();
        assert!(interest.takes(Delta));
        assert_eq!(refused(&mut interest, 3000, Delta), Verdict::Doubt);
        assert!(!interest.takes(Delta) && interest.takes(Key));
        // The last one leaves.
        assert_eq!(refused(&mut interest, 4000, Key), Verdict::Paused);
    }

    #[test]
    fn who_wants_key_units_alone_wakes_no_more_than_those() {
        let mut interest = Interest::new();
        assert!(!interest.wake_keys());
        assert!(interest.takes(Delta), "others have what they had");
        refused(&mut interest, 0, Key);
        refused(&mut interest, 1000, Key);
        assert!(!interest.takes(Key));
        assert!(interest.wake_keys());
        assert!(interest.takes(Key) && !interest.takes(Delta) && !interest.takes(Audio));
    }

    #[test]
    fn an_accepted_unit_between_two_refused_ones_leaves_the_stream_whole() {
        let mut interest = Interest::new();
        assert_eq!(refused(&mut interest, 0, Delta), Verdict::Doubt);
        interest.probe(at(1000), Audio).unwrap();
        assert_eq!(refused(&mut interest, 2000, Delta), Verdict::Doubt);
        assert!(interest.takes(Delta));
    }

    #[test]
    fn without_key_units_the_key_subject_is_asked_before_pausing() {
        let mut interest = Interest::new();
        assert_eq!(refused(&mut interest, 0, Audio), Verdict::Doubt);
        let Verdict::AskKeys(id) = refused(&mut interest, 1000, Audio) else {
            panic!("the key subject should be asked");
        };
        assert_eq!(interest.refused(at(1005), id), Verdict::Paused);
    }

    #[test]
    fn a_refusal_of_what_was_sent_before_a_units_request_is_void() {
        let mut interest = Interest::new();
        assert_eq!(refused(&mut interest, 0, Key), Verdict::Doubt);
        let late = interest.probe(at(1000), Key).unwrap();
        assert!(!interest.wake(), "it was not paused");
        assert_eq!(interest.refused(at(1010), late), Verdict::Doubt);
        assert!(interest.wanted());
    }

    #[test]
    fn a_units_request_ends_the_pause() {
        let mut interest = Interest::new();
        refused(&mut interest, 0, Key);
        refused(&mut interest, 1000, Key);
        assert!(!interest.wanted());
        assert!(interest.wake());
        assert!(interest.wanted());
    }

    #[test]
    fn a_probe_that_could_not_be_sent_is_asked_again_and_stands_for_nothing() {
        let mut interest = Interest::new();
        assert_eq!(refused(&mut interest, 0, Key), Verdict::Doubt);
        for ms in [1000, 1033, 1066] {
            let probe = interest.probe(at(ms), Delta).expect("due at each unit");
            interest.unsent(probe);
        }
        assert_eq!(
            interest.probe(at(900), Key),
            None,
            "what was sent at 0 s counts still"
        );
        assert_eq!(refused(&mut interest, 1100, Delta), Verdict::Paused);
    }

    #[test]
    fn intra_only_streams_probe_once_a_second() {
        let mut interest = Interest::new();
        let probes = (0..100)
            .filter(|i| interest.probe(at(i * 33), Key).is_some())
            .count();
        assert_eq!(probes, 4);
    }
}
