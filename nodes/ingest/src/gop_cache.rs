//! The units an owner keeps of its stream: the running group of pictures for joins, and the last moments for repairs.
//! Bounded in bytes and time whatever the publisher does; who asks and how the answer travels is the bus's business.

use crate::owner::{BATCH_BYTES, BATCH_UNITS};
use std::collections::VecDeque;
use weft_wire::{AccessUnit, Epoch, SentTime, SessionId, UnitBatch, UnitSeq, UnitsFrom, UnitsRequest};

/// The running group of pictures is given up beyond this many bytes, until the next key unit.
pub(crate) const GOP_BYTES: usize = 8 * 1024 * 1024;
/// ... or beyond this span, in microseconds: a reader that joined here would be behind by that much.
pub(crate) const GOP_SPAN_US: u64 = 10_000_000;
/// Units older than the running group are kept this long for repairs by `seq`, in microseconds.
pub(crate) const REPAIR_SPAN_US: u64 = 2_000_000;
/// ... and within this many bytes.
pub(crate) const REPAIR_BYTES: usize = 4 * 1024 * 1024;

/// Units of one session in order of `seq`, without holes.
#[derive(Debug, Default)]
pub(crate) struct GopCache {
    units: VecDeque<AccessUnit>,
    /// Bytes of data of all units kept.
    bytes: usize,
    /// First unit of the running group, while that is kept whole.
    gop: Option<UnitSeq>,
    /// Bytes of data from `gop` on.
    gop_bytes: usize,
    next: UnitSeq,
    last_key: Option<SentTime>,
    /// Groups given up because they were too long or too large.
    given_up: u64,
}

/// What the cache has for a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) units: Vec<AccessUnit>,
    /// What was asked for is no longer kept.
    pub(crate) gone: bool,
}

impl Found {
    const NOTHING: Self = Self {
        units: Vec::new(),
        gone: false,
    };
    const GONE: Self = Self {
        units: Vec::new(),
        gone: true,
    };

    /// The units as batches small enough that none of them holds up what else the bus carries.
    pub(crate) fn into_batches(self, session: SessionId, epoch: Epoch) -> Vec<UnitBatch> {
        let mut batches: Vec<UnitBatch> = Vec::new();
        let mut bytes = 0;
        for unit in self.units {
            bytes += unit.data.len();
            match batches.last_mut() {
                Some(b) if b.units.len() < BATCH_UNITS && bytes <= BATCH_BYTES => b.units.push(unit),
                _ => {
                    bytes = unit.data.len();
                    batches.push(UnitBatch {
                        session,
                        epoch,
                        units: vec![unit],
                    });
                }
            }
        }
        batches
    }
}

impl GopCache {
    /// The number the next unit must carry.
    pub(crate) fn next(&self) -> UnitSeq {
        self.next
    }

    /// Time since the newest key unit in ms; `u32::MAX` when there was none.
    pub(crate) fn key_age_ms(&self, now: SentTime) -> u32 {
        self.last_key.map_or(u32::MAX, |key| {
            u32::try_from(now.0.saturating_sub(key.0) / 1000).unwrap_or(u32::MAX)
        })
    }

    /// True while the running group is kept whole: a reader can join at once.
    pub(crate) fn joinable(&self) -> bool {
        self.gop.is_some()
    }

    /// True once there was a key unit.
    pub(crate) fn had_key(&self) -> bool {
        self.last_key.is_some()
    }

    /// Groups of pictures given up because they were too long or too large.
    pub(crate) fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Takes the unit that carries [`Self::next`]; another number would make a hole, so it starts the cache anew.
    pub(crate) fn push(&mut self, unit: AccessUnit) {
        if unit.seq != self.next {
            self.clear();
        }
        self.next = unit.seq.next();
        self.bytes += unit.data.len();
        if unit.is_key() {
            self.gop = Some(unit.seq);
            self.gop_bytes = 0;
            self.last_key = Some(unit.sent);
        }
        self.gop_bytes += unit.data.len();
        let now = unit.sent;
        self.units.push_back(unit);
        self.expire(now);
    }

    /// Lets go of what is too old or too large by `now`: also while nothing is pushed, because the publisher is silent or
    /// its units are withheld.
    pub(crate) fn expire(&mut self, now: SentTime) {
        if let Some(start) = self.gop {
            let first = self.index(start).map_or(now, |i| self.units[i].sent);
            if self.gop_bytes > GOP_BYTES || now.0.saturating_sub(first.0) > GOP_SPAN_US {
                self.gop = None;
                self.given_up += 1;
            }
        }
        self.trim(now);
    }

    /// Forgets all units, not the numbering.
    pub(crate) fn clear(&mut self) {
        self.units.clear();
        self.bytes = 0;
        self.gop = None;
        self.gop_bytes = 0;
    }

    /// The units from the running group's key on; empty when it is not kept whole.
    pub(crate) fn running_gop(&self) -> Vec<AccessUnit> {
        self.gop.map_or_else(Vec::new, |start| self.from(start, None))
    }

    /// All units kept, oldest first.
    pub(crate) fn all(&self) -> Vec<AccessUnit> {
        self.units.iter().cloned().collect()
    }

    /// Finds what a request asks for; the session has been compared before.
    pub(crate) fn find(&self, request: &UnitsRequest) -> Found {
        let start = match request.from {
            UnitsFrom::Live => return Found::NOTHING,
            UnitsFrom::NewestGop => match self.gop {
                Some(start) => start,
                // Without any key unit so far there is nothing that could be gone.
                None if self.last_key.is_none() => return Found::NOTHING,
                None => return Found::GONE,
            },
            UnitsFrom::Seq(seq) if seq == self.next => return Found::NOTHING,
            UnitsFrom::Seq(seq) if self.index(seq).is_some() => seq,
            UnitsFrom::Seq(_) => return Found::GONE,
            UnitsFrom::Gop(gop) => match self.units.iter().find(|u| u.is_key() && u.gop >= gop) {
                Some(key) => {
                    return Found {
                        units: self.from(key.seq, request.until),
                        gone: key.gop != gop,
                    };
                }
                None => return Found::GONE,
            },
            UnitsFrom::Capture(at) => {
                match (self.units.iter().rev()).find(|u| u.is_key() && u.capture.0 <= at) {
                    Some(key) => key.seq,
                    None => return Found::GONE,
                }
            }
        };
        Found {
            units: self.from(start, request.until),
            gone: false,
        }
    }

    fn index(&self, seq: UnitSeq) -> Option<usize> {
        let first = self.units.front()?.seq.0;
        let index = usize::try_from(seq.0.checked_sub(first)?).ok()?;
        (index < self.units.len()).then_some(index)
    }

    fn from(&self, start: UnitSeq, until: Option<UnitSeq>) -> Vec<AccessUnit> {
        let first = self.index(start).unwrap_or(self.units.len());
        (self.units.range(first..))
            .take_while(|u| until.is_none_or(|last| u.seq <= last))
            .cloned()
            .collect()
    }

    fn trim(&mut self, now: SentTime) {
        while let Some(oldest) = self.units.front() {
            let running = self.gop.is_some_and(|start| oldest.seq >= start);
            let older = self.bytes - if self.gop.is_some() { self.gop_bytes } else { 0 };
            let recent = now.0.saturating_sub(oldest.sent.0) <= REPAIR_SPAN_US && older <= REPAIR_BYTES;
            if running || recent {
                break;
            }
            self.bytes -= oldest.data.len();
            self.units.pop_front();
        }
    }
}
