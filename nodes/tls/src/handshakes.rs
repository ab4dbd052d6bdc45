//! Handshakes of incoming connections, bounded in number and time.
//! What is spoken after them, and how many connections there may be, is the servers' business.

use crate::Certificates;
use crate::counters::Counters;
use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Most handshakes of one port at a time. An honest one takes three ways across the network: a flood of 250 a second leaves
/// it more than a second.
const MOST: usize = 256;

/// Why a connection has not become a TLS connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The client left, or spoke no TLS that is taken here.
    #[error("TLS handshake failed: {0}")]
    Failed(#[from] io::Error),
    /// It took too long.
    #[error("TLS handshake not completed in time")]
    TimedOut,
    /// Too many newer ones were under way.
    #[error("TLS handshake given up for newer ones")]
    Dropped,
}

/// Makes TLS connections of a port's TCP connections; cheap to clone.
#[derive(Clone)]
pub struct Acceptor {
    acceptor: TlsAcceptor,
    waiting: Arc<Waiting>,
    counters: Arc<Counters>,
}

impl Acceptor {
    /// For a port that shows this certificate and speaks these application protocols.
    #[must_use]
    pub fn new(certificates: &Certificates, protocols: &[&str]) -> Self {
        let config: Arc<ServerConfig> = certificates.server_config(protocols);
        Self {
            acceptor: TlsAcceptor::from(config),
            waiting: Arc::default(),
            counters: certificates.counters(),
        }
    }

    /// Does the handshake, within this time.
    ///
    /// # Errors
    /// [`HandshakeError`]; counted. The connection is closed then.
    pub async fn accept<S>(&self, stream: S, limit: Duration) -> Result<TlsStream<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let counters = &self.counters;
        let mut place = Place::take(&self.waiting, counters);
        let outcome = tokio::select! {
            biased;
            done = tokio::time::timeout(limit, self.acceptor.accept(stream)) => match done {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(HandshakeError::Failed(error)),
                Err(_) => Err(HandshakeError::TimedOut),
            },
            _ = &mut place.dropped => Err(HandshakeError::Dropped),
        };
        Counters::one(match &outcome {
            Ok(_) => &counters.handshakes,
            Err(HandshakeError::Failed(_)) => &counters.failed,
            Err(HandshakeError::TimedOut) => &counters.timed_out,
            Err(HandshakeError::Dropped) => &counters.dropped,
        });
        outcome
    }
}

/// The handshakes under way, oldest first; one whose sender is dropped ends.
#[derive(Debug, Default)]
struct Waiting(Mutex<(u64, BTreeMap<u64, oneshot::Sender<()>>)>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, oneshot::Sender<()>>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handshake's place among them, left when it is dropped.
struct Place<'a> {
    waiting: &'a Waiting,
    counters: &'a Counters,
    id: u64,
    dropped: oneshot::Receiver<()>,
}

impl<'a> Place<'a> {
    fn take(waiting: &'a Waiting, counters: &'a Counters) -> Self {
        let (sender, dropped) = oneshot::channel();
        let mut guard = waiting.lock();
        let (next, places) = &mut *guard;
        // overflow: the oldest is given up, counted: a client that does not go on loses, one that does is served.
        if places.len() >= MOST {
            places.pop_first();
        }
        let id = *next;
        *next += 1;
        places.insert(id, sender);
        Counters::one(&counters.pending);
        Self {
            waiting,
            counters,
            id,
            dropped,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.lock().1.remove(&self.id);
        self.counters.pending.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
#[path = "handshakes_tests.rs"]
mod tests;
