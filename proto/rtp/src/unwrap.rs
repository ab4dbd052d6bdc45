//! Wrapping counters of RTP made to run on: 16-bit sequence numbers and 32-bit timestamps.
//! Each value is taken to be the one nearest to the value before it.

/// Sequence numbers to 64 bits (RFC 3550 A.1). The first packet reads as 65536 plus its number, so that what was sent
/// shortly before it still has one.
#[derive(Debug, Clone, Default)]
pub struct SeqUnwrapper {
    highest: Option<u64>,
}

impl SeqUnwrapper {
    /// The extended number; the highest one so far is the reference for the next.
    pub fn unwrap(&mut self, seq: u16) -> u64 {
        let extended = match self.highest {
            None => 0x1_0000 + u64::from(seq),
            Some(highest) => Self::nearest(highest, seq),
        };
        if self.highest.is_none_or(|h| extended > h) {
            self.highest = Some(extended);
        }
        extended
    }

    /// The number with these low 16 bits nearest to `reference`; never below 0.
    #[must_use]
    pub fn nearest(reference: u64, seq: u16) -> u64 {
        let step = seq.wrapping_sub(reference as u16).cast_signed();
        reference
            .checked_add_signed(i64::from(step))
            .unwrap_or(u64::from(seq))
    }
}

/// Timestamps to 64 bits, from the first one on; forward and backward by less than 2^31 ticks a step.
#[derive(Debug, Clone, Default)]
pub struct TimestampUnwrapper {
    last: Option<i64>,
}

impl TimestampUnwrapper {
    /// The extended timestamp; the last one given is the reference for the next.
    pub fn unwrap(&mut self, timestamp: u32) -> i64 {
        let extended = match self.last {
            None => i64::from(timestamp),
            Some(last) => {
                let step = timestamp.wrapping_sub(last as u32).cast_signed();
                last.saturating_add(i64::from(step))
            }
        };
        self.last = Some(extended);
        extended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_run_on_over_the_wrap_and_back() {
        let mut u = SeqUnwrapper::default();
        let base = u.unwrap(65_534);
        assert_eq!(u.unwrap(65_535), base + 1);
        assert_eq!(u.unwrap(1), base + 3);
        assert_eq!(u.unwrap(65_533), base - 1);
        assert_eq!(u.unwrap(0), base + 2);
        assert_eq!(SeqUnwrapper::nearest(1, 65_535), 65_535, "nothing lies below 0");
        let mut first = SeqUnwrapper::default();
        assert_eq!(first.unwrap(0) - 1, first.unwrap(65_535));
    }

    #[test]
    fn timestamps_run_on_over_the_wrap_and_back() {
        let mut u = TimestampUnwrapper::default();
        assert_eq!(u.unwrap(u32::MAX - 1), i64::from(u32::MAX) - 1);
        assert_eq!(u.unwrap(2998), i64::from(u32::MAX) + 2999);
        assert_eq!(u.unwrap(u32::MAX), i64::from(u32::MAX));
        for step in 0..10_i64 {
            let t = i64::from(u32::MAX) + step * 1_000_000_000;
            assert_eq!(u.unwrap(t as u32), t);
        }
    }
}
