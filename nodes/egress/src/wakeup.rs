//! When a reader is woken for what was queued: at once for a picture; a sound may wait for the picture that follows, so that both
//! leave in one write to one socket. What is queued, and what is dropped of it, is the queue's business.

use std::time::Duration;
use tokio::time::Instant;
use weft_wire::MediaKind;

/// So long a sound waits at most while sounds come as evenly as before; a little more than a picture takes at 25 a second. If
/// nothing comes any more, neither sound nor picture, it waits for the next sender report or the end.
const LONGEST: Duration = Duration::from_millis(45);

/// What one reader has been woken for.
#[derive(Debug, Default)]
pub(crate) struct Wakeup {
    picture: Option<Instant>,
    sound: Option<Instant>,
    /// The oldest sound that waits.
    waits: Option<Instant>,
}

impl Wakeup {
    /// Whether the reader is to be woken for a unit that was queued now.
    pub(crate) fn is_due(&mut self, now: Instant, kind: MediaKind) -> bool {
        let since = |then: Instant| now.saturating_duration_since(then);
        let due = match kind {
            MediaKind::Video => {
                self.picture = Some(now);
                true
            }
            MediaKind::Audio => {
                let waited = since(*self.waits.get_or_insert(now));
                let picture = self.picture.is_some_and(|at| since(at) <= LONGEST);
                // The next sound takes it along, should no picture come before.
                let next = self.sound.replace(now).map(since);
                !picture || next.is_none_or(|next| waited + next > LONGEST)
            }
        };
        if due {
            self.waits = None;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of these units, by kind and ms, wake the reader.
    fn woken(units: &[(char, u64)]) -> Vec<u64> {
        let start = Instant::now();
        let mut wakeup = Wakeup::default();
        let due = units.iter().filter(|(kind, ms)| {
            let kind = match kind {
                'p' => MediaKind::Video,
                _ => MediaKind::Audio,
            };
            wakeup.is_due(start + Duration::from_millis(*ms), kind)
        });
        due.map(|(_, ms)| *ms).collect()
    }

    #[test]
    fn sounds_between_pictures_wake_nobody() {
        let units = [
            ('p', 0),
            ('s', 5),
            ('s', 25),
            ('p', 33),
            ('s', 45),
            ('s', 65),
            ('p', 67),
            ('s', 85),
            ('p', 100),
        ];
        // The first sound has none before it: nobody knows when the next will come.
        assert_eq!(woken(&units), [0, 5, 33, 67, 100]);
    }

    #[test]
    fn no_pace_of_sounds_makes_one_wait_longer() {
        for pace in 1..60 {
            for pictures in [33, 40, 66, 200] {
                let sounds = (0..50).map(|n| ('s', n * pace));
                let pictures = (0..50)
                    .map(|n| ('p', n * pictures))
                    .filter(|(_, at)| *at <= 49 * pace);
                let mut units: Vec<(char, u64)> = sounds.chain(pictures).collect();
                units.sort_by_key(|(_, at)| *at);
                let woken = woken(&units);
                for (_, at) in units {
                    let wait = woken.iter().find(|woken| **woken >= at).map(|woken| woken - at);
                    assert!(
                        wait.is_none_or(|ms| ms <= 45),
                        "{wait:?} at {at}, a sound each {pace} ms"
                    );
                }
            }
        }
    }

    #[test]
    fn sound_alone_wakes_at_once() {
        assert_eq!(woken(&[('s', 0), ('s', 20), ('s', 40)]), [0, 20, 40]);
    }

    #[test]
    fn when_pictures_stop_or_are_rare_no_sound_waits_longer_than_a_picture() {
        let units: Vec<(char, u64)> = [('s', 0), ('p', 1)]
            .into_iter()
            .chain((1..10).map(|n| ('s', n * 20)))
            .collect();
        // 20 waits, 40 would, and 60 comes long after the last picture.
        assert_eq!(woken(&units), [0, 1, 60, 80, 100, 120, 140, 160, 180]);
        let rare = [('p', 0), ('s', 1), ('s', 21), ('s', 41), ('s', 61), ('p', 66)];
        assert_eq!(woken(&rare), [0, 1, 61, 66]);
    }

    #[test]
    fn sounds_that_come_seldom_never_wait() {
        let units = [
            ('p', 0),
            ('s', 10),
            ('p', 33),
            ('p', 67),
            ('s', 70),
            ('p', 100),
            ('s', 130),
        ];
        assert_eq!(woken(&units), [0, 10, 33, 67, 70, 100, 130]);
    }
}
