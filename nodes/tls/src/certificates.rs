//! The certificate of one port: what new handshakes are shown, replaced when its files change; sessions that are open go on.
//! Reading a pair of files is `pair`'s business.

use crate::counters::Counters;
use crate::error::{Error, Keys};
use crate::pair::Pair;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fs::Metadata;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, MissedTickBehavior, interval};
use weft_config::{Config, Live, TlsFiles};

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(1);
/// An expiry this near is logged once a day.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The certificate of one port; cheap to clone.
#[derive(Debug, Clone)]
pub struct Certificates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keys: Keys,
    provider: Arc<CryptoProvider>,
    counters: Arc<Counters>,
    now: RwLock<(TlsFiles, Pair)>,
}

impl Certificates {
    /// Reads the files. `keys` name them in errors and logs.
    ///
    /// # Errors
    /// When a file is missing, no PEM, or the key is not the certificate's; says which and what to do.
    pub fn load(files: &TlsFiles, keys: Keys, counters: Arc<Counters>) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let pair = Pair::read(files, keys, &provider)?;
        counters.expires(keys.certificate, pair.expires);
        Ok(Self(Arc::new(Inner {
            keys,
            provider,
            counters,
            now: RwLock::new((files.clone(), pair)),
        })))
    }

    /// What a server needs: TLS 1.3 and 1.2 (RFC 8446, RFC 5246), no client certificates, these application protocols
    /// (RFC 7301; none: not negotiated), and whichever certificate is in use at each handshake.
    #[must_use]
    pub fn server_config(&self, protocols: &[&str]) -> Arc<ServerConfig> {
        // Both versions have suites in ring's provider.
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.0.provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("ring has cipher suites of both versions");
        let mut config = builder
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// What this counts into.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.0.counters)
    }

    /// When the certificate in use expires.
    #[must_use]
    pub fn expires(&self) -> SystemTime {
        self.read().1.expires
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, (TlsFiles, Pair)> {
        self.0.now.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the files every second and takes what has changed; a pair that cannot be used leaves the one before in
    /// place and is told once. `files` says which they are, as the configuration has it then. Runs until dropped.
    pub async fn follow(self, live: Live, files: impl Fn(&Config) -> TlsFiles + Send) {
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut follower = Follower {
            seen: Seen::of(&self.read().0),
            complaint: String::new(),
            warned: None,
        };
        loop {
            ticks.tick().await;
            let files = files(&live.now());
            // Two small files; what they are on may still hang.
            let certificates = self.clone();
            let looked = tokio::task::spawn_blocking(move || {
                follower.look(&certificates, &files);
                follower
            });
            match looked.await {
                Ok(back) => follower = back,
                // The runtime ends.
                Err(_) => return,
            }
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.read().1.certified))
    }
}

/// What files looked like when they were read; `None`: not there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen(TlsFiles, [Option<Look>; 2]);

type Look = (u64, Option<SystemTime>, u64);

impl Seen {
    fn of(files: &TlsFiles) -> Self {
        Self(
            files.clone(),
            [&files.certificate, &files.key].map(|file| look(file)),
        )
    }
}

fn look(file: &Path) -> Option<Look> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.len(), metadata.modified().ok(), inode(&metadata)))
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

/// What a follower remembers from one look to the next.
struct Follower {
    seen: Seen,
    /// What was wrong at the last look; empty for nothing. Told once.
    complaint: String,
    /// When the expiry was told last.
    warned: Option<Instant>,
}

impl Follower {
    fn look(&mut self, certificates: &Certificates, files: &TlsFiles) {
        let inner = &*certificates.0;
        let seen = Seen::of(files);
        // One that could not be used is tried again each time: a permission may have been the matter.
        if seen != self.seen || !self.complaint.is_empty() {
            self.seen = seen;
            match Pair::read(files, inner.keys, &inner.provider) {
                Ok(pair) => self.take(certificates, files, pair),
                Err(error) => self.complain(inner, &error),
            }
        }
        self.warn(certificates);
    }

    fn take(&mut self, certificates: &Certificates, files: &TlsFiles, pair: Pair) {
        self.complaint.clear();
        let inner = &*certificates.0;
        if certificates.read().1.text == pair.text {
            return;
        }
        inner.counters.expires(inner.keys.certificate, pair.expires);
        *inner.now.write().unwrap_or_else(PoisonError::into_inner) = (files.clone(), pair);
        Counters::one(&inner.counters.reloaded);
        self.warned = None;
        tracing::info!(
            key = inner.keys.certificate,
            file = %files.certificate.display(),
            "certificate replaced; open connections go on"
        );
    }

    fn complain(&mut self, inner: &Inner, error: &Error) {
        let text = error.to_string();
        if text != self.complaint {
            Counters::one(&inner.counters.refused);
            tracing::warn!(
                error = text,
                "changed certificate files are not used; the certificate before stays"
            );
            self.complaint = text;
        }
    }

    fn warn(&mut self, certificates: &Certificates) {
        let left = certificates.expires().duration_since(SystemTime::now());
        let near = left.as_ref().map_or(true, |left| *left < SOON);
        if !near || self.warned.is_some_and(|last| last.elapsed() < DAY) {
            return;
        }
        self.warned = Some(Instant::now());
        let (key, files) = (certificates.0.keys.certificate, certificates.read().0.clone());
        let file = files.certificate.display();
        match left {
            Ok(left) => {
                let days = left.as_secs() / DAY.as_secs();
                tracing::warn!(key, %file, days, "certificate expires soon; put a new pair in its place");
            }
            Err(_) => tracing::error!(key, %file, "certificate has expired; put a new pair in its place"),
        }
    }
}

#[cfg(test)]
#[path = "certificates_tests.rs"]
mod tests;
