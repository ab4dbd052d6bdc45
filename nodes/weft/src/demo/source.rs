//! Where a publisher's access units come from: a trait, and a clip that is played over and over.
//! When they are sent is the publisher's business.

use crate::demo::clip::{Clip, ClipTrack, ClipUnit};
use bytes::Bytes;
use std::time::Duration;

/// One access unit to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceUnit {
    /// Place of its track in [`UnitSource::tracks`].
    pub track: usize,
    /// Decoding may start here.
    pub key: bool,
    /// Media clock ticks since the source's start; unbroken over loops.
    pub pts: u64,
    /// When it is due, since the source's start; never falls.
    pub due: Duration,
    /// In the form of [`weft_wire::AccessUnit::data`].
    pub data: Bytes,
}

/// Yields access units in the order of time.
pub trait UnitSource: Send + 'static {
    /// What it yields; at most one H.264 and one Opus track.
    fn tracks(&self) -> Vec<ClipTrack>;
    /// The next unit; `None` ends the publishing.
    fn next_unit(&mut self) -> Option<SourceUnit>;
    /// Called right before a unit is sent, with what `next_unit` gave; what is returned is sent in its place.
    fn sending(&mut self, unit: SourceUnit) -> SourceUnit {
        unit
    }
    /// Answers a keyframe request: the next video unit is to be a key unit, if the source can do that. Time goes on.
    fn restart_at_key(&mut self) -> bool {
        false
    }
}

/// Plays a clip for ever.
#[derive(Debug)]
pub struct ClipLoop {
    clip: Clip,
    at: usize,
    /// Source time at the clip's start in this round.
    base: Duration,
}

impl ClipLoop {
    /// Starts at the clip's first unit.
    #[must_use]
    pub fn new(clip: Clip) -> Self {
        Self {
            clip,
            at: 0,
            base: Duration::ZERO,
        }
    }

    fn place(&self, unit: &ClipUnit) -> SourceUnit {
        let rate = u128::from(self.clip.tracks[unit.track].clock_rate);
        let base = self.base.as_micros() * rate / 1_000_000;
        SourceUnit {
            track: unit.track,
            key: unit.key,
            pts: u64::try_from(base).unwrap_or(u64::MAX) + u64::from(unit.pts),
            due: self.base + self.clip.due(unit),
            data: unit.data.clone(),
        }
    }
}

impl UnitSource for ClipLoop {
    fn tracks(&self) -> Vec<ClipTrack> {
        self.clip.tracks.clone()
    }

    fn next_unit(&mut self) -> Option<SourceUnit> {
        if self.at == self.clip.units.len() {
            self.at = 0;
            self.base += self.clip.duration;
        }
        let unit = self.place(&self.clip.units[self.at]);
        self.at += 1;
        Some(unit)
    }

    fn restart_at_key(&mut self) -> bool {
        let units = &self.clip.units;
        let Some(key) = units[..self.at.min(units.len())].iter().rposition(|u| u.key) else {
            return false;
        };
        // The key unit takes the place in time that the next unit of its track would have had.
        let track = units[key].track;
        let first = |from: usize| units[from..].iter().find(|u| u.track == track);
        let (next, rounds) = match first(self.at) {
            Some(unit) => (unit, Duration::ZERO),
            None => (first(0).unwrap_or(&units[key]), self.clip.duration),
        };
        self.base += rounds + self.clip.due(next) - self.clip.due(&units[key]);
        self.at = key;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(source: &mut ClipLoop) -> SourceUnit {
        std::iter::from_fn(|| source.next_unit())
            .find(|u| u.track == 0)
            .unwrap()
    }

    #[test]
    fn loops_keep_the_frame_interval_and_the_tone() {
        let mut source = ClipLoop::new(Clip::demo());
        let units: Vec<SourceUnit> = (0..1600).map(|_| source.next_unit().unwrap()).collect();
        for (track, step) in [(0, 3_600), (1, 960)] {
            let pts: Vec<u64> = units.iter().filter(|u| u.track == track).map(|u| u.pts).collect();
            assert!(pts.windows(2).all(|w| w[1] - w[0] == step), "track {track}");
        }
        assert!(units.windows(2).all(|w| w[0].due <= w[1].due));
        assert!(units.last().unwrap().due > Duration::from_secs(20));
    }

    #[test]
    fn a_keyframe_request_is_answered_by_the_next_video_unit() {
        let mut source = ClipLoop::new(Clip::demo());
        let before = (0..60).map(|_| video(&mut source)).last().unwrap();
        assert!(!before.key);
        assert!(source.restart_at_key());
        let after = video(&mut source);
        assert!(after.key);
        assert!(after.pts > before.pts && after.pts - before.pts <= 3_600);
        let next = video(&mut source);
        assert_eq!(next.pts - after.pts, 3_600);
    }

    #[test]
    fn a_keyframe_request_at_the_seam_does_not_turn_time_back() {
        let mut source = ClipLoop::new(Clip::demo());
        let last = (0..Clip::demo().units.len())
            .map(|_| source.next_unit().unwrap())
            .last()
            .unwrap();
        assert!(source.restart_at_key());
        let next = source.next_unit().unwrap();
        assert!(next.due >= last.due);
        assert_eq!(next.due, Duration::from_secs(10));
    }
}
