//! The one DTLS certificate of the node: read from its file, or made and kept there.
//! Its fingerprint then stays the same across restarts; who checks it is the DTLS core.

use crate::Error;
use rtc::crypto::{RTCCryptoProvider, SignatureScheme};
use rtc::peer_connection::certificate::{CertificateParams, RTCCertificate};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// First line of the file; what does not begin so was not written by us and is left alone.
const HEAD: &str = "-----BEGIN EXPIRES-----";

fn error(e: impl std::fmt::Display) -> Error {
    Error::Certificate(e.to_string())
}

/// The certificate in `path`; where there is no file yet, a new one that is kept there. Without a path, a new one.
///
/// # Errors
/// [`Error::Certificate`] if the file cannot be read or written, or holds something else.
pub(crate) fn load(
    path: Option<&Path>,
    provider: &Arc<dyn RTCCryptoProvider>,
) -> Result<RTCCertificate, Error> {
    let Some(path) = path else {
        return generate(provider);
    };
    match std::fs::read_to_string(path) {
        Ok(pem) if pem.starts_with(HEAD) => RTCCertificate::from_pem(&pem, provider.crypto())
            .map_err(|e| error(format!("{}: {e}", path.display()))),
        Ok(_) => Err(error(format!(
            "{} is not a certificate file of ours",
            path.display()
        ))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let certificate = generate(provider)?;
            let pem = certificate.serialize_pem().map_err(error)?;
            keep(path, &pem).map_err(|e| error(format!("{}: {e}", path.display())))?;
            Ok(certificate)
        }
        Err(e) => Err(error(format!("{}: {e}", path.display()))),
    }
}

fn generate(provider: &Arc<dyn RTCCryptoProvider>) -> Result<RTCCertificate, Error> {
    let params = CertificateParams::new(vec!["weft".to_owned()]).map_err(error)?;
    RTCCertificate::generate(provider.crypto(), SignatureScheme::EcdsaP256Sha256, params).map_err(error)
}

/// Writes the file so that only its owner can read it: it holds the private key.
fn keep(path: &Path, pem: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(pem.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_survives_a_restart() {
        let provider = rtc::crypto::default_provider().expect("a provider");
        let path = std::env::temp_dir().join(format!("weft-rtc-{}.pem", uuid::Uuid::new_v4()));
        let first = load(Some(&path), &provider).expect("made");
        let again = load(Some(&path), &provider).expect("read");
        let other = load(None, &provider).expect("made");
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----").expect("written");
        let foreign = load(Some(&path), &provider);
        std::fs::remove_file(&path).expect("removed");
        let print = |c: &RTCCertificate| {
            c.get_fingerprints(provider.crypto()).expect("a fingerprint")[0]
                .value
                .clone()
        };
        assert_eq!(print(&first), print(&again));
        assert_ne!(print(&first), print(&other));
        assert!(foreign.is_err());
    }
}
