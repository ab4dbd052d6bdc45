//! What streams that nobody reads cost: a thousand of them, each making 30 units a second, on one real server.
//! The server counts for itself what reaches and leaves it; its own monitoring port tells.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed step ends the test; figures are printed"
)]

#[path = "conformance/fixture.rs"]
#[allow(dead_code, reason = "shared with the suite, which uses the rest")]
mod fixture;

use bytes::Bytes;
use fixture::{connected, node};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use weft_bus::testing::{NatsServer, NatsServerOptions};
use weft_bus::{MediaFilter, Publication, StreamOwner, UnitsAnswer};
use weft_wire::{
    AccessUnit, CaptureSource, CaptureTime, Epoch, GopSeq, Incarnation, KeyframeRequest, Kick, MediaClass,
    MediaTime, NodeName, OwnerInfo, SentTime, SessionId, StreamName, StreamState, TrackId, UnitBatch,
    UnitFlags, UnitSeq, UnitsEnd, UnitsFrom, UnitsRequest,
};

const STREAMS: usize = 1000;
const RATE: u64 = 30;
/// Key units every 2 s.
const GOP: u64 = 2 * RATE;
const QUIET: Duration = Duration::from_secs(10);

/// A session that keeps nothing but the number of its next unit.
struct Camera {
    session: SessionId,
    next: AtomicU64,
}

impl StreamOwner for Camera {
    fn units(&self, _: &UnitsRequest) -> UnitsAnswer {
        UnitsAnswer {
            batches: vec![],
            end: UnitsEnd {
                session: self.session,
                epoch: Epoch::default(),
                next: UnitSeq(self.next.load(Ordering::Relaxed)),
                gone: true,
                sent: SentTime(0),
                tracks: vec![],
                key_age_ms: 0,
            },
        }
    }

    fn keyframe(&self, _: KeyframeRequest) {}

    fn owner(&self) -> OwnerInfo {
        OwnerInfo {
            node: NodeName::new("publisher").unwrap(),
            incarnation: Incarnation(1),
            session: self.session,
            epoch: Epoch::default(),
            state: StreamState::Live,
            since: 0,
            tracks: vec![],
            inbound_bytes: 0,
            inbound_packets: 0,
            packets_lost: 0,
            units_in_error: 0,
            units: self.next.load(Ordering::Relaxed),
            media_age_ms: 0,
            remote: String::new(),
        }
    }

    fn kick(&self, _: Kick) {}
}

impl Camera {
    /// The next unit: 2 Mbit/s of pictures, were it not that 1,000 of those are more than a test should move.
    fn film(&self, publication: &mut Publication, payload: &Bytes) {
        let seq = self.next.fetch_add(1, Ordering::Relaxed);
        // Cameras do not all make their key units in the same instant.
        let place = seq + u64::from(self.session.0[0]);
        let (class, size) = if place.is_multiple_of(GOP) || seq == 0 {
            (MediaClass::Key, 7_000)
        } else {
            (MediaClass::Delta, 800)
        };
        let key = class == MediaClass::Key;
        let unit = AccessUnit {
            track: TrackId(0),
            seq: UnitSeq(seq),
            gop: GopSeq(place / GOP),
            pts: MediaTime(seq as i64 * 3000),
            dts: MediaTime(seq as i64 * 3000),
            capture: CaptureTime(0),
            capture_source: CaptureSource::Arrival,
            capture_offset: 0,
            sent: SentTime(seq),
            flags: if key { UnitFlags::KEY } else { UnitFlags::default() },
            data: payload.slice(..size),
        };
        let _what_became_of_it = publication.send(
            class,
            UnitBatch {
                session: self.session,
                epoch: Epoch::default(),
                units: vec![unit],
            },
        );
    }
}

/// What reached and left the server so far: messages, bytes.
async fn carried(port: u16) -> (u64, u64) {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream
        .write_all(b"GET /varz HTTP/1.0\r\nHost: n\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let varz: serde_json::Value = serde_json::from_str(body).unwrap();
    let both = |name: &str| {
        let count = |way| varz[format!("{way}_{name}")].as_u64().unwrap();
        count("in") + count("out")
    };
    (both("msgs"), both("bytes"))
}

/// Everything on the bus per second, over a time.
async fn rate(port: u16, time: Duration) -> (f64, f64) {
    let (start, before) = (Instant::now(), carried(port).await);
    sleep(time).await;
    let (after, seconds) = (carried(port).await, start.elapsed().as_secs_f64());
    let per_second = |after: u64, before: u64| (after - before) as f64 / seconds;
    (per_second(after.0, before.0), per_second(after.1, before.1))
}

fn stream(i: usize) -> StreamName {
    StreamName::new(format!("exam/{i}")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_streams_that_nobody_reads_cost_less_than_100_messages_and_100_kb_a_second() {
    let monitor = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let server = NatsServer::start_with(NatsServerOptions {
        extra: format!("http: \"127.0.0.1:{monitor}\"\n"),
        ..NatsServerOptions::default()
    })
    .await
    .unwrap();
    let (publisher, _) = node(&server, "publisher").await;
    let (reader, _) = node(&server, "reader").await;
    connected(&publisher, 1).await;
    connected(&reader, 1).await;

    let mut cameras: Vec<(Arc<Camera>, Publication)> = Vec::with_capacity(STREAMS);
    for i in 0..STREAMS {
        let mut session = [i as u8; 16];
        session[1] = (i >> 8) as u8;
        let camera = Arc::new(Camera {
            session: SessionId(session),
            next: AtomicU64::new(0),
        });
        let publication = publisher.publish(stream(i), camera.clone()).await.unwrap();
        cameras.push((camera, publication));
    }
    let filming = tokio::spawn(async move {
        let payload = Bytes::from(vec![7; 8_000]);
        let mut tick = interval(Duration::from_secs(1) / RATE as u32);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tick.tick().await;
            for (camera, publication) in &mut cameras {
                camera.film(publication, &payload);
            }
        }
    });
    let began = Instant::now();
    let (messages, bytes) = rate(monitor, Duration::from_secs(1)).await;
    eprintln!("beginning: {messages:.0} messages/s, {:.0} kB/s", bytes / 1e3);
    let counters = publisher.counters();
    let paused = |count: &AtomicU64| count.load(Ordering::Relaxed) as usize;
    while paused(&counters.pauses) < STREAMS {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{} paused",
            paused(&counters.pauses)
        );
        sleep(Duration::from_millis(50)).await;
    }
    eprintln!(
        "all paused after {:?}; {} refusals heard, {} units found no room, {} messages a full queue",
        began.elapsed(),
        paused(&counters.refusals),
        paused(&counters.dropped_full),
        paused(&counters.dropped_slow)
    );

    let unread = paused(&counters.units_paused);
    let (messages, bytes) = rate(monitor, QUIET).await;
    let kept = (paused(&counters.units_paused) - unread) as f64 / QUIET.as_secs_f64();
    eprintln!(
        "quiet: {kept:.0} units/s made; {messages:.1} messages/s and {:.2} kB/s on the bus",
        bytes / 1e3
    );
    assert!(kept > 10_000.0, "the cameras filmed: {kept} units/s");
    assert!(messages <= 100.0, "{messages} messages/s");
    assert!(bytes <= 100_000.0, "{bytes} bytes/s");

    // One reader wakes its stream and no other, and leaves it quiet again.
    let mut subscription = reader.subscribe(stream(7), MediaFilter::All).await.unwrap();
    let request = UnitsRequest {
        from: UnitsFrom::Live,
        until: None,
        session: None,
        key_only: false,
    };
    reader.units(stream(7), request).await.unwrap();
    subscription.recv().await.unwrap();
    let (messages, _) = rate(monitor, Duration::from_secs(2)).await;
    eprintln!("one reader: {messages:.0} messages/s");
    assert!(
        (20.0..160.0).contains(&messages),
        "30 units in and 30 out: {messages}/s"
    );
    drop(subscription);
    let asleep = Instant::now();
    while paused(&counters.pauses) < STREAMS + 1 {
        assert!(asleep.elapsed() < Duration::from_secs(6), "never paused again");
        sleep(Duration::from_millis(50)).await;
    }
    filming.abort();
}
