//! Stand-ins for tests: peers that note what they are asked, a fake that answers offers, and a fabric in memory.
//! Nothing here opens a socket.

use crate::config::Identity;
use crate::counters::Counters;
use crate::error::Error;
pub(crate) use crate::live::lock;
use crate::live::{Client, Live};
use crate::steer::{Answerer, MakeReceiver, Peer};
use crate::{Ingest, IngestConfig};
use actix_rt::Arbiter;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::time::Instant;
use weft_bus::{Bus, Registry};
use weft_rtc::{Feedback, MediaReceiver, NegotiatedTrack, ReceivedRtp};
use weft_rtp::Packetiser;
use weft_wire::{CloseReason, Codec, Incarnation, NodeName, SessionId, StreamName, TrackId};

pub(crate) fn identity(name: &str) -> Identity {
    Identity {
        name: NodeName::new(name).unwrap(),
        incarnation: Incarnation(7),
        started: Instant::now(),
    }
}

pub(crate) fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

pub(crate) fn live() -> Arc<Live> {
    Arc::new(Live::new(
        SessionId([9; 16]),
        stream("test"),
        Client::default(),
        identity("here"),
        Arc::new(Counters::default()),
    ))
}

pub(crate) fn video() -> NegotiatedTrack {
    NegotiatedTrack {
        index: 0,
        codec: Codec::H264,
        clock_rate: 90_000,
        channels: 0,
        fmtp: "packetization-mode=1;profile-level-id=42e01f".to_owned(),
        nack: true,
        pli: true,
    }
}

pub(crate) fn audio(index: usize) -> NegotiatedTrack {
    NegotiatedTrack {
        index,
        codec: Codec::Opus,
        clock_rate: 48_000,
        channels: 2,
        fmtp: String::new(),
        nack: false,
        pli: false,
    }
}

/// SPS of 1280x720 baseline and its PPS, without start codes.
pub(crate) const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe8, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00,
    0x0c, 0x83, 0xc6, 0x0c, 0xa8,
];
pub(crate) const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

fn lengthen(nals: &[&[u8]]) -> Vec<u8> {
    let mut data = Vec::new();
    for nal in nals {
        data.extend_from_slice(&u32::try_from(nal.len()).unwrap().to_be_bytes());
        data.extend_from_slice(nal);
    }
    data
}

/// A publisher's RTP: pictures and sounds as packets.
pub(crate) struct Source {
    packetiser: Packetiser,
    track: usize,
    seq: u16,
    timestamp: u32,
    step: u32,
}

impl Source {
    pub(crate) fn video() -> Self {
        Self {
            packetiser: Packetiser::h264(TrackId(0), 96, 1, 1200),
            track: 0,
            seq: 65_500,
            timestamp: 1_000,
            step: 3_000,
        }
    }

    pub(crate) fn audio(track: usize) -> Self {
        Self {
            packetiser: Packetiser::opus(TrackId(1), 111, 2),
            track,
            seq: 10,
            timestamp: 5_000,
            step: 960,
        }
    }

    /// The packets of a picture of about `size` bytes, or of a sound.
    pub(crate) fn unit(&mut self, key: bool, size: usize) -> Vec<ReceivedRtp> {
        let mut slice = vec![if key { 0x65 } else { 0x41 }];
        slice.extend((0..size).map(|i| (i % 251) as u8 | 1));
        let data = match (self.step, key) {
            (960, _) => vec![0xfc; size.max(3)],
            (_, true) => lengthen(&[SPS, PPS, &slice]),
            (_, false) => lengthen(&[&slice]),
        };
        self.packets(&data, key)
    }

    /// The packets of a picture whose one slice this is, NAL header included.
    pub(crate) fn picture(&mut self, key: bool, slice: &[u8]) -> Vec<ReceivedRtp> {
        let data = if key {
            lengthen(&[SPS, PPS, slice])
        } else {
            lengthen(&[slice])
        };
        self.packets(&data, key)
    }

    fn packets(&mut self, data: &[u8], key: bool) -> Vec<ReceivedRtp> {
        let block = self.packetiser.packetise(data, key, self.timestamp);
        self.timestamp = self.timestamp.wrapping_add(self.step);
        let mut packets = Vec::new();
        for (i, offset) in block.offsets.iter().enumerate() {
            let start = *offset as usize + 4;
            let end = block
                .offsets
                .get(i + 1)
                .map_or(block.bytes.len(), |n| *n as usize);
            let packet = block.bytes.slice(start..end);
            packets.push(ReceivedRtp {
                track: self.track,
                ssrc: 77 + self.track as u32,
                seq: self.seq,
                timestamp: block.rtp_time,
                marker: packet[1] & 0x80 != 0,
                payload: packet.slice(12..),
                abs_capture: None,
            });
            self.seq = self.seq.wrapping_add(1);
        }
        packets
    }
}

/// A peer that notes what it is asked.
#[derive(Debug, Default)]
pub(crate) struct FakePeer {
    pub(crate) keyframes: Mutex<Vec<Instant>>,
    pub(crate) closed: Mutex<Vec<CloseReason>>,
    /// Panics when asked for a key unit.
    pub(crate) broken: AtomicBool,
}

impl Peer for FakePeer {
    fn keyframe(&self, _: usize) {
        assert!(!self.broken.load(Ordering::Relaxed), "a fault made on purpose");
        lock(&self.keyframes).push(Instant::now());
    }

    fn close(&self, reason: CloseReason) {
        lock(&self.closed).push(reason);
    }

    fn patch(&self, fragment: String) -> BoxFuture<'static, Result<Option<String>, Error>> {
        async move {
            match fragment.as_str() {
                f if f.contains("a=ice-ufrag:new") => Ok(Some(
                    "a=ice-lite\r\na=ice-ufrag:ours\r\na=ice-pwd:x\r\n".to_owned(),
                )),
                f if f.contains("a=candidate") => Ok(None),
                _ => Err(Error::BadRequest("bad SDP".to_owned())),
            }
        }
        .boxed()
    }
}

type Made = (Arc<FakePeer>, Box<dyn MediaReceiver>);

thread_local! {
    /// What the last offer answered on this thread made: its peer and its receiver.
    static MADE: RefCell<Option<Made>> = const { RefCell::new(None) };
}

/// The peer and receiver made by the last offer answered on this thread.
pub(crate) fn made() -> Made {
    MADE.with_borrow_mut(Option::take).expect("an offer was answered")
}

/// Answers every offer on the thread that asks, with these tracks.
pub(crate) struct FakeAnswerer(pub(crate) Vec<NegotiatedTrack>);

impl Answerer for FakeAnswerer {
    fn answer(
        &self,
        _: String,
        _: Option<IpAddr>,
        make: MakeReceiver,
    ) -> BoxFuture<'static, Result<String, Error>> {
        let tracks = self.0.clone();
        async move {
            let peer = Arc::new(FakePeer::default());
            let receiver = make(&tracks, peer.clone()).map_err(Error::Closed)?;
            MADE.set(Some((peer, receiver)));
            Ok("v=0\r\n".to_owned())
        }
        .boxed()
    }
}

/// An ingest role whose actors all live on this thread, so that paused time drives them.
pub(crate) fn ingest(
    config: IngestConfig,
    bus: Arc<dyn Bus>,
    registry: Arc<dyn Registry>,
    node: &str,
) -> Ingest {
    let members = weft_bus::Members::alone(NodeName::new(node).unwrap());
    ingest_among(config, bus, registry, members)
}

/// The same, seeing other nodes.
pub(crate) fn ingest_among(
    config: IngestConfig,
    bus: Arc<dyn Bus>,
    registry: Arc<dyn Registry>,
    members: weft_bus::Members,
) -> Ingest {
    let identity = identity(members.node().as_str());
    let answerer = Arc::new(FakeAnswerer(vec![video(), audio(1)]));
    let arbiter = Arbiter::current();
    Ingest::with(config, bus, registry, members, answerer, identity, &arbiter)
}

/// Feeds packets; returns what the receiver wants sent back.
pub(crate) fn feed(receiver: &mut dyn MediaReceiver, packets: Vec<ReceivedRtp>) -> Feedback {
    let mut feedback = Feedback::default();
    for packet in packets {
        receiver.rtp(Instant::now(), packet, &mut feedback);
        receiver.poll(Instant::now(), &mut feedback);
    }
    feedback
}

/// An offer as Chromium makes it, shortened.
pub(crate) const OFFER: &str = concat!(
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n",
    "m=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n",
    "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n",
    "a=setup:actpass\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:102 H264/90000\r\n",
    "a=rtcp-fb:102 nack pli\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n",
    "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n",
    "a=setup:actpass\r\na=mid:1\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n",
);

/// The fabric of one process.
pub(crate) fn memory() -> (Arc<dyn Bus>, Arc<dyn Registry>) {
    let bus = weft_bus::memory::MemoryBus::new();
    (Arc::new(bus.clone()), Arc::new(bus))
}

pub(crate) fn data(n: usize) -> Bytes {
    Bytes::from(vec![1; n])
}
