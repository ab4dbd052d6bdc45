//! Where clients are told to reach this node: the addresses of its lease, to which other nodes send publishers and readers.
//! Binding them was `build`'s business; whether a name server knows the host is the operator's.

use super::{Addresses, addresses};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use weft_config::Config;
use weft_wire::NodeAddresses;

/// The port of NATS where none is written.
const NATS_PORT: u16 = 4222;

/// What the lease says: by `fabric.advertisedHost`, else the address that was bound, else the first of
/// `webrtcAdditionalHosts`, else the address this host has towards the first NATS server, else loopback.
pub(crate) async fn addresses(config: &Config, bound: &Addresses) -> NodeAddresses {
    let given = config.fabric.advertised_host.as_deref();
    let all = [bound.webrtc, bound.ice, bound.rtsp, bound.hls, bound.api];
    let open = all.into_iter().flatten().any(|a| a.ip().is_unspecified());
    let fallback = match config.webrtc_additional_hosts.first() {
        Some(host) => host.clone(),
        None if given.is_none() && open => towards(&config.fabric.nats.servers).await.to_string(),
        None => String::new(),
    };
    let of = |address: Option<SocketAddr>| address.map_or_else(String::new, |a| told(given, a, &fallback));
    NodeAddresses {
        webrtc: of(bound.webrtc),
        ice: of(bound.ice),
        rtsp: of(bound.rtsp),
        api: of(bound.api),
        hls: of(bound.hls),
    }
}

fn told(given: Option<&str>, bound: SocketAddr, fallback: &str) -> String {
    let ip = bound.ip();
    let specific = (!ip.is_unspecified()).then(|| ip.to_canonical().to_string());
    let host = given.map(str::to_owned).or(specific);
    addresses::host_port(host.as_deref().unwrap_or(fallback), bound.port())
}

/// The address this host has towards the first server; no packet is sent to find it out.
async fn towards(servers: &[String]) -> IpAddr {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let Some(server) = servers.first() else {
        return loopback;
    };
    let host = server
        .rsplit_once("://")
        .map_or(server.as_str(), |(_, host)| host);
    let port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.ends_with(']'));
    let host = if port {
        host.to_owned()
    } else {
        format!("{host}:{NATS_PORT}")
    };
    let local = crate::local_ip::towards(&host).await;
    local.unwrap_or_else(|| {
        tracing::warn!(
            %host,
            "this host's address towards the NATS server is not known; set fabric.advertisedHost, or clients on other hosts \
             are sent to 127.0.0.1"
        );
        loopback
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, "test").unwrap()
    }

    fn bound(rtsp: &str) -> Addresses {
        Addresses {
            webrtc: Some("127.0.0.2:8889".parse().unwrap()),
            rtsp: Some(rtsp.parse().unwrap()),
            ..Addresses::default()
        }
    }

    async fn said(text: &str, rtsp: &str) -> (String, String) {
        let addresses = addresses(&config(text), &bound(rtsp)).await;
        assert_eq!((addresses.ice, addresses.api), (String::new(), String::new()));
        (addresses.webrtc, addresses.rtsp)
    }

    #[tokio::test]
    async fn the_host_that_is_given_stands_above_all() {
        let text = "webrtcAdditionalHosts: [192.0.2.1]\nfabric: {advertisedHost: 'fd00::7'}\n";
        let (webrtc, rtsp) = said(text, "[::]:8554").await;
        assert_eq!((&*webrtc, &*rtsp), ("[fd00::7]:8889", "[fd00::7]:8554"));
    }

    #[tokio::test]
    async fn an_address_that_was_bound_stands_above_what_is_found_out() {
        let text = "webrtcAdditionalHosts: [media.example]\n";
        let (webrtc, rtsp) = said(text, "0.0.0.0:8554").await;
        assert_eq!((&*webrtc, &*rtsp), ("127.0.0.2:8889", "media.example:8554"));
    }

    #[tokio::test]
    async fn without_anything_given_it_is_the_address_towards_nats_or_loopback() {
        for nats in [
            "nats://127.0.0.1:4222",
            "nats://127.0.0.1",
            "nats://nobody.invalid:4222",
        ] {
            let text = format!("fabric: {{nats: {{servers: ['{nats}']}}}}\n");
            assert_eq!(said(&text, "[::]:8554").await.1, "127.0.0.1:8554", "{nats}");
        }
        let six = "fabric: {nats: {servers: ['nats://[::1]:4222']}}\n";
        let rtsp = said(six, "[::]:8554").await.1;
        assert!(rtsp == "[::1]:8554" || rtsp == "127.0.0.1:8554", "{rtsp}");
        assert_eq!(said("", "[::]:8554").await.1, "127.0.0.1:8554");
    }
}
