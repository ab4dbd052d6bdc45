//! The other end of a peer's way: its address, and whether datagrams go there or frames on a TCP connection (RFC 6544).
//! An address says nothing alone: the ports of UDP and TCP are two worlds.

use rtc::shared::{TransportContext, TransportProtocol};
use std::net::SocketAddr;

/// What carries a peer's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Each packet is a datagram.
    Udp,
    /// Each packet is a frame on a connection that the client has opened.
    Tcp,
}

impl Transport {
    /// As candidates write it (RFC 8839 §5.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }

    /// The core's word for it.
    pub(crate) const fn protocol(self) -> TransportProtocol {
        match self {
            Self::Udp => TransportProtocol::UDP,
            Self::Tcp => TransportProtocol::TCP,
        }
    }
}

/// Where packets of a peer come from and go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Remote {
    /// Its address, IPv4 in its own form.
    pub(crate) address: SocketAddr,
    /// By which way.
    pub(crate) transport: Transport,
}

impl Remote {
    pub(crate) const fn udp(address: SocketAddr) -> Self {
        Self {
            address,
            transport: Transport::Udp,
        }
    }

    pub(crate) const fn tcp(address: SocketAddr) -> Self {
        Self {
            address,
            transport: Transport::Tcp,
        }
    }

    /// Where the core wants a packet of its own to go.
    pub(crate) const fn of(transport: &TransportContext) -> Self {
        match transport.transport_protocol {
            TransportProtocol::TCP => Self::tcp(transport.peer_addr),
            _ => Self::udp(transport.peer_addr),
        }
    }
}
