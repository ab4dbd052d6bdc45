//! A certificate with its key as read from two PEM files (RFC 7468), checked to belong together.
//! When files are read again is `certificates`' business.

use crate::error::{Error, Keys};
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use weft_config::TlsFiles;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A file larger than this is no certificate.
const MAX_FILE: u64 = 1024 * 1024;

/// A certificate, ready to be shown, and until when it holds.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) certified: Arc<CertifiedKey>,
    pub(crate) expires: SystemTime,
    /// What the files held, to tell a change from a mere touch.
    pub(crate) text: (Vec<u8>, Vec<u8>),
}

impl Pair {
    /// Reads and checks both files.
    pub(crate) fn read(files: &TlsFiles, keys: Keys, provider: &CryptoProvider) -> Result<Self, Error> {
        if !files.certificate.exists() && !files.key.exists() && by_default(files) {
            return Err(Error::Absent {
                keys,
                certificate: files.certificate.clone(),
                key: files.key.clone(),
            });
        }
        let certificate = read(&files.certificate, keys.certificate)?;
        let key = read(&files.key, keys.key)?;
        Self::new(files, keys, (certificate, key), provider)
    }

    fn new(
        files: &TlsFiles,
        keys: Keys,
        text: (Vec<u8>, Vec<u8>),
        provider: &CryptoProvider,
    ) -> Result<Self, Error> {
        let no_certificate = |why: String| Error::content(keys.certificate, &files.certificate, why);
        let chain = CertificateDer::pem_slice_iter(&text.0)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| no_certificate(format!("is no PEM file: {e}")))?;
        let first = chain.first().ok_or_else(|| {
            no_certificate(
                "holds no certificate (a line '-----BEGIN CERTIFICATE-----' is looked for)".to_owned(),
            )
        })?;
        let expires =
            expiry(first).map_err(|e| no_certificate(format!("holds no X.509 certificate: {e}")))?;
        let no_key = |why: String| Error::content(keys.key, &files.key, why);
        let key = PrivateKeyDer::from_pem_slice(&text.1).map_err(|e| {
            no_key(format!(
                "holds no unencrypted private key (PKCS#8, PKCS#1 or SEC1 as PEM): {e}"
            ))
        })?;
        let certified = CertifiedKey::from_der(chain, key, provider).map_err(|e| match e {
            TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => Error::Mismatch {
                keys,
                certificate: files.certificate.clone(),
                key: files.key.clone(),
            },
            other => no_key(format!("cannot be used: {other}")),
        })?;
        Ok(Self {
            certified: Arc::new(certified),
            expires,
            text,
        })
    }
}

/// True for the names that stand in the configuration when nobody has written any.
fn by_default(files: &TlsFiles) -> bool {
    *files == weft_config::FaceTls::default().files
}

fn read(file: &Path, name: &'static str) -> Result<Vec<u8>, Error> {
    let unread = |source| Error::Read {
        name,
        file: file.to_owned(),
        source,
    };
    let length = std::fs::metadata(file).map_err(unread)?.len();
    if length > MAX_FILE {
        return Err(unread(io::Error::other("it is larger than 1 MiB")));
    }
    std::fs::read(file).map_err(unread)
}

/// `notAfter` (RFC 5280 section 4.1.2.5).
fn expiry(certificate: &CertificateDer<'_>) -> Result<SystemTime, String> {
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|e| e.to_string())?;
    let seconds = certificate.validity().not_after.timestamp();
    // A certificate that ended before 1970 has ended.
    let seconds = u64::try_from(seconds).unwrap_or_default();
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}
