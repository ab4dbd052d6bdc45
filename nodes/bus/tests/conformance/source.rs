//! A stream for the cases: units that can be told from each other, kept and answered for as a session does.
//! It is no session: nothing is claimed and nothing ends it but the case.

use bytes::Bytes;
use std::sync::{Arc, Mutex};
use weft_bus::{Bus, Delivery, Publication, Sent, StreamOwner, Subscription, UnitsAnswer};
use weft_wire::{
    AccessUnit, CaptureSource, CaptureTime, CloseReason, Epoch, GopSeq, Incarnation, KeyframeRequest, Kick,
    MediaClass, MediaTime, NodeName, OwnerInfo, SentTime, SessionId, StreamEnded, StreamName, StreamState,
    TrackId, UnitBatch, UnitFlags, UnitSeq, UnitsEnd, UnitsFrom, UnitsRequest,
};

/// What the session keeps.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) session: SessionId,
    pub(crate) epoch: Epoch,
    pub(crate) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) units: Vec<AccessUnit>,
    gop: u64,
    pub(crate) keyframes: Vec<KeyframeRequest>,
    pub(crate) kicks: Vec<Kick>,
}

/// A publisher of a synthetic stream.
pub(crate) struct Source {
    pub(crate) kept: Arc<Kept>,
    pub(crate) publication: Publication,
}

pub(crate) fn name(text: &str) -> StreamName {
    StreamName::new(text).unwrap()
}

pub(crate) fn node_name() -> NodeName {
    NodeName::new("here").unwrap()
}

pub(crate) fn epoch(revision: u64) -> Epoch {
    Epoch {
        generation: 7,
        revision,
    }
}

impl Source {
    pub(crate) async fn start(bus: &Arc<dyn Bus>, stream: &str) -> Self {
        Self::start_at(bus, stream, 1).await
    }

    pub(crate) async fn start_at(bus: &Arc<dyn Bus>, stream: &str, revision: u64) -> Self {
        let kept = Arc::new(Kept {
            session: SessionId([revision as u8; 16]),
            epoch: epoch(revision),
            state: Mutex::default(),
        });
        let publication = bus.publish(name(stream), kept.clone()).await.unwrap();
        Self { kept, publication }
    }

    /// Makes a unit of `size` bytes, keeps it, publishes it.
    pub(crate) fn send(&mut self, class: MediaClass, size: usize) -> Sent {
        let unit = {
            let mut state = self.kept.state.lock().unwrap();
            if class == MediaClass::Key {
                state.gop += 1;
            }
            let unit = unit(class, state.units.len() as u64, state.gop, size);
            state.units.push(unit.clone());
            unit
        };
        self.publication.send(
            class,
            UnitBatch {
                session: self.kept.session,
                epoch: self.kept.epoch,
                units: vec![unit],
            },
        )
    }

    pub(crate) fn key(&mut self) -> Sent {
        self.send(MediaClass::Key, 40_000)
    }

    pub(crate) fn delta(&mut self) -> Sent {
        self.send(MediaClass::Delta, 7_000)
    }

    pub(crate) fn audio(&mut self) -> Sent {
        self.send(MediaClass::Audio, 160)
    }

    pub(crate) fn end(&mut self) -> Sent {
        self.publication.end(StreamEnded {
            session: self.kept.session,
            epoch: self.kept.epoch,
            reason: CloseReason::PeerLeft,
        })
    }

    /// Every unit made so far.
    pub(crate) fn made(&self) -> Vec<AccessUnit> {
        self.kept.state.lock().unwrap().units.clone()
    }
}

fn unit(class: MediaClass, seq: u64, gop: u64, size: usize) -> AccessUnit {
    let key = class == MediaClass::Key;
    let mut data = vec![seq as u8; size];
    let mark = seq.to_be_bytes();
    let len = size.min(8);
    data[..len].copy_from_slice(&mark[..len]);
    AccessUnit {
        track: TrackId(u8::from(class == MediaClass::Audio)),
        seq: UnitSeq(seq),
        gop: GopSeq(gop),
        pts: MediaTime(seq as i64 * 3000),
        dts: MediaTime(seq as i64 * 3000 - 1),
        capture: CaptureTime(1_700_000_000_000_000 + seq as i64),
        capture_source: CaptureSource::SenderReport,
        capture_offset: -5,
        sent: SentTime(seq * 1000),
        flags: if key { UnitFlags::KEY } else { UnitFlags::default() },
        data: Bytes::from(data),
    }
}

impl StreamOwner for Kept {
    fn units(&self, request: &UnitsRequest) -> UnitsAnswer {
        let state = self.state.lock().unwrap();
        let all = &state.units;
        let from = match request.from {
            UnitsFrom::NewestGop => all.iter().rposition(AccessUnit::is_key),
            UnitsFrom::Gop(gop) => all.iter().position(|u| u.gop >= gop),
            UnitsFrom::Seq(seq) => all.iter().position(|u| u.seq == seq),
            UnitsFrom::Capture(at) => all.iter().rposition(|u| u.is_key() && u.capture.0 <= at),
            UnitsFrom::Live => None,
        };
        let wanted = request.session.is_none_or(|s| s == self.session);
        let until = request.until.map_or(all.len(), |until| until.0 as usize + 1);
        let units = match from {
            Some(from) if wanted => all[from..until.clamp(from, all.len())].to_vec(),
            _ => Vec::new(),
        };
        let asked = |unit: &AccessUnit| unit.is_key() || !request.key_only;
        let units: Vec<AccessUnit> = units.into_iter().filter(asked).collect();
        UnitsAnswer {
            end: UnitsEnd {
                session: self.session,
                epoch: self.epoch,
                next: UnitSeq(all.len() as u64),
                gone: units.is_empty(),
                sent: SentTime(0),
                tracks: vec![],
                key_age_ms: 0,
            },
            batches: vec![UnitBatch {
                session: self.session,
                epoch: self.epoch,
                units,
            }],
        }
    }

    fn keyframe(&self, request: KeyframeRequest) {
        self.state.lock().unwrap().keyframes.push(request);
    }

    fn owner(&self) -> OwnerInfo {
        OwnerInfo {
            node: node_name(),
            incarnation: Incarnation(1),
            session: self.session,
            epoch: self.epoch,
            state: StreamState::Live,
            since: 5,
            tracks: vec![],
            inbound_bytes: 0,
            inbound_packets: 0,
            packets_lost: 0,
            units_in_error: 0,
            units: self.state.lock().unwrap().units.len() as u64,
            media_age_ms: 0,
            remote: String::new(),
        }
    }

    fn kick(&self, kick: Kick) {
        self.state.lock().unwrap().kicks.push(kick);
    }
}

/// Where a request begins, with nothing else to it.
pub(crate) fn from(from: UnitsFrom) -> UnitsRequest {
    UnitsRequest {
        from,
        until: None,
        session: None,
        key_only: false,
    }
}

/// The units of an answer, in its order.
pub(crate) fn units_of(answer: UnitsAnswer) -> Vec<AccessUnit> {
    answer.batches.into_iter().flat_map(|b| b.units).collect()
}

/// The next unit's batch or the end, within 5 s.
pub(crate) async fn next(subscription: &mut Subscription) -> Delivery {
    tokio::time::timeout(std::time::Duration::from_secs(5), subscription.recv())
        .await
        .expect("a delivery within 5 s")
        .expect("the bus is there")
}

/// Reads until `count` units are there.
pub(crate) async fn read(subscription: &mut Subscription, count: usize) -> Vec<AccessUnit> {
    let mut units = Vec::new();
    while units.len() < count {
        match next(subscription).await {
            Delivery::Units(batch) => units.extend(batch.units),
            Delivery::Ended(notice) => panic!("ended: {notice:?}"),
        }
    }
    units
}
