//! The HTTP client for the authentication server and the keys of tokens: no redirects, no proxies, certificates judged by
//! the system's authorities or by their fingerprint. What is asked is said elsewhere.

use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(3);

/// One client at a time, made anew when another fingerprint holds. It keeps connections open between questions.
#[derive(Debug, Default)]
pub(crate) struct Clients(Mutex<Option<(String, reqwest::Client)>>);

impl Clients {
    /// The client for servers of this fingerprint (SHA-256 of the certificate in hex; empty: any that the system's
    /// authorities vouch for).
    ///
    /// # Errors
    /// When TLS cannot be set up, for instance because the system has no authorities.
    pub(crate) fn get(&self, fingerprint: &str) -> Result<reqwest::Client, reqwest::Error> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, client)) = &*kept
            && of == fingerprint
        {
            return Ok(client.clone());
        }
        let client = build(fingerprint)?;
        *kept = Some((fingerprint.to_owned(), client.clone()));
        Ok(client)
    }
}

fn build(fingerprint: &str) -> Result<reqwest::Client, reqwest::Error> {
    // Another part of the program may have done it: it is the same one.
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    if !fingerprint.is_empty() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let pinned = Arc::new(Pinned {
            fingerprint: plain_hex(fingerprint),
            provider: Arc::clone(&provider),
        });
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = versions
            .expect("ring has suites for every version that rustls speaks")
            .dangerous()
            .with_custom_certificate_verifier(pinned)
            .with_no_client_auth();
        builder = builder.tls_backend_preconfigured(config);
    }
    builder.build()
}

/// Hex as it is compared: colons and spaces do not count, nor does case.
fn plain_hex(text: &str) -> String {
    let digits = text.chars().filter(char::is_ascii_hexdigit);
    digits.map(|c| c.to_ascii_lowercase()).collect()
}

/// Takes exactly one certificate.
#[derive(Debug)]
struct Pinned {
    fingerprint: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let hash = digest(&SHA256, end_entity.as_ref());
        let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        if hex == self.fingerprint {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::General(format!("the certificate's fingerprint is {hex}")))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// An error's words with those of its causes, and without the URL, which may hold a secret.
pub(crate) fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        words += &format!(": {inner}");
        cause = inner.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    /// A server with a certificate of its own making; its URL and the certificate's fingerprint.
    async fn server() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let hash = digest(&SHA256, made.cert.der());
        let hex: Vec<_> = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut asked = [0; 1024];
                if stream.read(&mut asked).await.is_ok_and(|n| n > 0) {
                    let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
                    stream.write_all(answer).await.ok();
                }
            }
        });
        (url, hex.join(":"))
    }

    #[tokio::test]
    async fn a_pinned_server_is_taken_by_its_fingerprint_and_no_other() {
        let (url, fingerprint) = server().await;
        let clients = Clients::default();
        for written in [fingerprint.clone(), fingerprint.replace(':', "").to_lowercase()] {
            let asked = clients.get(&written).unwrap().get(&url).send().await;
            assert_eq!(asked.unwrap().status().as_u16(), 204, "{written}");
        }
        let other = "00".repeat(32);
        let refused = clients.get(&other).unwrap().get(&url).send().await.unwrap_err();
        let said = words(refused);
        assert!(said.contains("the certificate's fingerprint is"), "{said}");
        assert!(!said.contains("https://"), "{said}");
    }
}
