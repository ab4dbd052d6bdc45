//! What becomes of payloads as publishers send them, of holes among them, and of payloads made to do harm.
//! Random traffic and the way back are in `proto/rtp/tests`.

use super::*;
use crate::{Damage, Depacketised, DepacketisedUnit, Packet};
use bytes::Bytes;

const SPS: &[u8] = &[0x67, 66, 0xc0, 30, 0xd9, 0];
const PPS: &[u8] = &[0x68, 0xce, 1];
/// The same id as [`PPS`], another content.
const PPS_CHANGED: &[u8] = &[0x68, 0xce, 2];
const SEI: &[u8] = &[0x06, 5, 1, 0xaa];
/// First macroblock 0.
const IDR: &[u8] = &[0x65, 0x88, 1, 2, 3, 4, 5, 6];
const SLICE: &[u8] = &[0x41, 0x9a, 7, 8];
/// Another macroblock.
const LATER_SLICE: &[u8] = &[0x41, 0x3a, 7, 8];
const AUD: &[u8] = &[0x09, 0x10];

fn packet(timestamp: u32, marker: bool, payload: impl AsRef<[u8]>) -> Packet {
    Packet {
        seq: 0,
        timestamp,
        marker,
        payload: Bytes::copy_from_slice(payload.as_ref()),
        abs_capture: None,
    }
}

fn stap(nals: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![0x78];
    for nal in nals {
        out.extend_from_slice(&(nal.len() as u16).to_be_bytes());
        out.extend_from_slice(nal);
    }
    out
}

/// Fragments of a NAL unit, two bytes of body each.
fn fus(nal: &[u8]) -> Vec<Vec<u8>> {
    let chunks: Vec<&[u8]> = nal[1..].chunks(2).collect();
    let flags = |i: usize| u8::from(i == 0) << 7 | u8::from(i + 1 == chunks.len()) << 6;
    chunks
        .iter()
        .enumerate()
        .map(|(i, c)| [&[nal[0] & 0x60 | 28, flags(i) | nal[0] & 0x1f], *c].concat())
        .collect()
}

fn data(nals: &[&[u8]]) -> Vec<u8> {
    let nal = |n: &&[u8]| [&(n.len() as u32).to_be_bytes()[..], n].concat();
    nals.iter().flat_map(nal).collect()
}

fn push(d: &mut H264Depacketiser, p: Packet) -> Vec<Depacketised> {
    d.push(&p);
    std::iter::from_fn(|| d.pop()).collect()
}

fn lost(d: &mut H264Depacketiser) -> Vec<Depacketised> {
    d.lost();
    std::iter::from_fn(|| d.pop()).collect()
}

fn unit(out: Vec<Depacketised>) -> DepacketisedUnit {
    match <[Depacketised; 1]>::try_from(out) {
        Ok([Depacketised::Unit(unit)]) => unit,
        other => panic!("{other:?}"),
    }
}

fn damaged(timestamp: u32, damage: Damage) -> Vec<Depacketised> {
    vec![Depacketised::Damaged { timestamp, damage }]
}

/// A depacketiser that has seen a whole key unit of timestamp 0.
fn started() -> H264Depacketiser {
    let mut d = H264Depacketiser::new();
    assert!(unit(push(&mut d, packet(0, true, stap(&[SPS, PPS, IDR])))).key);
    d
}

#[test]
fn single_nals_aggregates_and_fragments_make_one_unit_at_the_marker() {
    let mut d = H264Depacketiser::new();
    assert_eq!(push(&mut d, packet(9, false, stap(&[SPS, PPS]))), []);
    assert_eq!(push(&mut d, packet(9, false, SEI)), []);
    let fragments = fus(IDR);
    for f in &fragments[..3] {
        assert_eq!(push(&mut d, packet(9, false, f)), []);
    }
    let abs_capture = Some(5);
    let u = unit(push(
        &mut d,
        Packet {
            abs_capture,
            ..packet(9, true, &fragments[3])
        },
    ));
    assert_eq!(u.data, data(&[SPS, PPS, SEI, IDR]));
    assert!(u.key && !u.discontinuity);
    assert_eq!((u.timestamp, u.abs_capture), (9, abs_capture));
    let u = unit(push(&mut d, packet(10, true, SLICE)));
    assert_eq!((u.key, u.data), (false, Bytes::from(data(&[SLICE]))));
}

#[test]
fn a_key_unit_has_its_parameter_sets_in_front_wherever_they_came_from() {
    let key = data(&[SPS, PPS, SEI, IDR]);
    // Once, in a unit of their own.
    let mut d = H264Depacketiser::new();
    assert_eq!(push(&mut d, packet(0, false, SPS)), []);
    assert_eq!(push(&mut d, packet(0, true, PPS)), []);
    for t in 1..3 {
        assert_eq!(unit(push(&mut d, packet(t, true, stap(&[SEI, IDR])))).data, key);
    }
    // From SDP.
    let mut d = H264Depacketiser::with_parameter_sets(ParameterSets::from_nals([SPS, PPS]));
    assert_eq!(unit(push(&mut d, packet(0, true, stap(&[SEI, IDR])))).data, key);
    // After other NAL units, twice, and in fragments.
    let mut d = H264Depacketiser::new();
    push(&mut d, packet(0, false, stap(&[AUD, SEI])));
    for f in fus(SPS) {
        push(&mut d, packet(0, false, f));
    }
    assert_eq!(
        unit(push(&mut d, packet(0, true, stap(&[SPS, PPS, PPS, IDR])))).data,
        key
    );
}

#[test]
fn a_changed_set_before_an_ordinary_slice_stays_with_it() {
    let mut d = started();
    let u = unit(push(&mut d, packet(1, true, stap(&[PPS_CHANGED, SLICE]))));
    assert_eq!((u.key, u.data), (false, Bytes::from(data(&[PPS_CHANGED, SLICE]))));
    let u = unit(push(&mut d, packet(2, true, IDR)));
    assert_eq!(u.data, data(&[SPS, PPS_CHANGED, IDR]));
}

#[test]
fn a_key_unit_without_parameter_sets_is_dropped_and_said() {
    let mut d = H264Depacketiser::new();
    assert_eq!(
        push(&mut d, packet(3, false, IDR)),
        damaged(3, Damage::NoParameterSets)
    );
    assert_eq!(push(&mut d, packet(3, true, IDR)), [], "told once");
    assert!(unit(push(&mut d, packet(4, true, SLICE))).discontinuity);
}

#[test]
fn delimiters_filler_and_padding_leave_nothing() {
    let mut d = started();
    let filler = &[0x0c, 0xff, 0x80];
    assert_eq!(push(&mut d, packet(1, false, AUD)), []);
    assert_eq!(push(&mut d, packet(1, false, SLICE)), []);
    assert_eq!(push(&mut d, packet(1, false, [])), []);
    assert_eq!(push(&mut d, packet(77, true, [])), [], "padding ends no unit");
    for f in fus(filler) {
        assert_eq!(push(&mut d, packet(1, false, f)), []);
    }
    assert_eq!(
        push(&mut d, packet(1, false, [0x1e, 1])),
        [],
        "an undefined type is ignored"
    );
    assert_eq!(unit(push(&mut d, packet(1, true, filler))).data, data(&[SLICE]));
    assert_eq!(push(&mut d, packet(2, true, stap(&[AUD, filler]))), []);
}

#[test]
fn without_a_marker_the_next_timestamp_ends_a_unit() {
    let mut d = started();
    assert_eq!(push(&mut d, packet(1, false, SLICE)), []);
    assert_eq!(unit(push(&mut d, packet(2, false, SLICE))).timestamp, 1);
    push(&mut d, packet(3, false, &fus(IDR)[0]));
    assert_eq!(
        push(&mut d, packet(4, false, SLICE)),
        damaged(3, Damage::Malformed)
    );
    let u = unit(push(&mut d, packet(4, true, SLICE)));
    assert!(u.discontinuity);
    assert_eq!(u.data, data(&[SLICE, SLICE]));
}

#[test]
fn what_follows_the_marker_with_the_same_timestamp_is_no_place_to_start() {
    let mut d = started();
    assert!(unit(push(&mut d, packet(1, true, IDR))).key);
    let second = unit(push(&mut d, packet(1, true, IDR)));
    assert!(!second.key);
    assert_eq!(second.data, data(&[IDR]));
}

#[test]
fn a_loss_inside_a_unit_is_told_at_once_and_its_rest_is_swallowed() {
    let mut d = started();
    push(&mut d, packet(1, false, SLICE));
    assert_eq!(lost(&mut d), damaged(1, Damage::Loss));
    assert_eq!(lost(&mut d), []);
    assert_eq!(push(&mut d, packet(1, false, SLICE)), []);
    assert_eq!(push(&mut d, packet(1, true, SLICE)), []);
    let u = unit(push(&mut d, packet(2, true, SLICE)));
    assert!(u.discontinuity, "whole, but what it refers to is gone");
    assert!(!unit(push(&mut d, packet(3, true, SLICE))).discontinuity);
}

#[test]
fn a_loss_after_the_marker_spares_the_unit_before_and_doubts_the_one_after() {
    for first in [
        SLICE.to_vec(),
        LATER_SLICE.to_vec(),
        IDR.to_vec(),
        SEI.to_vec(),
        fus(IDR)[0].clone(),
        fus(IDR)[1].clone(),
    ] {
        let mut d = started();
        assert_eq!(lost(&mut d), []);
        assert_eq!(push(&mut d, packet(1, false, &first)), damaged(1, Damage::Loss));
        assert_eq!(push(&mut d, packet(1, true, SLICE)), []);
        assert!(unit(push(&mut d, packet(2, true, SLICE))).discontinuity);
    }
}

#[test]
fn a_unit_that_shows_its_beginning_survives_the_loss_before_it() {
    for first in [AUD.to_vec(), SPS.to_vec(), stap(&[SPS, PPS]), fus(SPS)[0].clone()] {
        let mut d = started();
        lost(&mut d);
        assert_eq!(push(&mut d, packet(1, false, &first)), []);
        for f in &fus(SPS)[1..] {
            if first == fus(SPS)[0] {
                assert_eq!(push(&mut d, packet(1, false, f)), []);
            }
        }
        let u = unit(push(&mut d, packet(1, true, IDR)));
        assert!(u.key && u.discontinuity);
        assert_eq!(u.data, data(&[SPS, PPS, IDR]));
    }
}

#[test]
fn an_sps_shows_no_beginning_where_something_has_come_before_one() {
    let mut d = H264Depacketiser::new();
    let u = unit(push(&mut d, packet(0, true, stap(&[SEI, SPS, PPS, IDR]))));
    assert_eq!(u.data, data(&[SPS, PPS, SEI, IDR]));
    lost(&mut d);
    assert_eq!(
        push(&mut d, packet(1, true, stap(&[SPS, PPS, IDR]))),
        damaged(1, Damage::Loss)
    );
}

#[test]
fn a_loss_over_the_boundary_damages_both_units() {
    let mut d = started();
    push(&mut d, packet(1, false, SLICE));
    assert_eq!(lost(&mut d), damaged(1, Damage::Loss));
    assert_eq!(push(&mut d, packet(2, false, SLICE)), damaged(2, Damage::Loss));
    assert_eq!(push(&mut d, packet(2, true, SLICE)), []);
}

#[test]
fn the_track_may_begin_in_the_middle_but_not_inside_a_unit() {
    for (first, ok) in [
        (SLICE, true),
        (SEI, true),
        (LATER_SLICE, false),
        (&[0x7c, 0x05, 1], false),
    ] {
        let mut d = H264Depacketiser::new();
        let out = push(&mut d, packet(1, false, first));
        assert_eq!(out, if ok { vec![] } else { damaged(1, Damage::Loss) });
    }
}

#[test]
fn broken_payloads_drop_their_unit_and_nothing_else() {
    let idr_fu = fus(IDR);
    let mut lying_stap = stap(&[SLICE]);
    lying_stap[2] = 200;
    let broken: Vec<Vec<Vec<u8>>> = vec![
        vec![vec![0x78]],
        vec![vec![0x78, 0]],
        vec![vec![0x78, 0, 0]],
        vec![[stap(&[SLICE]), vec![0]].concat()],
        vec![lying_stap],
        vec![stap(&[&stap(&[SLICE])])],
        vec![stap(&[&[0xc1, 1]])],
        vec![vec![0x79, 0, 0, 0, 2, 0x41, 1]],
        vec![vec![0x7d, 0x81, 1]],
        vec![vec![0xc1, 1]],
        vec![vec![0x7c]],
        vec![vec![0x7c, 0x9c, 1]],
        vec![vec![0x7c, 0x80, 1]],
        vec![idr_fu[1].clone()],
        vec![idr_fu[0].clone(), idr_fu[0].clone()],
        vec![idr_fu[0].clone(), SLICE.to_vec()],
        vec![idr_fu[0].clone(), fus(LATER_SLICE)[1].clone()],
        vec![idr_fu[0].clone(), stap(&[SLICE])],
    ];
    for payloads in broken {
        let mut d = started();
        push(&mut d, packet(1, false, SLICE));
        let mut out = vec![];
        for p in &payloads {
            out.extend(push(&mut d, packet(1, false, p)));
        }
        out.extend(push(&mut d, packet(1, true, SLICE)));
        assert_eq!(out, damaged(1, Damage::Malformed), "{payloads:x?}");
        assert_eq!(unit(push(&mut d, packet(2, true, SLICE))).data, data(&[SLICE]));
    }
    // An open fragment at the marker.
    let mut d = started();
    assert_eq!(
        push(&mut d, packet(1, true, &idr_fu[0])),
        damaged(1, Damage::Malformed)
    );
    assert_eq!(unit(push(&mut d, packet(2, true, SLICE))).timestamp, 2);
}

#[test]
fn a_unit_without_an_end_is_dropped_at_the_bound_and_its_memory_given_back() {
    let mut d = started();
    let mut body = vec![0x7c, 0x85];
    body.resize(60_000, 0);
    let mut told = vec![];
    for i in 0..200 {
        told.extend(push(&mut d, packet(1, false, &body)));
        body[1] = 0x05;
        assert!(i < 70 || !told.is_empty());
    }
    assert_eq!(told, damaged(1, Damage::Oversize));
    assert!(d.buffer_capacity() < 100_000);
}

#[test]
fn one_buffer_serves_a_unit_once_sizes_are_known() {
    let mut d = started();
    let big = [SLICE, &[7; 1_000]].concat();
    let mut capacity = 0;
    for t in 1..20 {
        for _ in 0..9 {
            push(&mut d, packet(t, false, &big));
        }
        let u = unit(push(&mut d, packet(t, true, &big)));
        assert_eq!(u.data.len(), 10 * (4 + big.len()));
        capacity = capacity.max(d.buffer_capacity());
    }
    assert!(capacity < 200_000);
}

#[test]
fn parameter_sets_that_never_come_to_a_picture_are_bounded() {
    let mut d = H264Depacketiser::new();
    let mut damaged = 0;
    for n in 0..10_000_u16 {
        let [high, low] = n.to_be_bytes();
        damaged += push(&mut d, packet(1, false, [0x67, 66, 0xc0, 30, 0xd9, high, low])).len();
    }
    assert_eq!(
        damaged, 1,
        "the unit is given up once, and the rest of it is thrown away"
    );
    let key = push(&mut d, packet(2, true, stap(&[SPS, PPS, IDR])));
    assert!(matches!(&key[..], [Depacketised::Unit(u)] if u.key && u.discontinuity));
}
