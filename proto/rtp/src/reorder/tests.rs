//! The reorder window: zero latency without loss, bounded waits with it, and every packet out at most once, in order.
//! Random traffic against a plain model is in `proto/rtp/tests`.

use super::*;
use bytes::Bytes;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn packet(seq: u16) -> Packet {
    Packet {
        seq,
        timestamp: u32::from(seq),
        marker: false,
        payload: Bytes::from_static(&[0; 100]),
        abs_capture: None,
    }
}

/// What comes out at `now`: sequence numbers (low 16 bits), or the negative number of packets lost.
fn drain(r: &mut Reorder, now: Duration) -> Vec<i64> {
    std::iter::from_fn(|| r.pop(now))
        .map(|o| match o {
            Ordered::Packet { packet, seq } => {
                assert_eq!(packet.seq, seq as u16);
                i64::from(packet.seq)
            }
            Ordered::Lost { count, .. } => -(count as i64),
        })
        .collect()
}

fn push(r: &mut Reorder, now: Duration, seqs: &[u16]) -> Vec<i64> {
    for seq in seqs {
        r.push(now, packet(*seq));
    }
    drain(r, now)
}

#[test]
fn packets_in_order_leave_at_once() {
    let mut r = Reorder::new();
    for seq in 65_530..65_600_u32 {
        assert_eq!(push(&mut r, ms(1), &[seq as u16]), [i64::from(seq as u16)]);
        assert_eq!(r.next_deadline(), None);
    }
    assert_eq!(r.stats().received, 70);
    assert_eq!(r.stats().lost + r.stats().duplicates + r.stats().reordered, 0);
}

#[test]
fn a_missing_packet_holds_what_follows_until_it_comes() {
    let mut r = Reorder::new();
    assert_eq!(push(&mut r, ms(0), &[65_535]), [65_535]);
    assert_eq!(push(&mut r, ms(10), &[1, 2]), []);
    assert_eq!(r.next_deadline(), Some(ms(15)), "the NACK comes first");
    assert_eq!(r.poll_nacks(ms(15)), [0]);
    assert_eq!(push(&mut r, ms(40), &[0]), [0, 1, 2]);
    assert_eq!(r.stats().reordered, 1);
    assert_eq!(r.nack_stats().recovered, 1);
    assert_eq!(r.next_deadline(), None);
    assert_eq!(r.poll_nacks(ms(100)), []);
}

#[test]
fn a_packet_that_stays_away_is_given_up_after_the_hold() {
    let mut r = Reorder::new();
    push(&mut r, ms(0), &[10]);
    assert_eq!(push(&mut r, ms(0), &[13, 14, 16]), []);
    assert_eq!(drain(&mut r, ms(149)), []);
    assert_eq!(drain(&mut r, ms(150)), [-2, 13, 14, -1, 16]);
    assert_eq!(r.stats().lost, 3);
    assert_eq!(r.poll_nacks(ms(200)), [], "nothing given up is asked for");
    // What comes now is late, told apart from what came before.
    assert_eq!(push(&mut r, ms(180), &[12, 14]), []);
    assert_eq!((r.stats().late, r.stats().duplicates), (1, 1));
}

#[test]
fn a_late_packet_widens_the_hold_for_the_next() {
    let mut r = Reorder::new();
    push(&mut r, ms(0), &[1, 3]);
    assert_eq!(drain(&mut r, ms(150)), [-1, 3]);
    push(&mut r, ms(200), &[2]);
    assert_eq!(r.hold(), ms(300));
    push(&mut r, ms(300), &[5]);
    assert_eq!(drain(&mut r, ms(599)), []);
    assert_eq!(drain(&mut r, ms(600)), [-1, 5]);
    r.set_rtt(ms(400));
    assert_eq!(r.hold(), ms(1_200));
}

#[test]
fn duplicates_are_dropped_wherever_they_are() {
    let mut r = Reorder::new();
    assert_eq!(push(&mut r, ms(0), &[1, 1, 3, 3, 2, 2, 3, 1]), [1, 2, 3]);
    assert_eq!(r.stats().duplicates, 5);
}

#[test]
fn a_jump_is_believed_when_the_next_packet_confirms_it() {
    let mut r = Reorder::new();
    assert_eq!(push(&mut r, ms(0), &[100, 101]), [100, 101]);
    assert_eq!(push(&mut r, ms(1), &[30_000, 102]), [102], "a stray is dropped");
    assert_eq!(
        push(&mut r, ms(2), &[104, 30_000, 30_001]),
        [-1, 104, 0, 30_000, 30_001]
    );
    assert_eq!(r.stats().restarts, 1);
    assert_eq!(
        push(&mut r, ms(3), &[5, 6]),
        [0, 5, 6],
        "backward too, and extended numbers still rise"
    );
}

#[test]
fn a_jump_after_an_outage_is_counted_as_loss() {
    let mut r = Reorder::new();
    push(&mut r, ms(0), &[100]);
    assert_eq!(push(&mut r, ms(5_000), &[8_000, 8_001]), [-7_899, 8_000, 8_001]);
    assert_eq!((r.stats().lost, r.stats().restarts), (7_899, 0));
}

#[test]
fn a_source_that_begins_anew_shortly_behind_is_followed() {
    let mut r = Reorder::new();
    push(&mut r, ms(0), &[1_000]);
    let mut out = vec![];
    for seq in 500..600 {
        out.extend(push(&mut r, ms(1), &[seq]));
    }
    assert_eq!(out[0], 0);
    assert_eq!(out.last(), Some(&599));
    assert_eq!(r.stats().duplicates, u64::from(RESTART_RUN) - 1);
}

#[test]
fn memory_is_bounded_in_packets_and_bytes() {
    let mut r = Reorder::new();
    push(&mut r, ms(0), &[0]);
    let mut out = 0;
    for seq in 2..10_000_u16 {
        r.push(ms(1), packet(seq));
        out += drain(&mut r, ms(1)).len();
        assert!(r.window.len() <= MAX_PACKETS);
    }
    assert!(out > 5_000);
    assert_eq!(r.stats().lost, 1);

    let mut r = Reorder::new();
    push(&mut r, ms(0), &[0]);
    let big = Bytes::from(vec![0; 60_000]);
    for seq in 2..1_000_u16 {
        let payload = big.clone();
        r.push(
            ms(1),
            Packet {
                payload,
                ..packet(seq)
            },
        );
        assert!(r.held_bytes <= MAX_BYTES);
        drain(&mut r, ms(1));
    }
    assert_eq!(r.held_bytes, 0);
}

#[test]
fn time_in_which_the_loop_did_not_run_does_not_count() {
    let mut r = Reorder::new();
    push(&mut r, ms(0), &[1, 3]);
    r.excuse(ms(3_000));
    assert_eq!(drain(&mut r, ms(3_010)), []);
    assert_eq!(push(&mut r, ms(3_010), &[2]), [2, 3]);
}
