//! One TCP connection of a peer: bytes in, as many as the shard takes; packets out, within bounds.
//! Its task moves bytes when the system is ready; nobody waits for it.

use super::frame;
use super::listener::Arrival;
use crate::counters::{Counters, add, count};
use crate::demux::Kind;
use bytes::{Buf, BufMut, BytesMut};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use weft_limits::Guest;

/// Bytes read and not yet taken by the shard, after which no more are read: the peer's own TCP then waits.
const INPUT_MOST: usize = 64 * 1024;
/// Bytes on their way out, after which media is dropped: a quarter of a second at 8 Mbit/s, and a whole key frame.
const MEDIA_MOST: usize = 256 * 1024;
/// Room besides, for checks, handshakes and the end; a peer that takes none of these either is gone.
const CONTROL_ROOM: usize = 64 * 1024;
/// How long a connection that is to end may take for what is on its way, and for the peer to hear it.
const FAREWELL: Duration = Duration::from_secs(1);

/// One connection.
pub(super) struct Connection {
    stream: TcpStream,
    pub(super) remote: SocketAddr,
    /// Our address that it has reached.
    pub(super) to: IpAddr,
    inner: Mutex<Inner>,
    wake: Notify,
    counters: Arc<Counters>,
    _guest: Guest,
}

struct Inner {
    input: BytesMut,
    output: BytesMut,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// What is on its way out is sent, then it ends.
    Leaving,
    Ended,
}

impl Connection {
    /// Takes a connection over; must be called inside the runtime that will drive it.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn new(arrival: Arrival, counters: Arc<Counters>) -> io::Result<Self> {
        let Arrival {
            stream,
            from,
            to,
            bytes,
            guest,
        } = arrival;
        guest.spoke();
        Ok(Self {
            stream: TcpStream::from_std(stream)?,
            remote: from,
            to,
            inner: Mutex::new(Inner {
                input: BytesMut::from(&*bytes),
                output: BytesMut::new(),
                state: State::Open,
            }),
            wake: Notify::new(),
            counters,
            _guest: guest,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // No code under this lock can leave it half changed, and none waits under it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a packet on its way.
    pub(super) fn send(&self, packet: &[u8]) {
        let mut inner = self.inner();
        let Some(header) = frame::header(packet).filter(|_| inner.state == State::Open) else {
            return count(&self.counters.send_failed);
        };
        let media = Kind::of(packet) == Kind::Media;
        // overflow: media is dropped and counted, as a narrow network would; what opens, keeps and ends the connection has
        // room of its own, and without that the peer takes nothing at all any more.
        if media && inner.output.len() + packet.len() > MEDIA_MOST {
            return count(&self.counters.tcp_media_dropped);
        }
        if inner.output.len() > MEDIA_MOST + CONTROL_ROOM {
            count(&self.counters.tcp_stuck);
            inner.state = State::Ended;
        } else {
            inner.output.put_slice(&header);
            inner.output.put_slice(packet);
            count(&self.counters.sent);
        }
        self.wake.notify_one();
    }

    /// What has been read, to be given back by [`Self::put_back`] as far as no packet is whole.
    pub(super) fn take_input(&self) -> BytesMut {
        let input = std::mem::take(&mut self.inner().input);
        if input.len() >= INPUT_MOST {
            // It has stopped reading.
            self.wake.notify_one();
        }
        input
    }

    /// Gives back what was no whole packet yet; what has been read meanwhile follows it. True: it has ended, and there is
    /// nothing more to look at.
    pub(super) fn put_back(&self, mut rest: BytesMut) -> bool {
        let mut inner = self.inner();
        let over = inner.input.is_empty() && inner.state == State::Ended;
        rest.unsplit(std::mem::take(&mut inner.input));
        inner.input = rest;
        over
    }

    /// Ends it once what is on its way has gone.
    pub(super) fn leave(&self) {
        let mut inner = self.inner();
        if inner.state == State::Open {
            inner.state = State::Leaving;
        }
        self.wake.notify_one();
    }

    /// Ends it now.
    pub(super) fn end(&self) {
        self.inner().state = State::Ended;
        self.wake.notify_one();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.inner().state == State::Ended
    }

    /// Moves bytes until it ends; `news` is called when there is input, and at the end.
    pub(super) async fn run(self: Arc<Self>, news: impl Fn(SocketAddr)) {
        while self.inner().state == State::Open {
            let ready = tokio::select! {
                biased;
                () = self.wake.notified() => continue,
                ready = self.ready() => ready,
            };
            let Ok(ready) = ready else { break };
            if ready.is_writable() {
                self.write();
            }
            if ready.is_readable() && self.read() {
                news(self.remote);
            }
        }
        let leaving = self.inner().state == State::Leaving;
        if leaving && timeout(FAREWELL, self.farewell()).await.is_err() {
            tracing::debug!(peer = %self.remote, "a WebRTC TCP connection did not take its last packets");
        }
        self.end();
        news(self.remote);
    }

    /// Waits until the system is ready for what there is to do.
    async fn ready(&self) -> io::Result<Ready> {
        let (reads, writes) = {
            let inner = self.inner();
            (inner.input.len() < INPUT_MOST, !inner.output.is_empty())
        };
        let interest = match (reads, writes) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, true) => Interest::WRITABLE,
            // Until the shard has taken something.
            (false, false) => std::future::pending().await,
        };
        self.stream.ready(interest).await
    }

    fn write(&self) {
        let mut inner = self.inner();
        while !inner.output.is_empty() {
            match self.stream.try_write(&inner.output) {
                Ok(written) => inner.output.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    inner.state = State::Ended;
                    return;
                }
            }
        }
        // A queue that was long once does not keep its memory.
        if inner.output.capacity() > CONTROL_ROOM {
            inner.output = BytesMut::new();
        }
    }

    /// Reads what there is and there is room for; true when the shard is to look.
    fn read(&self) -> bool {
        let mut inner = self.inner();
        let before = inner.input.len();
        while inner.input.len() < INPUT_MOST {
            match self.stream.try_read_buf(&mut inner.input) {
                Ok(0) => inner.state = State::Ended,
                Ok(read) => {
                    add(&self.counters.bytes, read);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => inner.state = State::Ended,
            }
            break;
        }
        inner.input.len() > before
    }

    /// The last packets, then the end of our side, then nothing until the peer's: closing with bytes unread would take the
    /// last packets away from it.
    async fn farewell(&self) {
        loop {
            self.write();
            if self.inner().output.is_empty() || self.has_ended() {
                break;
            }
            if self.stream.writable().await.is_err() {
                return;
            }
        }
        // A connection that is gone needs no end.
        _ = socket2::SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write);
        let mut unread = [0; 4096];
        while self.stream.readable().await.is_ok() {
            match self.stream.try_read(&mut unread) {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => break,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
