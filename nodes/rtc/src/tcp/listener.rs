//! The TCP port of all peers: lets connections in within their bounds and waits for the first packet of each, which must be
//! a connectivity check; its user fragment says whose shard it goes to. The shard proves the check and has the connection.

use super::directory::Directory;
use super::frame;
use crate::counters::{Counters, count};
use crate::handle::Command;
use crate::stun::{self, Class};
use crate::{Error, RtcConfig};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use weft_limits::{Bounds, Door, Full, Guest};

/// Connections waiting to be accepted.
const BACKLOG: i32 = 1024;
/// From being let in to the end of the first check; clients send it at once.
const FIRST_CHECK: Duration = Duration::from_secs(5);
/// Longest first packet: a check with the longest user name is some 700 bytes.
const FIRST_MOST: usize = 1280;
/// Shortest: the header of a check (RFC 8489 §5).
const FIRST_LEAST: usize = 20;
/// The system has no descriptors left, for instance: it is asked again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The kernel gives a connection up whose peer acknowledges nothing for so long; ICE gives up after as much.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// Unsent bytes the kernel keeps of a connection. What waits longer waits in our own queue, where media can be dropped.
const UNSENT: u32 = 64 * 1024;

/// A connection on its way to its shard, with what it has sent so far.
pub(crate) struct Arrival {
    pub(crate) stream: std::net::TcpStream,
    /// Who, IPv4 addresses in their own form.
    pub(crate) from: SocketAddr,
    /// Our address that it has reached.
    pub(crate) to: IpAddr,
    /// Its bytes from the first on: one whole packet at least.
    pub(crate) bytes: Vec<u8>,
    pub(crate) guest: Guest,
}

/// Binds the port; `[::]` takes IPv4 as well, and means IPv4 alone where there is no IPv6.
///
/// # Errors
/// [`Error::Bind`].
pub(crate) fn bind(address: SocketAddr) -> Result<std::net::TcpListener, Error> {
    let listen = |address: SocketAddr| -> io::Result<std::net::TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    let bound = match listen(address) {
        Err(_) if address.is_ipv6() && address.ip().is_unspecified() => {
            listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
        }
        other => other,
    };
    bound.map_err(|source| Error::Bind {
        protocol: "TCP",
        address,
        source,
    })
}

/// The listener with all it needs to pass connections on.
pub(crate) struct Listener {
    config: RtcConfig,
    door: Door,
    directory: Directory,
    seats: Vec<mpsc::Sender<Command>>,
    counters: Arc<Counters>,
}

impl Listener {
    pub(crate) fn new(
        config: RtcConfig,
        directory: Directory,
        seats: Vec<mpsc::Sender<Command>>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            config,
            door: Door::default(),
            directory,
            seats,
            counters,
        }
    }

    /// Accepts until its thread is stopped.
    pub(crate) async fn run(self, listener: std::net::TcpListener) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "the WebRTC TCP port cannot be used"),
        };
        let this = Arc::new(self);
        loop {
            match listener.accept().await {
                Ok((stream, from)) => this.accepted(stream, from),
                Err(error) => {
                    tracing::warn!(%error, "a WebRTC TCP connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn accepted(self: &Arc<Self>, stream: TcpStream, from: SocketAddr) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let bounds = Bounds {
            total: self.config.tcp_connections,
            per_address: self.config.settings.now().fabric.limits.connections_per_address,
        };
        match self.door.enter(from.ip(), bounds) {
            Ok(guest) => {
                count(&self.counters.tcp_accepted);
                actix_rt::spawn(self.clone().wait(stream, from, guest));
            }
            Err(full) => {
                tracing::debug!(%from, %full, "WebRTC TCP connection refused");
                count(match full {
                    Full::Address => &self.counters.tcp_refused_address,
                    Full::Port => &self.counters.tcp_refused,
                });
            }
        }
    }

    async fn wait(self: Arc<Self>, stream: TcpStream, from: SocketAddr, mut guest: Guest) {
        let mut bytes = Vec::with_capacity(2 * FIRST_MOST);
        let first = tokio::select! {
            biased;
            () = guest.sent_away() => return count(&self.counters.tcp_made_room),
            first = timeout(FIRST_CHECK, first_check(&stream, &mut bytes)) => first,
        };
        match first {
            Ok(true) => {}
            Ok(false) => return count(&self.counters.tcp_junk),
            Err(_) => return count(&self.counters.tcp_silent),
        }
        let check = frame::first(&bytes).ok().flatten();
        let seat = check
            .and_then(stun::our_ufrag)
            .and_then(|ufrag| self.directory.shard(ufrag))
            .and_then(|shard| self.seats.get(shard));
        let Some(seat) = seat else {
            return count(&self.counters.unknown_source);
        };
        let arrival = ready(&stream).and_then(|to| {
            Ok(Arrival {
                stream: stream.into_std()?,
                from,
                to,
                bytes,
                guest,
            })
        });
        let arrival = match arrival {
            Ok(arrival) => Box::new(arrival),
            Err(error) => return tracing::debug!(%from, %error, "WebRTC TCP connection lost"),
        };
        // overflow: closed and counted; the client opens another one.
        if seat.try_send(Command::Connection(arrival)).is_err() {
            count(&self.counters.tcp_refused);
        }
    }
}

/// Settings of a connection that carries media; gives our address on it.
fn ready(stream: &TcpStream) -> io::Result<IpAddr> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    socket.set_tcp_notsent_lowat(UNSENT)?;
    Ok(stream.local_addr()?.ip().to_canonical())
}

/// Reads until the first packet is whole; false as soon as it is none that a client of ours begins with.
async fn first_check(stream: &TcpStream, bytes: &mut Vec<u8>) -> bool {
    loop {
        if let Some(length) = bytes.first_chunk().map(|l| usize::from(u16::from_be_bytes(*l))) {
            if !(FIRST_LEAST..=FIRST_MOST).contains(&length) {
                return false;
            }
            if let Ok(Some(packet)) = frame::first(bytes) {
                return matches!(stun::header(packet), Some((Class::Request, _)));
            }
        }
        if bytes.len() == bytes.capacity() || stream.readable().await.is_err() {
            return false;
        }
        match stream.try_read_buf(bytes) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
    }
}
