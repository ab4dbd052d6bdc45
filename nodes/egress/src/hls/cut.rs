//! Units of one track into parts: each as long as the part target allows, none longer, written as a fragment once.
//! Where segments begin is the stream's decision; it says so by [`Cutter::cut`].

use super::rendition::Part;
use std::time::Duration;
use weft_mp4::{Run, Sample, fragment};
use weft_wire::{ClockRate, TrackId};

/// A part is at least this much of the target, in hundredths (draft-pantos-hls-rfc8216bis-16 §4.4.4.9).
const LEAST: i64 = 85;

/// A unit as a sample that has its place but no length yet.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    /// Decoding time in ticks since the beginning of the presentation.
    pub(super) time: i64,
    pub(super) sample: Sample,
}

/// The cutter of one track.
#[derive(Debug)]
pub(super) struct Cutter {
    track: TrackId,
    rate: ClockRate,
    /// Ticks of the part target.
    target: i64,
    /// The newest unit: how long it lasts is known when the next one comes.
    pending: Option<Placed>,
    samples: Vec<Sample>,
    /// Decoding time of the first of them.
    begun: i64,
    fragments: u32,
}

impl Cutter {
    pub(super) fn new(track: TrackId, rate: ClockRate, target: Duration) -> Self {
        Self {
            track,
            rate,
            target: rate.micros_to_ticks(i64::try_from(target.as_micros()).unwrap_or(i64::MAX)),
            pending: None,
            samples: Vec::new(),
            begun: 0,
            fragments: 0,
        }
    }

    /// The decoding time of the newest unit.
    pub(super) fn newest(&self) -> Option<i64> {
        self.pending.as_ref().map(|unit| unit.time)
    }

    /// The next unit; gives the parts that are whole by it.
    pub(super) fn push(&mut self, unit: Placed) -> Vec<Part> {
        let parts = self.settle(unit.time);
        if self.samples.is_empty() {
            self.begun = unit.time;
        }
        self.pending = Some(unit);
        parts
    }

    /// Ends the running part at this decoding time: what follows begins another one.
    pub(super) fn cut(&mut self, at: i64) -> Vec<Part> {
        let mut parts = self.settle(at);
        if !self.samples.is_empty() {
            parts.extend(self.part(at));
        }
        parts
    }

    /// The newest unit lasts until `at`.
    fn settle(&mut self, at: i64) -> Vec<Part> {
        let Some(unit) = self.pending.take() else {
            return Vec::new();
        };
        let lasts = (at - unit.time).max(1);
        let mut parts = Vec::new();
        let length = |begun: i64| unit.time + lasts - begun;
        // Whole units only: with this one the part would be too long.
        if length(self.begun) > self.target && !self.samples.is_empty() {
            parts.extend(self.part(unit.time));
            self.begun = unit.time;
        }
        self.samples.push(Sample {
            duration: u32::try_from(lasts).unwrap_or(u32::MAX),
            ..unit.sample
        });
        if length(self.begun) * 100 >= self.target * LEAST {
            parts.extend(self.part(unit.time + lasts));
        }
        parts
    }

    /// The samples as a part that ends at `end`.
    fn part(&mut self, end: i64) -> Option<Part> {
        let samples = std::mem::take(&mut self.samples);
        let independent = samples.iter().any(|sample| sample.key);
        let run = Run {
            track: self.track,
            time: u64::try_from(self.begun).unwrap_or(0),
            samples,
        };
        self.fragments = self.fragments.wrapping_add(1);
        let micros = self.rate.ticks_to_micros(end - self.begun);
        self.begun = end;
        match fragment(self.fragments, &[run]) {
            Ok(bytes) => Some(Part {
                duration: Duration::from_micros(u64::try_from(micros).unwrap_or(0)),
                independent,
                bytes,
            }),
            Err(error) => {
                tracing::warn!(track = %self.track.0, %error, "part of a stream is not written");
                None
            }
        }
    }
}
