//! The HTTP servers of a node: one per port, bound before anything runs.
//! Which routes they have is decided by ingest and control.

use super::StartError;
use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, web};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;
use weft_config::ListenAddress;

/// Threads of the port that publishers use; the others carry a few requests a second.
const PUBLISHER_WORKERS: usize = 2;

/// What an answer in progress may take when the node ends.
const SHUTDOWN_SECONDS: u64 = 1;

/// Connections waiting to be accepted.
const BACKLOG: i32 = 1024;

/// A bound port of a node.
pub(crate) struct Port {
    listener: TcpListener,
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

/// A server that has not been awaited yet, and the means to end it.
pub(crate) struct WebServer {
    pub(crate) server: Server,
    pub(crate) handle: ServerHandle,
}

/// Serves routes on a port. `routes` is called once per worker.
pub(crate) fn serve<R, C>(
    port: Port,
    many: bool,
    read_timeout: Duration,
    routes: R,
) -> Result<WebServer, StartError>
where
    R: Fn() -> C + Clone + Send + 'static,
    C: FnOnce(&mut web::ServiceConfig),
{
    let address = port.address;
    let server = HttpServer::new(move || App::new().configure(routes()))
        .workers(if many { PUBLISHER_WORKERS } else { 1 })
        .on_connect(weft_ingest::on_connect)
        .client_request_timeout(read_timeout)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(port.listener)
        .map_err(|source| StartError::Bind {
            protocol: "TCP",
            address,
            key: "webrtcAddress",
            flag: "--webrtc",
            source,
        })?
        .run();
    Ok(WebServer {
        handle: server.handle(),
        server,
    })
}
