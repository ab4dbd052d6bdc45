//! A reader made of the async `webrtc` crate: takes H.264 with RTX and Opus, notes every packet it gets, and says what it
//! misses by the crate's own rules. It speaks the other half of every protocol here independently of our loop.

use rtc::interceptor::{Interceptor, Packet, Slot, StreamInfo, TaggedPacket};
use rtc::peer_connection::configuration::interceptor_registry::{Registry, register_default_interceptors};
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_RTX, MediaEngine,
};
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtp_transceiver::rtp_sender::{RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use rtc::sansio::Protocol;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState,
};

/// What arrived.
#[derive(Debug, Default)]
pub struct Got {
    /// Payload type, source, sequence number, timestamp, marker, bytes of payload.
    pub packets: Vec<(u8, u32, u16, u32, bool, usize)>,
    /// Source and RTP time of sender reports.
    pub reports: Vec<(u32, u32)>,
}

#[derive(Default)]
struct Catcher {
    got: Arc<Mutex<Got>>,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Catcher {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = rtc::shared::error::Error;
    type Time = std::time::Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Self::Error> {
        let mut got = self.got.lock().expect("not poisoned");
        match &message.message.packet {
            Packet::Rtp(packet) => {
                let h = &packet.header;
                got.packets.push((
                    h.payload_type,
                    h.ssrc,
                    h.sequence_number,
                    h.timestamp,
                    h.marker,
                    packet.payload.len(),
                ));
            }
            Packet::Rtcp(packets) => {
                let reports = packets
                    .iter()
                    .filter_map(|p| p.as_any().downcast_ref::<SenderReport>());
                got.reports.extend(reports.map(|r| (r.ssrc, r.rtp_time)));
            }
            _ => {}
        }
        drop(got);
        self.reads.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Self::Error> {
        self.writes.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.writes.pop_front()
    }
}

impl Interceptor for Catcher {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

#[derive(Default)]
struct Events {
    gathered: Notify,
    connected: Notify,
    tracks: Mutex<Vec<Arc<dyn TrackRemote>>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Events {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.notify_one();
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        self.tracks.lock().expect("not poisoned").push(track);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            self.connected.notify_one();
        }
    }
}

/// The reader.
pub struct Viewer {
    pub pc: Arc<dyn PeerConnection>,
    events: Arc<Events>,
    got: Arc<Mutex<Got>>,
}

impl Viewer {
    pub async fn new() -> Self {
        let mut engine = MediaEngine::default();
        let feedback = |typ: &str, parameter: &str| RTCPFeedback {
            typ: typ.into(),
            parameter: parameter.into(),
        };
        let codec = |mime: &str, clock_rate, channels, fmtp: &str| RTCRtpCodec {
            mime_type: mime.into(),
            clock_rate,
            channels,
            sdp_fmtp_line: fmtp.into(),
            rtcp_feedback: vec![feedback("nack", ""), feedback("nack", "pli")],
        };
        let h264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
        for (rtp_codec, payload_type, kind) in [
            (codec(MIME_TYPE_H264, 90_000, 0, h264), 102, RtpCodecKind::Video),
            (
                codec(MIME_TYPE_RTX, 90_000, 0, "apt=102"),
                103,
                RtpCodecKind::Video,
            ),
            (codec(MIME_TYPE_OPUS, 48_000, 2, ""), 111, RtpCodecKind::Audio),
        ] {
            let parameters = RTCRtpCodecParameters {
                rtp_codec,
                payload_type,
            };
            engine.register_codec(parameters, kind).expect("a codec");
        }
        let got = Arc::new(Mutex::new(Got::default()));
        let catcher = Catcher {
            got: got.clone(),
            ..Catcher::default()
        };
        let registry = Registry::new().with(Slot::from(20_000), catcher);
        let registry = register_default_interceptors(registry, &mut engine).expect("interceptors");
        let events = Arc::new(Events::default());
        let building = PeerConnectionBuilder::<String>::new()
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_handler(events.clone())
            .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
            .build();
        // The crate's future is 20 kB.
        let pc = Box::pin(building).await.expect("a reader");
        let pc: Arc<dyn PeerConnection> = Arc::new(pc);
        for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
            let receive = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                ..Default::default()
            };
            pc.add_transceiver_from_kind(kind, Some(receive))
                .await
                .expect("a line");
        }
        Self { pc, events, got }
    }

    /// The complete offer.
    pub async fn offer(&self) -> String {
        let offer = self.pc.create_offer(None).await.expect("an offer");
        self.pc.set_local_description(offer).await.expect("set");
        self.events.gathered.notified().await;
        self.pc.local_description().await.expect("there").sdp
    }

    /// Takes the answer and waits until the connection is up.
    pub async fn connect(&self, answer: &str) {
        let answer = RTCSessionDescription::answer(answer.to_owned()).expect("an answer");
        self.pc
            .set_remote_description(answer)
            .await
            .expect("a good answer");
        tokio::time::timeout(super::PATIENCE, self.events.connected.notified())
            .await
            .expect("connected in time");
    }

    /// Looks at what arrived.
    pub fn with<T>(&self, f: impl FnOnce(&Got) -> T) -> T {
        f(&self.got.lock().expect("not poisoned"))
    }

    /// Tells the other side something, once a track has come.
    pub async fn say(&self, packet: Box<dyn rtc::rtcp::Packet>) {
        let first = || self.events.tracks.lock().expect("not poisoned").first().cloned();
        super::eventually("a track", async || first().is_some()).await;
        let track = first().expect("a track");
        track.write_rtcp(vec![packet]).await.expect("sent");
    }
}
