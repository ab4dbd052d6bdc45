//! Stamps video units with the moment they are sent, in an SEI message (user_data_unregistered, ITU-T H.264 §D.1.7 and
//! §D.2.7). A reader on a machine with the same clock can tell by it how old what it gets is; nobody else looks at it.

use super::clip::ClipTrack;
use super::source::{SourceUnit, UnitSource};
use bytes::{BufMut, Bytes, BytesMut};
use std::time::{SystemTime, UNIX_EPOCH};
use weft_wire::{Codec, nal_units};

/// Marks the message as ours.
pub const UUID: [u8; 16] = *b"weft-stamp-utcus";

const SEI: u8 = 6;
const USER_DATA_UNREGISTERED: u8 = 5;
/// NAL unit types 1 to 5 carry slices (ITU-T H.264 table 7-1).
const SLICES: std::ops::RangeInclusive<u8> = 1..=5;
/// The number in hexadecimal: none of its bytes needs emulation prevention.
const DIGITS: usize = 16;

/// A source whose video units carry the time they are sent at.
#[derive(Debug)]
pub struct StampedLoop<S> {
    source: S,
    h264: Vec<bool>,
}

impl<S: UnitSource> StampedLoop<S> {
    /// Stamps what `source` yields; only H.264 is stamped.
    #[must_use]
    pub fn new(source: S) -> Self {
        let h264 = source.tracks().iter().map(|t| t.codec == Codec::H264).collect();
        Self { source, h264 }
    }
}

impl<S: UnitSource> UnitSource for StampedLoop<S> {
    fn tracks(&self) -> Vec<ClipTrack> {
        self.source.tracks()
    }

    fn next_unit(&mut self) -> Option<SourceUnit> {
        self.source.next_unit()
    }

    fn sending(&mut self, unit: SourceUnit) -> SourceUnit {
        let mut unit = self.source.sending(unit);
        if self.h264.get(unit.track) == Some(&true) {
            unit.data = stamped(&unit.data, now());
        }
        unit
    }

    fn restart_at_key(&mut self) -> bool {
        self.source.restart_at_key()
    }
}

/// Microseconds since 1970 by this machine's clock.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// The unit with a stamp before its first slice.
fn stamped(unit: &[u8], stamp: i64) -> Bytes {
    let mut out = BytesMut::with_capacity(unit.len() + 64);
    let mut put = |nal: &[u8]| {
        // A unit is at most 4 MB.
        out.put_u32(u32::try_from(nal.len()).unwrap_or(u32::MAX));
        out.put_slice(nal);
    };
    let mut done = false;
    for nal in nal_units(unit) {
        let slice = nal.first().is_some_and(|head| SLICES.contains(&(head & 31)));
        if slice && !std::mem::replace(&mut done, true) {
            put(&sei(stamp));
        }
        put(nal);
    }
    out.freeze()
}

fn sei(stamp: i64) -> Vec<u8> {
    let mut nal = vec![SEI, USER_DATA_UNREGISTERED];
    nal.extend(u8::try_from(UUID.len() + DIGITS));
    nal.extend_from_slice(&UUID);
    nal.extend_from_slice(format!("{stamp:0DIGITS$x}").as_bytes());
    // rbsp_trailing_bits (ITU-T H.264 §7.3.2.11)
    nal.push(0x80);
    nal
}

/// The stamp of a unit in the form of [`weft_wire::AccessUnit::data`], in µs since 1970; `None` where it has none.
#[must_use]
pub fn stamp_of(unit: &[u8]) -> Option<i64> {
    nal_units(unit).find_map(|nal| {
        let rest = nal.strip_prefix(&[SEI, USER_DATA_UNREGISTERED])?.get(1..)?;
        let digits = rest.strip_prefix(&UUID)?.get(..DIGITS)?;
        i64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{Clip, ClipLoop};

    #[test]
    fn every_video_unit_is_stamped_when_it_is_sent_and_is_otherwise_the_same() {
        let mut source = StampedLoop::new(ClipLoop::new(Clip::demo()));
        let before = now();
        for _ in 0..300 {
            let plain = source.next_unit().unwrap();
            let sent = source.sending(plain.clone());
            if plain.track == 1 {
                assert_eq!(sent, plain);
                continue;
            }
            let stamp = stamp_of(&sent.data).unwrap();
            assert!((before..=now()).contains(&stamp));
            let nals: Vec<&[u8]> = nal_units(&sent.data).collect();
            let at = nals.iter().position(|n| n[3..].starts_with(&UUID)).unwrap();
            assert!(
                SLICES.contains(&(nals[at + 1][0] & 31)),
                "right before the first slice"
            );
            assert!(nals[..at].iter().all(|n| !SLICES.contains(&(n[0] & 31))));
            let others: Vec<&[u8]> = [&nals[..at], &nals[at + 1..]].concat();
            assert!(others.into_iter().eq(nal_units(&plain.data)));
        }
    }

    #[test]
    fn the_tests_read_the_same_stamp() {
        let unit = stamped(&[0, 0, 0, 2, 0x65, 0x88], 1_763_825_400_123_456);
        let read = weft_testkit::stamp::of(nal_units(&unit));
        assert_eq!(read, Some(1_763_825_400_123_456));
        assert_eq!(weft_testkit::stamp::UUID, UUID);
    }

    #[test]
    fn a_unit_without_a_stamp_has_none() {
        assert_eq!(stamp_of(&[]), None);
        assert_eq!(stamp_of(&[0, 0, 0, 2, 6, 5]), None);
        let mut cut = stamped(&[0, 0, 0, 2, 0x65, 0x88], 1);
        for len in 0..40 {
            assert_eq!(stamp_of(&cut.split_to(len.min(cut.len()))), None);
            cut = stamped(&[0, 0, 0, 2, 0x65, 0x88], 1);
        }
    }
}
