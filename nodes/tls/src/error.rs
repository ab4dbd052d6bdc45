//! Why a certificate cannot be used, in sentences that name the key of the configuration, the file, and what to do.
//! What goes wrong in a single handshake is `handshakes`' business.

use std::io;
use std::path::{Path, PathBuf};

/// The configuration keys that name the two files, for error texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// Of the certificate, for instance `rtspServerCert`.
    pub certificate: &'static str,
    /// Of its key, for instance `rtspServerKey`.
    pub key: &'static str,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither file is there, and both have the names that nobody has chosen.
    #[error(
        "{}, {}: TLS is on and neither {} nor {} exists; make a pair with: openssl req -x509 -newkey ec -pkeyopt \
         ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
         -keyout {} -out {}; or name one that you have",
        keys.certificate, keys.key, certificate.display(), key.display(), key.display(), certificate.display()
    )]
    Absent {
        /// The keys.
        keys: Keys,
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A file cannot be read.
    #[error("{name}: cannot read {}: {source}", file.display())]
    Read {
        /// The configuration key.
        name: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{name}: {} {why}", file.display())]
    Content {
        /// The configuration key.
        name: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The two do not belong together.
    #[error(
        "{}, {}: the key {} does not belong to the certificate {}",
        keys.certificate, keys.key, key.display(), certificate.display()
    )]
    Mismatch {
        /// The keys.
        keys: Keys,
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

impl Error {
    pub(crate) fn content(name: &'static str, file: &Path, why: impl Into<String>) -> Self {
        Self::Content {
            name,
            file: file.to_owned(),
            why: why.into(),
        }
    }
}
