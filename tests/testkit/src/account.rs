//! What a reader's notes say about a stretch of time: the longest time without a picture, pictures that came too late, and
//! those that came late because a hole was filled. Pure; the bounds are the tests' business.

use crate::watch::{Notes, Picture};
use std::time::{Duration, Instant};

/// Older than this a picture is stale, unless it belongs to a burst that fills a hole.
pub const STALE: Duration = Duration::from_secs(1);
/// A pause of this length is a hole: five pictures at 25 a second.
const HOLE: Duration = Duration::from_millis(200);
/// A burst lasts this long after the first picture behind a hole or at the beginning of a session.
const BURST: Duration = Duration::from_millis(300);
/// The oldest picture that may fill a hole.
const REPAIR: Duration = Duration::from_secs(2);
/// The oldest picture that a newcomer may start with.
const JOIN: Duration = Duration::from_secs(3);

/// What happened to one reader from one moment to another.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Account {
    /// The longest time between two pictures that follow each other, less the time between two frames. A time without
    /// pictures at the end of the stretch counts; so does one that began before it.
    pub gap: Duration,
    /// Pictures older than a second that belong to no burst.
    pub stale: usize,
    /// Pictures that came in a burst which fills a hole or begins a session, later than live ones do.
    pub burst: usize,
    /// The oldest picture of a burst.
    pub oldest: Duration,
    /// Sessions that ended.
    pub ends: usize,
    /// Pictures that came.
    pub pictures: usize,
    /// Pictures whose time in their session did not rise.
    pub back: usize,
    /// Pictures that are missing by the times of those that came. A single one right before a key picture is not counted: a
    /// publisher that answers a keyframe request gives up the picture that was next for the key picture after it.
    pub missing: usize,
}

struct Burst {
    until: Instant,
    oldest: Duration,
    stamp: u64,
}

impl Burst {
    /// The burst with this picture in it; `None` if it does not belong there.
    fn take(self, picture: &Picture) -> Option<Self> {
        let in_time = picture.arrival < self.until && picture.age <= self.oldest;
        (in_time && picture.stamp > self.stamp).then_some(Self {
            stamp: picture.stamp,
            ..self
        })
    }
}

/// The account of a stretch; `frame` is the time between two frames of the source.
///
/// The rule for bursts: a picture is of a burst if it comes within 300 ms of the first picture after a hole (200 ms without
/// any, or the beginning of a session), its stamp is above the one before it in this burst, and it is no older than the hole
/// was long and a second more, nor than 2 s (a repair reaches back for a second and may take one); in a session that begins,
/// no older than 3 s (a group of pictures of 2 s, and a second). Only
/// such pictures may be older than a second: they are what was asked for again, or what a newcomer starts with.
pub fn account(notes: &Notes, from: Instant, to: Instant, frame: Duration) -> Account {
    let mut out = Account {
        ends: notes
            .ends
            .iter()
            .filter(|end| end.at >= from && end.at < to)
            .count(),
        ..Account::default()
    };
    let mut burst: Option<Burst> = None;
    let mut before: Option<&Picture> = None;
    for picture in &notes.pictures {
        if picture.arrival >= to {
            break;
        }
        let same = before.filter(|last| last.session == picture.session);
        let pause = before.map(|last| picture.arrival.saturating_duration_since(last.arrival));
        let hole = pause.filter(|_| same.is_some());
        if hole.is_none_or(|pause| pause >= HOLE) {
            burst = Some(Burst {
                until: picture.arrival + BURST,
                oldest: hole.map_or(JOIN, |pause| (pause + STALE).min(REPAIR)),
                stamp: 0,
            });
        }
        burst = burst.and_then(|burst| burst.take(picture));
        let in_burst = burst.is_some();
        if picture.arrival >= from {
            out.pictures += 1;
            let gap = pause.map_or(Duration::ZERO, |pause| pause.saturating_sub(frame));
            out.gap = out.gap.max(gap);
            let step = same.map(|last| picture.rtp - last.rtp);
            out.back += usize::from(step.is_some_and(|step| step <= 0));
            // To the nearest frame: a publisher's clock is not a multiple of 1/90000 s.
            let ticks = i64::try_from(frame.as_micros() * 90 / 1000)
                .unwrap_or(i64::MAX)
                .max(1);
            let frames = step.map_or(1, |step| (step + ticks / 2) / ticks);
            let given_up = frames == 2 && picture.key;
            out.missing += usize::try_from(frames - 1).unwrap_or_default() - usize::from(given_up);
            if in_burst && picture.age > HOLE {
                out.burst += 1;
                out.oldest = out.oldest.max(picture.age);
            }
            out.stale += usize::from(!in_burst && picture.age > STALE);
        }
        before = Some(picture);
    }
    let end = before.map_or(from, |last| last.arrival);
    out.gap = out
        .gap
        .max(to.saturating_duration_since(end).saturating_sub(frame));
    out
}

/// From a moment to the first picture after it.
pub fn first_after(notes: &Notes, moment: Instant) -> Option<Duration> {
    let first = notes.pictures.iter().find(|picture| picture.arrival >= moment)?;
    Some(first.arrival - moment)
}

/// The value below which this share of some durations is, 0 to 1; zero for none.
pub fn percentile(mut values: Vec<Duration>, share: f64) -> Duration {
    values.sort_unstable();
    let place = (values.len() as f64 * share) as usize;
    values
        .get(place.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::End;

    const FRAME: Duration = Duration::from_millis(40);

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    /// Pictures as (arrival, age, session), in ms.
    fn notes(base: Instant, pictures: &[(u64, u64, usize)]) -> Notes {
        let picture = |(place, &(arrival, age, session)): (usize, &(u64, u64, usize))| Picture {
            arrival: base + ms(arrival),
            age: ms(age),
            stamp: 10_000_000 + arrival * 1000 - age * 1000,
            key: false,
            rtp: place as i64 * 3600,
            loss: 0,
            session,
        };
        Notes {
            pictures: pictures.iter().enumerate().map(picture).collect(),
            ..Notes::default()
        }
    }

    fn judged(pictures: &[(u64, u64, usize)], to: u64) -> Account {
        let base = Instant::now() + Duration::from_secs(10);
        account(&notes(base, pictures), base, base + ms(to), FRAME)
    }

    #[test]
    fn a_gap_is_counted_without_the_frame_also_at_the_end() {
        assert_eq!(judged(&[(0, 1, 0), (40, 1, 0), (540, 1, 0)], 560).gap, ms(460));
        assert_eq!(judged(&[(0, 1, 0)], 3000).gap, ms(2960));
        assert_eq!(judged(&[], 100).gap, ms(60));
    }

    #[test]
    fn late_pictures_in_order_right_behind_a_hole_are_a_burst_and_others_are_stale() {
        let filled = [
            (0, 1, 0),
            (1600, 1500, 0),
            (1605, 1465, 0),
            (1610, 1430, 0),
            (1640, 1, 0),
        ];
        let account = judged(&filled, 1650);
        assert_eq!((account.stale, account.burst, account.oldest), (0, 3, ms(1500)));
        // Late ones that come slowly, long behind the hole.
        let slow = [
            (0, 1, 0),
            (1600, 1500, 0),
            (1750, 1500, 0),
            (1890, 1500, 0),
            (1990, 1500, 0),
        ];
        assert_eq!(judged(&slow, 2000).stale, 1);
        // A queue that stood for long, all at once.
        let queue = [(0, 1, 0), (6000, 5000, 0), (6001, 4960, 0), (6002, 1, 0)];
        assert_eq!(judged(&queue, 6100).stale, 2);
        // One by one with small holes between them.
        let trickle = [(0, 1, 0), (300, 1900, 0), (600, 1900, 0), (900, 1900, 0)];
        assert_eq!(judged(&trickle, 1000).stale, 3);
        // Late without any hole.
        assert_eq!(
            judged(&[(0, 1, 0), (400, 1, 0), (1000, 2, 0), (1040, 1, 0)], 1100).stale,
            0
        );
        assert_eq!(judged(&[(0, 2, 0), (40, 2, 0), (80, 2000, 0)], 100).stale, 1);
    }

    #[test]
    fn a_picture_that_goes_back_within_a_burst_ends_it() {
        let back = [(0, 1, 0), (1600, 1500, 0), (1605, 1600, 0), (1610, 1600, 0)];
        assert_eq!(judged(&back, 1620).stale, 2);
    }

    #[test]
    fn missing_pictures_show_in_the_times_of_the_others() {
        let base = Instant::now() + Duration::from_secs(10);
        let mut notes = notes(base, &[(0, 1, 0), (40, 1, 0), (160, 1, 0)]);
        notes.pictures[2].rtp = 4 * 3600 + 1;
        assert_eq!(account(&notes, base, base + ms(200), FRAME).missing, 2);
        notes.pictures[2].key = true;
        assert_eq!(account(&notes, base, base + ms(200), FRAME).missing, 2);
        notes.pictures[2].rtp = 3 * 3600;
        assert_eq!(account(&notes, base, base + ms(200), FRAME).missing, 0);
    }

    #[test]
    fn a_new_session_begins_with_a_burst() {
        let join = [(0, 1, 0), (100, 1900, 1), (105, 1865, 1), (110, 1, 1)];
        let account = judged(&join, 120);
        assert_eq!((account.stale, account.burst), (0, 2));
    }

    #[test]
    fn ends_count_in_their_time_only() {
        let base = Instant::now() + Duration::from_secs(10);
        let mut notes = notes(base, &[(0, 1, 0)]);
        let end = |at| End {
            at,
            url: String::new(),
            why: String::new(),
        };
        notes.ends = vec![end(base + ms(5)), end(base + ms(50))];
        assert_eq!(account(&notes, base, base + ms(20), FRAME).ends, 1);
        assert_eq!(first_after(&notes, base), Some(Duration::ZERO));
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<Duration> = (1..=100).map(ms).collect();
        assert_eq!(percentile(values.clone(), 0.99), ms(100));
        assert_eq!(percentile(values, 0.5), ms(51));
        assert_eq!(percentile(vec![], 0.5), Duration::ZERO);
    }
}
