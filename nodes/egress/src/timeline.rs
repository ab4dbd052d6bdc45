//! One line between RTP time and capture time (UTC) for the life of a hub, which every publisher session joins in turn.
//! Pure arithmetic on instants handed in; who the session is and where packets go is decided elsewhere.

use std::time::Duration;
use tokio::time::Instant;
use weft_rtsp_server::RtpLine;
use weft_wire::{AccessUnit, CaptureTime, ClockRate, MediaKind, TrackId};

/// The UTC side of the line follows the units' capture times by at most this part of the media time passed: 1 ms per second.
const SLEW: i64 = 1000;
/// A newcomer whose capture clock is further ahead than this has a wrong clock: it joins where the readers are.
const AHEAD_AT_MOST: i64 = 2_000_000;
/// A step of the media clock beyond the capture clock's by more than this is a fault of the publisher, not a pause.
const STEP_AT_MOST: i64 = 10_000_000;

/// Media times and capture times beyond this (142 years in µs) are no times but faults, or meant to overflow something.
const FARTHEST: u64 = 1 << 52;

/// A place on a track's RTP clock in ticks, counted from the hub's origin, never wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Position(pub(crate) i64);

/// Where a unit was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Of its presentation.
    pub(crate) position: Position,
    /// Of its decoding.
    pub(crate) dts: Position,
    /// The presentation's as it stands in packets.
    pub(crate) rtp_time: u32,
    /// The line begins anew here: a report belongs in front of it.
    pub(crate) joint: bool,
}

/// The line, a track at a time.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// Capture time of position 0 of every track.
    origin: Option<CaptureTime>,
    /// Microseconds by which the present session lies beside the line; `None` before its first unit.
    shift: Option<i64>,
    /// A reader has been told of the line.
    told: bool,
    tracks: Vec<Track>,
}

#[derive(Debug)]
struct Track {
    id: TrackId,
    rate: ClockRate,
    /// RTP timestamp of position 0.
    base: u32,
    /// Position minus the session's media time, in ticks; `None` before the session's first unit.
    offset: Option<i64>,
    /// Capture time of position 0 as the present units have it, in µs.
    utc: Option<i64>,
    last: Option<Last>,
    /// Usual distance of two units in ticks.
    frame: i64,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    /// Position of its decoding.
    dts: i64,
    /// Its media time and capture time, to see steps.
    media: i64,
    capture: CaptureTime,
    at: Instant,
}

impl Timeline {
    /// Makes a track known; its RTP timestamps begin at `base` (random: RFC 3550 §5.1). Known tracks stay as they are.
    pub(crate) fn track(&mut self, id: TrackId, rate: ClockRate, kind: MediaKind, base: u32) {
        if self.tracks.iter().any(|t| t.id == id) {
            return;
        }
        let per_second = match kind {
            MediaKind::Video => 30,
            MediaKind::Audio => 50,
        };
        self.tracks.push(Track {
            id,
            rate,
            base,
            offset: None,
            utc: None,
            last: None,
            frame: i64::from(rate.hz()) / per_second,
        });
    }

    /// A reader is told of the line: from now on its UTC side moves slowly. Before, it is where the best capture time known
    /// puts it, so that the first reader does not follow a correction that was already made.
    pub(crate) fn told(&mut self) {
        self.told = true;
    }

    /// Another session's units follow: their media times mean something else.
    pub(crate) fn begin_session(&mut self) {
        self.shift = None;
        for track in &mut self.tracks {
            track.offset = None;
        }
    }

    /// Places a unit; `None` if its track is unknown or its times are absurd. Positions of decoding rise strictly, whatever the units say.
    pub(crate) fn place(&mut self, now: Instant, unit: &AccessUnit) -> Option<Placed> {
        let index = self.tracks.iter().position(|t| t.id == unit.track)?;
        let times = [unit.pts.0, unit.dts.0, unit.capture.0];
        if times.iter().any(|t| t.unsigned_abs() > FARTHEST) {
            return None;
        }
        let origin = *self.origin.get_or_insert(unit.capture);
        let reorder = unit.pts.ticks_since(unit.dts);
        let shift = match self.shift {
            Some(shift) => shift,
            None => *self
                .shift
                .insert(self.join(now, unit.capture.micros_since(origin))),
        };
        let track = &mut self.tracks[index];
        let joint = match (track.offset, track.last) {
            (Some(offset), Some(last)) => !track.follows(unit, offset, last),
            _ => true,
        };
        if joint {
            let mapped = track
                .rate
                .micros_to_ticks(unit.capture.micros_since(origin).saturating_add(shift));
            let earliest = track.last.map_or(i64::MIN, |l| l.dts.saturating_add(track.frame));
            let dts = mapped.saturating_sub(reorder).max(earliest);
            track.offset = Some(dts.saturating_sub(unit.dts.0));
        }
        let position = unit.pts.0.saturating_add(track.offset.unwrap_or_default());
        let dts = position.saturating_sub(reorder);
        let passed = track.last.map_or(0, |l| dts.saturating_sub(l.dts));
        // A joint moves the line no more than any other unit: readers that take their times from the reports (FFmpeg)
        // would see time turn back where a newcomer overlaps the last units.
        let passed_on_line = if joint { 0 } else { passed };
        track.follow_utc(unit.capture, position, self.told.then_some(passed_on_line));
        if !joint && passed > 0 && passed <= i64::from(track.rate.hz()) {
            track.frame = passed;
        }
        track.last = Some(Last {
            dts,
            media: unit.dts.0,
            capture: unit.capture,
            at: now,
        });
        Some(Placed {
            position: Position(position),
            dts: Position(dts),
            rtp_time: track.rtp(position),
            joint,
        })
    }

    /// Microseconds to add to a newcomer's place on the line so that every track goes on after its last unit, all by the
    /// same amount so that sound and picture stay together.
    fn join(&self, now: Instant, mapped: i64) -> i64 {
        let mut earliest = i64::MIN;
        let mut readers = i64::MIN;
        for track in &self.tracks {
            let Some(last) = track.last else { continue };
            let since = micros(now.duration_since(last.at));
            let end = last.dts.saturating_add(track.frame);
            earliest = earliest.max(track.rate.ticks_to_micros(end));
            readers = readers.max(track.rate.ticks_to_micros(last.dts).saturating_add(since));
        }
        if earliest == i64::MIN {
            0
        } else if mapped > readers.saturating_add(AHEAD_AT_MOST) {
            readers.max(earliest).saturating_sub(mapped)
        } else {
            earliest.saturating_sub(mapped).max(0)
        }
    }

    /// The line at a position of a track; `None` while nothing is known of it.
    pub(crate) fn line(&self, id: TrackId, position: Position) -> Option<RtpLine> {
        let track = self.tracks.iter().find(|t| t.id == id)?;
        Some(RtpLine {
            rtp_time: track.rtp(position.0),
            capture: CaptureTime(track.utc?).shifted(track.rate.ticks_to_micros(position.0)),
        })
    }

    /// The line at the newest unit of a track, for its periodic report.
    pub(crate) fn newest(&self, id: TrackId) -> Option<RtpLine> {
        let last = self.tracks.iter().find(|t| t.id == id)?.last?;
        self.line(id, Position(last.dts))
    }

    /// Where the next unit of a track will lie as far as one can tell: after its last, else where the other tracks are,
    /// else at the origin, taken to be captured at `utc_now`.
    pub(crate) fn expected(&self, id: TrackId, now: Instant, utc_now: CaptureTime) -> Option<RtpLine> {
        let track = self.tracks.iter().find(|t| t.id == id)?;
        if let (Some(last), Some(_)) = (track.last, track.utc) {
            let idle = track.rate.micros_to_ticks(micros(now.duration_since(last.at)));
            // Media that flows is expected a frame later; after a silence, where it would be by now.
            let ahead = if idle > 4 * track.frame { idle } else { track.frame };
            return self.line(id, Position(last.dts.saturating_add(ahead)));
        }
        let other = self.tracks.iter().find_map(|t| Some((t.utc?, t.last?, t.rate)));
        let (micros_in, capture) = match other {
            Some((utc, last, rate)) => {
                let since = micros(now.duration_since(last.at));
                let there = rate.ticks_to_micros(last.dts).saturating_add(since);
                (there, CaptureTime(utc).shifted(there))
            }
            None => (0, utc_now),
        };
        Some(RtpLine {
            rtp_time: track.rtp(track.rate.micros_to_ticks(micros_in)),
            capture,
        })
    }
}

impl Track {
    fn rtp(&self, position: i64) -> u32 {
        // Truncation is the wrap of RFC 3550 §5.1.
        self.base.wrapping_add(position as u32)
    }

    /// True when the unit goes on where its session's last one was: decoding time rises, and not by a leap that the
    /// capture clock knows nothing of.
    fn follows(&self, unit: &AccessUnit, offset: i64, last: Last) -> bool {
        let passed = self.rate.ticks_to_micros(unit.dts.0.saturating_sub(last.media));
        let captured = unit.capture.micros_since(last.capture).max(0);
        unit.dts.0.saturating_add(offset) > last.dts && passed.saturating_sub(captured) <= STEP_AT_MOST
    }

    /// Moves the line towards the unit's capture time by what the ticks `passed` since the last unit allow. The track's
    /// first unit lays it down, and so does each one while nobody was told of it (`passed` is `None`).
    fn follow_utc(&mut self, capture: CaptureTime, position: i64, passed: Option<i64>) {
        let measured = capture.0.saturating_sub(self.rate.ticks_to_micros(position));
        self.utc = Some(match (self.utc, passed) {
            (Some(utc), Some(passed)) => {
                let step = self.rate.ticks_to_micros(passed).clamp(0, 1_000_000) / SLEW;
                utc.saturating_add(measured.saturating_sub(utc).clamp(-step, step))
            }
            _ => measured,
        });
    }
}

fn micros(d: Duration) -> i64 {
    i64::try_from(d.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
