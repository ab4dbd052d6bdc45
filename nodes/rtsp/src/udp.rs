//! The pair of UDP sockets that all readers over UDP share: RTP out, RTCP out and in.
//! Only a reader's own address is ever sent to; whose datagram is whose sign of life is looked up in the pulses.

use crate::counters::Counters;
use crate::liveness::Pulses;
use crate::{Error, UdpAddresses, tcp};
use quinn_udp::{Transmit, UdpSocketState};
use socket2::{Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::Instant;
use weft_rtsp::ServerPorts;

/// Bytes the system may hold of what all readers are sent; it may allow less.
const SEND_BUFFER: usize = 4 * 1024 * 1024;
const RECEIVE_BUFFER: usize = 1024 * 1024;
/// Pairs tried before giving up.
const PAIR_ATTEMPTS: usize = 64;
/// A reader's report is far smaller; longer ones are cut.
const DATAGRAM: usize = 2048;

/// The two sockets.
#[derive(Debug)]
pub(crate) struct UdpPair {
    pub(crate) rtp: UdpSocket,
    rtp_state: UdpSocketState,
    rtcp: UdpSocket,
    /// Several reports of one client may be read as one datagram through it; who sent them is all that counts.
    rtcp_state: UdpSocketState,
    pub(crate) pulses: Arc<Pulses>,
}

impl UdpPair {
    /// Binds both.
    pub(crate) fn bind(addresses: UdpAddresses) -> Result<Self, Error> {
        let (rtp, rtcp) = if addresses.rtp.port() == 0 && addresses.rtcp.port() == 0 {
            bind_adjacent(addresses.rtp.ip(), addresses.rtcp.ip())?
        } else {
            (bind_one("RTP", addresses.rtp)?, bind_one("RTCP", addresses.rtcp)?)
        };
        let open = || -> io::Result<Self> {
            // Refusals mean a smaller buffer, not a broken one.
            for socket in [&rtp, &rtcp] {
                _ = socket.set_send_buffer_size(SEND_BUFFER);
                _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
            }
            let rtp = UdpSocket::from_std(rtp.into())?;
            let rtcp = UdpSocket::from_std(rtcp.into())?;
            Ok(Self {
                rtp_state: UdpSocketState::new((&rtp).into())?,
                rtp,
                rtcp_state: UdpSocketState::new((&rtcp).into())?,
                rtcp,
                pulses: Arc::default(),
            })
        };
        open().map_err(|source| Error::Bind {
            purpose: "RTP",
            address: addresses.rtp,
            source,
        })
    }

    /// Where the two sockets are.
    pub(crate) fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.rtp.local_addr()?, self.rtcp.local_addr()?))
    }

    /// Their ports, as told to clients.
    pub(crate) fn ports(&self) -> ServerPorts {
        // Bound sockets have addresses; 0 would tell a client that there is none.
        let port = |s: &UdpSocket| s.local_addr().map_or(0, |a| a.port());
        ServerPorts {
            rtp: port(&self.rtp),
            rtcp: port(&self.rtcp),
        }
    }

    /// Most packets of equal size that one call may send.
    pub(crate) fn max_segments(&self) -> usize {
        self.rtp_state.max_gso_segments()
    }

    /// Sends packets of `segment` bytes each, the last one may be shorter. `WouldBlock`: wait for [`Self::rtp`] to be
    /// writable. Any other error: the system refused these.
    pub(crate) fn send_rtp(
        &self,
        to: SocketAddr,
        from: IpAddr,
        packets: &[u8],
        segment: usize,
    ) -> io::Result<()> {
        let send = |packets: &[u8], segment| {
            let transmit = self.transmit(to, from, packets, segment);
            self.rtp.try_io(Interest::WRITABLE, || {
                self.rtp_state.try_send((&self.rtp).into(), &transmit)
            })
        };
        if packets.len() <= segment {
            return send(packets, None);
        }
        match send(packets, Some(segment)) {
            // Without offload on this path: one by one. One that would block is lost, as datagrams may be.
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => {
                packets.chunks(segment).try_for_each(|packet| send(packet, None))
            }
            other => other,
        }
    }

    /// Sends a report. One that cannot be sent at once is lost; the next one says more.
    pub(crate) fn send_rtcp(&self, to: SocketAddr, from: IpAddr, packet: &[u8]) -> io::Result<()> {
        let transmit = self.transmit(to, from, packet, None);
        self.rtcp.try_io(Interest::WRITABLE, || {
            self.rtcp_state.try_send((&self.rtcp).into(), &transmit)
        })
    }

    fn transmit<'a>(
        &self,
        to: SocketAddr,
        from: IpAddr,
        contents: &'a [u8],
        segment_size: Option<usize>,
    ) -> Transmit<'a> {
        Transmit {
            destination: self.reachable(to),
            ecn: None,
            contents,
            segment_size,
            src_ip: self.source(from),
        }
    }

    /// The form in which our socket's family writes this address.
    fn reachable(&self, to: SocketAddr) -> SocketAddr {
        match (to.ip(), self.rtp.local_addr()) {
            (IpAddr::V4(ip), Ok(SocketAddr::V6(_))) => SocketAddr::from((ip.to_ipv6_mapped(), to.port())),
            _ => to,
        }
    }

    /// The source to name: the address the client speaks to, where the sockets are bound to all of them.
    fn source(&self, local: IpAddr) -> Option<IpAddr> {
        let bound = self.rtp.local_addr().ok()?;
        bound.ip().is_unspecified().then_some(local)
    }

    /// Reads what clients send until cancelled: reports are signs of life, packets to the RTP port open their NAT.
    pub(crate) async fn listen(&self, start: Instant, counters: &Counters) {
        let (mut reports, mut punches) = ([0; DATAGRAM], [0; DATAGRAM]);
        loop {
            let received = tokio::select! {
                received = self.rtcp.recv_from(&mut reports) => received,
                ignored = self.rtp.recv_from(&mut punches) => match ignored {
                    Ok(_) => continue,
                    Err(e) => Err(e),
                },
            };
            match received {
                Ok((len, from))
                    if (self.pulses).heard(from, reports.get(..len).unwrap_or_default(), start.elapsed()) =>
                {
                    Counters::one(&counters.reports_received);
                }
                Ok(_) => Counters::one(&counters.reports_unknown),
                // Not seen on unconnected sockets; a pause keeps it from becoming a busy loop.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

fn bind_one(purpose: &'static str, address: SocketAddr) -> Result<Socket, Error> {
    tcp::bind(address, Type::DGRAM).map_err(|source| Error::Bind {
        purpose,
        address,
        source,
    })
}

/// An even port and its successor (RFC 3550 §11), both free.
fn bind_adjacent(ip: IpAddr, rtcp_ip: IpAddr) -> Result<(Socket, Socket), Error> {
    let port_of = |s: &Socket| {
        s.local_addr()
            .ok()
            .and_then(|a| a.as_socket())
            .map_or(0, |a| a.port())
    };
    // Sockets with an unusable port are kept until the end, so that the system offers others.
    let mut unusable = Vec::new();
    for _ in 0..PAIR_ATTEMPTS {
        let rtp = bind_one("RTP", SocketAddr::from((ip, 0)))?;
        let port = port_of(&rtp);
        let neighbour = port.checked_add(1).filter(|_| port % 2 == 0);
        match neighbour.map(|n| bind_one("RTCP", SocketAddr::from((rtcp_ip, n)))) {
            Some(Ok(rtcp)) => return Ok((rtp, rtcp)),
            _ => unusable.push(rtp),
        }
    }
    Err(Error::NoPair(ip))
}
