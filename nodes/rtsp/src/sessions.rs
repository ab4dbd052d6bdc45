//! The sessions there are, as the API shows them, and the means to end one.
//! A connection registers its session with the first track set up and counts what it sends.

use crate::counters::Counters;
use crate::liveness::Pulse;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// One session as the API shows it.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// Its id.
    pub id: Uuid,
    /// When its first track was set up.
    pub created: SystemTime,
    /// The client.
    pub remote_addr: SocketAddr,
    /// `read` once it plays, `idle` before.
    pub state: &'static str,
    /// The stream.
    pub path: String,
    /// What followed `?` in the URL; empty for nothing.
    pub query: String,
    /// The client's `User-Agent`; empty for none.
    pub user_agent: String,
    /// `TCP` or `UDP`.
    pub transport: &'static str,
    /// Over TLS: an `rtspsSession`.
    pub secure: bool,
    /// Bytes of RTP sent.
    pub bytes_sent: u64,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Receiver reports and other packets received.
    pub reports_received: u64,
    /// Sender reports sent.
    pub reports_sent: u64,
    /// Packets that never reached the client, by its own reports (RFC 3550 §6.4.1).
    pub reported_lost: u64,
    /// As whom it was let in; empty where nobody need be anybody.
    pub principal: String,
    /// The connection that it is on.
    pub connection: Uuid,
}

/// A session's entry.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: Uuid,
    pub(crate) created: SystemTime,
    pub(crate) peer: SocketAddr,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) user_agent: String,
    pub(crate) transport: &'static str,
    pub(crate) secure: bool,
    pub(crate) plays: AtomicBool,
    pub(crate) bytes: AtomicU64,
    pub(crate) packets: AtomicU64,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) principal: String,
    pub(crate) connection: Uuid,
    pub(crate) kick: CancellationToken,
    pub(crate) _share: weft_limits::Share,
}

impl Entry {
    fn view(&self) -> SessionView {
        SessionView {
            id: self.id,
            created: self.created,
            remote_addr: self.peer,
            state: if self.plays.load(Relaxed) { "read" } else { "idle" },
            path: self.path.clone(),
            query: self.query.clone(),
            user_agent: self.user_agent.clone(),
            transport: self.transport,
            secure: self.secure,
            bytes_sent: self.bytes.load(Relaxed),
            packets_sent: self.packets.load(Relaxed),
            reports_received: self.pulse.reception.reports().0,
            reports_sent: self.pulse.reception.reports().1,
            reported_lost: self.pulse.reception.lost(),
            principal: self.principal.clone(),
            connection: self.connection,
        }
    }
}

/// The sessions there are.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    map: Mutex<HashMap<Uuid, Arc<Entry>>>,
    counters: Arc<Counters>,
}

impl Sessions {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self {
            map: Mutex::default(),
            counters,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Entry>>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, oldest first.
    pub(crate) fn views(&self) -> Vec<SessionView> {
        let mut views: Vec<_> = self.lock().values().map(|e| e.view()).collect();
        views.sort_by_key(|v| v.created);
        views
    }

    /// Ends one; false when there is none.
    pub(crate) fn kick(&self, id: Uuid) -> bool {
        let entry = self.lock().get(&id).cloned();
        entry.inspect(|e| e.kick.cancel()).is_some()
    }

    /// Enters a session; dropping what is returned takes it out again.
    pub(crate) fn enter(self: &Arc<Self>, entry: Entry) -> Registered {
        let entry = Arc::new(entry);
        self.lock().insert(entry.id, Arc::clone(&entry));
        Counters::one(self.counters.sessions_of(entry.secure));
        Registered {
            sessions: Arc::clone(self),
            entry,
        }
    }
}

/// A session's place among the others.
#[derive(Debug)]
pub(crate) struct Registered {
    sessions: Arc<Sessions>,
    pub(crate) entry: Arc<Entry>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.entry.id);
        Counters::one_less(self.sessions.counters.sessions_of(self.entry.secure));
    }
}
