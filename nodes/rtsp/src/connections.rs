//! The connections there are, with a session or without, as the API shows them.
//! A connection enters itself when it is accepted and counts what it reads and writes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use uuid::Uuid;

/// One connection as the API shows it.
#[derive(Debug, Clone)]
pub struct ConnectionView {
    /// Its id.
    pub id: Uuid,
    /// When it was accepted.
    pub created: SystemTime,
    /// The client.
    pub remote_addr: SocketAddr,
    /// True for one with TLS.
    pub tls: bool,
    /// The session on it, once a track is set up.
    pub session: Option<Uuid>,
    /// Bytes read.
    pub bytes_received: u64,
    /// Bytes written.
    pub bytes_sent: u64,
}

/// A connection's entry.
#[derive(Debug)]
pub(crate) struct Line {
    id: Uuid,
    created: SystemTime,
    peer: SocketAddr,
    tls: bool,
    session: Mutex<Option<Uuid>>,
    pub(crate) received: AtomicU64,
    pub(crate) sent: AtomicU64,
}

/// The connections there are: as many as the server lets in.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<HashMap<Uuid, Arc<Line>>>);

/// A connection's place among the others; dropping it takes it out.
#[derive(Debug)]
pub(crate) struct Entered {
    all: Arc<Connections>,
    pub(crate) line: Arc<Line>,
}

impl Line {
    /// Its id.
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Names the session on it, or none.
    pub(crate) fn carries(&self, session: Option<Uuid>) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    fn view(&self) -> ConnectionView {
        ConnectionView {
            id: self.id,
            created: self.created,
            remote_addr: self.peer,
            tls: self.tls,
            session: *self.session.lock().unwrap_or_else(PoisonError::into_inner),
            bytes_received: self.received.load(Relaxed),
            bytes_sent: self.sent.load(Relaxed),
        }
    }
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Line>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a connection.
    pub(crate) fn enter(self: &Arc<Self>, peer: SocketAddr, tls: bool) -> Entered {
        let line = Arc::new(Line {
            id: Uuid::new_v4(),
            created: SystemTime::now(),
            peer,
            tls,
            session: Mutex::default(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        });
        self.lock().insert(line.id, Arc::clone(&line));
        Entered {
            all: Arc::clone(self),
            line,
        }
    }

    /// All of them, oldest first.
    pub(crate) fn views(&self) -> Vec<ConnectionView> {
        let mut views: Vec<_> = self.lock().values().map(|line| line.view()).collect();
        views.sort_by_key(|view| view.created);
        views
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.all.lock().remove(&self.line.id);
    }
}
