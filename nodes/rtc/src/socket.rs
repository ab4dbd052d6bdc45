//! A shard's UDP socket: many datagrams per system call in (recvmmsg, GRO), with the time the kernel got each, one out;
//! and its TCP connections beside it. Whose packets they are is for the demultiplexer to say.

use crate::counters::{Counters, add, count};
use crate::remote::{Remote, Transport};
use crate::tcp::Table;
use crate::{Error, RtcConfig};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A GRO batch is at most one IP packet long.
const BUFFER_BYTES: usize = 65_536;

/// A datagram as it came, or a packet of a TCP connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Datagram<'a> {
    /// Who sent it, IPv4 addresses in their own form.
    pub(crate) from: Remote,
    /// Which of our addresses it was sent to, where the system says.
    pub(crate) to: Option<IpAddr>,
    /// What it holds.
    pub(crate) data: &'a [u8],
    /// How long it waited in the kernel; only meaningful when the wall clock did not step meanwhile.
    pub(crate) age: Option<Duration>,
}

/// A bound socket.
pub(crate) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    wildcard: bool,
    tcp: Table,
    counters: Arc<Counters>,
}

/// Binds shard `index`'s port; `[::]` takes IPv4 as well, and means IPv4 alone where there is no IPv6.
///
/// # Errors
/// [`Error::Bind`].
pub(crate) fn bind(config: &RtcConfig, index: usize) -> Result<std::net::UdpSocket, Error> {
    let mut address = config.udp_address;
    if address.port() != 0 {
        let offset = u16::try_from(index).unwrap_or(u16::MAX);
        address.set_port(address.port().saturating_add(offset));
    }
    let open = |address: SocketAddr| -> io::Result<std::net::UdpSocket> {
        let socket = RawSocket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        socket.set_recv_buffer_size(config.receive_buffer)?;
        let bytes = socket.recv_buffer_size()?;
        if bytes < config.receive_buffer {
            // Media still flows; bursts of starting publishers are lost when the node is busy.
            tracing::warn!(
                bytes,
                wanted = config.receive_buffer,
                "small UDP receive buffer; raise net.core.rmem_max"
            );
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(socket.into())
    };
    let bound = match open(address) {
        Err(_) if address.is_ipv6() && address.ip().is_unspecified() => {
            open(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
        }
        other => other,
    };
    bound.map_err(|source| Error::Bind {
        protocol: "UDP",
        address,
        source,
    })
}

/// What [`Socket::receive`] fills; kept between calls.
pub(crate) struct Buffers {
    bytes: Vec<Vec<u8>>,
    metas: Vec<RecvMeta>,
}

impl Buffers {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![vec![0; BUFFER_BYTES]; quinn_udp::BATCH_SIZE],
            metas: vec![RecvMeta::default(); quinn_udp::BATCH_SIZE],
        }
    }
}

impl Socket {
    /// Takes over a bound socket; must be called inside the runtime that will drive it.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn new(socket: std::net::UdpSocket, counters: Arc<Counters>) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?;
        Ok(Self {
            io: UdpSocket::from_std(socket)?,
            state,
            local,
            wildcard: local.ip().is_unspecified(),
            tcp: Table::new(counters.clone()),
            counters,
        })
    }

    /// Where it is bound.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.io.readable().await
    }

    /// Reads one batch and calls `f` with each datagram; returns how many there were, 0 when there is nothing now.
    ///
    /// # Errors
    /// What the system says, other than "nothing there".
    pub(crate) fn receive(
        &self,
        buffers: &mut Buffers,
        mut f: impl FnMut(Datagram<'_>),
    ) -> io::Result<usize> {
        let mut slices: Vec<IoSliceMut<'_>> = buffers.bytes.iter_mut().map(|b| IoSliceMut::new(b)).collect();
        let read = self.io.try_io(Interest::READABLE, || {
            self.state
                .recv(UdpSockRef::from(&self.io), &mut slices, &mut buffers.metas)
        });
        let filled = match read {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(e) => return Err(e),
        };
        let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
        let mut datagrams = 0;
        for (bytes, meta) in buffers.bytes.iter().zip(&buffers.metas).take(filled) {
            let age = clock
                .zip(meta.timestamp)
                .and_then(|(now, at)| now.checked_sub(at));
            let from = Remote::udp(SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port()));
            let to = meta.dst_ip.map(|ip| ip.to_canonical());
            add(&self.counters.bytes, meta.len);
            for data in bytes[..meta.len.min(BUFFER_BYTES)].chunks(meta.stride.max(1)) {
                datagrams += 1;
                f(Datagram { from, to, data, age });
            }
        }
        add(&self.counters.datagrams, datagrams);
        Ok(datagrams)
    }

    /// The TCP connections of the shard.
    pub(crate) fn tcp(&self) -> &Table {
        &self.tcp
    }

    /// Sends one packet, from our address `source` where the socket has many.
    pub(crate) fn send(&self, to: Remote, source: Option<IpAddr>, contents: &[u8]) {
        match to.transport {
            Transport::Udp => self.send_datagram(to.address, source, contents),
            Transport::Tcp => self.tcp.send(to.address, contents),
        }
    }

    fn send_datagram(&self, destination: SocketAddr, source: Option<IpAddr>, contents: &[u8]) {
        // overflow: dropped and counted; everything sent here is repeated by its protocol when it matters.
        let destination = match (self.local, destination) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => destination,
        };
        let transmit = Transmit {
            destination,
            ecn: None,
            contents,
            segment_size: None,
            src_ip: source.filter(|_| self.wildcard),
        };
        match self.state.try_send(UdpSockRef::from(&self.io), &transmit) {
            Ok(()) => count(&self.counters.sent),
            Err(_) => count(&self.counters.send_failed),
        }
    }
}
