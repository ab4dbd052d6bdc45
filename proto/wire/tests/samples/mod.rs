//! One value of every message with its bytes: what the golden files hold and the other tests bend.
//! A new message gets a line in [`all`]; a sample that has a golden file is never changed, only joined by another.
#![allow(dead_code, reason = "each test file uses its part")]

mod nodes;

use bytes::Bytes;
use std::fmt::Debug;
use weft_wire::{
    AccessUnit, CaptureSource, CaptureTime, ClockRate, CloseReason, Codec, Epoch, GopSeq, Incarnation,
    KeyframeRequest, Kick, MediaTime, Message, NodeName, OwnerInfo, OwnerRequest, SentTime, SessionId,
    StreamEnded, StreamRecord, StreamState, TrackId, TrackInfo, UnitBatch, UnitFlags, UnitPart, UnitSeq,
    UnitsEnd, UnitsFrom, UnitsRequest, decode_batch, encode_batch, encode_part,
};

/// A message, its encoding by this release, and a check that bytes decode to it.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
    pub(crate) reads: Reads,
    /// Written by a former release only: its golden file must still be read, and nobody writes it any more.
    pub(crate) former: bool,
}

/// Says what is wrong when the bytes decode to something else.
type Reads = Box<dyn Fn(&Bytes) -> Result<(), String>>;

pub(crate) const SESSION: SessionId = SessionId([0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff]);
pub(crate) const EPOCH: Epoch = Epoch {
    generation: 1_763_825_400_123_456,
    revision: 4_711,
};

fn same<T: PartialEq + Debug, E: Debug>(got: Result<T, E>, want: &T) -> Result<(), String> {
    match got {
        Ok(got) if got == *want => Ok(()),
        other => Err(format!("{other:?} is not {want:?}")),
    }
}

fn message<M: Message + PartialEq + Debug + 'static>(name: &str, value: M) -> Sample {
    Sample {
        name: name.into(),
        bytes: value.encode(),
        reads: Box::new(move |bytes| same(M::decode(bytes), &value)),
        former: false,
    }
}

/// A message as former releases wrote it, which had fewer fields: what is missing has its default in `value`.
fn former<M: Message + PartialEq + Debug + 'static>(name: &str, value: M) -> Sample {
    Sample {
        former: true,
        ..message(name, value)
    }
}

fn units(name: &str, units: Vec<AccessUnit>) -> Sample {
    let batch = UnitBatch {
        session: SESSION,
        epoch: EPOCH,
        units,
    };
    let parts = vec![UnitPart::WHOLE; batch.units.len()];
    Sample {
        name: name.into(),
        bytes: encode_batch(&batch),
        reads: Box::new(move |bytes| same(decode_batch(bytes), &(batch.clone(), parts.clone()))),
        former: false,
    }
}

fn part(name: &str, unit: AccessUnit, part: UnitPart) -> Sample {
    let bytes = encode_part(&SESSION, EPOCH, &unit, part, &unit.data);
    let batch = UnitBatch {
        session: SESSION,
        epoch: EPOCH,
        units: vec![unit],
    };
    Sample {
        name: name.into(),
        bytes,
        reads: Box::new(move |bytes| same(decode_batch(bytes), &(batch.clone(), vec![part]))),
        former: false,
    }
}

pub(crate) fn node() -> NodeName {
    NodeName::new("egress-2.lab").expect("a good name")
}

/// A video key unit of an ordinary moment.
pub(crate) fn key_unit() -> AccessUnit {
    AccessUnit {
        track: TrackId(0),
        seq: UnitSeq(70_000),
        gop: GopSeq(300),
        pts: MediaTime(5_400_000_000),
        dts: MediaTime(5_399_997_000),
        capture: CaptureTime(1_763_825_401_000_001),
        capture_source: CaptureSource::SenderReport,
        capture_offset: -1_500,
        sent: SentTime(60_000_123),
        flags: UnitFlags::KEY.with(UnitFlags::DISCONTINUITY),
        data: Bytes::from_static(&[
            0, 0, 0, 3, 0x67, 66, 30, 0, 0, 0, 2, 0x68, 1, 0, 0, 0, 2, 0x65, 0x88,
        ]),
    }
}

fn audio_unit() -> AccessUnit {
    AccessUnit {
        track: TrackId(1),
        seq: UnitSeq(70_001),
        pts: MediaTime(-960),
        dts: MediaTime(-960),
        capture_source: CaptureSource::Arrival,
        capture_offset: 0,
        flags: UnitFlags::default(),
        data: Bytes::from_static(&[0xfc, 1, 2, 3]),
        ..key_unit()
    }
}

fn extreme_unit() -> AccessUnit {
    AccessUnit {
        track: TrackId(255),
        seq: UnitSeq(u64::MAX),
        gop: GopSeq(u64::MAX),
        pts: MediaTime(i64::MIN),
        dts: MediaTime(i64::MAX),
        capture: CaptureTime(i64::MIN),
        capture_source: CaptureSource::AbsCapture,
        capture_offset: i64::MIN,
        sent: SentTime(u64::MAX),
        flags: UnitFlags(0xff),
        data: Bytes::new(),
    }
}

pub(crate) fn tracks() -> Vec<TrackInfo> {
    let video = TrackInfo {
        id: TrackId(0),
        codec: Codec::H264,
        clock_rate: ClockRate::VIDEO,
        channels: 0,
        parameter_sets: vec![
            Bytes::from_static(&[0x67, 66, 30]),
            Bytes::from_static(&[0x68, 1]),
        ],
        width: 1_280,
        height: 720,
    };
    let audio = TrackInfo {
        id: TrackId(1),
        codec: Codec::Opus,
        clock_rate: ClockRate::OPUS,
        channels: 2,
        parameter_sets: vec![],
        width: 0,
        height: 0,
    };
    vec![video, audio]
}

pub(crate) fn units_end(gone: bool) -> UnitsEnd {
    UnitsEnd {
        session: SESSION,
        epoch: EPOCH,
        next: UnitSeq(70_002),
        gone,
        sent: SentTime(60_001_000),
        tracks: if gone { vec![] } else { tracks() },
        key_age_ms: if gone { u32::MAX } else { 1_999 },
    }
}

pub(crate) fn owner_info(state: StreamState) -> OwnerInfo {
    OwnerInfo {
        node: node(),
        incarnation: Incarnation(1_763_825_399_000_000),
        session: SESSION,
        epoch: EPOCH,
        state,
        since: if state == StreamState::Waiting {
            0
        } else {
            1_763_825_401_000_000
        },
        tracks: tracks(),
        inbound_bytes: 1 << 40,
        inbound_packets: 1 << 30,
        packets_lost: 17,
        units_in_error: 2,
        units: 108_000,
        media_age_ms: 33,
        remote: "192.0.2.7:50000".into(),
    }
}

/// Every message the fabric sends.
pub(crate) fn all() -> Vec<Sample> {
    let request = |from, until, session| UnitsRequest {
        from,
        until,
        session,
        key_only: false,
    };
    let keys = UnitsRequest {
        key_only: true,
        ..request(UnitsFrom::NewestGop, None, None)
    };
    let mut samples = vec![
        units("batch_key_unit", vec![key_unit()]),
        units("batch_key_unit_and_audio", vec![key_unit(), audio_unit()]),
        units("batch_extreme_numbers", vec![extreme_unit()]),
        units("batch_empty", vec![]),
        part("part_second_of_three", key_unit(), UnitPart { part: 1, parts: 3 }),
        former(
            "units_request_newest_gop",
            request(UnitsFrom::NewestGop, None, None),
        ),
        former(
            "units_request_gop",
            request(UnitsFrom::Gop(GopSeq(300)), None, Some(SESSION)),
        ),
        former(
            "units_request_seq",
            request(
                UnitsFrom::Seq(UnitSeq(69_990)),
                Some(UnitSeq(69_999)),
                Some(SESSION),
            ),
        ),
        former(
            "units_request_capture",
            request(UnitsFrom::Capture(-1), None, None),
        ),
        former("units_request_live", request(UnitsFrom::Live, None, None)),
        message(
            "units_request_all_newest_gop",
            request(UnitsFrom::NewestGop, None, None),
        ),
        message(
            "units_request_all_gop",
            request(UnitsFrom::Gop(GopSeq(300)), None, Some(SESSION)),
        ),
        message(
            "units_request_all_seq",
            request(
                UnitsFrom::Seq(UnitSeq(69_990)),
                Some(UnitSeq(69_999)),
                Some(SESSION),
            ),
        ),
        message(
            "units_request_all_capture",
            request(UnitsFrom::Capture(-1), None, None),
        ),
        message("units_request_all_live", request(UnitsFrom::Live, None, None)),
        message("units_request_key_only", keys),
        message("units_end", units_end(false)),
        message("units_end_gone", units_end(true)),
        message(
            "keyframe_request",
            KeyframeRequest {
                node: node(),
                now: true,
                interval_ms: 2_000,
            },
        ),
        message("owner_request", OwnerRequest { node: node() }),
        message(
            "stream_record",
            StreamRecord {
                node: node(),
                incarnation: Incarnation(1_763_825_399_000_000),
                session: SESSION,
                since: 1_763_825_401_000_000,
            },
        ),
    ];
    for state in [StreamState::Waiting, StreamState::Live, StreamState::Stalled] {
        let name = format!("owner_info_{state:?}").to_lowercase();
        samples.push(message(&name, owner_info(state)));
    }
    for reason in REASONS {
        let token = reason.token().replace('-', "_");
        samples.push(message(&format!("kick_{token}"), Kick { node: node(), reason }));
        let ended = StreamEnded {
            session: SESSION,
            epoch: EPOCH,
            reason,
        };
        samples.push(message(&format!("stream_ended_{token}"), ended));
    }
    samples.extend(nodes::all());
    samples
}

/// Every reason there is.
pub(crate) const REASONS: [CloseReason; 11] = [
    CloseReason::PeerLeft,
    CloseReason::PeerLost,
    CloseReason::NoMedia,
    CloseReason::TakenOver,
    CloseReason::Kicked,
    CloseReason::Shutdown,
    CloseReason::CodecChanged,
    CloseReason::StreamEnded,
    CloseReason::TooSlow,
    CloseReason::Conflict,
    CloseReason::Internal,
];
