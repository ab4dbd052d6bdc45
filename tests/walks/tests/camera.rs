//! Makes numbered pictures and keeps the last of them for questions, as an ingest's cache does.
//! Each picture says which session made it and which number it has, so that a reader can judge what it got.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;
use weft_bus::UnitsAnswer;
use weft_wire::{
    AccessUnit, CaptureSource, CaptureTime, ClockRate, Codec, Epoch, GopSeq, MediaClass, MediaTime, SentTime,
    SessionId, TrackId, TrackInfo, UnitBatch, UnitFlags, UnitSeq, UnitsEnd, UnitsFrom, UnitsRequest,
};

pub(crate) const VIDEO: TrackId = TrackId(0);
/// Stands before what a picture says.
pub(crate) const MARK: &[u8; 4] = b"UNIT";
/// Between two pictures.
pub(crate) const FRAME: Duration = Duration::from_millis(200);
const GOP: u64 = 10;
const CACHE: usize = 60;
const SPS: &[u8] = &[0x67, 66, 0xc0, 30, 0xd9, 0];
const PPS: &[u8] = &[0x68, 0xce, 1];

pub(crate) struct Camera {
    session: u32,
    /// The walk's beginning: one UTC for all cameras of a walk.
    began: Instant,
    started: Instant,
    cache: VecDeque<AccessUnit>,
    pub(crate) next: u64,
    gop: u64,
    since_key: u64,
    key_at: Option<Instant>,
    made_at: Option<Instant>,
    pub(crate) key_wanted: bool,
    pub(crate) silent: bool,
}

impl Camera {
    pub(crate) fn new(session: u32, began: Instant) -> Self {
        Self {
            session,
            began,
            started: Instant::now(),
            cache: VecDeque::new(),
            next: 0,
            gop: 0,
            since_key: 0,
            key_at: None,
            made_at: None,
            key_wanted: false,
            silent: false,
        }
    }

    pub(crate) fn track() -> TrackInfo {
        TrackInfo {
            id: VIDEO,
            codec: Codec::H264,
            clock_rate: ClockRate::VIDEO,
            channels: 0,
            parameter_sets: vec![SPS.into(), PPS.into()],
            width: 640,
            height: 480,
        }
    }

    pub(crate) fn media_age_ms(&self) -> u32 {
        let age = self.made_at.map_or(u128::MAX, |at| at.elapsed().as_millis());
        u32::try_from(age).unwrap_or(u32::MAX)
    }

    /// The next picture, kept before it is handed out; nothing while the publisher is silent.
    pub(crate) fn picture(&mut self) -> Option<(MediaClass, AccessUnit)> {
        if self.silent {
            return None;
        }
        let key = self.next == 0 || self.since_key >= GOP || std::mem::take(&mut self.key_wanted);
        let now = Instant::now();
        if key {
            self.gop += 1;
            self.since_key = 0;
            self.key_at = Some(now);
        }
        self.since_key += 1;
        self.made_at = Some(now);
        let elapsed = now - self.started;
        let micros = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        let media = MediaTime(micros / 100 * 9 + i64::from(self.session) * 1_000_000);
        let unit = AccessUnit {
            track: VIDEO,
            seq: UnitSeq(self.next),
            gop: GopSeq(self.gop),
            pts: media,
            dts: media,
            capture: CaptureTime(1_700_000_000_000_000 + micros_since(self.began)),
            capture_source: CaptureSource::SenderReport,
            capture_offset: 0,
            sent: SentTime::from_elapsed(elapsed),
            flags: if key { UnitFlags::KEY } else { UnitFlags::default() },
            data: data(key, self.session, self.next, micros_since(self.began)).into(),
        };
        self.next += 1;
        self.cache.push_back(unit.clone());
        if self.cache.len() > CACHE {
            self.cache.pop_front();
        }
        let class = if key { MediaClass::Key } else { MediaClass::Delta };
        Some((class, unit))
    }

    pub(crate) fn answer(&self, session: SessionId, epoch: Epoch, request: &UnitsRequest) -> UnitsAnswer {
        let ours = request.session.is_none_or(|asked| asked == session);
        let newest_key = self.cache.iter().rposition(AccessUnit::is_key);
        let (from, gone) = match request.from {
            _ if !ours => (None, false),
            UnitsFrom::NewestGop => (newest_key.map(|i| self.cache[i].seq), false),
            UnitsFrom::Seq(seq) if seq.0 >= self.next => (None, false),
            UnitsFrom::Seq(seq) if self.cache.front().is_some_and(|u| u.seq <= seq) => (Some(seq), false),
            UnitsFrom::Seq(_) => (None, true),
            _ => (None, false),
        };
        let until = request.until.unwrap_or(UnitSeq(u64::MAX));
        let wanted = |unit: &&AccessUnit| from.is_some_and(|from| unit.seq >= from) && unit.seq <= until;
        let units: Vec<AccessUnit> = self.cache.iter().filter(wanted).cloned().collect();
        let batches = units.into_iter().map(|unit| UnitBatch {
            session,
            epoch,
            units: vec![unit],
        });
        UnitsAnswer {
            batches: batches.collect(),
            end: UnitsEnd {
                session,
                epoch,
                next: UnitSeq(self.next),
                gone,
                sent: SentTime::from_elapsed(self.started.elapsed()),
                tracks: vec![Self::track()],
                key_age_ms: self.key_at.map_or(u32::MAX, |at| {
                    u32::try_from(at.elapsed().as_millis()).unwrap_or(u32::MAX)
                }),
            },
        }
    }
}

/// Microseconds since the walk's beginning.
pub(crate) fn micros_since(began: Instant) -> i64 {
    i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX)
}

/// A picture that says who made it, which it is and when it was made.
pub(crate) fn data(key: bool, session: u32, number: u64, made: i64) -> Vec<u8> {
    let header = if key { 0x65 } else { 0x41 };
    let slice = [
        &[header, 0x80][..],
        MARK,
        &session.to_be_bytes(),
        &number.to_be_bytes(),
        &made.to_be_bytes(),
        &[0x55; 40],
    ]
    .concat();
    let nals: Vec<&[u8]> = if key { vec![SPS, PPS, &slice] } else { vec![&slice] };
    nals.iter()
        .flat_map(|nal| [&u32::try_from(nal.len()).unwrap().to_be_bytes()[..], nal].concat())
        .collect()
}
