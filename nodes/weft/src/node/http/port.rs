//! A TCP port of a node, bound before anything runs.
//! What is served on it is decided elsewhere.

use crate::node::StartError;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use weft_config::ListenAddress;

/// Connections waiting to be accepted.
const BACKLOG: i32 = 1024;

/// A bound port of a node.
pub(crate) struct Port {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Port {
    /// Binds a TCP port; `[::]` takes IPv4 as well, and means IPv4 alone where there is no IPv6.
    pub(crate) fn bind(
        address: ListenAddress,
        key: &'static str,
        flag: &'static str,
    ) -> Result<Self, StartError> {
        let wanted = address.to_socket_addr();
        let any_v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, wanted.port()));
        let bound = match listen(wanted) {
            Err(_) if wanted.is_ipv6() && wanted.ip().is_unspecified() => listen(any_v4),
            other => other,
        };
        let bound = bound.and_then(|listener| {
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        });
        bound.map_err(|source| StartError::Bind {
            protocol: "TCP",
            address: wanted,
            key,
            flag,
            source,
        })
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
