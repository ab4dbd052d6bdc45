//! The first units of a stream, kept until it is known how long one of them lasts: the part target follows from that and stands
//! in every playlist for good. Pure.

use super::stream::{Shape, Stream};
use crate::tap::{Description, TapUnit};
use std::sync::Arc;
use weft_wire::MediaKind;

/// So many units of the leading track are enough to tell how long one lasts,
const ENOUGH: usize = 8;
/// and so many microseconds of it, whatever they hold.
const LONG_ENOUGH: i64 = 1_000_000;
/// The most units kept: several seconds of sound beside the pictures.
const MAX_UNITS: usize = 1024;

/// The beginning of a stream.
pub(super) struct Warm {
    shape: Shape,
    tag: String,
    description: Option<Arc<Description>>,
    units: Vec<Arc<TapUnit>>,
}

impl Warm {
    pub(super) fn new(shape: Shape, tag: String) -> Self {
        Self {
            shape,
            tag,
            description: None,
            units: Vec::new(),
        }
    }

    /// What the units are.
    pub(super) fn describe(&mut self, description: Arc<Description>) {
        let other = self
            .description
            .as_ref()
            .is_some_and(|d| d.session != description.session);
        if other {
            self.units.clear();
        }
        self.description = Some(description);
    }

    /// The next unit; gives the stream once enough is known, with all that was kept in it. `now`: UTC in µs.
    pub(super) fn push(&mut self, unit: Arc<TapUnit>, now: u64) -> Option<Stream> {
        let description = self.description.clone()?;
        let has_pictures = description
            .tracks
            .iter()
            .any(|t| t.codec.kind() == MediaKind::Video);
        let leads = |unit: &TapUnit| (unit.kind == MediaKind::Video) == has_pictures;
        if self.units.is_empty() && !(leads(&unit) && (unit.key || !has_pictures)) {
            return None;
        }
        // overflow: begun anew with the next key unit.
        if self.units.len() == MAX_UNITS {
            self.units.clear();
            return None;
        }
        self.units.push(unit);
        let times: Vec<i64> = self.units.iter().filter(|u| leads(u)).map(|u| u.dts).collect();
        let (first, last) = (times.first()?, times.last()?);
        let track = description.tracks.iter().find(|t| t.id == self.units[0].track)?;
        let long_enough = track.clock_rate.ticks_to_micros(last - first) >= LONG_ENOUGH;
        if times.len() < 2 || !(times.len() > ENOUGH || long_enough) {
            return None;
        }
        let mut steps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        steps.sort_unstable();
        let usual = steps[steps.len() / 2].max(1);
        // Counted by the clock, so that a later playlist of the same stream never goes back, on whatever node.
        let msn = now / u64::try_from(self.shape.segment.as_micros()).ok()?.max(1);
        let units = std::mem::take(&mut self.units);
        let mut stream = Stream::begin(self.shape, &description, &units[0], usual, &self.tag, msn)?;
        for unit in units {
            stream.push(&unit);
        }
        Some(stream)
    }
}
