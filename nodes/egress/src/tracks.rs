//! A track as readers get it: its description, the SSRC it keeps for the hub's life, and its packetiser.
//! Where its units lie in time is the timeline's business.

use weft_rtp::{PacketBlock, Packetiser, ParameterSets};
use weft_wire::{AccessUnit, Codec, MediaKind, TrackId, TrackInfo, nal_units};

/// RTP payload types, the same for every stream (dynamic range, RFC 3551 §6).
const VIDEO_PAYLOAD_TYPE: u8 = 96;
const AUDIO_PAYLOAD_TYPE: u8 = 97;

/// One track of the hub.
#[derive(Debug)]
pub(crate) struct TrackOut {
    pub(crate) info: TrackInfo,
    pub(crate) ssrc: u32,
    packetiser: Packetiser,
    sets: ParameterSets,
}

impl TrackOut {
    pub(crate) fn new(info: TrackInfo, mtu: usize) -> Self {
        // RFC 3550 §8.1: random, so that two hubs of one stream at one reader do not collide.
        let ssrc = rand::random();
        let packetiser = match info.codec.kind() {
            MediaKind::Video => Packetiser::h264(info.id, VIDEO_PAYLOAD_TYPE, ssrc, mtu),
            MediaKind::Audio => Packetiser::opus(info.id, AUDIO_PAYLOAD_TYPE, ssrc),
        };
        Self {
            sets: ParameterSets::from_nals(info.parameter_sets.iter().map(|nal| &nal[..])),
            info,
            ssrc,
            packetiser,
        }
    }

    pub(crate) fn id(&self) -> TrackId {
        self.info.id
    }

    pub(crate) fn kind(&self) -> MediaKind {
        self.info.codec.kind()
    }

    /// True when a reader of this track could not go on with that one.
    pub(crate) fn differs(&self, other: &TrackInfo) -> bool {
        (self.info.codec, self.info.clock_rate) != (other.codec, other.clock_rate)
    }

    /// Takes over the description that another session gives of the same track.
    pub(crate) fn describe(&mut self, info: TrackInfo) {
        if !info.parameter_sets.is_empty() {
            self.sets = ParameterSets::from_nals(info.parameter_sets.iter().map(|nal| &nal[..]));
        }
        let known = std::mem::replace(&mut self.info, info);
        if self.info.parameter_sets.is_empty() {
            self.info.parameter_sets = known.parameter_sets;
            (self.info.width, self.info.height) = (known.width, known.height);
        }
    }

    /// True when all is known that its description must say.
    pub(crate) fn is_described(&self) -> bool {
        self.info.codec != Codec::H264 || self.sets.is_complete()
    }

    /// Learns parameter sets from a key unit; true when the description changed.
    pub(crate) fn learn(&mut self, unit: &AccessUnit) -> bool {
        if self.info.codec != Codec::H264 {
            return false;
        }
        let mut changed = false;
        for nal in nal_units(&unit.data) {
            changed |= self.sets.insert(nal);
        }
        if changed {
            self.info.parameter_sets = self.sets.nals().cloned().collect();
            if let Some(sps) = self.sets.info() {
                (self.info.width, self.info.height) = (sps.width, sps.height);
            }
        }
        changed
    }

    /// The unit's packets; empty if it holds nothing that can be sent.
    pub(crate) fn packetise(&mut self, unit: &AccessUnit, rtp_time: u32) -> PacketBlock {
        self.packetiser.packetise(&unit.data, unit.is_key(), rtp_time)
    }
}
