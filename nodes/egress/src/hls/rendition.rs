//! One media playlist's state: which segments and parts there are, their media, and what clients may still ask for.
//! Pure; its text is written in `playlist`, what becomes a part is decided in `stream`.

use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;
use weft_wire::CaptureTime;

/// How far ahead a client may ask (draft-pantos-hls-rfc8216bis-16 §6.2.5.2): beyond it, it is mistaken.
const AHEAD_AT_MOST: u64 = 2;

/// What stands in every playlist of a stream and never changes (§6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Targets {
    /// `EXT-X-TARGETDURATION`, in seconds.
    pub(super) segment: u64,
    /// `PART-TARGET`; `None`: segments only.
    pub(super) part: Option<Duration>,
    /// Segments in the playlist at most.
    pub(super) listed: usize,
}

/// A partial segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) duration: Duration,
    /// Decoding may start in it.
    pub(super) independent: bool,
    pub(super) bytes: Bytes,
}

/// A media segment, its parts in order.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) msn: u64,
    /// Number of the first part, counted over the whole life of the playlist.
    pub(super) first_part: u64,
    /// Which init segment it needs.
    pub(super) map: u64,
    /// Nothing in it follows from the segment before.
    pub(super) discontinuity: bool,
    /// When its first unit was captured.
    pub(super) date: CaptureTime,
    pub(super) parts: Vec<Part>,
    /// No part follows.
    pub(super) whole: bool,
}

impl Segment {
    pub(super) fn duration(&self) -> Duration {
        self.parts.iter().map(|part| part.duration).sum()
    }

    pub(super) fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len()).sum()
    }
}

/// What there is of something asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<T> {
    /// This.
    Here(T),
    /// It is what comes next.
    Soon,
    /// It never was, or is no more.
    No,
}

/// One rendition.
#[derive(Debug)]
pub(super) struct Rendition {
    /// `video` or `audio`.
    pub(super) name: &'static str,
    /// Stands in every name of a file, so that none ever means two things.
    pub(super) tag: String,
    pub(super) targets: Targets,
    /// Oldest first; the last one may still grow. More than are listed: who has read an older playlist comes for them.
    segments: VecDeque<Segment>,
    maps: VecDeque<(u64, Bytes)>,
    next_msn: u64,
    next_part: u64,
    pub(super) ended: bool,
    /// Every segment that was ever here begins with a key unit.
    pub(super) independent: bool,
    /// A segment that never was would have been a discontinuity: the next one is.
    carried: bool,
    /// `EXT-X-DISCONTINUITY` tags that went with removed segments.
    gone_discontinuities: u64,
}

impl Rendition {
    /// Without segments; the first one will have the number `msn`.
    pub(super) fn new(name: &'static str, tag: &str, targets: Targets, msn: u64) -> Self {
        Self {
            name,
            tag: tag.to_owned(),
            targets,
            segments: VecDeque::new(),
            maps: VecDeque::new(),
            next_msn: msn,
            next_part: 0,
            ended: false,
            independent: true,
            carried: false,
            gone_discontinuities: 0,
        }
    }

    /// The segments that follow need this init segment.
    pub(super) fn map(&mut self, bytes: Bytes) {
        let number = self.maps.back().map_or(0, |(number, _)| number + 1);
        self.maps.push_back((number, bytes));
    }

    /// A segment begins.
    pub(super) fn begin(&mut self, date: CaptureTime, discontinuity: bool) {
        self.close();
        self.segments.push_back(Segment {
            msn: self.next_msn,
            first_part: self.next_part,
            map: self.maps.back().map_or(0, |(number, _)| *number),
            discontinuity: discontinuity | std::mem::take(&mut self.carried),
            date,
            parts: Vec::new(),
            whole: false,
        });
        self.next_msn += 1;
    }

    /// A part goes into the segment that grows. False where there is none.
    pub(super) fn push(&mut self, part: Part) -> bool {
        match self.segments.back_mut() {
            Some(segment) if !segment.whole => {
                segment.parts.push(part);
                self.next_part += 1;
                true
            }
            _ => false,
        }
    }

    /// The segment that grows is whole; one without parts never was.
    pub(super) fn close(&mut self) {
        let Some(segment) = self.segments.back_mut().filter(|segment| !segment.whole) else {
            return;
        };
        segment.whole = true;
        if segment.parts.is_empty() {
            self.carried |= segment.discontinuity;
            self.segments.pop_back();
            self.next_msn -= 1;
        }
        // What a playlist names stays for as long again (RFC 8216 §6.2.2).
        let kept = 2 * self.targets.listed + 1;
        while self.segments.len() > kept {
            let removed = self.segments.pop_front();
            self.gone_discontinuities += u64::from(removed.is_some_and(|segment| segment.discontinuity));
        }
        if let Some(oldest) = self.segments.front().map(|segment| segment.map) {
            self.maps.retain(|(number, _)| *number >= oldest);
        }
    }

    /// Nothing follows.
    pub(super) fn end(&mut self) {
        self.close();
        self.ended = true;
    }

    /// What the playlist names: whole segments, the newest ones, and the one that grows, once it has a part.
    pub(super) fn listed(&self) -> impl Iterator<Item = &Segment> + Clone {
        let whole = self.segments.iter().filter(|segment| segment.whole).count();
        let grows = self.targets.part.is_some();
        self.segments
            .iter()
            .skip(whole.saturating_sub(self.targets.listed))
            .filter(move |segment| segment.whole || (grows && !segment.parts.is_empty()))
    }

    /// `EXT-X-DISCONTINUITY-SEQUENCE` of the playlist as listed.
    pub(super) fn discontinuity_sequence(&self) -> u64 {
        let first = self.listed().next().map_or(0, |segment| segment.msn);
        let hidden = self
            .segments
            .iter()
            .filter(|s| s.msn < first && s.discontinuity)
            .count();
        self.gone_discontinuities + hidden as u64
    }

    /// True when there is a whole segment: players that know no parts find nothing in a playlist without one.
    pub(super) fn has_whole(&self) -> bool {
        self.segments.iter().any(|segment| segment.whole)
    }

    /// Number of the part that comes next.
    pub(super) fn next_part(&self) -> u64 {
        self.next_part
    }

    /// Number of the segment that comes next.
    pub(super) fn next_msn(&self) -> u64 {
        self.next_msn
    }

    /// Numbers of the newest segment named and of its last part.
    pub(super) fn last(&self) -> Option<(u64, u64)> {
        let last = self.listed().last()?;
        Some((last.msn, (last.parts.len() as u64).saturating_sub(1)))
    }

    /// Whether the playlist names segment `msn`, whole or as far as part `part`.
    pub(super) fn reaches(&self, msn: u64, part: Option<u64>) -> Found<()> {
        let Some((last, _)) = self.last() else {
            return Found::Soon;
        };
        if self.ended || msn < last {
            return Found::Here(());
        }
        if msn > last + AHEAD_AT_MOST {
            return Found::No;
        }
        let parts = self.targets.part.and(part);
        let newest = self.listed().last().filter(|segment| segment.msn == msn);
        let here = newest.is_some_and(|segment| match parts {
            Some(part) => part < segment.parts.len() as u64,
            None => segment.whole,
        });
        if here { Found::Here(()) } else { Found::Soon }
    }

    /// A part by its number.
    pub(super) fn part(&self, number: u64) -> Found<Bytes> {
        if number == self.next_part && !self.ended {
            return Found::Soon;
        }
        let mut has = self
            .segments
            .iter()
            .filter(|segment| segment.first_part <= number);
        let part = has.next_back().and_then(|segment| {
            let at = usize::try_from(number - segment.first_part).ok()?;
            segment.parts.get(at)
        });
        part.map_or(Found::No, |part| Found::Here(part.bytes.clone()))
    }

    /// A whole segment, in pieces.
    pub(super) fn segment(&self, msn: u64) -> Option<Vec<Bytes>> {
        let segment = self
            .segments
            .iter()
            .find(|segment| segment.msn == msn && segment.whole)?;
        Some(segment.parts.iter().map(|part| part.bytes.clone()).collect())
    }

    /// An init segment.
    pub(super) fn init(&self, number: u64) -> Option<Bytes> {
        self.maps
            .iter()
            .find(|(n, _)| *n == number)
            .map(|(_, bytes)| bytes.clone())
    }

    /// Bits per second: of the segment that had most, and of all together. `None` before the first part.
    pub(super) fn bit_rate(&self) -> Option<(u64, u64)> {
        let rate = |bytes: usize, time: Duration| (bytes as f64 * 8.0 / time.as_secs_f64().max(0.05)) as u64;
        let rates = self.listed().map(|s| rate(s.bytes(), s.duration()));
        let peak = rates.max()?;
        let bytes = self.listed().map(Segment::bytes).sum();
        Some((peak, rate(bytes, self.listed().map(Segment::duration).sum())))
    }
}
