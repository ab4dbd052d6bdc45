//! Builds the sans-IO core of a peer: codecs, feedback, header extensions, interceptors, timeouts, certificate.
//! What it is then fed, and when, is the session's business.

use crate::Error;
use crate::tap::{Tap, TapQueue};
use rtc::crypto::RTCCryptoProvider;
use rtc::interceptor::{
    Interceptor, RTPHeaderExtension, ReceiverReportBuilder, Registry, Slot, StreamInfo, TwccReceiverBuilder,
};
use rtc::peer_connection::certificate::RTCCertificate;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_RTX, MediaEngine,
};
use rtc::peer_connection::configuration::setting_engine::{SettingEngine, SettingEngineBuilder};
use rtc::peer_connection::transport::RTCDtlsRole;
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use rtc::sdp::extmap::TRANSPORT_CC_URI;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use weft_sdp::offer::{Offer, Setup};

/// When the picture was captured, on the publisher's clock.
pub(crate) const ABS_CAPTURE_TIME_URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";

/// ICE counts only STUN as a sign of life, and publishers send it as rarely as every 5 s; fast detection is the
/// receiver's watchdog on media.
const ICE_DISCONNECTED: Duration = Duration::from_secs(15);
const ICE_FAILED: Duration = Duration::from_secs(15);
const ICE_KEEPALIVE: Duration = Duration::from_secs(2);

/// Slot of our tap: farther from the wire than any other.
const TAP_SLOT: usize = 20_000;

/// What all peers of a node share.
#[derive(Clone)]
pub(crate) struct Engine {
    /// The node's certificate.
    pub(crate) certificate: RTCCertificate,
    /// Where randomness, hashes and keys come from.
    pub(crate) crypto: Arc<dyn RTCCryptoProvider>,
}

impl Engine {
    /// A core for this offer, with the tap at the end of its chain.
    ///
    /// # Errors
    /// [`Error::Negotiation`] when the core refuses its own settings.
    pub(crate) fn build(
        &self,
        now: Instant,
        offer: &Offer,
        tap: TapQueue,
        to_reader: bool,
    ) -> Result<RTCPeerConnection, Error> {
        let registry = Registry::new()
            .with(Slot::TwccReceiver, twcc(offer))
            .with(Slot::ReceiverReport, ReceiverReportBuilder::new().build())
            .with(Slot::from(TAP_SLOT), Tap::new(tap, to_reader));
        RTCPeerConnectionBuilder::new()
            .with_configuration(
                RTCConfigurationBuilder::new()
                    .with_certificates(vec![self.certificate.clone()])
                    .build(),
            )
            .with_setting_engine(self.settings(offer.setup))
            .with_media_engine(media_engine().map_err(refused)?)
            .with_interceptor_registry(registry)
            .build(now.into_std())
            .map_err(refused)
    }

    fn settings(&self, setup: Setup) -> SettingEngine {
        // RFC 5763 §5: the answer must complement the offer. With a free choice, the server's part is one round trip
        // quicker, since browsers send their ClientHello as soon as ICE is up.
        let role = match setup {
            Setup::Passive => RTCDtlsRole::Client,
            Setup::Active | Setup::ActPass => RTCDtlsRole::Server,
        };
        SettingEngineBuilder::new()
            .with_crypto_provider(self.crypto.clone())
            .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
            .with_ice_timeouts(Some(ICE_DISCONNECTED), Some(ICE_FAILED), Some(ICE_KEEPALIVE))
            .with_answering_dtls_role(role)
            .build()
    }
}

pub(crate) fn refused(error: impl std::fmt::Display) -> Error {
    Error::Negotiation(error.to_string())
}

/// The recorder of arrivals. It is told the extension's number at once, so that packets of sources it does not know
/// (padding, unannounced sources) are reported too instead of counting as lost.
fn twcc(offer: &Offer) -> impl Interceptor + 'static {
    let mut twcc = TwccReceiverBuilder::new().build();
    let id = offer
        .sending()
        .flat_map(|m| &m.extensions)
        .find(|(_, uri)| uri == TRANSPORT_CC_URI);
    if let Some((id, uri)) = id {
        twcc.bind_remote_stream(&StreamInfo {
            rtcp_feedback: vec![rtc::interceptor::RTCPFeedback {
                typ: "transport-cc".to_owned(),
                parameter: String::new(),
            }],
            rtp_header_extensions: vec![RTPHeaderExtension {
                uri: uri.clone(),
                id: u16::from(*id),
            }],
            ..StreamInfo::default()
        });
    }
    twcc
}

fn feedback(kind: RtpCodecKind) -> Vec<RTCPFeedback> {
    let all: &[(&str, &str)] = match kind {
        RtpCodecKind::Video => &[
            ("nack", ""),
            ("nack", "pli"),
            ("ccm", "fir"),
            ("transport-cc", ""),
        ],
        _ => &[("nack", ""), ("transport-cc", "")],
    };
    all.iter()
        .map(|(typ, parameter)| RTCPFeedback {
            typ: (*typ).to_owned(),
            parameter: (*parameter).to_owned(),
        })
        .collect()
}

fn media_engine() -> Result<MediaEngine, rtc::shared::error::Error> {
    /// Profile and packetization mode of each H.264 we take, with its payload type in offers of ours.
    const H264: [(u8, &str, u8); 5] = [
        (102, "42e01f", 1),
        (106, "42001f", 1),
        (108, "4d001f", 1),
        (112, "64001f", 1),
        (124, "42e01f", 0),
    ];
    let mut engine = MediaEngine::default();
    let codec =
        |mime: &str, clock_rate, channels, fmtp: String, feedback, payload_type| RTCRtpCodecParameters {
            rtp_codec: RTCRtpCodec {
                mime_type: mime.to_owned(),
                clock_rate,
                channels,
                sdp_fmtp_line: fmtp,
                rtcp_feedback: feedback,
            },
            payload_type,
        };
    let fmtp = "minptime=10;useinbandfec=1".to_owned();
    let audio = feedback(RtpCodecKind::Audio);
    engine.register_codec(
        codec(MIME_TYPE_OPUS, 48_000, 2, fmtp, audio, 111),
        RtpCodecKind::Audio,
    )?;
    for (payload_type, profile, mode) in H264 {
        let fmtp = format!("level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={profile}");
        let video = feedback(RtpCodecKind::Video);
        let h264 = codec(MIME_TYPE_H264, 90_000, 0, fmtp, video, payload_type);
        engine.register_codec(h264, RtpCodecKind::Video)?;
        let fmtp = format!("apt={payload_type}");
        let rtx = codec(MIME_TYPE_RTX, 90_000, 0, fmtp, Vec::new(), payload_type + 1);
        engine.register_codec(rtx, RtpCodecKind::Video)?;
    }
    for uri in [TRANSPORT_CC_URI, ABS_CAPTURE_TIME_URI] {
        for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
            let extension = RTCRtpHeaderExtensionCapability { uri: uri.to_owned() };
            engine.register_header_extension(extension, kind, None)?;
        }
    }
    Ok(engine)
}
