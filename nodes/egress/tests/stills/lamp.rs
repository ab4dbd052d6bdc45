//! A publisher of single pictures on any bus: it sends a key unit when it is told to, answers with the newest one, and writes
//! down what is wished of it.

use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::time::Instant;
use weft_bus::{Bus, Publication, Sent, StreamOwner, UnitsAnswer};
use weft_wire::*;

/// Key units by x264, of 64x48 and 128x96 pixels.
pub(crate) const SMALL: &[u8] = include_bytes!("../../../picture/testdata/baseline-64x48.unit");
pub(crate) const LARGE: &[u8] = include_bytes!("../../../picture/testdata/high-128x96.unit");

/// 2026-11-29T23:40:37.123456Z.
const BEGINNING: i64 = 1_795_995_637_123_456;

pub(crate) struct Lamp {
    owner: Arc<Owner>,
    publication: Publication,
}

struct Owner {
    session: SessionId,
    epoch: Epoch,
    started: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    tracks: Vec<TrackInfo>,
    newest: Option<AccessUnit>,
    next: u64,
    wishes: Vec<KeyframeRequest>,
    questions: Vec<UnitsRequest>,
}

fn track(id: u8, codec: Codec) -> TrackInfo {
    TrackInfo {
        id: TrackId(id),
        codec,
        clock_rate: match codec.kind() {
            MediaKind::Video => ClockRate::VIDEO,
            MediaKind::Audio => ClockRate::OPUS,
        },
        channels: 0,
        parameter_sets: vec![],
        width: 0,
        height: 0,
    }
}

impl Lamp {
    pub(crate) async fn light(bus: &Arc<dyn Bus>, stream: StreamName, session: u8, revision: u64) -> Self {
        let owner = Arc::new(Owner {
            session: SessionId([session; 16]),
            epoch: Epoch {
                generation: 1,
                revision,
            },
            started: Instant::now(),
            inner: Mutex::new(Inner {
                tracks: vec![track(0, Codec::Opus), track(1, Codec::H264)],
                newest: None,
                next: 0,
                wishes: vec![],
                questions: vec![],
            }),
        });
        let publication = bus.publish(stream, owner.clone()).await.unwrap();
        Self { owner, publication }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.owner.inner.lock().unwrap()
    }

    /// Sends a picture.
    pub(crate) fn flash(&mut self, data: &'static [u8]) -> Sent {
        let mut inner = self.inner();
        let seq = inner.next;
        inner.next += 1;
        let unit = AccessUnit {
            track: TrackId(1),
            seq: UnitSeq(seq),
            gop: GopSeq(seq),
            pts: MediaTime(0),
            dts: MediaTime(0),
            capture: CaptureTime(BEGINNING + seq as i64 * 1_000_000),
            capture_source: CaptureSource::SenderReport,
            capture_offset: 0,
            sent: SentTime::from_elapsed(self.owner.started.elapsed()),
            flags: UnitFlags::KEY,
            data: Bytes::from_static(data),
        };
        inner.newest = Some(unit.clone());
        drop(inner);
        let batch = UnitBatch {
            session: self.owner.session,
            epoch: self.owner.epoch,
            units: vec![unit],
        };
        self.publication.send(MediaClass::Key, batch)
    }

    /// Nothing but sound from the beginning.
    pub(crate) fn dark(&mut self) {
        self.inner().tracks.truncate(1);
    }

    /// Says goodbye.
    pub(crate) fn out(mut self) {
        self.publication.end(StreamEnded {
            session: self.owner.session,
            epoch: self.owner.epoch,
            reason: CloseReason::PeerLeft,
        });
    }

    pub(crate) fn wishes(&self) -> Vec<KeyframeRequest> {
        self.inner().wishes.clone()
    }

    pub(crate) fn questions(&self) -> Vec<UnitsRequest> {
        self.inner().questions.clone()
    }
}

impl StreamOwner for Owner {
    fn units(&self, request: &UnitsRequest) -> UnitsAnswer {
        let mut inner = self.inner.lock().unwrap();
        inner.questions.push(request.clone());
        let now = SentTime::from_elapsed(self.started.elapsed());
        let newest = inner.newest.clone();
        let age = newest.as_ref().map_or(u64::MAX, |unit| now.0 - unit.sent.0);
        let batches = newest.map(|unit| UnitBatch {
            session: self.session,
            epoch: self.epoch,
            units: vec![unit],
        });
        UnitsAnswer {
            batches: batches.into_iter().collect(),
            end: UnitsEnd {
                session: self.session,
                epoch: self.epoch,
                next: UnitSeq(inner.next),
                gone: false,
                sent: now,
                tracks: inner.tracks.clone(),
                key_age_ms: u32::try_from(age / 1000).unwrap_or(u32::MAX),
            },
        }
    }

    fn keyframe(&self, request: KeyframeRequest) {
        self.inner.lock().unwrap().wishes.push(request);
    }

    fn owner(&self) -> OwnerInfo {
        let inner = self.inner.lock().unwrap();
        OwnerInfo {
            node: NodeName::new("ingest").unwrap(),
            incarnation: Incarnation(1),
            session: self.session,
            epoch: self.epoch,
            state: StreamState::Live,
            since: 0,
            tracks: inner.tracks.clone(),
            inbound_bytes: 0,
            inbound_packets: 0,
            packets_lost: 0,
            units_in_error: 0,
            units: inner.next,
            media_age_ms: 0,
            remote: String::new(),
        }
    }

    fn kick(&self, _: Kick) {}
}
