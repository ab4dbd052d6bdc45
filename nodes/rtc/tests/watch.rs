//! A reader that is not ours, over loopback UDP: connecting, what it gets and in which numbers, what it misses and wants, the
//! end. What streams are and who may read them is egress' business.

mod support;

use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::relay::{Relay, rtp_seq};
use support::viewer::Viewer;
use support::{counter, eventually, shards};
use tokio::time::Instant;
use weft_rtc::{MediaSource, Outbound, PeerAddresses, PeerHandle, Shards, WatchAnswer};
use weft_rtp::{PacketBlock, Packetiser};
use weft_wire::{CaptureTime, ClockRate, CloseReason, Codec, TrackId, TrackInfo};

/// What a source was told, and what it has to say.
#[derive(Default)]
struct Desk {
    queue: VecDeque<Outbound>,
    connected: bool,
    keyframes: usize,
    sent: (u64, u64),
    closed: Vec<CloseReason>,
}

struct Source(Arc<Mutex<Desk>>);

impl Source {
    fn desk<T>(&self, f: impl FnOnce(&mut Desk) -> T) -> T {
        f(&mut self.0.lock().expect("not poisoned"))
    }
}

impl MediaSource for Source {
    fn connected(&mut self, _: Instant, _: PeerAddresses) {
        self.desk(|d| d.connected = true);
    }
    fn next(&mut self, _: Instant) -> Option<Outbound> {
        self.desk(|d| d.queue.pop_front())
    }
    fn keyframe(&mut self, _: Instant) {
        self.desk(|d| d.keyframes += 1);
    }
    fn sent(&mut self, packets: u64, bytes: u64) {
        self.desk(|d| d.sent = (d.sent.0 + packets, d.sent.1 + bytes));
    }
    fn loop_stalled(&mut self, _: Instant, _: Duration) {}
    fn closed(&mut self, reason: CloseReason) {
        self.desk(|d| d.closed.push(reason));
    }
}

fn tracks() -> Vec<TrackInfo> {
    let info = |id, codec, clock_rate| TrackInfo {
        id: TrackId(id),
        codec,
        clock_rate,
        channels: 2,
        parameter_sets: Vec::new(),
        width: 0,
        height: 0,
    };
    vec![
        info(0, Codec::H264, ClockRate::VIDEO),
        info(1, Codec::Opus, ClockRate::OPUS),
    ]
}

/// A picture of `bytes` as packets.
fn picture(rtp_time: u32, bytes: usize) -> Arc<PacketBlock> {
    let mut unit = u32::try_from(bytes).expect("small").to_be_bytes().to_vec();
    unit.push(0x65);
    unit.resize(4 + bytes, 7);
    let mut packetiser = Packetiser::h264(TrackId(0), 96, 1, 1200);
    Arc::new(packetiser.packetise(&Bytes::from(unit), true, rtp_time))
}

struct Watching {
    viewer: Viewer,
    answer: WatchAnswer,
    desk: Arc<Mutex<Desk>>,
}

impl Watching {
    /// Connects a reader, through a relay where there is one.
    async fn start(shards: &Shards, relay: Option<&Relay>) -> Self {
        let viewer = Viewer::new().await;
        let desk = Arc::new(Mutex::new(Desk::default()));
        let source = desk.clone();
        let make = Box::new(move |_: PeerHandle| Ok(Box::new(Source(source)) as Box<dyn MediaSource>));
        let offer = viewer.offer().await;
        let answer = shards.pick().watch_at(offer, &tracks(), None, make).await;
        let answer = answer.expect("an answer");
        let node = shards.addresses()[0];
        let sdp = relay.map_or_else(|| answer.sdp.clone(), |relay| relay.rewrite(&answer.sdp, node));
        viewer.connect(&sdp).await;
        let watching = Self { viewer, answer, desk };
        eventually("DTLS on our side too", async || watching.desk(|d| d.connected)).await;
        watching
    }

    fn desk<T>(&self, f: impl FnOnce(&mut Desk) -> T) -> T {
        f(&mut self.desk.lock().expect("not poisoned"))
    }

    fn send(&self, outbound: Outbound) {
        self.desk(|d| d.queue.push_back(outbound));
        self.answer.peer.media_ready();
    }

    /// Numbers of the pictures' packets that arrived first-hand or again.
    fn numbers(&self) -> BTreeSet<u16> {
        self.viewer.with(|got| {
            let media = got.packets.iter().filter(|p| p.0 == 102);
            media.map(|p| p.2).collect()
        })
    }
}

#[actix_rt::test]
async fn a_reader_gets_every_packet_with_numbers_of_its_own_and_reports_before_them() {
    let shards = shards();
    let w = Watching::start(&shards, None).await;
    w.send(Outbound::Report {
        track: TrackId(0),
        rtp_time: 9_000,
        capture: CaptureTime(1_700_000_000_000_000),
    });
    let mut packets = 0;
    for n in 0..50_u32 {
        let block = picture(9_000 + n * 3_000, 5_000);
        packets += block.len();
        w.send(Outbound::Unit(block));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    eventually("all packets", async || w.numbers().len() == packets).await;
    w.viewer.with(|got| {
        let media: Vec<_> = got.packets.iter().filter(|p| p.0 == 102).collect();
        for pair in media.windows(2) {
            assert_eq!(pair[1].2, pair[0].2.wrapping_add(1), "numbers without a hole");
            assert_eq!(pair[1].1, pair[0].1, "one source");
        }
        assert_eq!(
            media.iter().filter(|p| p.4).count(),
            50,
            "a marker ends each picture"
        );
        let times: BTreeSet<u32> = media.iter().map(|p| p.3).collect();
        assert_eq!(times.len(), 50);
        assert_eq!(got.reports.first(), Some(&(media[0].1, 9_000)));
    });
    assert_eq!(w.desk(|d| d.sent.0), packets as u64);
    let stats = w.answer.peer.stats();
    assert_eq!(stats.packets, packets as u64);
    assert_eq!(
        stats.rtcp_sent, 2,
        "a sender report and a description of the source"
    );
    let reported = async || w.answer.peer.stats().rtcp_received > 0;
    eventually("a receiver report", reported).await;
    w.send(Outbound::Closed(CloseReason::StreamEnded));
    eventually("the end", async || {
        w.desk(|d| d.closed == [CloseReason::StreamEnded])
    })
    .await;
    eventually("no peer left", async || shards.peers() == 0).await;
    shards.stop(CloseReason::Shutdown).await;
}

/// A relay that loses one of so many packets of pictures on their way to the reader.
async fn losing_one_of(many: usize, shards: &Shards) -> Relay {
    let mut count = 0;
    let lose = move |datagram: &[u8]| {
        let media = rtp_seq(datagram, 102).is_some();
        count += usize::from(media);
        !(media && count % many == many / 2)
    };
    Relay::start_between(shards.addresses()[0], Box::new(|_: &[u8]| true), Box::new(lose)).await
}

#[actix_rt::test]
async fn what_a_reader_misses_is_sent_again_on_the_source_for_that() {
    let shards = shards();
    let relay = losing_one_of(10, &shards).await;
    let w = Watching::start(&shards, Some(&relay)).await;
    let mut packets = 0;
    for n in 0..100_u32 {
        let block = picture(n * 3_000, 2_500);
        packets += block.len();
        w.send(Outbound::Unit(block));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let again = || {
        w.viewer
            .with(|got| got.packets.iter().filter(|p| p.0 == 103).count())
    };
    // The last hole may be at the very end, where nothing shows it.
    eventually("the retransmissions", async || {
        again() + w.numbers().len() >= packets - 1
    })
    .await;
    assert!(again() >= packets / 10 - 1, "{} of {packets}", again());
    assert!(counter(&shards, "weft_rtc_rtp_packets_resent_total") >= again() as u64);
    assert_eq!(counter(&shards, "weft_rtc_resends_gone_total"), 0);
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn a_reader_that_needs_a_key_unit_is_heard() {
    use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
    let shards = shards();
    let w = Watching::start(&shards, None).await;
    w.send(Outbound::Unit(picture(0, 1_000)));
    eventually("a packet", async || !w.numbers().is_empty()).await;
    let media_ssrc = w.viewer.with(|got| got.packets[0].1);
    w.viewer
        .say(Box::new(PictureLossIndication {
            sender_ssrc: 1,
            media_ssrc,
        }))
        .await;
    eventually("the wish", async || w.desk(|d| d.keyframes) == 1).await;
    assert_eq!(counter(&shards, "weft_rtc_plis_received_total"), 1);
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn a_path_that_is_said_to_be_narrow_and_loses_much_gets_no_more_than_it_carries_and_the_source_keeps_the_rest()
 {
    use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
    let shards = shards();
    // An estimate alone is not believed.
    let relay = losing_one_of(5, &shards).await;
    let w = Watching::start(&shards, Some(&relay)).await;
    // 4 Mbit/s for more than the second over which it is measured.
    let picture_of = |n: u32| picture(n * 3_000, 16_000);
    for n in 0..40 {
        w.send(Outbound::Unit(picture_of(n)));
        tokio::time::sleep(Duration::from_millis(33)).await;
    }
    let ssrc = w.viewer.with(|got| got.packets[0].1);
    let mut before = 0;
    for n in 40..190 {
        if n % 10 == 0 {
            let estimate = ReceiverEstimatedMaximumBitrate {
                sender_ssrc: 1,
                bitrate: 400_000.0,
                ssrcs: vec![ssrc],
            };
            w.viewer.say(Box::new(estimate)).await;
        }
        if n == 160 {
            before = w.desk(|d| d.sent.1);
        }
        w.send(Outbound::Unit(picture_of(n)));
        tokio::time::sleep(Duration::from_millis(33)).await;
    }
    let (went, kept) = w.desk(|d| (d.sent.1 - before, d.queue.len()));
    assert!(went < 250_000, "{went} bytes in a second, of 480,000 offered");
    assert!(kept > 10, "{kept} pictures wait at the source");
    shards.stop(CloseReason::Shutdown).await;
}
