//! Certificates for tests: a pair of files in a folder of their own, and the name that clients know them by.
//! Making them as an operator does is `guide`'s matter.

use anyhow::Result;
use rcgen::{CertificateParams, KeyPair};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use weft_testkit::tools;

static NEXT: AtomicUsize = AtomicUsize::new(0);

pub(super) struct Certificate {
    folder: PathBuf,
}

impl Certificate {
    /// A new one for localhost and 127.0.0.1, signed by itself.
    pub(super) fn new() -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = tools::scratch("test-certificates")?.join(format!("{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let certificate = Certificate { folder };
        certificate.renew()?;
        Ok(certificate)
    }

    /// Puts another pair in its place, key first: for a moment the two do not belong together.
    pub(super) fn renew(&self) -> Result<()> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        let signed = params.self_signed(&key)?;
        std::fs::write(self.key(), key.serialize_pem())?;
        std::fs::write(self.certificate(), signed.pem())?;
        Ok(())
    }

    pub(super) fn certificate(&self) -> PathBuf {
        self.folder.join("server.crt")
    }

    pub(super) fn key(&self) -> PathBuf {
        self.folder.join("server.key")
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
