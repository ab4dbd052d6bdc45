//! Which of this host's addresses leads to another host; no packet is sent to find it out.
//! What the address is used for is its users' business.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use url::Url;

/// A name server that takes longer than this is not waited for.
const RESOLVE: Duration = Duration::from_secs(2);

/// The local address towards `host:port`; `None` when the host has no address or there is no way to it.
pub(crate) async fn towards(host_port: &str) -> Option<IpAddr> {
    let found = tokio::time::timeout(RESOLVE, tokio::net::lookup_host(host_port)).await;
    found.ok()?.ok()?.find_map(local)
}

/// The same towards the host of a URL.
pub(crate) async fn towards_url(url: &str) -> Option<IpAddr> {
    let url = Url::parse(url).ok()?;
    let port = url.port_or_known_default()?;
    towards(&format!("{}:{port}", url.host_str()?)).await
}

fn local(server: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if server.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(server).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn towards_this_host_it_is_loopback() {
        assert_eq!(
            towards_url("http://127.0.0.1:8889/cam/whip").await,
            Some(Ipv4Addr::LOCALHOST.into())
        );
        assert_eq!(towards("nobody.invalid:1").await, None);
    }
}
