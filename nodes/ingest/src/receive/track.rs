//! One track of a publisher: packets put in order, made into units, withheld after a loss until a key unit.
//! Time, numbering and publishing of the units are done by its users.

use crate::counters::{Counters, SessionCounters, add};
use bytes::Bytes;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::Instant;
use weft_rtc::{NegotiatedTrack, ReceivedRtp};
use weft_rtp::{
    Depacketised, DepacketisedUnit, Depacketiser, H264Depacketiser, KeyGate, Ordered, Packet, ParameterSets,
    Reorder, ReorderStats,
};
use weft_wire::{ClockRate, Codec, MediaKind, TrackId, TrackInfo};

/// A second source on a track is believed once the first has been silent for this long (RFC 3550 §8.2: a restarted sender).
const SOURCE_CHANGE: Duration = Duration::from_secs(1);

/// What the units of a track are worth.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drained {
    /// Units dropped as damaged.
    pub(crate) damaged: u64,
    /// Whole units withheld because decoding cannot start there.
    pub(crate) withheld: u64,
}

/// The receiving state of one track.
pub(crate) struct Track {
    pub(crate) info: TrackInfo,
    pub(crate) kind: MediaKind,
    nack: bool,
    source: Option<u32>,
    heard: Option<Instant>,
    reorder: Reorder,
    /// Of `reorder`, as counted last.
    counted: ReorderStats,
    rtt: Duration,
    depacketiser: Depacketiser,
    gate: KeyGate,
    sets: u64,
    jitter: Jitter,
}

impl Track {
    /// `None` for a codec that cannot be received, which the answer never agrees on.
    pub(crate) fn new(id: TrackId, negotiated: &NegotiatedTrack) -> Option<Self> {
        let kind = negotiated.codec.kind();
        let default = match kind {
            MediaKind::Video => ClockRate::VIDEO,
            MediaKind::Audio => ClockRate::OPUS,
        };
        Some(Self {
            info: TrackInfo {
                id,
                codec: negotiated.codec,
                clock_rate: std::num::NonZeroU32::new(negotiated.clock_rate).map_or(default, ClockRate),
                channels: negotiated.channels,
                parameter_sets: Vec::new(),
                width: 0,
                height: 0,
            },
            kind,
            nack: negotiated.nack,
            source: None,
            heard: None,
            reorder: Reorder::new(),
            counted: ReorderStats::default(),
            rtt: Duration::ZERO,
            depacketiser: depacketiser(negotiated)?,
            gate: KeyGate::new(),
            sets: 0,
            jitter: Jitter::default(),
        })
    }

    /// True once a packet came.
    pub(crate) fn has_spoken(&self) -> bool {
        self.heard.is_some()
    }

    /// Takes a packet in; `at` is `now` on the reorder window's clock. False for one of a second source.
    pub(crate) fn push(&mut self, now: Instant, at: Duration, packet: ReceivedRtp) -> bool {
        if self.source != Some(packet.ssrc) {
            let silent = |heard| now.saturating_duration_since(heard) >= SOURCE_CHANGE;
            if self.source.is_some() && !self.heard.is_some_and(silent) {
                return false;
            }
            if self.source.replace(packet.ssrc).is_some() {
                self.restart();
            }
        }
        self.heard = Some(now);
        self.jitter.arrived(at, packet.timestamp, self.info.clock_rate);
        let packet = Packet {
            seq: packet.seq,
            timestamp: packet.timestamp,
            marker: packet.marker,
            payload: packet.payload,
            abs_capture: packet.abs_capture,
        };
        self.reorder.push(at, packet);
        true
    }

    /// Takes out the units that are whole by `at` and may be passed on.
    pub(crate) fn drain(&mut self, at: Duration, units: &mut Vec<DepacketisedUnit>) -> Drained {
        let mut drained = Drained::default();
        while let Some(ordered) = self.reorder.pop(at) {
            match ordered {
                Ordered::Packet { packet, .. } => self.depacketiser.push(packet),
                Ordered::Lost { .. } => self.depacketiser.lost(),
            }
            while let Some(out) = self.depacketiser.pop() {
                match (out, self.kind) {
                    (Depacketised::Damaged { .. }, kind) => {
                        drained.damaged += 1;
                        if kind == MediaKind::Video {
                            self.gate.shut();
                        }
                    }
                    (Depacketised::Unit(unit), MediaKind::Audio) => units.push(unit),
                    (Depacketised::Unit(mut unit), MediaKind::Video) => {
                        if self.gate.admit(&mut unit) {
                            units.push(unit);
                        } else {
                            drained.withheld += 1;
                        }
                    }
                }
            }
        }
        drained
    }

    /// The packets to ask the publisher for now; none where it would not retransmit.
    pub(crate) fn nacks(&mut self, at: Duration) -> Vec<u16> {
        let due = self.reorder.poll_nacks(at);
        if self.nack { due } else { Vec::new() }
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.reorder.next_deadline()
    }

    pub(crate) fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = rtt;
        self.reorder.set_rtt(rtt);
    }

    /// True while video waits for a key unit, though packets come.
    pub(crate) fn needs_key(&self) -> bool {
        self.kind == MediaKind::Video && self.has_spoken() && self.gate.is_waiting()
    }

    /// Nothing passes until the next key unit.
    pub(crate) fn shut(&mut self) {
        if self.kind == MediaKind::Video {
            self.gate.shut();
        }
    }

    /// Packets may wait unread: gaps are held that much longer.
    pub(crate) fn excuse(&mut self, pause: Duration) {
        self.reorder.excuse(pause);
    }

    /// Begins anew with the next packet: what is held is stale, or of another source.
    pub(crate) fn restart(&mut self) {
        self.reorder = Reorder::new();
        self.reorder.set_rtt(self.rtt);
        self.counted = ReorderStats::default();
        self.depacketiser.lost();
        self.shut();
    }

    /// The description with what the units have shown since; `None` when nothing changed.
    pub(crate) fn changed_info(&mut self) -> Option<TrackInfo> {
        let Depacketiser::H264(h264) = &self.depacketiser else {
            return None;
        };
        let sets = h264.parameter_sets();
        if sets.revision() == self.sets {
            return None;
        }
        self.sets = sets.revision();
        self.info.parameter_sets = sets.nals().cloned().collect::<Vec<Bytes>>();
        if let Some(sps) = sets.info() {
            (self.info.width, self.info.height) = (sps.width, sps.height);
        }
        Some(self.info.clone())
    }

    /// Adds what the window counted since the last time.
    pub(crate) fn count(&mut self, session: &SessionCounters, node: &Counters) {
        let stats = self.reorder.stats();
        if stats != self.counted {
            let lost = stats.lost - self.counted.lost;
            let twice = stats.duplicates + stats.late - self.counted.duplicates - self.counted.late;
            add(&session.packets_lost, lost);
            add(&node.packets_lost, lost);
            add(&node.packets_duplicate, twice);
            self.counted = stats;
        }
        session.jitter_us.store(self.jitter.micros, Relaxed);
    }
}

/// One that knows the parameter sets of the description: some cameras send them nowhere else.
fn depacketiser(negotiated: &NegotiatedTrack) -> Option<Depacketiser> {
    let sprop = |part: &str| {
        part.trim()
            .strip_prefix("sprop-parameter-sets=")
            .map(ParameterSets::from_sprop)
    };
    match negotiated.codec {
        Codec::H264 => {
            let sets = negotiated.fmtp.split(';').find_map(sprop).unwrap_or_default();
            Some(Depacketiser::H264(H264Depacketiser::with_parameter_sets(sets)))
        }
        codec => Depacketiser::new(codec),
    }
}

/// Interarrival jitter (RFC 3550 §6.4.1, A.8), kept in µs.
#[derive(Debug, Default)]
struct Jitter {
    last: Option<(Duration, u32)>,
    micros: u64,
}

impl Jitter {
    fn arrived(&mut self, at: Duration, timestamp: u32, rate: ClockRate) {
        if let Some((last_at, last_timestamp)) = self.last.replace((at, timestamp)) {
            let media = rate.ticks_to_micros(i64::from(timestamp.wrapping_sub(last_timestamp).cast_signed()));
            let wall = i64::try_from(at.saturating_sub(last_at).as_micros()).unwrap_or(i64::MAX);
            let off = wall.saturating_sub(media).unsigned_abs();
            // A restarted clock is no jitter.
            if off < 10_000_000 {
                self.micros = self.micros + off / 16 - self.micros / 16;
            }
        }
    }
}
