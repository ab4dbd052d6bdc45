//! The receiver of one publisher, called by its shard: packets of all tracks in, numbered units out.
//! Calls never wait; the session actor hears of what matters by small events, the bus gets units from the outlet.

mod capture;
mod outlet;
#[cfg(test)]
mod tests;
mod timeline;
mod track;

pub(crate) use outlet::Outlet;

use crate::config::{AUDIO_ALONE_AFTER, STALLED_AFTER};
use crate::counters::add;
use crate::live::{Live, lock};
use crate::messages::Event;
use capture::CaptureClock;
use outlet::NewUnit;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use timeline::Timeline;
use tokio::time::Instant;
use track::Track;
use weft_rtc::{Feedback, MediaReceiver, NegotiatedTrack, PeerAddresses, ReceivedRtp, SenderReport};
use weft_rtp::DepacketisedUnit;
use weft_wire::{CaptureTime, CloseReason, MediaKind, TrackId, UnitFlags};

/// The actor is told again after this that a key unit is needed.
const KEY_NEEDED_AGAIN: Duration = Duration::from_millis(500);
/// A pause of the loop from which on what was held before it is stale.
const STALE: Duration = Duration::from_millis(500);

/// Tells the session actor; false when it could not take it.
pub(crate) type Tell = Box<dyn Fn(Event) -> bool + Send>;

/// Whether units a reader can start with have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Not yet; audio that comes is left out.
    Waiting,
    /// Yes; the actor could not be told yet.
    Untold,
    /// Yes, and the claim is the actor's business.
    Told,
}

struct Line {
    track: Track,
    timeline: Timeline,
    capture: CaptureClock,
    /// A report that came before the first unit, with its arrival.
    early_report: Option<(SenderReport, Instant)>,
}

/// The receiver of one publisher.
pub(crate) struct Receiver {
    live: Arc<Live>,
    outlet: Arc<Mutex<Outlet>>,
    tell: Tell,
    origin: Instant,
    /// By [`NegotiatedTrack::index`]; `None` where nothing is received.
    lines: Vec<Option<Line>>,
    video: bool,
    start: Start,
    first_media: Option<Instant>,
    key_asked: Option<Instant>,
    /// After a silence: the next unit to start with is told.
    silent: bool,
    rtt: Duration,
    ready: Vec<DepacketisedUnit>,
    over: bool,
}

impl Receiver {
    pub(crate) fn new(
        live: Arc<Live>,
        tracks: &[NegotiatedTrack],
        outlet: Arc<Mutex<Outlet>>,
        tell: Tell,
    ) -> Self {
        let mut lines: Vec<Option<Line>> = Vec::new();
        for negotiated in tracks {
            let id = match negotiated.codec.kind() {
                MediaKind::Video => TrackId(0),
                MediaKind::Audio => TrackId(1),
            };
            let line = Track::new(id, negotiated).map(|track| Line {
                timeline: Timeline::new(track.info.clock_rate),
                capture: CaptureClock::new(track.info.clock_rate),
                early_report: None,
                track,
            });
            if lines.len() <= negotiated.index {
                lines.resize_with(negotiated.index + 1, || None);
            }
            lines[negotiated.index] = line;
        }
        let mut infos: Vec<_> = lines.iter().flatten().map(|l| l.track.info.clone()).collect();
        infos.sort_by_key(|info| info.id);
        live.status().tracks = infos;
        let video = (lines.iter().flatten()).any(|l| l.track.kind == MediaKind::Video);
        Self {
            live,
            outlet,
            tell,
            origin: Instant::now(),
            lines,
            video,
            start: Start::Waiting,
            first_media: None,
            key_asked: None,
            silent: false,
            rtt: Duration::ZERO,
            ready: Vec::new(),
            over: false,
        }
    }

    fn at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.origin)
    }

    /// Makes units of what is in order by now, and passes them on.
    fn drain(&mut self, index: usize, now: Instant) {
        let at = self.at(now);
        let Some(Some(line)) = self.lines.get_mut(index) else {
            return;
        };
        let mut ready = std::mem::take(&mut self.ready);
        let drained = line.track.drain(at, &mut ready);
        line.track.count(&self.live.counters, &self.live.node);
        let whole = ready.len() as u64 + drained.withheld;
        if line.track.kind == MediaKind::Video {
            add(&self.live.counters.pictures, whole);
        }
        for (session, node, n) in [
            (&self.live.counters.units, &self.live.node.units, whole),
            (
                &self.live.counters.units_in_error,
                &self.live.node.units_in_error,
                drained.damaged,
            ),
            (
                &self.live.counters.units_withheld,
                &self.live.node.units_withheld,
                drained.withheld,
            ),
        ] {
            if n > 0 {
                add(session, n);
                add(node, n);
            }
        }
        for unit in ready.drain(..) {
            self.pass(index, unit, now);
        }
        self.ready = ready;
        // Only once something is withheld: a first key unit that is still under way needs no second one.
        if drained.withheld + drained.damaged > 0 {
            self.ask_for_key(now);
        }
    }

    fn pass(&mut self, index: usize, unit: DepacketisedUnit, now: Instant) {
        let Some(Some(line)) = self.lines.get_mut(index) else {
            return;
        };
        let kind = line.track.kind;
        if let Some(info) = line.track.changed_info() {
            let mut status = self.live.status();
            if let Some(known) = status.tracks.iter_mut().find(|t| t.id == info.id) {
                *known = info;
            }
        }
        if self.start == Start::Waiting {
            if !unit.key && !self.audio_starts(now) {
                add(&self.live.node.units_early, 1);
                return;
            }
            self.start = Start::Untold;
        }
        let Some(Some(line)) = self.lines.get_mut(index) else {
            return;
        };
        let placed = line.timeline.place(unit.timestamp, now);
        let utc = self.live.utc(now);
        if placed.restarted {
            line.capture.restart();
        }
        if let Some((report, arrived)) = line.early_report.take() {
            line.report(report, self.live.utc(arrived), self.rtt);
        }
        if let Some(ntp) = unit.abs_capture {
            line.capture.absolute(CaptureTime::from_ntp(ntp), placed.raw, utc);
        }
        let mut flags = UnitFlags::default();
        if unit.key {
            flags = flags.with(UnitFlags::KEY);
        }
        if unit.discontinuity || placed.restarted {
            flags = flags.with(UnitFlags::DISCONTINUITY);
        }
        let new = NewUnit {
            track: line.track.info.id,
            kind,
            flags,
            placed,
            stamp: line.capture.stamp(placed.raw, utc),
            data: unit.data,
        };
        lock(&self.outlet).push(now, new);
        if unit.key || (self.silent && !self.video) {
            self.key_asked = None;
            self.silent = false;
            (self.tell)(Event::Key);
        }
        if self.start == Start::Untold && (self.tell)(Event::Claimable) {
            self.start = Start::Told;
        }
    }

    /// Whether the stream may begin with its audio.
    fn audio_starts(&self, now: Instant) -> bool {
        if !self.video {
            return true;
        }
        let mut video = (self.lines.iter().flatten()).filter(|l| l.track.kind == MediaKind::Video);
        let waited = |first| now.saturating_duration_since(first) >= AUDIO_ALONE_AFTER;
        !video.any(|l| l.track.has_spoken()) && self.first_media.is_some_and(waited)
    }

    /// Has the actor ask for a key unit while one is missing and anybody would profit.
    fn ask_for_key(&mut self, now: Instant) {
        if !self.lines.iter().flatten().any(|l| l.track.needs_key()) {
            return;
        }
        let lately = |asked| now.saturating_duration_since(asked) < KEY_NEEDED_AGAIN;
        if self.key_asked.is_some_and(lately) || !lock(&self.outlet).wanted() {
            return;
        }
        if (self.tell)(Event::KeyNeeded) {
            self.key_asked = Some(now);
        }
    }

    fn end(&mut self, reason: CloseReason) {
        if !std::mem::replace(&mut self.over, true) {
            // Also in the status: the actor finds it there when its mailbox is full.
            self.live.status().ended.get_or_insert(reason);
            (self.tell)(Event::Ended(reason));
        }
    }
}

impl Line {
    fn report(&mut self, report: SenderReport, utc: CaptureTime, rtt: Duration) {
        if let Some(raw) = self.timeline.raw(report.rtp_timestamp) {
            (self.capture).sender_report(CaptureTime::from_ntp(report.ntp), raw, utc, rtt);
        }
    }
}

impl MediaReceiver for Receiver {
    fn connected(&mut self, _: Instant, addresses: PeerAddresses) {
        let mut status = self.live.status();
        status.transport = addresses.transport.as_str();
        status.local = Some(addresses.local);
        status.remote = Some(addresses.remote);
        drop(status);
        (self.tell)(Event::Connected(addresses));
    }

    fn rtp(&mut self, now: Instant, packet: ReceivedRtp, _: &mut Feedback) {
        let (index, bytes) = (packet.track, packet.payload.len() as u64);
        // Padding alone (bandwidth probes) keeps the order of numbers, but is no sign of a camera.
        let media = bytes > 0;
        let at = self.at(now);
        if media && self.live.media_age(now) >= STALLED_AFTER && self.first_media.is_some() {
            // Back after a silence: readers go on at a key unit (design §5).
            self.silent = true;
            for line in self.lines.iter_mut().flatten() {
                line.track.shut();
            }
        }
        let Some(Some(line)) = self.lines.get_mut(index) else {
            return;
        };
        if !line.track.push(now, at, packet) {
            add(&self.live.node.packets_foreign, 1);
            return;
        }
        if media {
            self.first_media.get_or_insert(now);
            self.live.media_arrived(now);
        }
        for (session, node, n) in [
            (&self.live.counters.packets, &self.live.node.packets, 1),
            (&self.live.counters.bytes, &self.live.node.bytes, bytes),
        ] {
            add(session, n);
            add(node, n);
        }
        self.drain(index, now);
    }

    fn sender_report(&mut self, now: Instant, report: SenderReport) {
        add(&self.live.counters.rtcp_packets, 1);
        let (utc, rtt) = (self.live.utc(now), self.rtt);
        if let Some(Some(line)) = self.lines.get_mut(report.track) {
            if line.timeline.raw(report.rtp_timestamp).is_some() {
                line.report(report, utc, rtt);
            } else {
                line.early_report = Some((report, now));
            }
        }
    }

    fn round_trip(&mut self, rtt: Duration) {
        self.rtt = rtt;
        for line in self.lines.iter_mut().flatten() {
            line.track.set_rtt(rtt);
        }
    }

    fn loop_stalled(&mut self, now: Instant, pause: Duration, _: &mut Feedback) {
        add(&self.live.node.loop_stalls, 1);
        self.live.excuse(now, pause);
        for line in self.lines.iter_mut().flatten() {
            if pause >= STALE {
                line.track.restart();
            } else {
                line.track.excuse(pause);
            }
        }
        self.key_asked = None;
        self.ask_for_key(now);
    }

    fn poll(&mut self, now: Instant, feedback: &mut Feedback) -> Option<Instant> {
        let at = self.at(now);
        for index in 0..self.lines.len() {
            self.drain(index, now);
            if let Some(Some(line)) = self.lines.get_mut(index) {
                let nacks = line.track.nacks(at);
                if !nacks.is_empty() {
                    let n = nacks.len() as u64;
                    add(&self.live.counters.nacked, n);
                    add(&self.live.node.nacked, n);
                    feedback.nack.push((index, nacks));
                }
            }
        }
        let next = (self.lines.iter().flatten()).filter_map(|l| l.track.next_deadline());
        next.min().map(|deadline| self.origin + deadline)
    }

    fn closed(&mut self, reason: CloseReason) {
        self.end(reason);
    }
}

impl Drop for Receiver {
    /// A shard that drops its peers without a word, or a negotiation that failed late.
    fn drop(&mut self) {
        self.end(CloseReason::Internal);
    }
}
