//! DTLS and SRTP of a publisher on the WebRTC core's own parts: the handshake, then the keys for what is sent and heard.
//! Sockets and timing are the peer's business.

use anyhow::{Context as _, Result, bail};
use bytes::BytesMut;
use rtc::crypto::{RTCCryptoProvider, SignatureScheme};
use rtc::dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc::dtls::endpoint::{Endpoint, EndpointEvent};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::peer_connection::certificate::{CertificateParams, RTCCertificate};
use rtc::shared::TransportProtocol;
use rtc::srtp;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// When a flight is said again first; then after twice the time each, as browsers do. Against a server on the same core a
/// steady rhythm goes on for ever once a datagram is lost: whoever hears a flight again waits anew instead of answering, and
/// the server speaks by itself only after a second of silence.
const AGAIN: Duration = Duration::from_millis(100);

/// What all publishers share: they are told apart by their sessions, not by their certificates.
pub(super) struct Identity {
    pub(super) crypto: Arc<dyn RTCCryptoProvider>,
    /// SHA-256 of the certificate.
    pub(super) fingerprint: String,
    certificate: RTCCertificate,
}

impl Identity {
    /// A new certificate.
    pub(super) fn new() -> Result<Self> {
        let crypto = rtc::crypto::default_provider().context("the WebRTC core has no cryptography")?;
        let params = CertificateParams::new(vec!["weft-load".to_owned()])?;
        let certificate =
            RTCCertificate::generate(crypto.crypto(), SignatureScheme::EcdsaP256Sha256, params)?;
        let fingerprints = certificate.get_fingerprints(crypto.crypto())?;
        let fingerprint = fingerprints
            .first()
            .context("a certificate without a fingerprint")?;
        Ok(Self {
            fingerprint: fingerprint.value.to_uppercase(),
            crypto,
            certificate,
        })
    }

    /// With AES_CM_128_HMAC_SHA1_80 alone, so that every server does the same work.
    fn handshake(&self, begins: bool) -> Result<Arc<HandshakeConfig>> {
        let config = ConfigBuilder::default()
            .with_crypto_provider(self.crypto.clone())
            .with_certificates(vec![self.certificate.dtls_certificate.clone()])
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_insecure_skip_verify(true)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_flight_interval(AGAIN)
            .build(begins, None)?;
        Ok(Arc::new(config))
    }
}

/// Keys of a session.
pub(super) struct Keys {
    /// For what is sent.
    pub(super) out: srtp::context::Context,
    /// For what is heard.
    pub(super) back: srtp::context::Context,
}

/// What a datagram has brought about.
pub(super) enum Step {
    /// Nothing to tell.
    Nothing,
    /// The handshake is done.
    Up(Box<Keys>),
    /// The server has said goodbye.
    Closed,
}

/// One DTLS association.
pub(super) struct Dtls {
    endpoint: Endpoint,
    remote: SocketAddr,
    crypto: Arc<dyn RTCCryptoProvider>,
    /// What the last flight still wants sent.
    out: VecDeque<BytesMut>,
    /// When it is said again, and how long after that the next time comes.
    again: Instant,
    gap: Duration,
}

impl Dtls {
    /// Begins the handshake, or waits for the server to do so.
    pub(super) fn start(
        identity: &Identity,
        local: SocketAddr,
        remote: SocketAddr,
        server_begins: bool,
    ) -> Result<Self> {
        let (config, now) = (identity.handshake(!server_begins)?, Instant::now());
        let passive = server_begins.then(|| config.clone());
        let mut endpoint = Endpoint::new(local, TransportProtocol::UDP, passive);
        if !server_begins {
            endpoint.connect(now, remote, config, None)?;
        }
        let mut dtls = Self {
            endpoint,
            remote,
            crypto: identity.crypto.clone(),
            out: VecDeque::new(),
            again: now + AGAIN,
            gap: AGAIN,
        };
        dtls.gather();
        Ok(dtls)
    }

    /// Takes a datagram.
    pub(super) fn read(&mut self, datagram: &[u8]) -> Result<Step> {
        let events = self
            .endpoint
            .read(Instant::now(), self.remote, None, BytesMut::from(datagram))?;
        if self.gather() {
            // Another flight.
            self.gap = AGAIN;
            self.again = Instant::now() + self.gap;
        }
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => return Ok(Step::Up(Box::new(self.keys()?))),
                EndpointEvent::PeerClosed => return Ok(Step::Closed),
                _ => {}
            }
        }
        Ok(Step::Nothing)
    }

    /// What is to be sent.
    pub(super) fn next(&mut self) -> Option<BytesMut> {
        self.out.pop_front()
    }

    /// Says again what was lost; to be called now and then during the handshake.
    pub(super) fn tick(&mut self) -> Result<()> {
        let now = Instant::now();
        if self.again <= now && self.endpoint.poll_timeout(&self.remote).is_some() {
            self.endpoint.handle_timeout(self.remote, now)?;
            self.gather();
            self.gap *= 2;
            self.again = now + self.gap;
        }
        Ok(())
    }

    /// Says goodbye.
    pub(super) fn close(&mut self) {
        // What it still wants sent is taken by `next`; that it knows no association any more is no harm.
        drop(self.endpoint.close(Instant::now()));
        self.gather();
    }

    /// Takes what the core wants sent; returns whether there was anything.
    fn gather(&mut self) -> bool {
        let before = self.out.len();
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.out.push_back(transmit.message);
        }
        self.out.len() > before
    }

    fn keys(&self) -> Result<Keys> {
        let state = self
            .endpoint
            .get_connection_state(self.remote)
            .context("a handshake without a state")?;
        if state.srtp_protection_profile() != SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 {
            bail!("the server took no SRTP profile that was offered");
        }
        let mut config = srtp::config::Config {
            profile: srtp::protection_profile::ProtectionProfile::Aes128CmHmacSha1_80,
            ..Default::default()
        };
        let label = srtp::config::LABEL_EXTRACTOR_DTLS_SRTP;
        let material = state.export_keying_material(label, &[], config.keying_material_len())?;
        config.set_session_keys_from_keying_material(material.as_ref(), state.is_client())?;
        let context = |key: &[u8], salt: &[u8]| {
            srtp::context::Context::new(key, salt, config.profile, None, None, self.crypto.crypto())
        };
        let keys = &config.keys;
        Ok(Keys {
            out: context(&keys.local_master_key, &keys.local_master_salt)?,
            back: context(&keys.remote_master_key, &keys.remote_master_salt)?,
        })
    }
}
