//! What a queue drops and keeps when its reader does not come, and how it ends.
//! The hub around it is tested on the in-process bus.

use super::*;
use crate::timeline::Position;
use bytes::Bytes;
use futures::FutureExt;

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);

fn block(track: TrackId, number: u32, key: bool, size: usize) -> Arc<PacketBlock> {
    Arc::new(PacketBlock {
        track,
        key,
        rtp_time: number,
        bytes: Bytes::from(vec![0; size]),
        offsets: vec![0],
        payload_bytes: 0,
    })
}

fn queue(burst: &[Cached]) -> Queue {
    queue_over("TCP", burst)
}

fn queue_over(transport: &'static str, burst: &[Cached]) -> Queue {
    let spec = ReaderSpec {
        id: uuid::Uuid::nil(),
        peer: "127.0.0.1:1".parse().unwrap(),
        transport,
        secure: false,
        tracks: vec![VIDEO, AUDIO],
        query: String::new(),
        user_agent: String::new(),
        principal: String::new(),
    };
    Queue::new(spec, Arc::default(), Instant::now(), burst)
}

fn burst(units: u32, size: usize) -> Vec<Cached> {
    let cached = |n| Cached {
        block: block(VIDEO, n, n == 0, size),
        dts: Position(0),
        position: Position(0),
        kind: MediaKind::Video,
    };
    (0..units).map(cached).collect()
}

fn video(queue: &Queue, number: u32, key: bool, size: usize) {
    let now = Instant::now();
    queue.push((now, now), &block(VIDEO, number, key, size), MediaKind::Video);
}

fn sound(queue: &Queue, number: u32) {
    // Sound stands alone, so its blocks count as keys: the queue must not take them for pictures.
    let now = Instant::now();
    queue.push((now, now), &block(AUDIO, number, true, 10), MediaKind::Audio);
}

fn taken(queue: &Queue) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(event) = queue.take() {
        match event {
            ReaderEvent::Block(block) => numbers.push(block.rtp_time),
            ReaderEvent::Report(..) => numbers.push(u32::MAX),
            ReaderEvent::Closed(_) => break,
        }
    }
    numbers
}

fn dropped(queue: &Queue) -> u64 {
    queue.traffic().2
}

#[tokio::test(start_paused = true)]
async fn a_queue_without_a_burst_begins_with_a_key_unit() {
    let q = queue(&[]);
    video(&q, 1, false, 10);
    sound(&q, 2);
    video(&q, 3, true, 10);
    video(&q, 4, false, 10);
    assert_eq!(taken(&q), [2, 3, 4]);
    assert_eq!(dropped(&q), 1);
}

#[tokio::test(start_paused = true)]
async fn too_many_units_are_dropped_up_to_the_newest_key_unit() {
    let q = queue(&burst(1, 10));
    for n in 1..=MAX_BLOCKS as u32 {
        video(&q, n, n == 300, 10);
    }
    assert_eq!(dropped(&q), 0);
    video(&q, 600, false, 10);
    video(&q, 601, false, 10);
    assert_eq!(dropped(&q), 300);
    let left = taken(&q);
    assert_eq!((left[0], left.len()), (300, MAX_BLOCKS - 300 + 3));
}

#[tokio::test(start_paused = true)]
async fn a_reader_over_webrtc_is_woken_for_each_unit_and_skips_after_a_second() {
    let q = queue_over(crate::whep::WEBRTC, &burst(1, 10));
    let woken = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&woken);
    q.wake_by(Box::new(move || {
        counted.fetch_add(1, Relaxed);
    }));
    assert_eq!(taken(&q), [0]);
    for n in 1..=11 {
        video(&q, n, n == 10, 10);
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    assert_eq!((woken.load(Relaxed), dropped(&q)), (11, 0));
    video(&q, 12, false, 10);
    assert_eq!(dropped(&q), 9);
    assert_eq!(taken(&q), [10, 11, 12]);
}

#[tokio::test(start_paused = true)]
async fn without_a_key_unit_in_the_queue_all_is_dropped_and_the_next_one_awaited() {
    let q = queue(&burst(1, 10));
    for n in 0..20 {
        video(&q, 100 + n, false, MAX_BYTES / 10);
        sound(&q, 200 + n);
    }
    assert!(taken(&q).iter().all(|n| *n >= 200));
    video(&q, 300, false, 10);
    video(&q, 301, true, 10);
    assert_eq!(taken(&q), [301]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_larger_than_the_bounds_is_kept_whole_while_it_is_being_sent() {
    let q = queue(&burst(700, 10_000));
    for n in 0..100 {
        video(&q, 1000 + n, false, 10_000);
    }
    assert_eq!(dropped(&q), 0);
    assert_eq!(taken(&q).len(), 800);
    // It is not allowed a second time.
    for n in 0..600 {
        video(&q, 2000 + n, false, 10);
    }
    assert!(dropped(&q) > 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_dropped_however_little_it_is() {
    let q = queue(&[]);
    video(&q, 1, true, 10);
    tokio::time::advance(MAX_LAG + Duration::from_millis(1)).await;
    video(&q, 2, false, 10);
    assert!(taken(&q).is_empty());
    assert_eq!(dropped(&q), 2);
    video(&q, 3, true, 10);
    assert_eq!(taken(&q), [3]);
}

#[tokio::test(start_paused = true)]
async fn the_newest_report_of_each_track_survives_a_skip() {
    let q = queue(&[]);
    let line = |rtp_time| RtpLine {
        rtp_time,
        capture: weft_wire::CaptureTime(0),
    };
    video(&q, 1, true, 10);
    for n in 0..5 {
        q.report(Instant::now(), VIDEO, line(n));
        q.report(Instant::now(), AUDIO, line(n));
    }
    tokio::time::advance(MAX_LAG * 2).await;
    video(&q, 2, true, 10);
    let events: Vec<ReaderEvent> = std::iter::from_fn(|| q.take()).collect();
    assert_eq!(events.len(), 3);
    assert!(matches!(events[0], ReaderEvent::Report(VIDEO, l) if l.rtp_time == 4));
    assert!(matches!(events[1], ReaderEvent::Report(AUDIO, l) if l.rtp_time == 4));
    assert!(matches!(&events[2], ReaderEvent::Block(b) if b.rtp_time == 2));
}

#[tokio::test(start_paused = true)]
async fn the_end_comes_after_what_is_queued_and_a_close_before_it() {
    let q = queue(&burst(3, 10));
    q.close(CloseReason::StreamEnded);
    q.close(CloseReason::Kicked);
    video(&q, 9, true, 10);
    assert_eq!(taken(&q), [0, 1, 2]);
    assert!(matches!(
        q.take(),
        Some(ReaderEvent::Closed(CloseReason::StreamEnded))
    ));
    let q = queue(&burst(3, 10));
    q.close(CloseReason::Shutdown);
    assert!(matches!(
        q.take(),
        Some(ReaderEvent::Closed(CloseReason::Shutdown))
    ));
    assert!(matches!(
        q.take(),
        Some(ReaderEvent::Closed(CloseReason::Shutdown))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_report_in_front_does_not_hide_how_late_the_pictures_behind_it_are() {
    let q = queue(&[]);
    let line = RtpLine {
        rtp_time: 0,
        capture: weft_wire::CaptureTime(0),
    };
    q.report(Instant::now(), VIDEO, line);
    video(&q, 1, true, 10);
    tokio::time::advance(MAX_LAG + Duration::from_millis(1)).await;
    video(&q, 2, false, 10);
    // The report stays: it is what the next picture's time is read by.
    assert_eq!(taken(&q), [u32::MAX]);
    assert_eq!(dropped(&q), 2);
}

#[tokio::test(start_paused = true)]
async fn what_waited_while_the_node_stood_still_is_not_taken_after_it() {
    let q = queue(&[]);
    video(&q, 1, true, 10);
    video(&q, 2, false, 10);
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(taken(&q), [0; 0]);
    assert_eq!(dropped(&q), 2);
    video(&q, 3, false, 10);
    video(&q, 4, true, 10);
    assert_eq!(taken(&q), [4]);
    // What was queued when the stream ended is taken however late.
    video(&q, 5, false, 10);
    assert!(q.close(CloseReason::StreamEnded));
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(taken(&q), [5]);
}

#[tokio::test(start_paused = true)]
async fn over_tcp_a_sound_waits_for_the_picture_that_follows_and_elsewhere_it_does_not() {
    for (transport, expected) in [("TCP", false), ("UDP", true)] {
        let queue = queue_over(transport, &burst(1, 10));
        sound(&queue, 1);
        video(&queue, 2, false, 10);
        queue.ready.notified().await;
        assert_eq!(taken(&queue), [0, 1, 2]);
        tokio::time::advance(Duration::from_millis(10)).await;
        sound(&queue, 3);
        assert_eq!(
            queue.ready.notified().now_or_never().is_some(),
            expected,
            "{transport}"
        );
        tokio::time::advance(Duration::from_millis(20)).await;
        video(&queue, 4, false, 10);
        assert!(queue.ready.notified().now_or_never().is_some());
        assert_eq!(taken(&queue), [3, 4], "nothing is lost, and in order");
    }
}

#[tokio::test(start_paused = true)]
async fn the_way_of_live_units_is_noted_and_of_none_that_was_there_before_the_reader() {
    let queue = queue(&burst(3, 10));
    let joined = Instant::now();
    let before = joined.checked_sub(Duration::from_secs(1)).unwrap();
    queue.push((before, joined), &block(VIDEO, 3, false, 10), MediaKind::Video);
    queue.push((joined, joined), &block(VIDEO, 4, false, 10), MediaKind::Video);
    tokio::time::advance(Duration::from_millis(7)).await;
    assert_eq!(taken(&queue), [0, 1, 2, 3, 4]);
    let way = &queue.counters.way;
    assert_eq!(
        (way.sum(), way.cumulative().last()),
        (Duration::from_millis(7), Some((None, 1)))
    );
}
