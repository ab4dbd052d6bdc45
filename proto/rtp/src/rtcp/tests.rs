//! RTCP written and read back, and hostile bytes.
//! Real receivers' reports are in the interop tests.

use super::*;
use core::time::Duration;

const INFO: SenderInfo = SenderInfo {
    ntp: 0x0102_0304_0506_0708,
    rtp_time: 9,
    packets: 10,
    octets: 11,
};

#[test]
fn a_sender_report_is_a_compound_with_a_cname() {
    for cname in ["", "a", "ab", "abc", "abcd", "node-1@weft"] {
        let bytes = sender_report(7, INFO, cname);
        assert_eq!(bytes.len() % 4, 0);
        let packets: Vec<_> = RtcpPackets::new(&bytes).map(Result::unwrap).collect();
        let [
            RtcpPacket::SenderReport {
                ssrc: 7,
                info,
                reports,
            },
            RtcpPacket::SourceDescription {
                ssrc: 7,
                cname: Some(name),
            },
        ] = &packets[..]
        else {
            panic!("{packets:?}");
        };
        assert_eq!((*info, reports.clone().count()), (INFO, 0));
        assert_eq!(*name, cname.as_bytes());
    }
    let long = "x".repeat(300);
    assert!(RtcpPackets::new(&sender_report(7, INFO, &long)).all(|p| p.is_ok()));
}

#[test]
fn receiver_reports_keep_every_field() {
    let block = ReportBlock {
        ssrc: 1,
        fraction_lost: 255,
        lost: -3,
        highest_seq: 0x1_ffff,
        jitter: 5,
        last_sr: 6,
        delay: 7,
    };
    let bytes = receiver_report(
        2,
        &[
            block,
            ReportBlock {
                lost: 0x7f_ffff,
                ..block
            },
        ],
        "x",
    );
    let Some(Ok(RtcpPacket::ReceiverReport { ssrc: 2, reports })) = RtcpPackets::new(&bytes).next() else {
        panic!();
    };
    let reports: Vec<_> = reports.collect();
    assert_eq!(reports[0], block);
    assert_eq!(reports[1].lost, 0x7f_ffff);
}

#[test]
fn a_goodbye_ends_a_compound() {
    let bytes = bye(5, Some(INFO), "x");
    let last = RtcpPackets::new(&bytes).last().unwrap().unwrap();
    assert_eq!(last, RtcpPacket::Bye { ssrc: 5 });
    assert_eq!(RtcpPackets::new(&bye(5, None, "x")).count(), 3);
}

#[test]
fn the_round_trip_is_what_the_receiver_did_not_keep() {
    let sent = 0x1234_5678_9abc_def0_u64;
    let block = ReportBlock {
        last_sr: middle_of_ntp(sent),
        delay: 65_536 / 2,
        ..ReportBlock::default()
    };
    let now = sent + (1 << 31) + (1 << 30);
    let trip = block.round_trip(now).unwrap();
    assert!(trip.abs_diff(Duration::from_millis(250)) < Duration::from_micros(20));
    assert_eq!(
        block.round_trip(sent),
        None,
        "a delay longer than the time that passed"
    );
    assert_eq!(ReportBlock::default().round_trip(now), None);
}

#[test]
fn other_packets_are_passed_and_broken_ones_end_the_compound() {
    let mut bytes = vec![0x81, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
    bytes.extend_from_slice(&bye(5, None, "x"));
    let first = RtcpPackets::new(&bytes).next().unwrap().unwrap();
    assert!(matches!(first, RtcpPacket::Other { packet_type: 205, count: 1, body } if body.len() == 8));
    for len in 0..bytes.len() {
        let packets: Vec<_> = RtcpPackets::new(&bytes[..len]).collect();
        assert!(packets.iter().rev().skip(1).all(Result::is_ok));
    }
    // More report blocks announced than there are.
    assert!(
        RtcpPackets::new(&[0x9f, 201, 0, 1, 0, 0, 0, 1])
            .next()
            .unwrap()
            .is_err()
    );
    assert!(RtcpPackets::new(&[0x80, 200, 0, 0]).next().unwrap().is_err());
}
