//! Releases that read each other: fields appended by a later one are skipped, cut and hostile bytes are refused, and units
//! are decoded without a copy.

mod samples;

use bytes::Bytes;
use samples::{EPOCH, SESSION, all, key_unit, node, owner_info, units_end};
use weft_wire::{
    AccessUnit, CloseReason, CloseReply, CloseRequest, Codec, DrainReply, DrainRequest, KeyframeRequest,
    Kick, Message, NodeRecord, NodeReport, OfferReply, OfferRequest, OwnerInfo, OwnerRequest, PublisherEvent,
    ReportRequest, ResourceReply, ResourceRequest, StreamEnded, StreamRecord, StreamState, UnitBatch,
    UnitPart, UnitsEnd, UnitsReply, UnitsRequest, decode_batch, encode_batch, encode_part,
};

/// The bytes with one more element at the end of the array whose header stands at `at`, which must reach to the end.
fn appended(bytes: &Bytes, at: usize, element: &[u8]) -> Bytes {
    let mut out = bytes.to_vec();
    assert!((0x90..0x9f).contains(&out[at]), "a short array begins at {at}");
    out[at] += 1;
    out.extend_from_slice(element);
    out.into()
}

/// What a later release may append: nothing, a number, a text, bytes, a map with an array.
const ELEMENTS: [&[u8]; 5] = [
    &[0xc0],
    &[0xcd, 1, 0],
    &[0xa2, b'h', b'i'],
    &[0xc4, 3, 1, 2, 3],
    &[0x81, 1, 0x92, 2, 3],
];

#[test]
fn fields_appended_to_a_message_are_skipped() {
    for sample in all() {
        // A message is [version, [fields]]; a batch is [version, ..., [units]] and grows at its own end.
        let at = usize::from(sample.bytes[0] == 0x92) * 2;
        let mut grown = sample.bytes.clone();
        for element in ELEMENTS.iter().take(usize::from(0x9f - grown[at])) {
            grown = appended(&grown, at, element);
            if let Err(why) = (sample.reads)(&grown) {
                panic!("{}: {why}", sample.name);
            }
        }
    }
}

#[test]
fn fields_appended_to_a_unit_inside_its_batch_are_skipped() {
    let batch = UnitBatch {
        session: SESSION,
        epoch: EPOCH,
        units: vec![key_unit()],
    };
    let bytes = encode_batch(&batch);
    // The unit's array is the last one: 13 fields.
    let at = bytes.iter().position(|b| *b == 0x9d).unwrap();
    for element in ELEMENTS {
        assert_eq!(decode_batch(&appended(&bytes, at, element)).unwrap().0, batch);
    }
}

#[test]
fn a_reason_of_a_later_release_reads_as_internal() {
    let kick = Kick {
        node: node(),
        reason: CloseReason::Kicked,
    };
    let mut bytes = kick.encode().to_vec();
    let at = bytes.len() - 6;
    assert_eq!(&bytes[at..], b"Kicked");
    bytes[at..].copy_from_slice(b"Bored!");
    assert_eq!(Kick::decode(&bytes).unwrap().reason, CloseReason::Internal);
}

/// The bytes with one word in them exchanged for another of its length.
fn renamed(bytes: &Bytes, from: &str, to: &str) -> Bytes {
    let at = bytes
        .windows(from.len())
        .position(|window| window == from.as_bytes());
    let at = at.expect("the word is there");
    let mut changed = bytes.to_vec();
    changed[at..at + to.len()].copy_from_slice(to.as_bytes());
    changed.into()
}

#[test]
fn a_track_of_a_later_releases_codec_is_left_out_and_the_others_stay() {
    let end = units_end(false);
    assert_eq!(end.tracks[0].codec, Codec::H264);
    let read = UnitsEnd::decode(&renamed(&end.encode(), "H264", "H266")).unwrap();
    assert_eq!(read.tracks, end.tracks[1..]);
    assert_eq!((read.next, read.key_age_ms), (end.next, end.key_age_ms));
    let owner = owner_info(StreamState::Live);
    let read = OwnerInfo::decode(&renamed(&owner.encode(), "Opus", "Orca")).unwrap();
    assert_eq!((&read.tracks[..], read.units), (&owner.tracks[..1], owner.units));
}

#[test]
fn a_state_of_a_later_release_reads_as_unknown() {
    let owner = owner_info(StreamState::Live);
    let read = OwnerInfo::decode(&renamed(&owner.encode(), "Live", "Held")).unwrap();
    assert_eq!(
        read,
        OwnerInfo {
            state: StreamState::Unknown,
            ..owner
        }
    );
}

#[test]
fn units_are_slices_of_their_message() {
    let unit = AccessUnit {
        data: Bytes::from(vec![7; 100_000]),
        ..key_unit()
    };
    let batch = UnitBatch {
        session: SESSION,
        epoch: EPOCH,
        units: vec![unit.clone(), unit.clone()],
    };
    let part = UnitPart { part: 0, parts: 2 };
    for message in [
        encode_batch(&batch),
        encode_part(&SESSION, EPOCH, &unit, part, &unit.data),
    ] {
        let inside = message.as_ptr_range();
        let (decoded, _) = decode_batch(&message).unwrap();
        for unit in decoded.units {
            let data = unit.data.as_ptr_range();
            assert!(inside.contains(&data.start) && data.end <= inside.end);
        }
    }
}

fn decode_as_everything(bytes: &Bytes) -> usize {
    let read = [
        decode_batch(bytes).is_ok(),
        UnitsReply::decode(bytes).is_ok(),
        UnitsRequest::decode(bytes).is_ok(),
        UnitsEnd::decode(bytes).is_ok(),
        KeyframeRequest::decode(bytes).is_ok(),
        OwnerRequest::decode(bytes).is_ok(),
        OwnerInfo::decode(bytes).is_ok(),
        Kick::decode(bytes).is_ok(),
        StreamEnded::decode(bytes).is_ok(),
        StreamRecord::decode(bytes).is_ok(),
        NodeRecord::decode(bytes).is_ok(),
        OfferRequest::decode(bytes).is_ok(),
        OfferReply::decode(bytes).is_ok(),
        ResourceRequest::decode(bytes).is_ok(),
        ResourceReply::decode(bytes).is_ok(),
        PublisherEvent::decode(bytes).is_ok(),
        CloseRequest::decode(bytes).is_ok(),
        CloseReply::decode(bytes).is_ok(),
        ReportRequest::decode(bytes).is_ok(),
        NodeReport::decode(bytes).is_ok(),
        DrainRequest::decode(bytes).is_ok(),
        DrainReply::decode(bytes).is_ok(),
        weft_wire::DemandRequest::decode(bytes).is_ok(),
        weft_wire::DemandReply::decode(bytes).is_ok(),
    ];
    read.iter().filter(|ok| **ok).count()
}

#[test]
fn cut_messages_are_refused() {
    for sample in all() {
        for len in 0..sample.bytes.len() {
            let cut = sample.bytes.slice(..len);
            assert_eq!(decode_as_everything(&cut), 0, "{} cut to {len}", sample.name);
        }
    }
}

#[test]
fn changed_bytes_never_panic() {
    for sample in all() {
        for at in 0..sample.bytes.len() {
            for value in [
                0x00, 0x7f, 0x80, 0x90, 0x9f, 0xc0, 0xc1, 0xc6, 0xcf, 0xd9, 0xdb, 0xdd, 0xdf, 0xff,
            ] {
                let mut changed = sample.bytes.to_vec();
                changed[at] = value;
                decode_as_everything(&changed.into());
            }
        }
    }
}

#[test]
fn lengths_beyond_the_message_cost_no_memory() {
    // Arrays, maps, texts and bytes of 4 G elements, alone and where units are expected.
    let start = encode_batch(&UnitBatch {
        session: SESSION,
        epoch: EPOCH,
        units: vec![],
    });
    for huge in [0xdd, 0xdf, 0xdb, 0xc6] {
        let lie = [huge, 0xff, 0xff, 0xff, 0xff];
        decode_as_everything(&Bytes::copy_from_slice(&lie));
        let mut inside = start[..start.len() - 1].to_vec();
        inside.extend_from_slice(&lie);
        assert_eq!(decode_as_everything(&inside.into()), 0);
    }
    // Arrays in arrays, deeper than any stack.
    assert_eq!(decode_as_everything(&Bytes::from(vec![0x91; 1 << 20])), 0);
}

#[test]
fn version_zero_and_impossible_parts_are_refused() {
    let mut zero = OwnerRequest { node: node() }.encode().to_vec();
    zero[1] = 0;
    assert!(OwnerRequest::decode(&zero).is_err());
    let unit = key_unit();
    for (part, parts) in [(0, 0), (1, 1), (5, 3), (0, 129)] {
        let bytes = encode_part(&SESSION, EPOCH, &unit, UnitPart { part, parts }, &unit.data);
        assert!(decode_batch(&bytes).is_err(), "{part} of {parts}");
    }
}
