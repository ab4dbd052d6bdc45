//! The listening socket and the options of the connections it yields.
//! What is said on them is the connection's business.

use crate::{Error, ServerConfig};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

const BACKLOG: i32 = 1024;
/// After this much silence the system asks whether a connection's other end is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);

/// Binds a socket; the unspecified IPv6 address takes IPv4 as well, and where there is no IPv6 it means IPv4.
pub(crate) fn bind(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    match bind_exactly(address, kind) {
        Err(_) if address.is_ipv6() && address.ip().is_unspecified() => {
            bind_exactly(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())), kind)
        }
        other => other,
    }
}

fn bind_exactly(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let protocol = if kind == Type::STREAM {
        Protocol::TCP
    } else {
        Protocol::UDP
    };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Opens the listener.
pub(crate) fn listen(
    config: &ServerConfig,
    purpose: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, Error> {
    let open = || -> io::Result<TcpListener> {
        let socket = bind(address, Type::STREAM)?;
        // Before any connection: accepted sockets inherit it, and the window is scaled by it.
        socket.set_send_buffer_size(config.send_buffer)?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    open().map_err(|source| Error::Bind {
        purpose,
        address,
        source,
    })
}

/// Sets a connection's options.
pub(crate) fn tune(stream: &TcpStream, config: &ServerConfig) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE_AFTER)
            .with_interval(Duration::from_secs(10)),
    )?;
    // The server's own limit comes first and knows the reason; this one ends what it does not see.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(config.patience().write * 2))?;
    Ok(())
}
