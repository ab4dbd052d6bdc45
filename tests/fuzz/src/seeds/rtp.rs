//! Seeds in the record forms of the RTP targets: whole units, lossy paths, broken payloads, headers of every shape.
//! Payloads are those of our own packetiser at its smallest packet size, which a record's length byte can say.

use super::Seed;
use weft_rtp::{MIN_MTU, Packetiser, RTP_HEADER, RtpHeader, rtcp};
use weft_wire::TrackId;

const SPS: &[u8] = &[0x67, 66, 0xc0, 30, 0xd9, 0];
const PPS: &[u8] = &[0x68, 0xce, 1];
const SEI: &[u8] = &[0x06, 5, 1, 0xaa];
const IDR: &[u8] = &[0x65, 0x88, 1, 2, 3, 4];
const SLICE: &[u8] = &[0x41, 0x9a, 7, 8];
const AUD: &[u8] = &[0x09, 0x10];
const MARKER: u8 = 1;
const NEXT: u8 = 2;

/// A record of `rtp_reorder_depacketise`.
fn record(wait: u8, step: i8, flags: u8, payload: &[u8]) -> Vec<u8> {
    [&[wait, step.cast_unsigned(), flags, payload.len() as u8], payload].concat()
}

fn stap(nals: &[&[u8]]) -> Vec<u8> {
    let each = nals
        .iter()
        .flat_map(|n| [&(n.len() as u16).to_be_bytes()[..], n].concat());
    std::iter::once(0x78).chain(each).collect()
}

fn data(nals: &[&[u8]]) -> Vec<u8> {
    nals.iter()
        .flat_map(|n| [&(n.len() as u32).to_be_bytes()[..], n].concat())
        .collect()
}

/// Records of `count` units of about `size` bytes, key units every eighth.
fn stream(count: usize, size: usize) -> Vec<Vec<u8>> {
    let mut packetiser = Packetiser::h264(TrackId(0), 96, 7, MIN_MTU);
    let mut records = Vec::new();
    for n in 0..count {
        let key = n % 8 == 0;
        let mut picture = vec![n as u8; size];
        picture[..2].copy_from_slice(if key { &IDR[..2] } else { &SLICE[..2] });
        let unit = if key {
            data(&[SPS, PPS, &picture])
        } else {
            data(&[&picture])
        };
        let block = packetiser.packetise(&unit, key, 0);
        let last = block.len() - 1;
        for (i, packet) in block.packets().enumerate() {
            let flags = if i == 0 { NEXT } else { 0 } | if i == last { MARKER } else { 0 };
            records.push(record(
                if i == 0 { 33 } else { 0 },
                1,
                flags,
                &packet[RTP_HEADER..],
            ));
        }
    }
    records
}

/// The first byte of an input: which codec.
const H264: u8 = 0;
const OPUS: u8 = 1;

fn input(codec: u8, records: &[Vec<u8>]) -> Vec<u8> {
    std::iter::once(codec).chain(records.concat()).collect()
}

/// Seeds of `rtp_reorder_depacketise`.
pub(super) fn paths() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>| seeds.push((name.into(), bytes));
    add("stream_small", input(H264, &stream(12, 40)));
    add("stream_fragments", input(H264, &stream(4, 900)));
    lossy(&mut add);
    broken(&mut add);
    jumps(&mut add);
    headers(&mut add);
    seeds
}

fn lossy(add: &mut impl FnMut(&str, Vec<u8>)) {
    for lost in [0, 1, 2, 5, 9] {
        let mut records = stream(10, 500);
        // The step over what is left out.
        records[lost + 1][1] += 1;
        records.remove(lost);
        add(&format!("loss_of_{lost}"), input(H264, &records));
    }
    let mut records = stream(10, 500);
    for at in [3, 7, 12] {
        // In the order 2, 1: steps +2, -1, +2.
        records.swap(at, at + 1);
        records[at][1] = 2;
        records[at + 1][1] = -1_i8 as u8;
        records[at + 2][1] = 2;
    }
    add("reordered", input(H264, &records));
    let mut records = stream(8, 300);
    for at in [2, 5] {
        let mut copy = records[at].clone();
        copy[1] = 0;
        copy[2] &= !NEXT;
        records.insert(at + 1, copy);
    }
    add("duplicates", input(H264, &records));
    let mut records = stream(10, 500);
    records.insert(7, record(255, 2, 4, &[]));
    records.insert(8, record(100, -1, 0, &[]));
    add("stalled_loop_and_padding", input(H264, &records));
    let opus: Vec<_> = (0..20)
        .map(|n| record(20, if n % 7 == 6 { 3 } else { 1 }, NEXT, &[0xfc, n, 2]))
        .collect();
    add("opus_with_loss", input(OPUS, &opus));
    let odd: Vec<_> = [&[][..], &[3], &[0x1b, 3], &[0xff, 0x3f], &[0x08]]
        .map(|p| record(20, 1, NEXT, p))
        .into();
    add("opus_odd", input(OPUS, &odd));
}

fn broken(add: &mut impl FnMut(&str, Vec<u8>)) {
    let mut lying = stap(&[SLICE]);
    lying[2] = 200;
    let fu_start: &[u8] = &[0x7c, 0x85, 0x88, 1];
    let fu_middle: &[u8] = &[0x7c, 0x05, 2];
    let fu_end: &[u8] = &[0x7c, 0x45, 3];
    let cases: [(&str, Vec<Vec<u8>>); 16] = [
        ("stap_empty", vec![vec![0x78]]),
        ("stap_odd_byte", vec![[stap(&[SLICE]), vec![0]].concat()]),
        ("stap_lying", vec![lying]),
        ("stap_in_stap", vec![stap(&[&stap(&[SLICE])])]),
        ("stap_zero_length", vec![vec![0x78, 0, 0]]),
        (
            "fu_never_ends",
            vec![fu_start.into(), fu_middle.into(), fu_middle.into()],
        ),
        ("fu_never_starts", vec![fu_middle.into(), fu_end.into()]),
        (
            "fu_starts_twice",
            vec![fu_start.into(), fu_start.into(), fu_end.into()],
        ),
        ("fu_other_kind", vec![fu_start.into(), vec![0x7c, 0x41, 3]]),
        ("fu_cut", vec![vec![0x7c]]),
        (
            "fu_of_sps",
            vec![
                vec![0x7c, 0x87, 66, 0xc0, 30],
                vec![0x7c, 0x47, 0xd9, 0],
                IDR.into(),
            ],
        ),
        ("fu_whole", vec![vec![0x7c, 0xc5, 0x88, 1]]),
        (
            "nal_then_fu_open",
            vec![fu_start.into(), SLICE.into(), fu_end.into()],
        ),
        (
            "modes_not_negotiated",
            vec![vec![0x79, 0, 0, 0, 1, 1], vec![0x7d, 0x81, 0, 0]],
        ),
        ("undefined_kinds", vec![vec![0x00, 1], vec![0x1e, 1], vec![0x1f]]),
        (
            "delimiters_and_filler",
            vec![AUD.into(), SEI.into(), vec![0x0c, 0xff], IDR.into()],
        ),
    ];
    for (name, payloads) in cases {
        let mut records = stream(1, 30);
        for (i, payload) in payloads.iter().enumerate() {
            records.push(record(10, 1, if i == 0 { NEXT } else { 0 }, payload));
        }
        records.push(record(10, 1, MARKER, SLICE));
        records.push(record(33, 1, NEXT | MARKER, SLICE));
        records.push(record(33, 1, NEXT | MARKER, &stap(&[SPS, PPS, IDR])));
        add(name, input(H264, &records));
    }
    let changed_pps: &[u8] = &[0x68, 0xce, 2];
    let units = [
        stap(&[SEI, SPS, PPS, IDR]),
        stap(&[changed_pps, SLICE]),
        IDR.into(),
        stap(&[SPS, PPS]),
    ];
    let records: Vec<_> = units.iter().map(|u| record(33, 1, NEXT | MARKER, u)).collect();
    add("parameter_sets_about", input(H264, &records));
    add("no_markers", input(H264, &units.map(|u| record(33, 1, NEXT, &u))));
}

fn jumps(add: &mut impl FnMut(&str, Vec<u8>)) {
    let key = stap(&[SPS, PPS, IDR]);
    let unit = |wait, step, flags| record(wait, step, flags | NEXT | MARKER, &key);
    add(
        "jump_forward",
        input(
            H264,
            &[unit(0, 1, 0), unit(9, 100, 8), unit(9, 1, 0), unit(9, 1, 0)],
        ),
    );
    add(
        "jump_back",
        input(
            H264,
            &[unit(0, 1, 0), unit(9, -100, 8), unit(9, 1, 0), unit(9, 1, 0)],
        ),
    );
    add(
        "stray",
        input(
            H264,
            &[unit(0, 1, 0), unit(9, 100, 8), unit(9, -100, 8), unit(9, 1, 0)],
        ),
    );
    let mut behind = vec![unit(0, 1, 0), unit(1, -2, 8)];
    behind.extend((0..70).map(|_| record(1, 1, NEXT | MARKER, SLICE)));
    add("begins_anew_behind", input(H264, &behind));
    let far: Vec<_> = (0..30).map(|_| record(30, 90, NEXT | MARKER, SLICE)).collect();
    add("every_step_a_gap", input(H264, &far));
}

fn headers(add: &mut impl FnMut(&str, Vec<u8>)) {
    let plain = RtpHeader {
        marker: true,
        payload_type: 96,
        seq: 1,
        timestamp: 2,
        ssrc: 3,
    };
    let with = |first: u8, tail: &[u8]| {
        let mut out = plain.to_bytes().to_vec();
        out[0] |= first;
        out.extend_from_slice(tail);
        out
    };
    add("header_plain", with(0, b"payload"));
    add(
        "header_one_byte_extensions",
        with(0x10, &[0xbe, 0xde, 0, 2, 0x17, 1, 2, 3, 4, 5, 6, 7, b'x']),
    );
    add(
        "header_two_byte_extensions",
        with(0x10, &[0x10, 0, 0, 1, 5, 1, 9, 0, b'x']),
    );
    add("header_padding", with(0x20, &[1, 2, 0, 0, 3]));
    add("header_contributors", with(2, &[0, 0, 0, 1, 0, 0, 0, 2, b'x']));
    add("header_lying_extension", with(0x10, &[0xbe, 0xde, 0xff, 0xff]));
    let info = rtcp::SenderInfo {
        ntp: 1 << 40,
        rtp_time: 5,
        packets: 6,
        octets: 7,
    };
    add(
        "rtcp_sender_report",
        rtcp::sender_report(1, info, "cname").to_vec(),
    );
    add(
        "rtcp_receiver_report",
        rtcp::receiver_report(1, &[rtcp::ReportBlock::default(); 2], "c").to_vec(),
    );
    add("rtcp_goodbye", rtcp::bye(1, None, "cname").to_vec());
    add(
        "rtcp_feedback",
        vec![0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 7, 0, 1],
    );
}

/// Seeds of `packetise_roundtrip`: packet sizes, units around them, raw units.
pub(super) fn units() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = Vec::new();
    for mtu in [0, 256, 1_200, 1_400, 65_535_u16] {
        for len in [0, 1, 240, 243, 244, 485, 1_386, 1_388, 19_999_u16] {
            let [m, t] = mtu.to_be_bytes();
            let [hi, lo] = len.to_be_bytes();
            // A key unit of one NAL unit, one of three with an SEI, an ordinary one.
            let bytes = [
                m, t, 1, 0, 1, 0, 2, hi, lo, 0, 2, 1, 0, 9, 2, hi, lo, 4, 0, 1, 0, 0, 6, hi, lo,
            ];
            seeds.push((format!("mtu_{mtu}_nal_{len}"), bytes.to_vec()));
        }
    }
    seeds.push(("raw_unit".into(), data(&[SPS, PPS, SEI, IDR, SLICE])));
    seeds.push((
        "raw_unit_of_undefined_kinds".into(),
        data(&[&[0x1c, 1], &[0x18], &[], &[0x00, 1]]),
    ));
    seeds.push(("raw_lying_length".into(), vec![0, 0, 0, 9, 0x41, 1]));
    seeds.push(("opus".into(), vec![0xfc, 1, 2, 3]));
    seeds
}
