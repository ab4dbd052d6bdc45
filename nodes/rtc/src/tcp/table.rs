//! The TCP connections of one shard by their clients' addresses, and which of them have something to read.
//! Whose they are is the demultiplexer's to know; it says when one is not wanted any more.

use super::connection::Connection;
use super::listener::Arrival;
use crate::counters::{Counters, count};
use bytes::BytesMut;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a shard that stops waits for the last packets of its connections.
const LAST_PACKETS: Duration = Duration::from_millis(500);

/// The table; for one thread.
#[derive(Default)]
pub(crate) struct Table {
    connections: RefCell<HashMap<SocketAddr, Rc<Connection>>>,
    news: Rc<News>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct News {
    /// Connections with input or at their end, each once.
    from: RefCell<Vec<SocketAddr>>,
    come: Notify,
    /// Tasks that run.
    running: RefCell<usize>,
}

impl News {
    fn of(&self, remote: SocketAddr) {
        let mut from = self.from.borrow_mut();
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
            Ok(connection) => Rc::new(connection),
            Err(error) => return tracing::debug!(%remote, %error, "WebRTC TCP connection lost"),
        };
        let before = self.connections.borrow_mut().insert(remote, connection.clone());
        if let Some(before) = before {
            before.end();
        }
        count(&self.counters.tcp_proved);
        let news = self.news.clone();
        *news.running.borrow_mut() += 1;
        actix_rt::spawn(async move {
            let told = news.clone();
            connection.run(move |remote| told.of(remote)).await;
            *news.running.borrow_mut() -= 1;
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
        std::mem::take(&mut self.news.from.borrow_mut())
    }

    /// What a connection has sent and nobody has taken.
    pub(crate) fn take_input(&self, remote: SocketAddr) -> Option<Input> {
        let connection = self.connections.borrow().get(&remote).cloned()?;
        Some(Input {
            bytes: connection.take_input(),
            to: connection.to,
        })
    }

    /// Gives back what was no whole packet yet. False: the connection has ended, and is forgotten.
    pub(crate) fn put_back(&self, remote: SocketAddr, rest: BytesMut) -> bool {
        let mut connections = self.connections.borrow_mut();
        let Some(connection) = connections.get(&remote) else {
            return false;
        };
        if connection.has_ended() {
            connections.remove(&remote);
            return false;
        }
        connection.put_back(rest);
        true
    }

    /// Sends a packet to whoever is at the other end of this connection.
    pub(crate) fn send(&self, remote: SocketAddr, packet: &[u8]) {
        match self.connections.borrow().get(&remote) {
            Some(connection) => connection.send(packet),
            None => count(&self.counters.send_failed),
        }
    }

    /// A connection that nobody wants any more goes once what is on its way has gone.
    pub(crate) fn release(&self, remote: SocketAddr) {
        if let Some(connection) = self.connections.borrow_mut().remove(&remote) {
            connection.leave();
        }
    }

    /// A connection that speaks another language goes now.
    pub(crate) fn end(&self, remote: SocketAddr) {
        if let Some(connection) = self.connections.borrow_mut().remove(&remote) {
            connection.end();
        }
    }

    /// Waits, for a short time, until all connections have gone; they have been released.
    pub(crate) async fn gone(&self) {
        let all = async {
            while *self.news.running.borrow() > 0 {
                self.news.come.notified().await;
            }
        };
        // Those that take longer are cut off.
        _ = timeout(LAST_PACKETS, all).await;
    }
}
