//! The sockets of one track over UDP: RTP on an even port, RTCP on the next (RFC 3550 section 11). What comes is handed on as
//! it is.

use anyhow::{Result, bail};
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use std::net::{IpAddr, SocketAddr};

/// Pairs of ports tried.
const ATTEMPTS: usize = 200;
/// Received by the kernel while the thread is busy.
const BUFFER: usize = 1 << 20;

/// The two sockets.
pub(super) struct Pair {
    rtp: UdpSocket,
    /// Held, so that nobody else gets what is sent there; reports are not read.
    rtcp: std::net::UdpSocket,
    port: u16,
}

impl Pair {
    /// Finds two ports of this address, and has the first watched under that token.
    pub(super) fn open(ip: IpAddr, registry: &Registry, token: Token) -> Result<Self> {
        for _ in 0..ATTEMPTS {
            let first = std::net::UdpSocket::bind((ip, 0))?;
            let port = first.local_addr()?.port();
            if port % 2 == 1 {
                continue;
            }
            let Ok(rtcp) = std::net::UdpSocket::bind((ip, port + 1)) else {
                continue;
            };
            first.set_nonblocking(true)?;
            rtcp.set_nonblocking(true)?;
            // The system may give less.
            socket2::SockRef::from(&first).set_recv_buffer_size(BUFFER)?;
            let mut rtp = UdpSocket::from_std(first);
            registry.register(&mut rtp, token, Interest::READABLE)?;
            return Ok(Self { rtp, rtcp, port });
        }
        bail!("no two free UDP ports one after the other on {ip}")
    }

    /// The even port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Opens the way back through what stands between, as players do.
    pub(super) fn greet(&self, peer: SocketAddr, port: u16) {
        // An empty receiver report says nothing false; a version 2 header alone is an RTP packet without a payload.
        drop(self.rtp.send_to(
            &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            SocketAddr::new(peer.ip(), port),
        ));
        let report = [0x80, 201, 0, 1, 0, 0, 0, 0];
        drop(
            self.rtcp
                .send_to(&report, SocketAddr::new(peer.ip(), port.saturating_add(1))),
        );
    }

    /// The next packet's length; `None` when there is none.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Option<usize> {
        self.rtp.recv(buffer).ok()
    }
}
