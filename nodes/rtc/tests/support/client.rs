//! A publisher made of the async `webrtc` crate: one H.264 track with RTX, one Opus track, made-up payloads.
//! It speaks the other half of every protocol here independently of our loop.

use rtc::interceptor::{Interceptor, Packet, Slot, StreamInfo, TaggedPacket};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::{Registry, register_default_interceptors};
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_RTX, MediaEngine,
};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::transport::{RTCDtlsRole, RTCDtlsTransportState, RTCIceCandidateInit};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpRtxParameters, RtpCodecKind,
};
use rtc::sansio::Protocol;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};
use tokio::sync::Notify;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState,
};

#[derive(Default)]
struct Events {
    gathered: Notify,
    connected: Notify,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Events {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.notify_one();
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            self.connected.notify_one();
        }
    }
}

/// Counts key frame requests; the crate shows RTCP to interceptors only.
#[derive(Default)]
struct PliCounter {
    count: Arc<AtomicU32>,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for PliCounter {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = rtc::shared::error::Error;
    type Time = std::time::Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Self::Error> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            let plis = packets
                .iter()
                .filter(|p| p.as_any().is::<PictureLossIndication>());
            self.count
                .fetch_add(u32::try_from(plis.count()).unwrap_or(0), Relaxed);
        }
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

impl Interceptor for PliCounter {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

/// The publisher.
pub struct Client {
    pub pc: Arc<dyn PeerConnection>,
    by_tcp: bool,
    events: Arc<Events>,
    video: Arc<TrackLocalStaticRTP>,
    audio: Arc<TrackLocalStaticRTP>,
    pub video_ssrc: u32,
    audio_ssrc: u32,
    next: [AtomicU16; 2],
    plis: Arc<AtomicU32>,
}

fn codec(kind: RtpCodecKind) -> RTCRtpCodec {
    let feedback = |typ: &str, parameter: &str| RTCPFeedback {
        typ: typ.into(),
        parameter: parameter.into(),
    };
    if kind == RtpCodecKind::Video {
        RTCRtpCodec {
            mime_type: MIME_TYPE_H264.into(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f".into(),
            rtcp_feedback: vec![feedback("nack", ""), feedback("nack", "pli")],
        }
    } else {
        RTCRtpCodec {
            mime_type: MIME_TYPE_OPUS.into(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: String::new(),
            rtcp_feedback: vec![],
        }
    }
}

fn track(kind: RtpCodecKind, ssrc: u32) -> Arc<TrackLocalStaticRTP> {
    let rtx = (kind == RtpCodecKind::Video).then_some(RTCRtpRtxParameters { ssrc: ssrc + 1 });
    Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
        "stream".into(),
        kind.to_string(),
        kind.to_string(),
        kind,
        vec![RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(ssrc),
                rtx,
                ..Default::default()
            },
            codec: codec(kind),
            ..Default::default()
        }],
    )))
}

impl Client {
    /// A publisher that offers `actpass`, or what `role` makes of it.
    pub async fn new(role: Option<RTCDtlsRole>) -> Self {
        Self::at(role, &["127.0.0.1:0"], &[]).await
    }

    /// One whose network lets TCP through and nothing else: it opens connections from `address`.
    pub async fn by_tcp(address: &str) -> Self {
        Self::at(None, &[], &[address]).await
    }

    /// One with these addresses of its own.
    pub async fn at(role: Option<RTCDtlsRole>, udp: &[&str], tcp: &[&str]) -> Self {
        let mut engine = MediaEngine::default();
        let rtx = RTCRtpCodec {
            mime_type: MIME_TYPE_RTX.into(),
            clock_rate: 90_000,
            sdp_fmtp_line: "apt=102".into(),
            ..Default::default()
        };
        for (rtp_codec, payload_type, kind) in [
            (codec(RtpCodecKind::Video), 102, RtpCodecKind::Video),
            (rtx, 103, RtpCodecKind::Video),
            (codec(RtpCodecKind::Audio), 111, RtpCodecKind::Audio),
        ] {
            let parameters = RTCRtpCodecParameters {
                rtp_codec,
                payload_type,
            };
            engine.register_codec(parameters, kind).expect("a codec");
        }
        let plis = Arc::new(AtomicU32::new(0));
        let counter = PliCounter {
            count: plis.clone(),
            ..PliCounter::default()
        };
        let registry = Registry::new().with(Slot::from(20_000), counter);
        let registry = register_default_interceptors(registry, &mut engine).expect("interceptors");
        let mut settings = SettingEngineBuilder::new();
        if let Some(role) = role {
            settings = settings.with_answering_dtls_role(role);
        }
        let events = Arc::new(Events::default());
        let building = PeerConnectionBuilder::<String>::new()
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_setting_engine(settings.build())
            .with_handler(events.clone())
            .with_udp_addrs(udp.iter().map(|a| (*a).to_owned()).collect())
            .with_tcp_addrs(tcp.iter().map(|a| (*a).to_owned()).collect())
            .build();
        // The crate's future is 20 kB.
        let pc = Box::pin(building).await.expect("a client");
        let pc: Arc<dyn PeerConnection> = Arc::new(pc);
        let (video_ssrc, audio_ssrc) = (rand::random::<u32>() | 1, rand::random::<u32>() & !1);
        let (video, audio) = (
            track(RtpCodecKind::Video, video_ssrc),
            track(RtpCodecKind::Audio, audio_ssrc),
        );
        for track in [&video, &audio] {
            let track: Arc<dyn TrackLocal> = track.clone();
            pc.add_track(track).await.expect("a sender");
        }
        Self {
            pc,
            by_tcp: !tcp.is_empty(),
            events,
            video,
            audio,
            video_ssrc,
            audio_ssrc,
            next: [AtomicU16::new(65_500), AtomicU16::new(10)],
            plis,
        }
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
        self.take(answer).await;
        tokio::time::timeout(super::PATIENCE, self.events.connected.notified())
            .await
            .expect("connected in time");
    }

    /// Takes the answer.
    pub async fn take(&self, answer: &str) {
        let description = RTCSessionDescription::answer(answer.to_owned()).expect("an answer");
        self.pc
            .set_remote_description(description)
            .await
            .expect("a good answer");
        if !self.by_tcp {
            return;
        }
        // The crate connects to those only that are given one by one.
        for line in answer.lines().filter(|line| line.ends_with("tcptype passive")) {
            let candidate = RTCIceCandidateInit {
                candidate: line.trim_start_matches("a=").to_owned(),
                ..Default::default()
            };
            self.pc.add_ice_candidate(candidate).await.expect("a candidate");
        }
    }

    /// Sends the next packet of track 0 (video) or 1 (audio) in the order of the offer here; gives its number.
    pub async fn send(&self, track: usize) -> u16 {
        let seq = self.next[track].fetch_add(1, Relaxed);
        let (local, ssrc, payload_type) = match track {
            0 => (&self.video, self.video_ssrc, 102),
            _ => (&self.audio, self.audio_ssrc, 111),
        };
        let packet = rtc::rtp::Packet {
            header: rtc::rtp::Header {
                version: 2,
                marker: true,
                payload_type,
                sequence_number: seq,
                timestamp: u32::from(seq) * 3000,
                ssrc,
                ..Default::default()
            },
            payload: payload(track, seq).into(),
        };
        local.write_rtp(packet).await.expect("sent");
        seq
    }

    /// True once the other side has closed DTLS.
    pub async fn dtls_is_closed(&self) -> bool {
        let sender = self.pc.get_senders().await.remove(0);
        match sender.transport().await.expect("a sender") {
            Some(transport) => transport.state().await.expect("a state") == RTCDtlsTransportState::Closed,
            None => false,
        }
    }

    /// Key frame requests received so far.
    pub fn plis(&self) -> u32 {
        self.plis.load(Relaxed)
    }
}

/// What packet `seq` of `track` carries.
pub fn payload(track: usize, seq: u16) -> Vec<u8> {
    let mut payload = vec![0x61, u8::try_from(track).unwrap_or_default()];
    payload.extend(seq.to_be_bytes());
    payload.resize(200, 0xAA);
    payload
}
