//! The readers over WebRTC of this node by the secrets of their URLs, those not connected yet included, and for a minute the
//! reasons of those that ended. What a session does is the session's own business.

use super::session::{Close, Session};
use actix::Addr;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use uuid::Uuid;
use weft_limits::Share;
use weft_rtc::{PeerAddresses, PeerHandle};
use weft_wire::{CloseReason, StreamName};

/// After its end a session's URL tells the reason for this long.
const MEMORY: Duration = Duration::from_secs(60);
/// Ends remembered.
const MOST_REMEMBERED: usize = 10_000;

/// What is known of a session from its offer on.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) id: Uuid,
    pub(crate) secret: Uuid,
    pub(crate) stream: StreamName,
    pub(crate) principal: String,
    pub(crate) query: String,
    pub(crate) user_agent: String,
    pub(crate) created: SystemTime,
    /// Where its media goes, once ICE has chosen.
    pub(crate) addresses: OnceLock<PeerAddresses>,
}

/// A session that runs.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) known: Arc<Known>,
    pub(crate) peer: PeerHandle,
    pub(crate) actor: Addr<Session>,
    /// Let go of with the session.
    pub(crate) _share: Option<Arc<Share>>,
}

/// Where a secret leads.
pub(crate) enum Found {
    Open(Entry),
    Closed(CloseReason),
    Unknown,
}

#[derive(Debug, Default)]
struct Table {
    open: HashMap<Uuid, Entry>,
    closed: HashMap<Uuid, CloseReason>,
    /// Secrets in `closed`, in the order of their ends.
    order: VecDeque<(Instant, Uuid)>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<Table>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Table> {
        // Each change under this lock is whole in itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, entry: Entry) {
        self.lock().open.insert(entry.known.secret, entry);
    }

    pub(crate) fn find(&self, secret: Uuid) -> Found {
        let table = self.lock();
        match (table.open.get(&secret), table.closed.get(&secret)) {
            (Some(entry), _) => Found::Open(entry.clone()),
            (None, Some(reason)) => Found::Closed(*reason),
            (None, None) => Found::Unknown,
        }
    }

    /// It is over.
    pub(crate) fn leave(&self, secret: Uuid, reason: CloseReason) {
        let now = Instant::now();
        let mut table = self.lock();
        table.open.remove(&secret);
        if table.closed.insert(secret, reason).is_none() {
            table.order.push_back((now, secret));
        }
        // overflow: the oldest is forgotten; its URL then answers 404.
        while table.order.len() > MOST_REMEMBERED
            || table.order.front().is_some_and(|(at, _)| now - *at >= MEMORY)
        {
            if let Some((_, secret)) = table.order.pop_front() {
                table.closed.remove(&secret);
            }
        }
    }

    /// Those that run.
    pub(crate) fn all(&self) -> Vec<Entry> {
        self.lock().open.values().cloned().collect()
    }

    /// How many are not connected yet.
    pub(crate) fn waiting(&self) -> usize {
        let table = self.lock();
        table.open.values().filter(|e| e.remote().is_none()).count()
    }

    pub(crate) fn close_all(&self, reason: CloseReason) {
        for entry in self.all() {
            entry.close(reason);
        }
    }
}

impl Entry {
    /// Ends it, without waiting for that.
    pub(crate) fn close(&self, reason: CloseReason) {
        // overflow: the peer is closed all the same, and its actor hears of that.
        if self.actor.try_send(Close(reason)).is_err() {
            self.peer.close(reason);
        }
    }

    /// Where its media goes, once it is connected.
    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.known.addresses.get().map(|a| a.remote)
    }
}
