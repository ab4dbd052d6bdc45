//! How a reader joins: with the running group of pictures at once, or with the next key unit, and where its tracks begin.
//! The answer names the first packet exactly, because GStreamer and retina take it at its word.

use crate::counters::add;
use crate::gop::Cached;
use crate::hub::TRY_AGAIN;
use crate::reader::{Queue, Reader};
use crate::rules;
use crate::tap::{Description, Tap, TapQueue, TapSpec};
use crate::task::Hub;
use crate::tracks::TrackOut;
use crate::unpack;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use tokio::time::Instant;
use weft_rtsp_server::{Joined, ReaderSpec, Refusal, TrackStart};
use weft_wire::{CaptureTime, ClockRate, MediaKind, TrackId};

/// Readers that wait for a key unit at once; more are told to try again.
const MAX_WAITING: usize = 1024;

/// A reader that waits for a key unit.
pub(crate) struct Waiting {
    spec: ReaderSpec,
    reply: oneshot::Sender<Result<Joined, Refusal>>,
    /// It is let in then, whether or not the key unit has come.
    pub(crate) until: Instant,
}

impl Waiting {
    pub(crate) fn refuse(self, refusal: Refusal) {
        // Whoever asked may have gone.
        drop(self.reply.send(Err(refusal)));
    }
}

impl Hub {
    /// A reader asks to be let in.
    pub(crate) fn join(
        &mut self,
        now: Instant,
        mut spec: ReaderSpec,
        reply: oneshot::Sender<Result<Joined, Refusal>>,
    ) {
        spec.tracks.retain(|id| self.tracks.iter().any(|t| t.id() == *id));
        self.gop.expire(now);
        let wants_video = self.wants_video(&spec.tracks);
        let refused = spec.tracks.is_empty();
        let until = now + self.egress.config.join_wait;
        let waiting = Waiting { spec, reply, until };
        if refused {
            return waiting.refuse(Refusal::NotFound);
        }
        if wants_video && self.is_gop_old() {
            self.wishes.audience(now, self.is_read(), true);
            self.wishes.urgent();
        }
        if !wants_video || self.life.is_away() || !self.gop.units().is_empty() {
            self.admit(now, waiting);
        } else if self.waiting.len() < MAX_WAITING {
            self.waiting.push(waiting);
        } else {
            // overflow: refused, the client may try again.
            waiting.refuse(Refusal::Unavailable(TRY_AGAIN));
        }
    }

    /// A key unit has come: everybody who waited for it is let in with it.
    pub(crate) fn admit_waiting(&mut self, now: Instant) {
        for waiting in std::mem::take(&mut self.waiting) {
            self.admit(now, waiting);
        }
    }

    /// Lets in those who have waited long enough.
    pub(crate) fn admit_late(&mut self, now: Instant) {
        let late: Vec<Waiting> = self.waiting.extract_if(.., |w| now >= w.until).collect();
        for waiting in late {
            self.admit(now, waiting);
        }
    }

    fn admit(&mut self, now: Instant, waiting: Waiting) {
        if !self
            .egress
            .takes_reader(&self.shared.stream, self.readers.len() + self.taps.len())
        {
            return waiting.refuse(rules::too_many_readers());
        }
        let Some(seat) = self.egress.seats.take() else {
            return waiting.refuse(Refusal::Full);
        };
        let Waiting { spec, reply, until } = waiting;
        let joined = until.checked_sub(self.egress.config.join_wait).unwrap_or(now);
        // Without pictures there is nothing to begin with in the past.
        let burst = if self.wants_video(&spec.tracks) {
            self.gop.units()
        } else {
            &[]
        };
        let starts = spec
            .tracks
            .iter()
            .filter_map(|id| self.start(now, *id, burst))
            .collect();
        let mut queue = Queue::new(spec, Arc::clone(&self.shared.counters), now, burst);
        queue.asked = joined;
        if self.traced != self.repair.session() {
            self.traced = self.repair.session();
            queue.first_of = self.traced;
        }
        let queue = Arc::new(queue);
        self.readers.push(Arc::clone(&queue));
        self.shared.face().readers.clone_from(&self.readers);
        self.timeline.told();
        add(&self.shared.counters.readers_joined, 1);
        rules::came(&self.egress.config.hooks, &self.shared.stream, &queue.spec);
        let reader = Reader {
            queue,
            hub: Arc::clone(&self.shared),
            _seat: seat,
        };
        // Whoever asked may have gone: the reader is dropped then, and has left.
        drop(reply.send(Ok(Joined {
            starts,
            reader: Box::new(reader),
        })));
    }

    /// Lets somebody in who takes whole units: with the running group, or with the next key unit.
    pub(crate) fn tap(&mut self, now: Instant, spec: TapSpec, reply: oneshot::Sender<Result<Tap, Refusal>>) {
        self.gop.expire(now);
        let readers = self.readers.len() + self.taps.len();
        let answer = if !self.egress.takes_reader(&self.shared.stream, readers) {
            Err(rules::too_many_readers())
        } else if let Some(seat) = self.egress.seats.take() {
            let line = |unit: &Cached| Some(self.timeline.line(unit.block.track, unit.position)?.capture);
            let burst = unpack::units(self.gop.units(), line);
            let counters = Arc::clone(&self.shared.counters);
            let queue = Arc::new(TapQueue::new(spec, counters, Arc::new(self.description()), burst));
            self.taps.push(Arc::clone(&queue));
            self.shared.face().taps.clone_from(&self.taps);
            self.timeline.told();
            add(&self.shared.counters.readers_joined, 1);
            let hub = Arc::clone(&self.shared);
            Ok(Tap {
                queue,
                hub,
                _seat: seat,
            })
        } else {
            Err(Refusal::Full)
        };
        if answer.is_ok() && self.is_gop_old() {
            self.wishes.audience(now, true, true);
            self.wishes.urgent();
        }
        // Whoever asked may have gone: the tap is dropped then, and has left.
        drop(reply.send(answer));
    }

    /// Whose units these are, and what they are.
    pub(crate) fn description(&self) -> Description {
        Description {
            session: self.repair.session(),
            epoch: self.repair.epoch(),
            tracks: self.shared.face().tracks.clone(),
        }
    }

    fn start(&self, now: Instant, id: TrackId, burst: &[Cached]) -> Option<TrackStart> {
        let track = self.tracks.iter().find(|t| t.id() == id)?;
        let first = burst.iter().find(|unit| unit.block.track == id);
        let line = match first {
            Some(unit) => self.timeline.line(id, unit.position)?,
            None => self.timeline.expected(id, now, utc_now())?,
        };
        Some(TrackStart {
            track: id,
            ssrc: track.ssrc,
            rtp_time: line.rtp_time,
            line,
        })
    }

    fn wants_video(&self, ids: &[TrackId]) -> bool {
        let wanted = |t: &TrackOut| ids.contains(&t.id()) && self.present.contains(&t.id());
        self.tracks
            .iter()
            .any(|t| t.kind() == MediaKind::Video && wanted(t))
    }

    /// True when a reader that joins now would begin far behind, or with nothing.
    pub(crate) fn is_gop_old(&self) -> bool {
        let interval = i64::try_from(self.egress.config.keyframe_interval.as_micros()).unwrap_or(i64::MAX);
        let length = ClockRate::VIDEO.ticks_to_micros(self.gop.ticks());
        self.has_video() && (self.gop.units().is_empty() || length > interval)
    }
}

fn utc_now() -> CaptureTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    CaptureTime(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
