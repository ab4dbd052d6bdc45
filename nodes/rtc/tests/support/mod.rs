//! What the tests share: a recording receiver on our side, the async `webrtc` crate as the publisher, a relay between.
//! Nothing here asserts; waiting is for a condition, with a limit, never for luck.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part of what is pub for all"
)]

pub mod client;
pub mod relay;
pub mod viewer;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;
use tokio::time::Instant;
use weft_rtc::{
    Feedback, MediaReceiver, NegotiatedTrack, PeerAddresses, PeerHandle, ReceivedRtp, RtcConfig,
    SenderReport, Shards,
};
use weft_wire::CloseReason;

/// The limit of every wait.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Everything a receiver was told.
#[derive(Debug, Default)]
pub struct Heard {
    pub connected: Option<PeerAddresses>,
    pub seqs: [BTreeSet<u16>; 2],
    pub packets: usize,
    pub payloads: Vec<(usize, u16, Vec<u8>)>,
    pub reports: Vec<SenderReport>,
    pub rtts: usize,
    pub stalls: Vec<Duration>,
    pub closed: Vec<CloseReason>,
}

/// The log of one receiver.
#[derive(Debug, Default)]
pub struct Log {
    heard: Mutex<Heard>,
    changed: Notify,
}

impl Log {
    pub fn with<T>(&self, f: impl FnOnce(&mut Heard) -> T) -> T {
        f(&mut self.heard.lock().expect("not poisoned"))
    }

    /// Waits until `f` holds.
    pub async fn until(&self, what: &str, f: impl Fn(&Heard) -> bool) {
        let limit = Instant::now() + PATIENCE;
        loop {
            let changed = self.changed.notified();
            if self.with(|h| f(h)) {
                return;
            }
            if tokio::time::timeout_at(limit, changed).await.is_err() {
                panic!(
                    "waited in vain for {what}: {:?}",
                    self.with(|h| {
                        (
                            h.connected,
                            h.packets,
                            h.seqs.each_ref().map(BTreeSet::len),
                            h.reports.len(),
                            h.closed.clone(),
                        )
                    })
                );
            }
        }
    }
}

/// Notes everything; asks for a key frame at the first packet and for what is missing at each gap.
pub struct Recorder {
    log: Arc<Log>,
    highest: [Option<u16>; 2],
    fail: bool,
    /// Keeps its thread for so long in the middle of the second packet.
    nap: Duration,
}

impl Recorder {
    fn note(&self, f: impl FnOnce(&mut Heard)) {
        self.log.with(f);
        self.log.changed.notify_waiters();
    }
}

impl MediaReceiver for Recorder {
    fn connected(&mut self, _: Instant, addresses: PeerAddresses) {
        self.note(|h| h.connected = Some(addresses));
    }

    fn rtp(&mut self, _: Instant, packet: ReceivedRtp, feedback: &mut Feedback) {
        assert!(!(self.fail && packet.track == 0), "a receiver that fails");
        if !self.nap.is_zero() && self.log.with(|h| h.packets) == 1 {
            std::thread::sleep(std::mem::take(&mut self.nap));
        }
        let highest = &mut self.highest[packet.track];
        match *highest {
            None => feedback.keyframe.push(packet.track),
            Some(last) => {
                let ahead = packet.seq.wrapping_sub(last);
                if (2..0x8000).contains(&ahead) {
                    feedback
                        .nack
                        .push((packet.track, (1..ahead).map(|i| last.wrapping_add(i)).collect()));
                }
            }
        }
        if highest.is_none_or(|last| packet.seq.wrapping_sub(last) < 0x8000) {
            *highest = Some(packet.seq);
        }
        self.note(|h| {
            h.packets += 1;
            h.seqs[packet.track].insert(packet.seq);
            h.payloads
                .push((packet.track, packet.seq, packet.payload.to_vec()));
        });
    }

    fn sender_report(&mut self, _: Instant, report: SenderReport) {
        self.note(|h| h.reports.push(report));
    }

    fn round_trip(&mut self, _: Duration) {
        self.note(|h| h.rtts += 1);
    }

    fn loop_stalled(&mut self, _: Instant, pause: Duration, _: &mut Feedback) {
        self.note(|h| h.stalls.push(pause));
    }

    fn poll(&mut self, _: Instant, _: &mut Feedback) -> Option<Instant> {
        None
    }

    fn closed(&mut self, reason: CloseReason) {
        self.note(|h| h.closed.push(reason));
    }
}

/// A way to make receivers that write into `log`.
pub fn recorder(log: &Arc<Log>) -> weft_rtc::MakeReceiver {
    make(log, false, Duration::ZERO)
}

/// As [`recorder`], but the receiver panics at the first video packet.
pub fn failing(log: &Arc<Log>) -> weft_rtc::MakeReceiver {
    make(log, true, Duration::ZERO)
}

/// As [`recorder`], but the thread stands still for so long in the middle of the second packet.
pub fn napping(log: &Arc<Log>, nap: Duration) -> weft_rtc::MakeReceiver {
    make(log, false, nap)
}

fn make(log: &Arc<Log>, fail: bool, nap: Duration) -> weft_rtc::MakeReceiver {
    let log = log.clone();
    Box::new(move |_: &[NegotiatedTrack], _: PeerHandle| {
        let highest = [None, None];
        Ok(Box::new(Recorder {
            log,
            highest,
            fail,
            nap,
        }) as Box<dyn MediaReceiver>)
    })
}

/// Shards on loopback with the system's choice of port.
pub fn shards() -> Shards {
    shards_with(|_| {})
}

/// As [`shards`], with other settings.
pub fn shards_with(change: impl FnOnce(&mut RtcConfig)) -> Shards {
    let runtime = one_thread();
    let shards = shards_on(runtime.handle(), change);
    // The loop ends when the shards are stopped, its thread with the process.
    std::mem::forget(runtime);
    shards
}

/// As [`shards_with`], on that runtime.
pub fn shards_on(runtime: &Handle, change: impl FnOnce(&mut RtcConfig)) -> Shards {
    let mut config = RtcConfig {
        udp_address: "127.0.0.1:0".parse().expect("an address"),
        ..RtcConfig::default()
    };
    change(&mut config);
    Shards::start_on(runtime, config).expect("shards start")
}

/// A thread for the loop of one shard: clients run on the test's own, and go on while it stands still.
pub fn one_thread() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a thread")
}

/// One of the shards' counters.
pub fn counter(shards: &Shards, wanted: &str) -> u64 {
    let mut found = None;
    shards.counters().each(&mut |name, _, value| {
        if name == wanted {
            found = Some(value);
        }
    });
    found.expect("such a counter")
}

/// Waits until `f` holds, asking every few milliseconds.
pub async fn eventually(what: &str, mut f: impl AsyncFnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !f().await {
        assert!(Instant::now() < limit, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
