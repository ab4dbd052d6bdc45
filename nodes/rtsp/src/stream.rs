//! The byte stream of a connection: TCP as it is, or TLS on it (RFC 8446). Both are driven by the socket's readiness, and
//! neither waits for anything by itself. Handshakes are done before, by `weft-tls`.

use bytes::BytesMut;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConnection;
use tokio_rustls::server::TlsStream;

/// Bytes of plaintext taken from a TLS session at once.
const CHUNK: usize = 4096;
/// TLS records without plaintext that are taken in one go.
const EMPTY: usize = 16;

/// A connection's byte stream.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

/// TLS on TCP.
pub(crate) struct Tls {
    tcp: TcpStream,
    session: ServerConnection,
    /// What came with the end of the handshake has not been looked for yet.
    fresh: bool,
}

impl From<TlsStream<TcpStream>> for Stream {
    fn from(stream: TlsStream<TcpStream>) -> Self {
        let (tcp, session) = stream.into_inner();
        Self::Tls(Box::new(Tls {
            tcp,
            session,
            fresh: true,
        }))
    }
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &tls.tcp,
        }
    }

    /// True for TLS.
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().local_addr()
    }

    /// Bytes that were taken for sending and are not sent: TLS keeps up to 64 KiB of them.
    pub(crate) fn holds(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.session.wants_write(),
        }
    }

    /// Waits until it may go on. Cancel-safe.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Plain(tcp) => tcp.ready(interest).await,
            Self::Tls(tls) if tls.fresh && interest.is_readable() => Ok(Ready::READABLE),
            Self::Tls(tls) if tls.session.wants_write() => tls.tcp.ready(interest | Interest::WRITABLE).await,
            Self::Tls(tls) => tls.tcp.ready(interest).await,
        }
    }

    /// Reads what is there; 0 at the end, `WouldBlock` when there is nothing.
    pub(crate) fn try_read_buf(&mut self, into: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.try_read_buf(into),
            Self::Tls(tls) => tls.read(into),
        }
    }

    /// Takes what it can for sending; `WouldBlock` when that is nothing.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.try_write(bytes),
            Self::Tls(tls) => {
                // What is held goes first: there is room only then.
                tls.flush()?;
                match tls.session.writer().write(bytes)? {
                    0 => Err(io::ErrorKind::WouldBlock.into()),
                    taken => tls.flush().map(|_| taken),
                }
            }
        }
    }

    /// Sends what is held, as far as the socket takes it; true when it took something.
    pub(crate) fn try_flush(&mut self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(false),
            Self::Tls(tls) => tls.flush(),
        }
    }

    /// Says that nothing follows.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        if let Self::Tls(tls) = self {
            tls.session.send_close_notify();
            tls.flush()?;
            while tls.session.wants_write() {
                tls.tcp.writable().await?;
                tls.flush()?;
            }
        }
        socket2::SockRef::from(self.tcp()).shutdown(std::net::Shutdown::Write)
    }

    /// Reads until the other side closes, and forgets what it said: TLS is not undone for it.
    pub(crate) async fn discard(&mut self) -> io::Result<()> {
        let mut away = [0; CHUNK];
        loop {
            self.tcp().readable().await?;
            match self.tcp().try_read(&mut away) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// What is not taken yet is thrown away when it is dropped: the system would keep it for as long as it tries to
    /// deliver.
    pub(crate) fn abandon(&self) {
        _ = socket2::SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO));
    }
}

impl Tls {
    fn read(&mut self, into: &mut BytesMut) -> io::Result<usize> {
        self.fresh = false;
        for _ in 0..EMPTY {
            if let Some(read) = self.plaintext(into)? {
                return Ok(read);
            }
            if self.session.read_tls(&mut Socket(&self.tcp))? == 0 {
                // Without its last word (RFC 8446 section 6.1): nothing in RTSP is cut short by that unseen.
                return Ok(0);
            }
            if let Err(error) = self.session.process_new_packets() {
                // The alert that says why, as far as it goes at once.
                self.flush().ok();
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// All plaintext that is there; `None` for none, 0 at the end.
    fn plaintext(&mut self, into: &mut BytesMut) -> io::Result<Option<usize>> {
        let (mut chunk, mut sum) = ([0; CHUNK], 0);
        let mut reader = self.session.reader();
        loop {
            match reader.read(&mut chunk) {
                Ok(0) if sum == 0 => return Ok(Some(0)),
                Ok(0) => return Ok(Some(sum)),
                Ok(read) => {
                    into.extend_from_slice(&chunk[..read]);
                    sum += read;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok((sum > 0).then_some(sum)),
                Err(e) => return Err(e),
            }
        }
    }

    /// True when the socket took something.
    fn flush(&mut self) -> io::Result<bool> {
        let mut took = false;
        while self.session.wants_write() {
            match self.session.write_tls(&mut Socket(&self.tcp)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => took = true,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(took)
    }
}

/// The socket as TLS reads and writes it: without waiting, several records in one call.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
