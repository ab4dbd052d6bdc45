//! When a unit was captured, UTC, by the best source its publisher gives: abs-capture-time, else sender reports
//! (RFC 3550 §6.4.1), else the least delayed arrivals. Pure arithmetic per track; `now` is an argument.

use std::time::Duration;
use weft_wire::{CaptureSource, CaptureTime, ClockRate};

/// A line moves towards a better estimate by this many µs per second: steady for a reader, faster than any clock drifts.
const SLEW_US_PER_S: i64 = 5_000;
/// An estimate further off than this is no jitter but another clock: the line jumps.
const JUMP_US: i64 = 500_000;
/// The arrival line takes every better estimate at once in its first moments (publishers often begin with a burst).
const SETTLE_US: i64 = 2_000_000;
/// Estimates are remembered for one to two of these.
const MEMORY_US: i64 = 30_000_000;
/// No packet travels this much longer than the fastest: the media clock stood still meanwhile.
const STOOD_STILL_US: i64 = 5_000_000;
/// A publisher's clock further from ours than this counts no UTC (uptime, or never set): its reports are not used.
const ABSURD_US: i64 = 86_400_000_000;

/// When, by which source, and the publisher's clock minus ours in µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) capture: CaptureTime,
    pub(crate) source: CaptureSource,
    pub(crate) offset: i64,
}

/// UTC as a line over the track's media clock: `base` + ticks.
#[derive(Debug, Clone, Copy)]
struct Line {
    base: i64,
    target: i64,
    moved: i64,
}

impl Line {
    fn new(base: i64, now: i64) -> Self {
        Self {
            base,
            target: base,
            moved: now,
        }
    }

    fn aim(&mut self, target: i64) {
        self.target = target;
        if (target - self.base).abs() > JUMP_US {
            self.base = target;
        }
    }

    fn advance(&mut self, now: i64) -> i64 {
        let budget = (now - self.moved).max(0).saturating_mul(SLEW_US_PER_S) / 1_000_000;
        // Less than a µs of budget: let it add up.
        if budget > 0 {
            self.moved = now;
            self.base += (self.target - self.base).clamp(-budget, budget);
        }
        self.base
    }
}

/// The smallest value of the last [`MEMORY_US`] to twice that.
#[derive(Debug, Clone, Copy, Default)]
struct RecentMin {
    span: i64,
    current: Option<i64>,
    before: Option<i64>,
}

impl RecentMin {
    fn add(&mut self, value: i64, now: i64) -> i64 {
        let span = now.div_euclid(MEMORY_US);
        if span != self.span {
            self.before = if span == self.span + 1 { self.current } else { None };
            self.current = None;
            self.span = span;
        }
        let current = self.current.map_or(value, |c| c.min(value));
        self.current = Some(current);
        self.before.map_or(current, |b| b.min(current))
    }
}

/// The capture clock of one track. Ticks are the track's media clock, unwrapped; `now` is this node's UTC.
#[derive(Debug)]
pub(crate) struct CaptureClock {
    rate: ClockRate,
    arrival: Option<Line>,
    arrivals: RecentMin,
    first_arrival: i64,
    report: Option<Line>,
    absolute: Option<Line>,
    /// Negated, so that the least delayed report is the smallest.
    offsets: RecentMin,
    offset: i64,
    last: Option<(i64, Stamp)>,
}

impl CaptureClock {
    pub(crate) fn new(rate: ClockRate) -> Self {
        Self {
            rate,
            arrival: None,
            arrivals: RecentMin::default(),
            first_arrival: 0,
            report: None,
            absolute: None,
            offsets: RecentMin::default(),
            offset: 0,
            last: None,
        }
    }

    /// The media clock began anew: the lines over it are void, the publisher's clock is not.
    pub(crate) fn restart(&mut self) {
        let (offsets, offset) = (self.offsets, self.offset);
        *self = Self {
            offsets,
            offset,
            ..Self::new(self.rate)
        };
    }

    /// A sender report: `ntp` by the publisher's clock is `ticks`. `rtt` is the round trip as far as known.
    pub(crate) fn sender_report(&mut self, ntp: CaptureTime, ticks: i64, now: CaptureTime, rtt: Duration) {
        let ahead = ntp.micros_since(now);
        if ahead.abs() > ABSURD_US {
            return;
        }
        let travel = i64::try_from(rtt.as_micros() / 2).unwrap_or(0);
        self.offset = travel - self.offsets.add(-ahead, now.0);
        let base = ntp.0 - self.rate.ticks_to_micros(ticks);
        self.report.get_or_insert(Line::new(base, now.0)).aim(base);
    }

    /// A packet of `ticks` says it was captured at `at`, by the publisher's clock.
    pub(crate) fn absolute(&mut self, at: CaptureTime, ticks: i64, now: CaptureTime) {
        if at.micros_since(now).abs() > ABSURD_US {
            return;
        }
        let base = at.0 - self.rate.ticks_to_micros(ticks);
        self.absolute.get_or_insert(Line::new(base, now.0)).aim(base);
    }

    /// The capture time of the unit of `ticks` that arrived `now`. Never falls while the ticks rise and the source stays.
    pub(crate) fn stamp(&mut self, ticks: i64, now: CaptureTime) -> Stamp {
        let media = self.rate.ticks_to_micros(ticks);
        let arrival = self.arrived(media, now.0);
        let (base, source) = match (&mut self.absolute, &mut self.report) {
            (Some(line), _) => (line.advance(now.0), CaptureSource::AbsCapture),
            (None, Some(line)) => (line.advance(now.0), CaptureSource::SenderReport),
            (None, None) => (arrival, CaptureSource::Arrival),
        };
        let offset = if source == CaptureSource::Arrival {
            0
        } else {
            self.offset
        };
        let mut stamp = Stamp {
            capture: CaptureTime(base.saturating_add(media)),
            source,
            offset,
        };
        if let Some((last_ticks, last)) = self.last {
            let behind = last.capture.micros_since(stamp.capture);
            if last.source == source && ticks >= last_ticks && (0..JUMP_US * 2).contains(&behind) {
                stamp.capture = last.capture;
            }
        }
        if self.last.is_none_or(|(last_ticks, _)| ticks >= last_ticks) {
            self.last = Some((ticks, stamp));
        }
        stamp
    }

    /// The arrival line's base: as if the whole track had travelled like its fastest packets of late.
    fn arrived(&mut self, media: i64, now: i64) -> i64 {
        let delay = now.saturating_sub(media);
        let mut least = self.arrivals.add(delay, now);
        if delay - least > STOOD_STILL_US {
            self.arrivals = RecentMin::default();
            least = self.arrivals.add(delay, now);
        }
        if self.arrival.is_none() {
            self.first_arrival = now;
        }
        let settling = now - self.first_arrival < SETTLE_US;
        let line = self.arrival.get_or_insert(Line::new(least, now));
        line.aim(least);
        if settling && least < line.base {
            line.base = least;
        }
        line.advance(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: i64 = 1_693_875_600_000_000;
    const FRAME: i64 = 3_000;
    const FRAME_US: i64 = 33_333;

    fn clock() -> CaptureClock {
        CaptureClock::new(ClockRate::VIDEO)
    }

    #[test]
    fn arrivals_that_jitter_give_capture_times_that_do_not() {
        let mut clock = clock();
        let mut last = None;
        for n in 0..900_i64 {
            // Delays of 10 to 50 ms, in no order.
            let delay = 10_000 + (n * 7919 % 40) * 1_000;
            let stamp = clock.stamp(n * FRAME, CaptureTime(T0 + n * 100_000 / 3 + delay));
            assert_eq!((stamp.source, stamp.offset), (CaptureSource::Arrival, 0));
            if n > 90 {
                let step: i64 = stamp.capture.micros_since(last.unwrap());
                assert!((step - FRAME_US).abs() < 200, "frame {n}: step {step}");
                let error = stamp.capture.0 - (T0 + n * 100_000 / 3 + 10_000);
                assert!(error.abs() < 1_000, "frame {n}: {error}");
            }
            last = Some(stamp.capture);
        }
    }

    #[test]
    fn a_burst_at_the_start_never_makes_capture_time_fall() {
        let mut clock = clock();
        let mut last = CaptureTime(0);
        for n in 0..60_i64 {
            // One second of media within 200 ms, then in real time.
            let arrival = if n < 30 {
                n * 6_666
            } else {
                200_000 + (n - 30) * 33_333
            };
            let stamp = clock.stamp(n * FRAME, CaptureTime(T0 + arrival));
            assert!(stamp.capture >= last, "frame {n}");
            last = stamp.capture;
        }
    }

    #[test]
    fn a_media_clock_that_stood_still_is_found_out_at_once() {
        let mut clock = clock();
        clock.stamp(0, CaptureTime(T0));
        let back = CaptureTime(T0 + 20_000_000);
        assert_eq!(clock.stamp(FRAME, back).capture, back);
    }

    #[test]
    fn a_sender_report_places_units_on_the_publishers_clock_and_tells_how_far_off_that_is() {
        let mut clock = clock();
        clock.stamp(0, CaptureTime(T0));
        // The publisher's clock is 5 s ahead; the report travelled 20 ms of a 40 ms round trip.
        let ntp = CaptureTime(T0 + 5_000_000);
        clock.sender_report(ntp, 90_000, CaptureTime(T0 + 20_000), Duration::from_millis(40));
        let stamp = clock.stamp(90_000 + FRAME, CaptureTime(T0 + 60_000));
        assert_eq!(stamp.source, CaptureSource::SenderReport);
        assert_eq!(stamp.capture.0, T0 + 5_000_000 + FRAME_US);
        assert_eq!(stamp.offset, 5_000_000);
    }

    #[test]
    fn later_reports_move_the_line_slowly_and_a_stepped_clock_at_once() {
        let mut clock = clock();
        let report = |clock: &mut CaptureClock, second: i64, error: i64| {
            clock.sender_report(
                CaptureTime(T0 + second * 1_000_000 + error),
                second * 90_000,
                CaptureTime(T0 + second * 1_000_000),
                Duration::ZERO,
            );
        };
        let at = |clock: &mut CaptureClock, second: i64| {
            let stamp = clock.stamp(second * 90_000, CaptureTime(T0 + second * 1_000_000));
            stamp.capture.0 - (T0 + second * 1_000_000)
        };
        report(&mut clock, 0, 0);
        assert_eq!(at(&mut clock, 0), 0);
        report(&mut clock, 1, 12_000);
        assert_eq!(
            [at(&mut clock, 1), at(&mut clock, 2), at(&mut clock, 4)],
            [5_000, 10_000, 12_000]
        );
        report(&mut clock, 5, -9_000_000);
        assert_eq!(at(&mut clock, 5), -9_000_000);
    }

    #[test]
    fn absolute_capture_time_outranks_reports_and_nonsense_is_ignored() {
        let mut clock = clock();
        let uptime = CaptureTime(77_000_000);
        clock.sender_report(uptime, 0, CaptureTime(T0), Duration::ZERO);
        assert_eq!(clock.stamp(0, CaptureTime(T0)).source, CaptureSource::Arrival);
        clock.sender_report(CaptureTime(T0 - 40_000), 0, CaptureTime(T0), Duration::ZERO);
        clock.absolute(CaptureTime(T0 - 55_000), FRAME, CaptureTime(T0));
        let stamp = clock.stamp(FRAME, CaptureTime(T0));
        assert_eq!(stamp.source, CaptureSource::AbsCapture);
        assert_eq!(stamp.capture.0, T0 - 55_000);
        clock.restart();
        assert_eq!(clock.stamp(0, CaptureTime(T0)).source, CaptureSource::Arrival);
    }
}
