//! How long the reorder window waits for a missing packet: as short as the path allows.
//! 150 ms, widening to 500 ms with what late packets have shown, and further on a path so long that a lost packet could not be
//! asked for twice in that time.

use core::time::Duration;

/// Wait on a path that has shown nothing yet: a NACK and its answer over 100 ms, or any sane reordering.
const MIN: Duration = Duration::from_millis(150);
/// Longest wait on a path of usual length: beyond it a fresh key unit is the better repair.
const MAX: Duration = Duration::from_millis(500);
/// Longest wait on any path. A key unit takes a round trip as well, and on a path that loses packets most of them come damaged:
/// with 5 % of loss and 20 packets to a unit, two of three.
const FAR: Duration = Duration::from_millis(1_500);
/// So many round trips fit into the wait: the request and its answer may both be lost once.
const ROUND_TRIPS: u32 = 3;
/// How long a displacement is remembered: one to two of these.
const MEMORY_SECONDS: u64 = 10;

/// The wait, adapted.
#[derive(Debug, Default)]
pub(super) struct Hold {
    rtt: Duration,
    /// Largest displacement of the running span of [`MEMORY_SECONDS`] and of the one before, with the spans' numbers.
    peaks: [(u64, Duration); 2],
}

impl Hold {
    pub(super) fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = rtt;
    }

    /// A packet came this long after the gap it left was seen. One for which no hold is long enough teaches nothing.
    pub(super) fn observe(&mut self, now: Duration, displacement: Duration) {
        if displacement > FAR {
            return;
        }
        let span = now.as_secs() / MEMORY_SECONDS;
        if self.peaks[0].0 != span {
            self.peaks = [(span, Duration::ZERO), self.peaks[0]];
        }
        self.peaks[0].1 = self.peaks[0].1.max(displacement);
    }

    /// How long a gap is held at `now`.
    pub(super) fn current(&self, now: Duration) -> Duration {
        let span = now.as_secs() / MEMORY_SECONDS;
        let peak = self
            .peaks
            .iter()
            .filter(|(s, _)| s + 1 >= span)
            .map(|(_, d)| *d)
            .max()
            .unwrap_or_default();
        // Half as much again: the next one may be later than the latest so far.
        let usual = (peak * 3 / 2).clamp(MIN, MAX);
        usual.max(peak).max(self.rtt.min(FAR) * ROUND_TRIPS).min(FAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_hold_widens_with_what_was_seen_and_narrows_again() {
        let mut hold = Hold::default();
        assert_eq!(hold.current(ms(0)), MIN);
        hold.observe(ms(1_000), ms(200));
        assert_eq!(hold.current(ms(1_000)), ms(300));
        hold.observe(ms(11_000), ms(120));
        assert_eq!(hold.current(ms(19_000)), ms(300));
        assert_eq!(hold.current(ms(20_000)), ms(180));
        assert_eq!(hold.current(ms(60_000)), MIN);
        hold.observe(ms(61_000), ms(1_501));
        assert_eq!(hold.current(ms(61_000)), MIN);
        hold.observe(ms(61_000), ms(499));
        assert_eq!(hold.current(ms(61_000)), MAX);
        hold.observe(ms(62_000), ms(700));
        assert_eq!(hold.current(ms(62_000)), ms(700));
    }

    #[test]
    fn three_round_trips_fit_into_the_hold() {
        let mut hold = Hold::default();
        hold.set_rtt(ms(100));
        assert_eq!(hold.current(ms(0)), ms(300));
        hold.set_rtt(ms(400));
        assert_eq!(hold.current(ms(0)), ms(1_200));
        hold.set_rtt(Duration::MAX);
        assert_eq!(hold.current(ms(0)), FAR);
    }
}
