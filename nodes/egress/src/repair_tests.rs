//! Order, holes, questions and answers, one step at a time.
//! The bus and the hub around it are tested elsewhere; here nothing is asked but what a test answers.

use super::*;
use std::sync::atomic::Ordering::Relaxed;
use weft_wire::{CaptureSource, CaptureTime, GopSeq, MediaTime, SentTime, TrackId, UnitBatch, UnitFlags};

const OLD: SessionId = SessionId([1; 16]);
const NEW: SessionId = SessionId([2; 16]);

struct Scene {
    repair: Repair,
    counters: Arc<Counters>,
    start: Instant,
    now: Instant,
}

fn epoch(revision: u64) -> Epoch {
    Epoch {
        generation: 1,
        revision,
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl Scene {
    fn new() -> Self {
        let counters: Arc<Counters> = Arc::default();
        let now = Instant::now();
        Self {
            repair: Repair::new(now, counters.clone()),
            counters,
            start: now,
            now,
        }
    }

    /// Joined at unit 10 of the old session, epoch 1.
    fn flowing() -> Self {
        let mut s = Self::new();
        assert_eq!(s.ask(), Some(Ask::Newest));
        s.answer(Ask::Newest, OLD, 1, 10..10, 10);
        assert_eq!(s.out(), ["session"]);
        s
    }

    fn unit(&self, seq: u64) -> AccessUnit {
        AccessUnit {
            track: TrackId(0),
            seq: UnitSeq(seq),
            gop: GopSeq(0),
            pts: MediaTime(0),
            dts: MediaTime(0),
            capture: CaptureTime(0),
            capture_source: CaptureSource::Arrival,
            capture_offset: 0,
            sent: SentTime::from_elapsed(self.now.duration_since(self.start)),
            flags: if seq.is_multiple_of(10) {
                UnitFlags::KEY
            } else {
                UnitFlags::default()
            },
            data: bytes::Bytes::from_static(b"x"),
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now += ms(millis);
    }

    fn live(&mut self, session: SessionId, revision: u64, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            let unit = self.unit(seq);
            self.repair.live(self.now, session, epoch(revision), unit);
        }
    }

    fn ask(&mut self) -> Option<Ask> {
        self.repair.poll(self.now)
    }

    fn answer(&mut self, ask: Ask, session: SessionId, revision: u64, seqs: std::ops::Range<u64>, next: u64) {
        let units: Vec<AccessUnit> = seqs.map(|seq| self.unit(seq)).collect();
        let batch = UnitBatch {
            session,
            epoch: epoch(revision),
            units,
        };
        let answer = UnitsAnswer {
            end: self.end(session, revision, next),
            batches: vec![batch],
        };
        assert_eq!(self.repair.answered(self.now, ask, Ok(answer)), Owner::Here);
    }

    fn end(&self, session: SessionId, revision: u64, next: u64) -> UnitsEnd {
        UnitsEnd {
            session,
            epoch: epoch(revision),
            next: UnitSeq(next),
            gone: false,
            sent: SentTime::from_elapsed(self.now.duration_since(self.start)),
            tracks: vec![],
            key_age_ms: 100,
        }
    }

    fn fail(&mut self, ask: Ask, error: RequestError) -> Owner {
        self.repair.answered(self.now, ask, Err(error))
    }

    /// What came out: numbers, `session`, `lost N`.
    fn out(&mut self) -> Vec<String> {
        let text = |out| match out {
            Out::Session(_) => "session".into(),
            Out::Unit(unit) => unit.seq.to_string(),
            Out::Lost(n) => format!("lost {n}"),
        };
        std::iter::from_fn(|| self.repair.pop()).map(text).collect()
    }

    fn range(from: u64, until: u64) -> Option<Ask> {
        Some(Ask::Range(OLD, UnitSeq(from), Some(UnitSeq(until))))
    }
}

#[tokio::test(start_paused = true)]
async fn live_units_and_the_answer_are_merged_whichever_comes_first() {
    let mut s = Scene::new();
    assert_eq!(s.ask(), Some(Ask::Newest));
    assert_eq!(s.ask(), None);
    s.live(OLD, 1, [14, 15, 16]);
    assert!(s.out().is_empty());
    s.answer(Ask::Newest, OLD, 1, 10..16, 16);
    assert_eq!(s.out(), ["session", "10", "11", "12", "13", "14", "15", "16"]);
    s.live(OLD, 1, [17]);
    assert_eq!(s.out(), ["17"]);
}

#[tokio::test(start_paused = true)]
async fn a_hole_between_answer_and_live_is_asked_for_again() {
    let mut s = Scene::new();
    s.ask();
    s.live(OLD, 1, [18]);
    s.answer(Ask::Newest, OLD, 1, 10..13, 13);
    assert_eq!(s.out(), ["session", "10", "11", "12"]);
    assert_eq!(s.ask(), Scene::range(13, 17));
    s.answer(Scene::range(13, 17).unwrap(), OLD, 1, 13..18, 19);
    assert_eq!(s.out(), ["13", "14", "15", "16", "17", "18"]);
}

#[tokio::test(start_paused = true)]
async fn one_question_covers_every_hole_and_questions_are_two_a_second() {
    let mut s = Scene::flowing();
    s.pass(2000);
    s.live(OLD, 1, [10, 12, 13, 15]);
    assert_eq!(s.out(), ["10"]);
    assert_eq!(s.ask(), Scene::range(11, 14));
    s.live(OLD, 1, [17]);
    s.answer(Scene::range(11, 14).unwrap(), OLD, 1, 11..15, 16);
    assert_eq!(s.out(), ["11", "12", "13", "14", "15"]);
    assert_eq!(s.ask(), Scene::range(16, 16));
    s.answer(Scene::range(16, 16).unwrap(), OLD, 1, 16..17, 18);
    s.live(OLD, 1, [19]);
    assert_eq!(s.ask(), None);
    s.pass(499);
    assert_eq!(s.ask(), None);
    s.pass(1);
    assert_eq!(s.ask(), Scene::range(18, 18));
    assert_eq!(s.counters.lost.load(Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_owner_no_longer_keeps_is_given_up_at_once() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10, 13, 14]);
    assert_eq!(s.ask(), Scene::range(11, 12));
    s.answer(Scene::range(11, 12).unwrap(), OLD, 1, 0..0, 15);
    assert_eq!(s.out(), ["10", "lost 2", "13", "14"]);
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_a_hole_is_given_up_before_what_waits_is_a_second_old() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10, 12]);
    let ask = s.ask().unwrap();
    s.pass(400);
    assert_eq!(s.fail(ask, RequestError::Timeout), Owner::Unknown);
    assert!(s.repair.deadline() > s.now);
    s.pass(250);
    let again = s.ask().unwrap();
    assert_eq!(again, ask);
    s.pass(150);
    assert_eq!(s.repair.deadline(), s.now);
    s.ask();
    assert_eq!(s.out(), ["10", "lost 1", "12"]);
    s.answer(again, OLD, 1, 11..12, 13);
    assert!(s.out().is_empty(), "too late");
}

#[tokio::test(start_paused = true)]
async fn a_silence_is_asked_about_and_its_lost_tail_comes_back() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10, 11]);
    assert_eq!(s.ask(), None);
    s.pass(300);
    let tail = Ask::Range(OLD, UnitSeq(12), None);
    assert_eq!(s.ask(), Some(tail));
    s.answer(tail, OLD, 1, 12..14, 14);
    assert_eq!(s.out(), ["10", "11", "12", "13"]);
    // Still silent: asked again, but not at once, and not for ever faster than twice a second.
    assert_eq!(s.ask(), None);
    let mut asked = 0;
    for _ in 0..100 {
        s.pass(100);
        if let Some(ask) = s.ask() {
            asked += 1;
            s.answer(ask, OLD, 1, 14..14, 14);
        }
    }
    assert!((18..=21).contains(&asked), "{asked}");
    assert!(s.out().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_tail_the_owner_does_not_keep_may_still_be_on_its_way() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10]);
    s.pass(300);
    let ask = s.ask().unwrap();
    // The answer overtakes unit 11.
    s.answer(ask, OLD, 1, 0..0, 12);
    assert_eq!(s.out(), ["10"]);
    s.live(OLD, 1, [11, 12]);
    assert_eq!(s.out(), ["11", "12"]);
    s.pass(300);
    let ask = s.ask().unwrap();
    s.answer(ask, OLD, 1, 0..0, 20);
    s.pass(1000);
    s.ask();
    assert_eq!(s.out(), ["lost 7"]);
    s.live(OLD, 1, [20]);
    assert_eq!(s.out(), ["20"]);
}

#[tokio::test(start_paused = true)]
async fn a_tail_longer_than_a_second_is_left_for_the_newest_group() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10]);
    s.pass(300);
    let ask = s.ask().unwrap();
    let first = s.unit(11);
    s.pass(1500);
    let last = s.unit(12);
    let mut answer = UnitsAnswer {
        batches: vec![UnitBatch {
            session: OLD,
            epoch: epoch(1),
            units: vec![first, last],
        }],
        end: s.end(OLD, 1, 40),
    };
    s.repair.answered(s.now, ask, Ok(answer.clone()));
    assert_eq!(s.out(), ["10"]);
    assert_eq!(s.ask(), Some(Ask::Newest));
    answer.batches[0].units = vec![s.unit(30)];
    s.repair.answered(s.now, Ask::Newest, Ok(answer));
    assert_eq!(s.out()[..2], ["lost 19", "30"]);
}

#[tokio::test(start_paused = true)]
async fn a_lower_epoch_and_a_strange_session_of_the_same_one_are_fenced() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10]);
    s.live(NEW, 1, [0]);
    s.live(NEW, 0, [0]);
    assert_eq!(s.out(), ["10"]);
    assert_eq!(s.counters.fenced.load(Relaxed), 2);
    assert_eq!(s.repair.session(), Some(OLD));
}

#[tokio::test(start_paused = true)]
async fn a_higher_epoch_takes_over_with_its_newest_group_and_nothing_of_the_old_one_follows() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10, 12]);
    let repair = s.ask().unwrap();
    s.live(NEW, 2, [43]);
    s.live(OLD, 1, [11]);
    assert_eq!(s.out(), ["10"]);
    // The answer for the old session comes late.
    s.answer(repair, OLD, 1, 11..12, 13);
    assert_eq!(s.ask(), Some(Ask::Newest));
    s.answer(Ask::Newest, OLD, 1, 10..14, 14);
    assert!(s.out().is_empty());
    s.pass(300);
    assert_eq!(s.ask(), Some(Ask::Newest));
    s.answer(Ask::Newest, NEW, 2, 40..44, 44);
    assert_eq!(s.out(), ["session", "40", "41", "42", "43"]);
    assert_eq!((s.repair.session(), s.repair.epoch()), (Some(NEW), epoch(2)));
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_whose_answer_is_late_begins_with_the_key_unit_at_hand() {
    let mut s = Scene::flowing();
    s.live(NEW, 2, [28, 29, 30, 31]);
    s.ask();
    s.pass(499);
    s.ask();
    assert!(s.out().is_empty());
    s.pass(1);
    assert_eq!(s.repair.deadline(), s.now);
    s.ask();
    assert_eq!(s.out(), ["session", "30", "31"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_claims_again_goes_on_with_its_numbers() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10]);
    s.live(OLD, 5, [11]);
    s.live(OLD, 1, [12]);
    s.live(OLD, 5, [12]);
    assert_eq!(s.out(), ["10", "11", "12"]);
    assert_eq!(s.counters.fenced.load(Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn another_session_that_answers_a_silence_is_asked_for_its_newest_group() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10]);
    s.pass(300);
    let ask = s.ask().unwrap();
    s.answer(ask, NEW, 2, 0..0, 55);
    assert_eq!(s.ask(), Some(Ask::Newest));
    s.answer(Ask::Newest, NEW, 2, 50..55, 55);
    assert_eq!(s.out(), ["10", "session", "50", "51", "52", "53", "54"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_s_answer_says_that_the_owner_is_gone_and_ends_the_wait_for_units() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10, 12]);
    let ask = s.ask().unwrap();
    assert_eq!(s.fail(ask, RequestError::NoOwner), Owner::Gone);
    assert_eq!(s.out(), ["10", "lost 1", "12"]);
}

#[tokio::test(start_paused = true)]
async fn after_an_absence_a_short_hole_is_filled_and_a_long_one_left() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10]);
    s.pass(800);
    s.repair.reconnected(s.now);
    let ask = Ask::Range(OLD, UnitSeq(11), None);
    assert_eq!(s.ask(), Some(ask));
    s.answer(ask, OLD, 1, 11..40, 40);
    assert_eq!(s.out().len(), 30);
    s.live(OLD, 1, [40]);
    s.pass(20_000);
    s.repair.reconnected(s.now);
    assert_eq!(s.ask(), Some(Ask::Newest));
    s.live(OLD, 1, [902]);
    s.answer(Ask::Newest, OLD, 1, 900..902, 902);
    assert_eq!(s.out(), ["40", "lost 859", "900", "901", "902"]);
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_reconnects_a_moment_later_is_asked_again_soon_and_nothing_is_lost() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10]);
    s.pass(50);
    s.repair.reconnected(s.now);
    s.live(OLD, 1, [12]);
    for _ in 0..3 {
        let ask = s.ask().unwrap();
        assert_eq!(s.fail(ask, RequestError::NoOwner), Owner::Gone);
        assert_eq!(s.ask(), None);
        s.pass(80);
    }
    let ask = s.ask().unwrap();
    s.answer(ask, OLD, 1, 11..13, 13);
    assert_eq!(s.out(), ["10", "11", "12"]);
}

#[tokio::test(start_paused = true)]
async fn a_question_of_the_silence_keeps_nobody_waiting_when_media_is_back() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10]);
    s.pass(3000);
    assert_eq!(s.ask(), Some(Ask::Range(OLD, UnitSeq(11), None)));
    s.live(OLD, 1, [80]);
    assert_eq!(s.ask(), Some(Ask::Newest));
    s.answer(Ask::Newest, OLD, 1, 78..81, 81);
    assert_eq!(s.out(), ["10", "lost 67", "78", "79", "80"]);
}

#[tokio::test(start_paused = true)]
async fn held_units_are_bounded_whatever_comes() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10]);
    s.live(OLD, 1, 12..5000);
    assert_eq!(s.out()[..2], ["10", "lost 1"]);
    let mut s = Scene::new();
    s.live(OLD, 1, 0..5000);
    assert!(!s.repair.held.is_full() || s.repair.held.first().unwrap().0.0 > 0);
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_comes_after_it_was_given_up_never_comes_out() {
    let mut s = Scene::flowing();
    s.live(OLD, 1, [10]);
    s.live(OLD, 1, 13..13 + 1024);
    assert!(s.repair.held.is_full());
    s.live(OLD, 1, [12]);
    assert!(s.repair.held.is_empty());
    let out = s.out();
    assert_eq!(
        (out.len(), &out[..3]),
        (1026, &["10", "lost 2", "13"].map(String::from)[..])
    );
}

#[tokio::test(start_paused = true)]
async fn any_loss_and_any_order_of_answers_gives_rising_numbers_without_repeats() {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    for seed in 0..300 {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut s = Scene::new();
        let mut asked: Vec<Ask> = Vec::new();
        let mut out = Vec::new();
        for seq in 0..400_u64 {
            s.pass(dice.random_range(0..40));
            if dice.random_bool(0.85) {
                s.live(OLD, 1, [seq]);
            }
            asked.extend(s.ask());
            if !asked.is_empty() && dice.random_bool(0.5) {
                let ask = asked.remove(0);
                let next = seq + 1;
                match ask {
                    _ if dice.random_bool(0.2) => {
                        s.fail(ask, RequestError::Timeout);
                    }
                    Ask::Newest => s.answer(ask, OLD, 1, seq / 10 * 10..next, next),
                    Ask::Range(_, from, _) if dice.random_bool(0.3) => {
                        s.answer(ask, OLD, 1, from.0..from.0, next);
                    }
                    Ask::Range(_, from, until) => {
                        let until = until.map_or(next, |u| u.0 + 1);
                        s.answer(ask, OLD, 1, from.0..until.max(from.0), next);
                    }
                }
            }
            out.extend(s.out());
        }
        let mut next = None;
        for item in &out {
            if let Ok(seq) = item.parse::<u64>() {
                assert!(next.is_none_or(|n| n == seq), "seed {seed}: {seq} after {next:?}");
                next = Some(seq + 1);
            } else if let Some(count) = item.strip_prefix("lost ") {
                next = next.map(|n| n + count.parse::<u64>().unwrap());
            }
        }
        assert!(next.unwrap() > 300, "seed {seed}: {next:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_loser_is_asked_past_at_once_and_then_ever_more_slowly() {
    let mut s = Scene::flowing();
    s.live(NEW, 2, [5]);
    let mut ask = s.ask().expect("the newcomer is asked for");
    for pause in [20, 40, 80, 160] {
        s.answer(ask, OLD, 1, 10..10, 10);
        s.pass(pause - 1);
        assert_eq!(s.ask(), None, "too soon");
        s.pass(1);
        ask = s.ask().unwrap_or_else(|| panic!("asked again after {pause} ms"));
    }
}

#[path = "repair_age_tests.rs"]
mod age;
