//! Sends a source's units in time: waits until each is due, cuts it into RTP packets and hands them to its track.
//! Sender reports, retransmissions and encryption are the `webrtc` crate's business.

use crate::demo::feedback::Feedback;
use crate::demo::peer::SendPeer;
use crate::demo::publisher::Sent;
use crate::demo::source::{SourceUnit, UnitSource};
use bytes::{BufMut, Bytes, BytesMut};
use rtc::rtp::codec::h264::H264Payloader;
use rtc::rtp::header::Header;
use rtc::rtp::packet::Packet;
use rtc::rtp::packetizer::Payloader;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use weft_wire::{Codec, nal_units};

/// RTP payload per packet; with headers, SRTP and UDP within a 1280-byte IPv6 packet.
const PAYLOAD: usize = 1_188;

/// A browser's encoder does not answer keyframe requests more often than this.
const KEYFRAME_PAUSE: Duration = Duration::from_millis(300);

/// Which tracks are silent, by place.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Muted(u64);

impl Muted {
    pub(crate) fn set(&mut self, track: usize, muted: bool) {
        let bit = 1 << (track % 64);
        self.0 = if muted { self.0 | bit } else { self.0 & !bit };
    }

    fn contains(self, track: usize) -> bool {
        self.0 & (1 << (track % 64)) != 0
    }
}

struct Line {
    track: Arc<TrackLocalStaticRTP>,
    header: Header,
    codec: Codec,
    base: u32,
    payloader: H264Payloader,
}

/// Owns the source until the publisher ends.
pub(crate) struct Sender<S> {
    source: S,
    lines: Vec<Line>,
    obey_keyframes: bool,
    feedback: Arc<Feedback>,
    sent: Arc<Sent>,
    muted: watch::Receiver<Muted>,
}

impl<S: UnitSource> Sender<S> {
    pub(crate) fn new(
        peer: &SendPeer,
        source: S,
        obey_keyframes: bool,
        sent: Arc<Sent>,
        muted: watch::Receiver<Muted>,
    ) -> Self {
        let lines = source.tracks().into_iter().zip(&peer.tracks);
        Self {
            lines: lines
                .map(|(track, send)| Line {
                    track: send.track.clone(),
                    header: Header {
                        version: 2,
                        payload_type: send.payload_type,
                        ssrc: send.ssrc,
                        sequence_number: rand::random(),
                        ..Header::default()
                    },
                    codec: track.codec,
                    base: rand::random(),
                    payloader: H264Payloader::default(),
                })
                .collect(),
            source,
            obey_keyframes,
            feedback: peer.feedback.clone(),
            sent,
            muted,
        }
    }

    /// Runs until the source or the connection ends; aborted by the publisher.
    pub(crate) async fn run(mut self) {
        let start = Instant::now();
        let mut last_key = start;
        let Some(mut next) = self.source.next_unit() else {
            return;
        };
        loop {
            let keyframe = async {
                self.feedback.keyframe.notified().await;
                tokio::time::sleep_until(last_key + KEYFRAME_PAUSE).await;
            };
            tokio::select! {
                biased;
                () = keyframe, if self.obey_keyframes => {
                    last_key = Instant::now();
                    // The unit that was waiting is given up for the key unit in its place.
                    if self.source.restart_at_key() && let Some(unit) = self.source.next_unit() {
                        next = unit;
                    }
                    continue;
                }
                () = tokio::time::sleep_until(start + next.due) => {}
            }
            if !self.muted.borrow().contains(next.track) {
                let unit = self.source.sending(next);
                if self.send(&unit).await.is_err() {
                    return;
                }
            }
            match self.source.next_unit() {
                Some(unit) => next = unit,
                None => return,
            }
        }
    }

    async fn send(&mut self, unit: &SourceUnit) -> Result<(), rtc::shared::error::Error> {
        let Some(line) = self.lines.get_mut(unit.track) else {
            return Ok(());
        };
        let payloads = match line.codec {
            Codec::H264 => line.payloader.payload(PAYLOAD, &annex_b(&unit.data))?,
            _ => vec![unit.data.clone()],
        };
        // RFC 6184 §5.1: the marker is on the last packet of an access unit; audio has none without silence suppression.
        let last = payloads.len().saturating_sub(1);
        line.header.timestamp = line.base.wrapping_add(unit.pts as u32);
        for (i, payload) in payloads.into_iter().enumerate() {
            line.header.marker = line.codec == Codec::H264 && i == last;
            self.sent.packets.fetch_add(1, Ordering::Relaxed);
            self.sent.bytes.fetch_add(payload.len() as u64, Ordering::Relaxed);
            let header = line.header.clone();
            line.track.write_rtp(Packet { header, payload }).await?;
            line.header.sequence_number = line.header.sequence_number.wrapping_add(1);
        }
        self.sent.units.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// The form that the crate's payloader takes: start codes instead of lengths.
fn annex_b(data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len() + 16);
    for nal in nal_units(data) {
        out.put_slice(&[0, 0, 0, 1]);
        out.put_slice(nal);
    }
    out.freeze()
}
