//! The way of a unit through the hub once it is in order: gate, timeline, packets, cache, queues.
//! Order itself, and what is missing in it, was settled before.

use crate::counters::add;
use crate::question::Out;
use crate::tap::TapUnit;
use crate::task::Hub;
use crate::timeline::Placed;
use crate::tracks::TrackOut;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};
use weft_rtsp_server::RtpLine;
use weft_wire::{AccessUnit, CloseReason, MediaKind, TrackId, TrackInfo};

/// Reports of each track reach readers this often (design §8).
const REPORT_EVERY: Duration = Duration::from_secs(5);

impl Hub {
    /// Passes on everything that is in order.
    pub(crate) fn flow(&mut self, now: Instant) {
        while let Some(out) = self.repair.pop() {
            match out {
                Out::Session(tracks) => self.session(now, tracks),
                Out::Unit(unit) => self.unit(now, &unit),
                Out::Lost(count) => self.lost(count),
            }
        }
    }

    /// Another publisher session takes the stream on, or the first one begins it.
    fn session(&mut self, now: Instant, tracks: Option<Vec<TrackInfo>>) {
        let tracks = tracks.unwrap_or_else(|| self.described.clone());
        let stream = &self.shared.stream;
        let session = self.repair.session().map(tracing::field::display);
        if !self.present.is_empty() {
            add(&self.shared.counters.takeovers, 1);
            info!(%stream, session, epoch = %self.repair.epoch(), "stream goes on with another session");
        } else {
            info!(%stream, session, epoch = %self.repair.epoch(), "hub open");
        }
        // The owner is there, whether or not its media flows yet.
        self.life.here();
        self.timeline.begin_session();
        self.gop.clear();
        self.present = tracks.iter().map(|t| t.id).collect();
        let differs = |t: &TrackOut| tracks.iter().any(|new| new.id == t.id() && t.differs(new));
        if self.tracks.iter().any(differs) {
            warn!(%stream, session, "codec changed: readers are closed");
            self.tracks.clear();
            self.timeline = crate::timeline::Timeline::default();
            self.close_readers(CloseReason::CodecChanged);
        }
        for info in &tracks {
            self.timeline
                .track(info.id, info.clock_rate, info.codec.kind(), rand::random());
            match self.tracks.iter_mut().find(|t| t.id() == info.id) {
                Some(track) => track.describe(info.clone()),
                None => self
                    .tracks
                    .push(TrackOut::new(info.clone(), self.egress.config.mtu)),
            }
        }
        self.described = tracks;
        self.gate_shut = self.has_video();
        self.reports_at = now + REPORT_EVERY;
        self.publish_tracks();
    }

    fn unit(&mut self, now: Instant, unit: &AccessUnit) {
        if self.last_word.is_none() || self.last_word != self.repair.session() {
            self.life.media(now);
        }
        let counters = Arc::clone(&self.shared.counters);
        let known = self.present.contains(&unit.track);
        let Some(track) = self.tracks.iter_mut().find(|t| known && t.id() == unit.track) else {
            add(&counters.skipped, 1);
            return;
        };
        let kind = track.kind();
        let key = kind == MediaKind::Video && unit.is_key();
        if key {
            self.gate_shut = false;
            self.wishes.key();
        } else if kind == MediaKind::Video && self.gate_shut {
            add(&counters.skipped, 1);
            return;
        }
        let changed = key && track.learn(unit);
        let Some(placed) = self.timeline.place(now, unit) else {
            add(&counters.skipped, 1);
            return;
        };
        let block = Arc::new(track.packetise(unit, placed.rtp_time));
        if changed {
            self.publish_tracks();
        }
        if block.is_empty() {
            return;
        }
        add(&counters.units, 1);
        add(&counters.unit_bytes, unit.data.len() as u64);
        if placed.joint
            && let Some(line) = self.timeline.line(unit.track, placed.position)
        {
            self.report_track(now, unit.track, line);
        }
        let published = self.repair.age.published(unit.sent).min(now);
        let mut read = false;
        for queue in &self.readers {
            read |= queue.push((published, now), &block, kind);
        }
        if !read && !self.readers.is_empty() {
            add(&counters.unread, 1);
        }
        if !self.taps.is_empty() {
            self.pass_whole(unit, placed, kind);
        }
        self.gop.push(now, &block, (placed.position, placed.dts), kind);
        if key {
            self.admit_waiting(now);
        }
    }

    /// The same for those who take whole units.
    fn pass_whole(&self, unit: &AccessUnit, placed: Placed, kind: MediaKind) {
        let Some(line) = self.timeline.line(unit.track, placed.position) else {
            return;
        };
        let unit = Arc::new(TapUnit {
            track: unit.track,
            kind,
            key: kind == MediaKind::Video && unit.is_key(),
            pts: placed.position.0,
            dts: placed.dts.0,
            capture: line.capture,
            data: unit.data.clone(),
        });
        for tap in &self.taps {
            tap.push(&unit);
        }
    }

    /// Units are missing here for good: no picture is shown that could refer to them.
    fn lost(&mut self, count: u64) {
        let session = self.repair.session().map(tracing::field::display);
        info!(stream = %self.shared.stream, session, units = count, "units lost");
        if self.has_video() {
            self.gate_shut = true;
        }
    }

    /// The periodic reports.
    pub(crate) fn report(&mut self, now: Instant) {
        if now < self.reports_at {
            return;
        }
        self.reports_at = now + REPORT_EVERY;
        for track in &self.present {
            if let Some(line) = self.timeline.newest(*track) {
                self.report_track(now, *track, line);
            }
        }
    }

    fn report_track(&self, now: Instant, track: TrackId, line: RtpLine) {
        for queue in &self.readers {
            queue.report(now, track, line);
        }
    }

    fn publish_tracks(&self) {
        let present = self.tracks.iter().filter(|t| self.present.contains(&t.id()));
        let mut tracks: Vec<TrackInfo> = present.map(|t| t.info.clone()).collect();
        tracks.sort_by_key(|t| t.id);
        self.shared.face().tracks = tracks;
        if !self.taps.is_empty() {
            let description = Arc::new(self.description());
            for tap in &self.taps {
                tap.describe(&description);
            }
        }
    }
}
