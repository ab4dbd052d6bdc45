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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use weft_wire::{CaptureSource, CaptureTime, ClockRate, GopSeq, MediaTime, SentTime, UnitFlags, UnitSeq};

    /// 640x360, from the demo clip.
    const SPS: &[u8] = &[
        0x67, 0x42, 0xc0, 0x1f, 0xa6, 0x11, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04,
        0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x60, 0xc8, 0x46,
    ];
    const PPS: &[u8] = &[0x68, 0xc8, 0x42, 0x32, 0xc8];

    fn info(parameter_sets: Vec<Bytes>) -> TrackInfo {
        TrackInfo {
            id: TrackId(0),
            codec: Codec::H264,
            clock_rate: ClockRate::VIDEO,
            channels: 0,
            parameter_sets,
            width: 0,
            height: 0,
        }
    }

    fn key(nals: &[&[u8]]) -> AccessUnit {
        let data: Vec<u8> = nals
            .iter()
            .flat_map(|nal| [&(nal.len() as u32).to_be_bytes()[..], nal].concat())
            .collect();
        AccessUnit {
            track: TrackId(0),
            seq: UnitSeq(0),
            gop: GopSeq(0),
            pts: MediaTime(0),
            dts: MediaTime(0),
            capture: CaptureTime(0),
            capture_source: CaptureSource::Arrival,
            capture_offset: 0,
            sent: SentTime(0),
            flags: UnitFlags::KEY,
            data: data.into(),
        }
    }

    #[test]
    fn a_description_without_parameter_sets_learns_them_from_the_first_key_unit() {
        let mut track = TrackOut::new(info(vec![]), 1400);
        assert!(!track.is_described());
        let unit = key(&[SPS, PPS, &[0x65, 1, 2]]);
        assert!(track.learn(&unit));
        assert!(track.is_described());
        assert_eq!(track.info.parameter_sets, [SPS, PPS]);
        assert_eq!((track.info.width, track.info.height), (640, 360));
        assert!(!track.learn(&unit), "nothing new");
    }

    #[test]
    fn another_session_s_description_keeps_what_it_does_not_say() {
        let sets: Vec<Bytes> = vec![SPS.into(), PPS.into()];
        let mut track = TrackOut::new(info(sets.clone()), 1400);
        let ssrc = track.ssrc;
        track.describe(info(vec![]));
        assert_eq!(track.info.parameter_sets, sets);
        assert_eq!(track.ssrc, ssrc);
        assert!(!track.differs(&info(vec![])));
        let other = TrackInfo {
            codec: Codec::Opus,
            ..info(vec![])
        };
        assert!(track.differs(&other));
    }
}
