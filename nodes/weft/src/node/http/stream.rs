//! A connection's bytes within their limits of time: a request's head that dribbles, an answer that nobody takes and an idle
//! client end it. What a request is, is known one layer above, which says here when one begins and ends.

use super::counters::Counters;
use super::face::Face;
use std::cell::Cell;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;
use weft_limits::Guest;

/// The largest head of a request, in bytes, give or take what comes in one piece.
const MAX_HEAD: usize = 32 * 1024;

/// Bytes of a refused request that are read so that the client gets to see the answer.
const MAX_AWAY: usize = 16 * 1024 * 1024;

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing is asked.
    Idle,
    /// A request's head is coming.
    Head,
    /// A request is being answered.
    Busy,
    /// A request was refused before its end: what still comes of it is thrown away, within bounds.
    Refused,
}

/// What a connection is at, as its requests and its stream both know it.
#[derive(Debug)]
pub(super) struct Progress(Cell<Phase>);

impl Progress {
    /// A request has come.
    pub(super) fn begins(&self) {
        self.0.set(Phase::Busy);
    }

    /// It was refused before it had come whole; nothing follows on this connection.
    pub(super) fn breaks_off(&self) {
        self.0.set(Phase::Refused);
    }

    /// Its answer is made.
    pub(super) fn ends(&self) {
        self.0.set(Phase::Idle);
    }
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection's stream.
pub(super) struct Guarded {
    io: Io,
    guest: Guest,
    spoke: bool,
    progress: Rc<Progress>,
    counters: Arc<Counters>,
    read_timeout: Duration,
    write_timeout: Duration,
    /// The phase that `until` is of.
    timed: Phase,
    until: Pin<Box<Sleep>>,
    /// Bytes of the head that is coming, or thrown away.
    read: usize,
    /// The layer above has had the chance to see the head's end in what it has.
    looked: bool,
    /// Since when nothing of an answer was taken, as the end of patience.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    pub(super) fn plain(tcp: TcpStream, guest: Guest, face: &Face) -> Self {
        Self::new(Io::Plain(tcp), guest, face)
    }

    pub(super) fn secure(stream: TlsStream<TcpStream>, guest: Guest, face: &Face) -> Self {
        Self::new(Io::Tls(Box::new(stream)), guest, face)
    }

    fn new(io: Io, guest: Guest, face: &Face) -> Self {
        let (counters, config) = (Arc::clone(&face.counters), face.now());
        Counters::one(&counters.connections);
        Self {
            io,
            guest,
            spoke: false,
            progress: Rc::new(Progress(Cell::new(Phase::Idle))),
            counters,
            read_timeout: config.read_timeout,
            write_timeout: config.write_timeout,
            timed: Phase::Idle,
            until: Box::pin(sleep_until(Instant::now() + config.read_timeout)),
            read: 0,
            looked: false,
            stuck: None,
        }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        match &self.io {
            Io::Plain(tcp) => tcp,
            Io::Tls(stream) => stream.get_ref().0,
        }
    }

    /// For the layer that knows requests.
    pub(super) fn progress(&self) -> Rc<Progress> {
        Rc::clone(&self.progress)
    }

    /// Whether the connection may go on.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let phase = self.progress.0.get();
        if !self.spoke && matches!(phase, Phase::Busy | Phase::Refused) {
            self.spoke = true;
            self.guest.spoke();
        }
        if self.guest.poll_sent_away(context).is_ready() {
            return Err(self.end(ErrorKind::ConnectionAborted, |c| &c.made_room));
        }
        if let Some(stuck) = &mut self.stuck
            && stuck.as_mut().poll(context).is_ready()
        {
            return Err(self.end(ErrorKind::TimedOut, |c| &c.slow_readers));
        }
        if phase != self.timed {
            // A first head has its time from the connection's beginning.
            if self.spoke {
                let limit = match phase {
                    Phase::Head => self.read_timeout,
                    Phase::Refused => super::LINGER,
                    _ => super::KEEP_ALIVE + self.read_timeout,
                };
                self.until.as_mut().reset(Instant::now() + limit);
            }
            (self.timed, self.read, self.looked) = (phase, 0, false);
        }
        if phase != Phase::Busy && self.until.as_mut().poll(context).is_ready() {
            if phase == Phase::Refused {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            if phase == Phase::Head || !self.spoke {
                self.say(context, "408 Request Timeout");
            }
            return Err(self.end(ErrorKind::TimedOut, |c| &c.slow_heads));
        }
        Ok(())
    }

    /// Whether more may be read; pending for once where the layer above has to look at what it has.
    fn may_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.progress.0.get() {
            Phase::Head if self.read > MAX_HEAD && !self.looked => {
                self.looked = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Phase::Head if self.read > MAX_HEAD => {
                self.say(context, "431 Request Header Fields Too Large");
                Poll::Ready(Err(self.end(ErrorKind::InvalidData, |c| &c.large_heads)))
            }
            Phase::Refused if self.read > MAX_AWAY => Poll::Ready(Err(ErrorKind::ConnectionAborted.into())),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn end(&self, kind: ErrorKind, counter: impl Fn(&Counters) -> &AtomicU64) -> io::Error {
        Counters::one(counter(&self.counters));
        kind.into()
    }

    /// A last word, as far as it goes at once: no answer is being written while a head is coming.
    fn say(&mut self, context: &mut Context<'_>, status: &str) {
        let answer =
            format!("HTTP/1.1 {status}\r\nServer: weft\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        _ = self.io.poll_write(context, answer.as_bytes());
        _ = self.io.poll_flush(context);
    }

    /// Notes whether the client takes what is written.
    fn taken<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stuck = None;
        } else if self.stuck.is_none() {
            let mut stuck = Box::pin(sleep_until(Instant::now() + self.write_timeout));
            // So that its end wakes this connection.
            _ = stuck.as_mut().poll(context);
            self.stuck = Some(stuck);
        }
        outcome
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        Counters::one_less(&self.counters.connections);
    }
}

impl Io {
    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check(context)?;
        ready!(this.may_read(context))?;
        let before = into.filled().len();
        ready!(match &mut this.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_read(context, into),
            Io::Tls(stream) => Pin::new(stream).poll_read(context, into),
        })?;
        let read = into.filled().len() - before;
        if read > 0 && this.progress.0.get() == Phase::Idle {
            this.progress.0.set(Phase::Head);
            this.check(context)?;
        }
        this.read += read;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check(context)?;
        let outcome = this.io.poll_write(context, bytes);
        this.taken(context, outcome)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check(context)?;
        let outcome = this.io.poll_flush(context);
        this.taken(context, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = match &mut this.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        };
        this.taken(context, outcome)
    }
}
