//! A publisher of numbered pictures and sounds on any bus, with the owner's cache and its obedience to keyframe requests.
//! Runs on Tokio's clock, so that paused time drives it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use weft_bus::{Bus, StreamOwner, UnitsAnswer};
use weft_wire::*;

pub(crate) const VIDEO: TrackId = TrackId(0);
pub(crate) const AUDIO: TrackId = TrackId(1);
/// Stands before each picture's number in its slice, and each sound's in its packet.
pub(crate) const MARK: &[u8; 4] = b"UNIT";
const SPS: &[u8] = &[0x67, 66, 0xc0, 30, 0xd9, 0];
const PPS: &[u8] = &[0x68, 0xce, 1];

/// How a camera behaves.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) revision: u64,
    pub(crate) session: u8,
    /// Pictures between key units; 25 per second.
    pub(crate) gop: u64,
    pub(crate) audio: bool,
    pub(crate) video: bool,
    /// Codec of track 0.
    pub(crate) first_codec: Codec,
    /// Answers keyframe requests with a key unit at the next picture.
    pub(crate) obeys: bool,
    /// Units kept for questions.
    pub(crate) cache: usize,
    /// Bytes of a picture.
    pub(crate) size: usize,
    /// The capture clock's error in µs.
    pub(crate) clock_error: i64,
    /// SPS and PPS, in the description and before each key unit.
    pub(crate) sets: [&'static [u8]; 2],
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            revision: 1,
            session: 1,
            gop: 50,
            audio: true,
            video: true,
            first_codec: Codec::H264,
            obeys: true,
            cache: 2000,
            size: 200,
            clock_error: 0,
            sets: [SPS, PPS],
        }
    }
}

pub(crate) struct Camera {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    setup: Setup,
    revision: AtomicU64,
    started: Instant,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    cache: VecDeque<AccessUnit>,
    next: u64,
    gop: u64,
    pictures: u64,
    since_key: u64,
    key_at: Option<Instant>,
    key_wanted: bool,
    silent: bool,
    /// Made and not passed on: the owner's node stands still.
    held: Option<Vec<(MediaClass, AccessUnit)>>,
    released: bool,
    /// When each picture was made.
    made: Vec<Instant>,
    ending: Option<CloseReason>,
    wishes: Vec<KeyframeRequest>,
    questions: Vec<UnitsRequest>,
}

pub(crate) fn name() -> StreamName {
    StreamName::new("exam/1").unwrap()
}

impl Camera {
    /// Publishes `exam/1`.
    pub(crate) async fn start(bus: &Arc<dyn Bus>, setup: Setup) -> Self {
        let shared = Arc::new(Shared {
            revision: AtomicU64::new(setup.revision),
            setup,
            started: Instant::now(),
            inner: Mutex::default(),
        });
        let mut publication = bus.publish(name(), shared.clone()).await.unwrap();
        let owner = shared.clone();
        let task = tokio::spawn(async move {
            let mut clock = interval(Duration::from_millis(20));
            clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for step in 0_u64.. {
                clock.tick().await;
                let ending = owner.lock().ending;
                let made = owner.step(step);
                for (class, unit) in owner.passed_on(made) {
                    let batch = UnitBatch {
                        session: owner.session(),
                        epoch: owner.epoch(),
                        units: vec![unit],
                    };
                    publication.send(class, batch);
                }
                // Right behind the last units: a hub takes them in one go.
                if let Some(reason) = ending {
                    publication.end(StreamEnded {
                        session: owner.session(),
                        epoch: owner.epoch(),
                        reason,
                    });
                    return;
                }
            }
        });
        Self { shared, task }
    }

    /// Ends with a last word.
    pub(crate) async fn end(mut self, reason: CloseReason) {
        self.shared.lock().ending = Some(reason);
        (&mut self.task).await.unwrap();
    }

    /// Is gone without a word.
    pub(crate) async fn vanish(mut self) {
        self.task.abort();
        assert!((&mut self.task).await.is_err());
    }

    /// The same session, claimed again.
    pub(crate) fn raise_epoch(&self, revision: u64) {
        self.shared.revision.store(revision, Relaxed);
    }

    /// Stays there, but sends nothing.
    pub(crate) fn silence(&self, silent: bool) {
        self.shared.lock().silent = silent;
    }

    /// Makes units, but passes none on; those made meanwhile go out all at once when it ends.
    pub(crate) fn hold(&self, hold: bool) {
        let mut inner = self.shared.lock();
        if hold {
            inner.held.get_or_insert_default();
        } else {
            // With the next step.
            inner.released = true;
        }
    }

    /// When this picture was made.
    pub(crate) fn made(&self, number: u32) -> Instant {
        self.shared.lock().made[number as usize]
    }

    /// Number of the next picture.
    pub(crate) fn pictures(&self) -> u64 {
        self.shared.lock().pictures
    }

    pub(crate) fn wishes(&self) -> Vec<KeyframeRequest> {
        self.shared.lock().wishes.clone()
    }

    pub(crate) fn questions(&self) -> Vec<UnitsRequest> {
        self.shared.lock().questions.clone()
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn session(&self) -> SessionId {
        SessionId([self.setup.session; 16])
    }

    fn epoch(&self) -> Epoch {
        Epoch {
            generation: 1,
            revision: self.revision.load(Relaxed),
        }
    }

    /// What is made in this 20 ms step: a sound each, a picture every other.
    fn step(&self, step: u64) -> Vec<(MediaClass, AccessUnit)> {
        let mut inner = self.lock();
        if inner.silent {
            return Vec::new();
        }
        let mut made = Vec::new();
        if self.setup.video && step.is_multiple_of(2) {
            let key = inner.pictures == 0 || inner.since_key >= self.setup.gop || inner.key_wanted;
            if key {
                inner.gop += 1;
                inner.since_key = 0;
                inner.key_wanted = false;
                inner.key_at = Some(Instant::now());
            }
            inner.since_key += 1;
            let data = picture(key, inner.pictures, &self.setup);
            inner.made.push(Instant::now());
            inner.pictures += 1;
            let class = if key { MediaClass::Key } else { MediaClass::Delta };
            made.push((class, self.unit(&mut inner, VIDEO, step * 1800, data, key)));
        }
        if self.setup.audio {
            let data = [&MARK[..], &(step as u32).to_be_bytes()].concat();
            made.push((
                MediaClass::Audio,
                self.unit(&mut inner, AUDIO, step * 960, data, false),
            ));
        }
        made
    }

    fn passed_on(&self, made: Vec<(MediaClass, AccessUnit)>) -> Vec<(MediaClass, AccessUnit)> {
        let mut inner = self.lock();
        let released = std::mem::take(&mut inner.released);
        match &mut inner.held {
            None => made,
            Some(held) => {
                held.extend(made);
                let all = if released { inner.held.take() } else { None };
                all.unwrap_or_default()
            }
        }
    }

    fn unit(&self, inner: &mut Inner, track: TrackId, ticks: u64, data: Vec<u8>, key: bool) -> AccessUnit {
        let elapsed = self.started.elapsed();
        let media = MediaTime(ticks as i64 + 1_000_000 * i64::from(self.setup.session));
        // One UTC for all cameras: Tokio's clock since a fixed instant.
        let utc = CaptureTime(1_700_000_000_000_000 + epoch_micros() + self.setup.clock_error);
        let unit = AccessUnit {
            track,
            seq: UnitSeq(inner.next),
            gop: GopSeq(inner.gop),
            pts: media,
            dts: media,
            capture: utc,
            capture_source: CaptureSource::SenderReport,
            capture_offset: 0,
            sent: SentTime::from_elapsed(elapsed),
            flags: if key { UnitFlags::KEY } else { UnitFlags::default() },
            data: data.into(),
        };
        inner.next += 1;
        inner.cache.push_back(unit.clone());
        while inner.cache.len() > self.setup.cache {
            inner.cache.pop_front();
        }
        unit
    }

    fn tracks(&self) -> Vec<TrackInfo> {
        let video = TrackInfo {
            id: VIDEO,
            codec: self.setup.first_codec,
            clock_rate: match self.setup.first_codec {
                Codec::Opus => ClockRate::OPUS,
                _ => ClockRate::VIDEO,
            },
            channels: 0,
            parameter_sets: self.setup.sets.iter().map(|set| (*set).into()).collect(),
            width: 640,
            height: 480,
        };
        let audio = TrackInfo {
            id: AUDIO,
            codec: Codec::Opus,
            clock_rate: ClockRate::OPUS,
            channels: 2,
            parameter_sets: vec![],
            width: 0,
            height: 0,
        };
        let mut tracks = Vec::new();
        if self.setup.video {
            tracks.push(video);
        }
        if self.setup.audio {
            tracks.push(audio);
        }
        tracks
    }
}

/// Microseconds since the first call in this test's runtime.
fn epoch_micros() -> i64 {
    thread_local!(static START: std::cell::OnceCell<Instant> = const { std::cell::OnceCell::new() });
    START.with(|start| start.get_or_init(Instant::now).elapsed().as_micros() as i64)
}

fn picture(key: bool, number: u64, setup: &Setup) -> Vec<u8> {
    let header = if key { 0x65 } else { 0x41 };
    let mut slice = [&[header, 0x80][..], MARK, &(number as u32).to_be_bytes()].concat();
    slice.resize(setup.size.max(slice.len()), 0x55);
    let [sps, pps] = setup.sets;
    let nals: Vec<&[u8]> = if key { vec![sps, pps, &slice] } else { vec![&slice] };
    nals.iter()
        .flat_map(|nal| [&(nal.len() as u32).to_be_bytes()[..], nal].concat())
        .collect()
}

impl StreamOwner for Shared {
    fn units(&self, request: &UnitsRequest) -> UnitsAnswer {
        let mut inner = self.lock();
        inner.questions.push(request.clone());
        let ours = request.session.is_none_or(|s| s == self.session());
        let newest_key = inner.cache.iter().rposition(|u| u.is_key());
        let (from, gone) = match request.from {
            _ if !ours => (None, false),
            UnitsFrom::NewestGop => (newest_key.map(|i| inner.cache[i].seq), false),
            UnitsFrom::Seq(seq) if seq.0 >= inner.next => (None, false),
            UnitsFrom::Seq(seq) if inner.cache.front().is_some_and(|u| u.seq <= seq) => (Some(seq), false),
            UnitsFrom::Seq(_) => (None, true),
            _ => (None, false),
        };
        let until = request.until.unwrap_or(UnitSeq(u64::MAX));
        let wanted = |u: &&AccessUnit| from.is_some_and(|f| u.seq >= f) && u.seq <= until;
        let units: Vec<AccessUnit> = inner.cache.iter().filter(wanted).cloned().collect();
        let batches = units.into_iter().map(|unit| UnitBatch {
            session: self.session(),
            epoch: self.epoch(),
            units: vec![unit],
        });
        UnitsAnswer {
            batches: batches.collect(),
            end: UnitsEnd {
                session: self.session(),
                epoch: self.epoch(),
                next: UnitSeq(inner.next),
                gone,
                sent: SentTime::from_elapsed(self.started.elapsed()),
                tracks: self.tracks(),
                key_age_ms: inner
                    .key_at
                    .map_or(u32::MAX, |at| at.elapsed().as_millis() as u32),
            },
        }
    }

    fn keyframe(&self, request: KeyframeRequest) {
        let mut inner = self.lock();
        inner.key_wanted |= request.now && self.setup.obeys;
        inner.wishes.push(request);
    }

    fn owner(&self) -> OwnerInfo {
        OwnerInfo {
            node: NodeName::new("ingest").unwrap(),
            incarnation: Incarnation(1),
            session: self.session(),
            epoch: self.epoch(),
            state: StreamState::Live,
            since: 0,
            tracks: self.tracks(),
            inbound_bytes: 0,
            inbound_packets: 0,
            packets_lost: 0,
            units_in_error: 0,
            units: self.lock().next,
            media_age_ms: 0,
            remote: String::new(),
        }
    }

    fn kick(&self, kick: Kick) {
        self.lock().ending = Some(kick.reason);
    }
}
