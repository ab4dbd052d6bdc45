//! The sound of a stream that has pictures: kept without holes, so that no player waits for a microphone that is off, and cut
//! where the pictures are. Pure: it is told of sound and of boundaries.

use super::cut::{Cutter, Placed};
use super::rendition::Rendition;
use std::collections::VecDeque;
use weft_mp4::{Sample, opus_silence};
use weft_rtp::opus_duration;
use weft_wire::{CaptureTime, ClockRate};

/// Sound that is so far behind the pictures will not come: silence stands in for it. In ticks of 48 kHz.
const LATE: i64 = 48_000 * 3 / 10;
/// How long a packet of silence lasts.
const SILENCE: i64 = 960;
/// Boundaries that sound has not reached yet.
const MAX_BOUNDARIES: usize = 16;

/// Where a segment of the pictures began, on the sound's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Boundary {
    /// Where the segment before ended.
    pub(super) from: i64,
    /// Where this one begins.
    pub(super) to: i64,
    /// It follows from nothing.
    pub(super) discontinuity: bool,
    pub(super) date: CaptureTime,
}

/// The sound.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) rendition: Rendition,
    cutter: Cutter,
    boundaries: VecDeque<Boundary>,
    /// Where the sound so far ends.
    end: i64,
}

impl Sound {
    /// Sound that begins at `start`, which was captured at `date`.
    pub(super) fn new(mut rendition: Rendition, cutter: Cutter, start: i64, date: CaptureTime) -> Self {
        rendition.begin(date, false);
        Self {
            rendition,
            cutter,
            boundaries: VecDeque::new(),
            end: start,
        }
    }

    /// The pictures have come to a boundary.
    pub(super) fn boundary(&mut self, boundary: Boundary) {
        // overflow: it cannot be, sound is filled up behind the pictures; the oldest is taken at once.
        if self.boundaries.len() == MAX_BOUNDARIES {
            self.pass();
        }
        self.boundaries.push_back(boundary);
    }

    /// A packet of sound. What comes again, or too late, is dropped.
    pub(super) fn push(&mut self, time: i64, data: &bytes::Bytes) {
        let Some(lasts) = opus_duration(data).map(i64::from) else {
            return;
        };
        self.catch_up(time);
        let in_hole = self.boundaries.front().is_some_and(|next| time >= next.from);
        if in_hole || time + lasts / 2 < self.end {
            return;
        }
        let sample = Sample {
            duration: 0,
            offset: 0,
            key: true,
            data: data.clone(),
        };
        // Half a packet of difference is rounding, not a hole.
        self.put(time.max(self.end), sample, lasts);
    }

    /// The pictures are at `time`: sound that is not there by now is silence.
    pub(super) fn pictures_at(&mut self, time: i64) {
        self.catch_up(time - LATE);
    }

    /// Fills the hole up to `time`, and passes the boundaries on the way.
    fn catch_up(&mut self, time: i64) {
        while let Some(next) = self.boundaries.front().copied().filter(|next| time >= next.to) {
            self.fill(next.from);
            self.pass();
        }
        // What lies in a hole of the pictures is the hole's.
        let end = self.boundaries.front().map_or(time, |next| time.min(next.from));
        self.fill(end);
    }

    fn fill(&mut self, time: i64) {
        while self.end + SILENCE <= time {
            let sample = Sample {
                duration: 0,
                offset: 0,
                key: true,
                data: opus_silence(),
            };
            self.put(self.end, sample, SILENCE);
        }
    }

    fn put(&mut self, time: i64, sample: Sample, lasts: i64) {
        for part in self.cutter.push(Placed { time, sample }) {
            self.rendition.push(part);
        }
        self.end = time + lasts;
    }

    /// Ends the segment at the next boundary and begins another one.
    fn pass(&mut self) {
        let Some(boundary) = self.boundaries.pop_front() else {
            return;
        };
        self.finish();
        let hole = boundary.to - self.end;
        // The pictures' hole is the sound's too.
        if boundary.discontinuity && hole > 0 {
            self.end = boundary.to;
        }
        let ahead = ClockRate::OPUS.ticks_to_micros(self.end - boundary.to);
        self.rendition
            .begin(boundary.date.shifted(ahead), boundary.discontinuity);
    }

    fn finish(&mut self) {
        for part in self.cutter.cut(self.end) {
            self.rendition.push(part);
        }
    }

    /// Nothing follows.
    pub(super) fn end(&mut self) {
        self.finish();
        self.rendition.end();
    }
}
