//! A publisher's packets as the WebRTC core hands them on: pictures of 8 KB, each group with a key unit of 40 KB in front.
//! It makes them before they are counted, so that they cost the way nothing.

use bytes::Bytes;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use weft_rtc::{Feedback, MediaReceiver, ReceivedRtp};
use weft_rtp::{Packetiser, RtpView};
use weft_wire::TrackId;

/// Pictures from one key unit to the next.
pub(crate) const GOP: usize = 50;
/// Bytes of a picture, and of a key unit.
const PICTURE: usize = 8_000;
const KEY: usize = 40_000;
/// Time between pictures: 200 a second, so that the test is short.
const STEP: Duration = Duration::from_millis(5);
const STEP_TICKS: u32 = 450;
const MTU: usize = 1_200;
/// Of 1280x720 baseline.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe8, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00,
    0x0c, 0x83, 0xc6, 0x0c, 0xa8,
];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

/// The publisher.
pub(crate) struct Camera {
    receiver: Box<dyn MediaReceiver>,
    packetiser: Packetiser,
    made: usize,
    seq: u16,
    timestamp: u32,
    feedback: Feedback,
}

impl Camera {
    pub(crate) fn new(receiver: Box<dyn MediaReceiver>) -> Self {
        Self {
            receiver,
            packetiser: Packetiser::h264(TrackId(0), 96, 77, MTU),
            made: 0,
            seq: 65_500,
            timestamp: 1_000,
            feedback: Feedback::default(),
        }
    }

    /// The packets of the next picture.
    pub(crate) fn make(&mut self) -> Vec<ReceivedRtp> {
        let key = self.made.is_multiple_of(GOP);
        let mut slice = vec![0x55; if key { KEY } else { PICTURE }];
        slice[..2].copy_from_slice(&[if key { 0x65 } else { 0x41 }, 0x88]);
        let sets: &[&[u8]] = if key { &[SPS, PPS] } else { &[] };
        let mut data = Vec::new();
        for nal in sets.iter().copied().chain([&slice[..]]) {
            data.extend_from_slice(&(nal.len() as u32).to_be_bytes());
            data.extend_from_slice(nal);
        }
        let block = self.packetiser.packetise(&data, key, self.timestamp);
        let packets = block.packets().map(|bytes| {
            let view = RtpView::parse(bytes).expect("an RTP packet");
            self.seq = self.seq.wrapping_add(1);
            ReceivedRtp {
                track: 0,
                ssrc: 77,
                seq: self.seq,
                timestamp: self.timestamp,
                marker: view.header().marker,
                // As from the core: each packet has its own memory.
                payload: Bytes::copy_from_slice(view.payload()),
                abs_capture: None,
            }
        });
        let packets = packets.collect();
        self.made += 1;
        self.timestamp = self.timestamp.wrapping_add(STEP_TICKS);
        packets
    }

    /// Hands the packets to the receiver.
    pub(crate) fn send(&mut self, packets: Vec<ReceivedRtp>) {
        for packet in packets {
            let now = Instant::now();
            self.receiver.rtp(now, packet, &mut self.feedback);
            self.receiver.poll(now, &mut self.feedback);
        }
    }

    /// The time between two pictures, in which others run.
    pub(crate) async fn pause(&self) {
        sleep(STEP).await;
    }

    /// The next picture in its time.
    pub(crate) async fn unit(&mut self) {
        let made = self.make();
        self.send(made);
        self.pause().await;
    }
}
