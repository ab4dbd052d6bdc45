//! A track's timestamps as one line: unwrapped from 32 bits, continued when the publisher begins anew, with decoding
//! times that never fall. What UTC they mean is `capture`'s work.

use tokio::time::Instant;
use weft_rtp::TimestampUnwrapper;
use weft_wire::{ClockRate, MediaTime};

/// A step of the timestamp that is off the clock by more than this is no pause but a new start.
const BREAK_US: i64 = 10_000_000;
/// Units after which reordering that is no longer seen is forgotten, at most twice as many: some groups of pictures.
const DEPTH_UNITS: u32 = 256;

/// Where a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The publisher's own clock, unwrapped: the domain of its sender reports.
    pub(crate) raw: i64,
    pub(crate) pts: MediaTime,
    pub(crate) dts: MediaTime,
    /// The publisher's clock began anew here.
    pub(crate) restarted: bool,
}

/// The timeline of one track.
#[derive(Debug)]
pub(crate) struct Timeline {
    rate: ClockRate,
    unwrapper: TimestampUnwrapper,
    /// The last unit's raw time, its place and its arrival.
    last: Option<(i64, Instant)>,
    shift: i64,
    highest: i64,
    decoded: i64,
    depth: Depth,
}

/// How far units were seen to go back lately: the reordering of the publisher's encoder.
#[derive(Debug, Default)]
struct Depth {
    /// Since the last full window, and in that window.
    now: i64,
    before: i64,
    units: u32,
}

impl Depth {
    fn saw(&mut self, back: i64) -> i64 {
        if self.units == DEPTH_UNITS {
            *self = Self {
                before: self.now,
                ..Self::default()
            };
        }
        self.units += 1;
        self.now = self.now.max(back);
        self.now.max(self.before)
    }
}

impl Timeline {
    pub(crate) fn new(rate: ClockRate) -> Self {
        Self {
            rate,
            unwrapper: TimestampUnwrapper::default(),
            last: None,
            shift: 0,
            highest: i64::MIN,
            decoded: i64::MIN,
            depth: Depth::default(),
        }
    }

    /// The raw time of a timestamp that is not a unit's; `None` before the first unit.
    pub(crate) fn raw(&self, timestamp: u32) -> Option<i64> {
        let (last, _) = self.last?;
        let step = timestamp.wrapping_sub(last as u32).cast_signed();
        Some(last.saturating_add(i64::from(step)))
    }

    /// Places a unit that arrived `now`.
    pub(crate) fn place(&mut self, timestamp: u32, now: Instant) -> Placed {
        let raw = self.unwrapper.unwrap(timestamp);
        let mut restarted = false;
        if let Some((last, at)) = self.last {
            let elapsed = i64::try_from(now.saturating_duration_since(at).as_micros()).unwrap_or(i64::MAX);
            let step = self.rate.ticks_to_micros(raw - last);
            if step.abs() > BREAK_US && step.saturating_sub(elapsed).abs() > BREAK_US {
                restarted = true;
                let onward = self.rate.micros_to_ticks(elapsed).max(1);
                self.shift = self.highest.saturating_add(onward).saturating_sub(raw);
                self.depth = Depth::default();
            }
        }
        self.last = Some((raw, now));
        let pts = raw.saturating_add(self.shift);
        self.highest = self.highest.max(pts);
        let depth = self.depth.saw(self.highest.saturating_sub(pts));
        self.decoded = self.decoded.max(pts.saturating_sub(depth));
        Placed {
            raw,
            pts: MediaTime(pts),
            dts: MediaTime(self.decoded),
            restarted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ms(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn timestamps_run_on_over_the_wrap_with_decoding_times_equal() {
        let start = Instant::now();
        let mut line = Timeline::new(ClockRate::VIDEO);
        let first = line.place(u32::MAX - 2_999, start);
        assert_eq!(line.raw(0), Some(first.raw + 3_000));
        let second = line.place(0, ms(start, 33));
        assert_eq!(second.pts.ticks_since(first.pts), 3_000);
        assert_eq!((second.dts, second.restarted), (second.pts, false));
    }

    #[test]
    fn reordered_pictures_keep_decoding_times_from_falling_and_from_passing_their_own() {
        let start = Instant::now();
        let mut line = Timeline::new(ClockRate::VIDEO);
        let order = [0_u32, 3, 1, 2, 6, 4, 5, 9, 7, 8];
        let placed: Vec<_> = (order.iter().enumerate())
            .map(|(i, n)| line.place(n * 3_000, ms(start, 33 * i as u64)))
            .collect();
        assert!(placed.windows(2).all(|w| w[0].dts <= w[1].dts));
        assert!(placed[4..].iter().all(|p| p.dts <= p.pts));
    }

    #[test]
    fn reordering_that_is_over_delays_decoding_times_no_longer() {
        let start = Instant::now();
        let mut line = Timeline::new(ClockRate::VIDEO);
        let mut at = 0;
        let mut last = MediaTime(i64::MIN);
        let mut place = |n: u32| {
            at += 33;
            let placed = line.place(n * 3_000, ms(start, at));
            assert!(placed.dts >= last);
            last = placed.dts;
            placed
        };
        // The first pictures out of order cost their decoding times; what follows is exact.
        for n in [0_u32, 1, 2, 3, 4, 5] {
            place(n);
        }
        for n in 0..600_u32 {
            let placed = place(if n == 1 { 8 } else { n + 9 });
            let behind = placed.pts.ticks_since(placed.dts);
            match n {
                0 | 1 => {}
                2..500 => assert_eq!(behind, 3_000, "{n}"),
                520.. => assert_eq!(behind, 0, "{n}"),
                _ => assert!(behind >= 0),
            }
        }
    }

    #[test]
    fn a_clock_that_begins_anew_is_joined_on_and_a_pause_is_not_mistaken_for_it() {
        let start = Instant::now();
        let mut line = Timeline::new(ClockRate::VIDEO);
        line.place(1_000, start);
        let paused = line.place(1_000 + 90_000 * 60, ms(start, 60_000));
        assert!(!paused.restarted);
        let anew = line.place(3_000_000_000, ms(start, 60_100));
        assert!(anew.restarted);
        assert_eq!(anew.pts.ticks_since(paused.pts), 9_000);
        let next = line.place(3_000_003_000, ms(start, 60_133));
        assert_eq!((next.pts.ticks_since(anew.pts), next.restarted), (3_000, false));
    }
}
