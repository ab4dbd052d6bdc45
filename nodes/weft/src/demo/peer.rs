//! A sending peer connection of the async `webrtc` crate: codecs, tracks, offer and answer.
//! What is sent and when is the publisher's business.

use crate::demo::clip::ClipTrack;
use crate::demo::feedback::{Feedback, Tap};
use crate::demo::publisher::{Options, PublishError};
use crate::demo::runtime::Killable;
use rtc::interceptor::{Registry, Slot};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_RTX, MediaEngine,
};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::transport::RTCDtlsTransportState;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState,
};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use weft_wire::Codec;

/// Payload types of the offer.
const H264: u8 = 102;
const H264_RTX: u8 = 103;
const OPUS: u8 = 111;

/// Behind every interceptor of the crate, so that they have seen the RTCP first.
const APPLICATION_SIDE: usize = 14_000;

/// How often the DTLS state is looked at.
const DTLS_LOOK: Duration = Duration::from_millis(200);

/// A track that packets can be written to.
pub(crate) struct SendTrack {
    pub(crate) track: Arc<TrackLocalStaticRTP>,
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
}

/// A peer connection with its tracks, in the order of the source's.
pub(crate) struct SendPeer {
    pub(crate) connection: Arc<dyn PeerConnection>,
    pub(crate) tracks: Vec<SendTrack>,
    pub(crate) state: watch::Receiver<RTCPeerConnectionState>,
    pub(crate) feedback: Arc<Feedback>,
    pub(crate) runtime: Arc<Killable>,
    gathered: watch::Receiver<bool>,
}

struct Events {
    state: watch::Sender<RTCPeerConnectionState>,
    gathered: watch::Sender<bool>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Events {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.gathered.send_if_modified(|gathered| {
            let complete = state == RTCIceGatheringState::Complete;
            std::mem::replace(gathered, *gathered || complete) != (*gathered || complete)
        });
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state.send_replace(state);
    }
}

fn codec(codec: Codec) -> RTCRtpCodec {
    match codec {
        Codec::Opus => RTCRtpCodec {
            mime_type: MIME_TYPE_OPUS.to_owned(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
            rtcp_feedback: vec![],
        },
        _ => RTCRtpCodec {
            mime_type: MIME_TYPE_H264.to_owned(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
                .to_owned(),
            rtcp_feedback: vec![],
        },
    }
}

fn media_engine(options: &Options) -> Result<MediaEngine, rtc::shared::error::Error> {
    let mut engine = MediaEngine::default();
    let mut register = |rtp_codec, payload_type, kind| {
        engine.register_codec(
            RTCRtpCodecParameters {
                rtp_codec,
                payload_type,
            },
            kind,
        )
    };
    register(codec(Codec::Opus), OPUS, RtpCodecKind::Audio)?;
    register(codec(Codec::H264), H264, RtpCodecKind::Video)?;
    if options.rtx {
        // RFC 4588 §8.6: retransmissions of payload type 102.
        let rtx = RTCRtpCodec {
            mime_type: MIME_TYPE_RTX.to_owned(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: format!("apt={H264}"),
            rtcp_feedback: vec![],
        };
        register(rtx, H264_RTX, RtpCodecKind::Video)?;
    }
    Ok(engine)
}

impl SendPeer {
    /// Builds a peer connection with one sending track per source track. Close it in the end, whatever happens.
    pub(crate) async fn build(tracks: &[ClipTrack], options: &Options) -> Result<Self, PublishError> {
        let mut engine = media_engine(options)?;
        let feedback = Arc::new(Feedback::default());
        let registry = register_default_interceptors(Registry::new(), &mut engine)?
            .with(Slot::from(APPLICATION_SIDE), Tap::new(feedback.clone()));
        let settings = SettingEngineBuilder::new()
            .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
            .with_include_loopback_candidate(true)
            .build();
        let (state, state_seen) = watch::channel(RTCPeerConnectionState::New);
        let (gathered, gathered_seen) = watch::channel(false);
        let runtime = Arc::new(Killable::default());
        let building = PeerConnectionBuilder::<String>::new()
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_setting_engine(settings)
            .with_handler(Arc::new(Events { state, gathered }))
            .with_runtime(runtime.clone())
            .with_udp_addrs(vec![std::net::SocketAddr::new(options.local_ip, 0).to_string()])
            .build();
        // The crate's future is 20 kB; boxed here, so that no future around it is.
        let connection = Box::pin(building).await?;
        let mut peer = Self {
            connection: Arc::new(connection),
            tracks: Vec::new(),
            state: state_seen,
            feedback,
            runtime,
            gathered: gathered_seen,
        };
        if let Err(error) = peer.add_tracks(tracks).await {
            peer.close().await;
            return Err(error);
        }
        Ok(peer)
    }

    async fn add_tracks(&mut self, tracks: &[ClipTrack]) -> Result<(), PublishError> {
        for track in tracks {
            let (kind, payload_type) = match track.codec {
                Codec::Opus => (RtpCodecKind::Audio, OPUS),
                _ => (RtpCodecKind::Video, H264),
            };
            let ssrc = rand::random();
            let encoding = RTCRtpEncodingParameters {
                rtp_coding_parameters: RTCRtpCodingParameters {
                    ssrc: Some(ssrc),
                    ..RTCRtpCodingParameters::default()
                },
                codec: codec(track.codec),
                ..RTCRtpEncodingParameters::default()
            };
            let label = track.codec.label().to_ascii_lowercase();
            let local = Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
                "weft".to_owned(),
                label.clone(),
                label,
                kind,
                vec![encoding.clone()],
            )));
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Sendonly,
                streams: vec!["weft".to_owned()],
                send_encodings: vec![encoding],
            };
            let as_local = Arc::clone(&local) as Arc<dyn TrackLocal>;
            self.connection
                .add_transceiver_from_track(as_local, Some(init))
                .await?;
            self.tracks.push(SendTrack {
                track: local,
                ssrc,
                payload_type,
            });
        }
        Ok(())
    }

    /// The offer with all candidates.
    pub(crate) async fn offer(&mut self, limit: Duration) -> Result<String, PublishError> {
        let offer = self.connection.create_offer(None).await?;
        self.connection.set_local_description(offer).await?;
        let complete = self.gathered.wait_for(|gathered| *gathered);
        tokio::time::timeout(limit, complete)
            .await
            .map_err(|_| PublishError::Timeout("gathering candidates"))?
            .map_err(|_| PublishError::Ended)?;
        let local = self.connection.local_description().await;
        Ok(local.ok_or(PublishError::Ended)?.sdp)
    }

    /// Takes the answer and waits until media may flow.
    pub(crate) async fn connect(&mut self, answer: String, limit: Duration) -> Result<(), PublishError> {
        let answer = RTCSessionDescription::answer(answer)?;
        self.connection.set_remote_description(answer).await?;
        let settled = self.state.wait_for(|state| {
            matches!(
                state,
                RTCPeerConnectionState::Connected
                    | RTCPeerConnectionState::Failed
                    | RTCPeerConnectionState::Closed
            )
        });
        let state = *tokio::time::timeout(limit, settled)
            .await
            .map_err(|_| PublishError::Timeout("connecting"))?
            .map_err(|_| PublishError::Ended)?;
        if state == RTCPeerConnectionState::Connected {
            Ok(())
        } else {
            Err(PublishError::Ended)
        }
    }

    /// Resolves when the other side has closed the connection or it is lost.
    pub(crate) async fn ended(&self) {
        let mut state = self.state.clone();
        let lost = state.wait_for(|state| {
            matches!(
                state,
                RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed
            )
        });
        // A sender that is gone means that the connection is gone, which is an end too.
        tokio::select! {
            _ = lost => {}
            () = self.dtls_closed() => {}
        }
    }

    /// A `close_notify` from the other side changes the DTLS state but no event tells so.
    async fn dtls_closed(&self) {
        loop {
            for sender in self.connection.get_senders().await {
                let Ok(Some(transport)) = sender.transport().await else {
                    continue;
                };
                if matches!(
                    transport.state().await,
                    Ok(RTCDtlsTransportState::Closed) | Err(_)
                ) {
                    return;
                }
            }
            tokio::time::sleep(DTLS_LOOK).await;
        }
    }

    /// Ends it with a farewell (DTLS close_notify).
    pub(crate) async fn close(&self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "publisher's peer connection did not close cleanly");
        }
    }
}
