//! What has happened to a follower, entry by entry, for a person who watches and for tests.
//! What the follower does is its own business.

use super::publisher::{Publisher, Sent};
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

/// Entries kept; the oldest goes first.
const MOST: usize = 10_000;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened {
    /// A session at this URL is up.
    Publishing(String),
    /// A server did not take it, and why.
    Refused(String, String),
    /// The server said where to go.
    Told(Url),
    /// The session there has taken over.
    Moved(Url),
    /// The events channel broke; it is opened again.
    Deaf,
    /// The session is lost or was closed, and why.
    Lost(String),
    /// It has stopped for good: by order (empty), or for this reason.
    Ended(String),
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publishing(url) => write!(f, "publishing at {}", shown(url)),
            Self::Refused(url, why) => write!(f, "not taken at {}: {why}", shown(url)),
            Self::Told(url) => write!(f, "told to move to {}", shown(url.as_str())),
            Self::Moved(url) => write!(f, "moved to {}", shown(url.as_str())),
            Self::Deaf => write!(f, "the events channel broke; opening it again"),
            Self::Lost(why) => write!(f, "session lost: {why}"),
            Self::Ended(why) if why.is_empty() => write!(f, "stopped"),
            Self::Ended(why) => write!(f, "stopped for good: {why}"),
        }
    }
}

/// Without the query: it may hold a credential, and in a move the old session's secret.
fn shown(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// An entry with its moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// What.
    pub what: Happened,
}

/// What a follower and its holder share; clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    inner: Arc<Mutex<Inner>>,
    /// Entries ever made.
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    dropped: usize,
    over: bool,
    location: Option<Url>,
    sent: Option<Arc<Sent>>,
    /// Units of sessions that are over.
    units: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            inner: Arc::default(),
            count: watch::Sender::new(0),
        }
    }
}

impl Journal {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, what: Happened) {
        let mut inner = self.inner();
        inner.over |= matches!(what, Happened::Ended(_));
        let at = Instant::now();
        inner.entries.push_back(Entry { at, what });
        // overflow: the oldest entry goes
        if inner.entries.len() > MOST {
            inner.entries.pop_front();
            inner.dropped += 1;
        }
        let count = inner.entries.len() + inner.dropped;
        drop(inner);
        self.count.send_replace(count);
    }

    /// The session that counts now.
    pub(crate) fn session(&self, publisher: Option<&Publisher>) {
        let mut inner = self.inner();
        inner.location = publisher.map(|p| p.location().clone());
        inner.sent = publisher.map(Publisher::sent);
    }

    /// A session is over: its units stay counted.
    pub(crate) fn left(&self, publisher: &Publisher) {
        self.inner().units += publisher.stats().units;
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.inner().entries.iter().cloned().collect()
    }

    pub(crate) async fn after(&self, seen: usize) -> Vec<Entry> {
        let mut count = self.count.subscribe();
        // Fails only when the sender is gone, which we hold.
        count.wait_for(|count| *count > seen).await.ok();
        let inner = self.inner();
        let skip = seen.saturating_sub(inner.dropped);
        inner.entries.iter().skip(skip).cloned().collect()
    }

    pub(crate) async fn ended(&self) {
        let mut count = self.count.subscribe();
        count.wait_for(|_| self.inner().over).await.ok();
    }

    pub(crate) fn location(&self) -> Option<Url> {
        self.inner().location.clone()
    }

    pub(crate) fn units(&self) -> u64 {
        let inner = self.inner();
        let now = inner.sent.as_ref().map_or(0, |sent| sent.units.load(Relaxed));
        inner.units + now
    }
}
