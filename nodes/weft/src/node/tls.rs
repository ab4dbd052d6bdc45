//! TLS of a node's ports: which of them speak it, with which certificates, and the tasks that follow those certificates'
//! files. Handshakes and certificates themselves are `weft-tls`'s.

use super::StartError;
use super::http::Port;
use std::sync::Arc;
use tokio::task::JoinSet;
use weft_config::{Config, Encryption, FaceTls, ListenAddress, Live, TlsFiles};
use weft_tls::{Acceptor, Certificates, Counters, Keys};

/// The TLS settings of one face.
type Face = fn(&Config) -> &FaceTls;

/// One face's part of the configuration, and the keys of its files.
pub(crate) type FaceOf = (Face, Keys);

/// `rtspServerCert`.
pub(crate) const RTSP: FaceOf = (|config| &config.rtsp_tls, keys("rtspServerCert", "rtspServerKey"));
/// `webrtcServerCert`.
pub(crate) const WEBRTC: FaceOf = (
    |config| &config.webrtc_tls,
    keys("webrtcServerCert", "webrtcServerKey"),
);
/// `hlsServerCert`.
pub(crate) const HLS: FaceOf = (|config| &config.hls_tls, keys("hlsServerCert", "hlsServerKey"));
/// `apiServerCert`.
pub(crate) const API: FaceOf = (|config| &config.api_tls, keys("apiServerCert", "apiServerKey"));
/// `metricsServerCert`.
pub(crate) const METRICS: FaceOf = (
    |config| &config.metrics_tls,
    keys("metricsServerCert", "metricsServerKey"),
);

const fn keys(certificate: &'static str, key: &'static str) -> Keys {
    Keys { certificate, key }
}

/// The certificates in use.
#[derive(Default)]
pub(crate) struct Tls {
    pub(crate) counters: Arc<Counters>,
    certificates: Vec<(Certificates, Face)>,
}

/// The ports of a face.
pub(crate) struct Ports {
    /// Where it is spoken in the clear.
    pub(crate) plain: Option<Port>,
    /// Where TLS is spoken.
    pub(crate) secure: Option<(Port, Acceptor)>,
}

impl Tls {
    /// Reads a face's certificate, where it speaks TLS.
    pub(crate) fn acceptor(
        &mut self,
        config: &Config,
        (face, keys): FaceOf,
        protocols: &[&str],
    ) -> Result<Option<Acceptor>, StartError> {
        let tls = face(config);
        if tls.encryption == Encryption::No {
            return Ok(None);
        }
        let certificates = Certificates::load(&tls.files, keys, self.counters.clone())?;
        let acceptor = Acceptor::new(&certificates, protocols);
        self.certificates.push((certificates, face));
        Ok(Some(acceptor))
    }

    /// Binds an HTTP face's ports: one, with TLS or without, or one of each.
    pub(crate) fn ports(
        &mut self,
        config: &Config,
        face: FaceOf,
        address: ListenAddress,
        key: &'static str,
        flag: &'static str,
    ) -> Result<Ports, StartError> {
        // actix-web would serve h2 as well; nothing here gains by it.
        let acceptor = match self.acceptor(config, face, &["http/1.1"]) {
            // `listenTLS` stands in configurations whose server never asked for the files.
            Err(StartError::Tls(error @ weft_tls::Error::Absent { .. })) if is_beside(face.0(config)) => {
                tracing::warn!("webrtcTLSAddress (listenTLS) is not served: {error}");
                None
            }
            other => other?,
        };
        let Some(acceptor) = acceptor else {
            return Ok(Ports {
                plain: Some(Port::bind(address, key, flag)?),
                secure: None,
            });
        };
        let tls = face.0(config);
        let plain = is_beside(tls)
            .then(|| Port::bind(address, key, flag))
            .transpose()?;
        let secure = match tls.address {
            Some(own) => Port::bind(own, "webrtcTLSAddress", "--config")?,
            None => Port::bind(address, key, flag)?,
        };
        Ok(Ports {
            plain,
            secure: Some((secure, acceptor)),
        })
    }

    /// Follows the certificates' files while `tasks` lives.
    pub(crate) fn follow(&mut self, settings: &Live, tasks: &mut JoinSet<()>) {
        for (certificates, face) in self.certificates.drain(..) {
            let files = move |config: &Config| -> TlsFiles { face(config).files.clone() };
            tasks.spawn(certificates.follow(settings.clone(), files));
        }
    }
}

/// True when TLS has a port of its own beside the plain one.
fn is_beside(tls: &FaceTls) -> bool {
    tls.encryption == Encryption::Optional && tls.address.is_some()
}

impl Ports {
    /// Where somebody gets what the face serves, TLS or not.
    pub(crate) fn address(&self) -> Option<std::net::SocketAddr> {
        let secure = || self.secure.as_ref().map(|(port, _)| port.address);
        self.plain.as_ref().map(|port| port.address).or_else(secure)
    }

    /// Where that is TLS.
    pub(crate) fn secure_address(&self) -> Option<std::net::SocketAddr> {
        self.secure.as_ref().map(|(port, _)| port.address)
    }
}
