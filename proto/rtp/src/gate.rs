//! Withholds video units after a loss until decoding can start again, so that no reader decodes against a missing picture.
//! Asking the publisher for the key unit that opens it is the session's business.

use crate::DepacketisedUnit;

/// Shut at the start: nothing can be decoded before the first key unit.
#[derive(Debug)]
pub struct KeyGate {
    shut: bool,
    /// A loss lies between the last unit let through and the next.
    after_loss: bool,
    withheld: u64,
}

impl Default for KeyGate {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyGate {
    /// A gate that waits for the first key unit.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shut: true,
            after_loss: false,
            withheld: 0,
        }
    }

    /// A unit was damaged or dropped: nothing passes until the next key unit.
    pub fn shut(&mut self) {
        self.shut = true;
        self.after_loss = true;
    }

    /// Whether this unit may be passed on; marks a key unit that follows a loss with `discontinuity`.
    pub fn admit(&mut self, unit: &mut DepacketisedUnit) -> bool {
        if unit.key {
            unit.discontinuity |= self.after_loss;
            self.shut = false;
            self.after_loss = false;
            return true;
        }
        if unit.discontinuity {
            self.shut();
        }
        self.withheld += u64::from(self.shut);
        !self.shut
    }

    /// True while it waits for a key unit: ask the publisher for one.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.shut
    }

    /// Whole units withheld since the start.
    #[must_use]
    pub fn withheld(&self) -> u64 {
        self.withheld
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(key: bool, discontinuity: bool) -> DepacketisedUnit {
        DepacketisedUnit {
            timestamp: 0,
            key,
            discontinuity,
            data: bytes::Bytes::new(),
            abs_capture: None,
            duration: 0,
        }
    }

    #[test]
    fn nothing_passes_before_the_first_key_unit() {
        let mut gate = KeyGate::new();
        assert!(!gate.admit(&mut unit(false, false)));
        assert!(gate.is_waiting());
        let mut key = unit(true, false);
        assert!(gate.admit(&mut key));
        assert!(!key.discontinuity, "the beginning is no loss");
        assert!(gate.admit(&mut unit(false, false)));
        assert_eq!(gate.withheld(), 1);
    }

    #[test]
    fn a_loss_withholds_until_the_next_key_unit_which_says_so() {
        let mut gate = KeyGate::new();
        assert!(gate.admit(&mut unit(true, false)));
        assert!(!gate.admit(&mut unit(false, true)));
        assert!(!gate.admit(&mut unit(false, false)));
        let mut key = unit(true, false);
        assert!(gate.admit(&mut key));
        assert!(key.discontinuity);
        gate.shut();
        assert!(!gate.admit(&mut unit(false, false)));
        assert_eq!(gate.withheld(), 3);
    }
}
