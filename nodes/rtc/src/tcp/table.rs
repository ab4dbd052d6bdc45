//! The TCP connections of one shard by their clients' addresses, and which of them have something to read.
//! Whose they are is the demultiplexer's to know; it says when one is not wanted any more.

use super::connection::Connection;
use super::listener::Arrival;
use crate::counters::{Counters, count};
use bytes::BytesMut;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a shard that stops waits for the last packets of its connections.
const LAST_PACKETS: Duration = Duration::from_millis(500);

/// The table.
#[derive(Default)]
pub(crate) struct Table {
    connections: Mutex<HashMap<SocketAddr, Arc<Connection>>>,
    news: Arc<News>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct News {
    /// Connections with input or at their end, each once.
    from: Mutex<Vec<SocketAddr>>,
    come: Notify,
    /// Tasks that run.
    running: AtomicUsize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code under these locks can leave anything half changed, and none waits under them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl News {
    fn of(&self, remote: SocketAddr) {
        let mut from = lock(&self.from);
        if !from.contains(&remote) {
            from.push(remote);
        }
        self.come.notify_one();
    }
}

/// What a connection has sent.
pub(crate) struct Input {
    pub(crate) bytes: BytesMut,
    /// Our address that it has reached.
    pub(crate) to: IpAddr,
}

impl Table {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self {
            counters,
            ..Self::default()
        }
    }

    /// Takes over a connection whose first check was proved; what it has sent is news. One that had its address before is
    /// ended: the client cannot have both.
    pub(crate) fn adopt(&self, arrival: Arrival) {
        let remote = arrival.from;
        let connection = match Connection::new(arrival, self.counters.clone()) {
            Ok(connection) => Arc::new(connection),
            Err(error) => return tracing::debug!(%remote, %error, "WebRTC TCP connection lost"),
        };
        let before = lock(&self.connections).insert(remote, connection.clone());
        if let Some(before) = before {
            before.end();
        }
        count(&self.counters.tcp_proved);
        let news = self.news.clone();
        news.running.fetch_add(1, Relaxed);
        tokio::spawn(async move {
            let told = news.clone();
            connection.run(move |remote| told.of(remote)).await;
            news.running.fetch_sub(1, Relaxed);
            news.come.notify_one();
        });
        self.news.of(remote);
    }

    /// Ready when [`Self::take_news`] has something.
    pub(crate) async fn news(&self) {
        self.news.come.notified().await;
    }

    /// The connections to look at.
    pub(crate) fn take_news(&self) -> Vec<SocketAddr> {
        std::mem::take(&mut lock(&self.news.from))
    }

    /// What a connection has sent and nobody has taken.
    pub(crate) fn take_input(&self, remote: SocketAddr) -> Option<Input> {
        let connection = lock(&self.connections).get(&remote).cloned()?;
        Some(Input {
            bytes: connection.take_input(),
            to: connection.to,
        })
    }

    /// Gives back what was no whole packet yet. False: the connection has ended, and is forgotten.
    pub(crate) fn put_back(&self, remote: SocketAddr, rest: BytesMut) -> bool {
        let mut connections = lock(&self.connections);
        let Some(connection) = connections.get(&remote) else {
            return false;
        };
        let over = connection.put_back(rest);
        if over {
            connections.remove(&remote);
        }
        !over
    }

    /// Sends a packet to whoever is at the other end of this connection.
    pub(crate) fn send(&self, remote: SocketAddr, packet: &[u8]) {
        match lock(&self.connections).get(&remote) {
            Some(connection) => connection.send(packet),
            None => count(&self.counters.send_failed),
        }
    }

    /// A connection that nobody wants any more goes once what is on its way has gone.
    pub(crate) fn release(&self, remote: SocketAddr) {
        if let Some(connection) = lock(&self.connections).remove(&remote) {
            connection.leave();
        }
    }

    /// A connection that speaks another language goes now.
    pub(crate) fn end(&self, remote: SocketAddr) {
        if let Some(connection) = lock(&self.connections).remove(&remote) {
            connection.end();
        }
    }

    /// Waits, for a short time, until all connections have gone; they have been released.
    pub(crate) async fn gone(&self) {
        let all = async {
            while self.news.running.load(Relaxed) > 0 {
                self.news.come.notified().await;
            }
        };
        // Those that take longer are cut off.
        _ = timeout(LAST_PACKETS, all).await;
    }
}
