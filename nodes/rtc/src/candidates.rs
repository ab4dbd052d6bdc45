//! Which addresses are offered as host candidates (RFC 8445 §5.1.1): the socket's own, or those of all interfaces, and
//! the additional hosts. The core is told of one address only; all of these lead to the same socket.

use crate::RtcConfig;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// How long the list is good before interfaces and DNS are asked again.
const LIFETIME: Duration = Duration::from_secs(10);
/// How long a DNS name may take; a slow one is left out of this answer.
const DNS_TIMEOUT: Duration = Duration::from_secs(1);
/// Most candidates in an answer.
const MOST: usize = 16;

/// The addresses to offer, kept for a short while.
#[derive(Debug)]
pub(crate) struct Candidates {
    bound: IpAddr,
    from_interfaces: bool,
    additional: Vec<String>,
    kept: Mutex<Option<(Instant, Vec<IpAddr>)>>,
}

impl Candidates {
    pub(crate) fn new(config: &RtcConfig) -> Self {
        Self {
            bound: config.udp_address.ip(),
            from_interfaces: config.ips_from_interfaces,
            additional: config.additional_hosts.clone(),
            kept: Mutex::new(None),
        }
    }

    /// The addresses, the most useful first: some publishers try no other. `preferred`: the one the publisher has
    /// already reached us at, if known.
    pub(crate) async fn list(&self, preferred: Option<IpAddr>) -> Vec<IpAddr> {
        let now = Instant::now();
        let kept = self.kept.lock().ok().and_then(|k| k.clone());
        let mut list = match kept {
            Some((at, list)) if now - at < LIFETIME => list,
            _ => {
                let list = self.gather().await;
                if let Ok(mut kept) = self.kept.lock() {
                    *kept = Some((now, list.clone()));
                }
                list
            }
        };
        if let Some(preferred) = preferred
            && let Some(i) = list.iter().position(|ip| *ip == preferred)
        {
            list[..=i].rotate_right(1);
        }
        list
    }

    async fn gather(&self) -> Vec<IpAddr> {
        let mut list = Vec::new();
        for host in &self.additional {
            match host.parse() {
                Ok(ip) => list.push(ip),
                Err(_) => {
                    match tokio::time::timeout(DNS_TIMEOUT, tokio::net::lookup_host((&**host, 0))).await {
                        Ok(Ok(found)) => list.extend(found.map(|a| a.ip())),
                        Ok(Err(error)) => {
                            tracing::warn!(%host, %error, "additional host left out of the answer")
                        }
                        Err(_) => {
                            tracing::warn!(%host, "additional host left out of the answer: DNS is slow")
                        }
                    }
                }
            }
        }
        list.extend(self.own());
        let v6_socket = self.bound.is_ipv6();
        let mut seen = Vec::new();
        for ip in list {
            let fits = ip.is_ipv4() || v6_socket;
            if fits && !ip.is_unspecified() && !ip.is_multicast() && !seen.contains(&ip) {
                seen.push(ip);
            }
        }
        seen.truncate(MOST);
        seen
    }

    fn own(&self) -> Vec<IpAddr> {
        if !self.bound.is_unspecified() {
            return vec![self.bound];
        }
        if !self.from_interfaces {
            return Vec::new();
        }
        let mut own: Vec<IpAddr> = match if_addrs::get_if_addrs() {
            Ok(interfaces) => interfaces
                .iter()
                .map(if_addrs::Interface::ip)
                .filter(|ip| usable(*ip))
                .collect(),
            Err(error) => {
                tracing::warn!(%error, "cannot list the network interfaces");
                vec![IpAddr::from([127, 0, 0, 1])]
            }
        };
        own.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
        own
    }
}

/// Link-local IPv6 addresses mean nothing without their interface.
fn usable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => ip == Ipv6Addr::LOCALHOST || !ip.is_unicast_link_local(),
    }
}

/// The `a=` value of the candidate at place `i` of the list, component 1 over UDP (RFC 8839 §5.1).
pub(crate) fn value(i: usize, ip: IpAddr, port: u16) -> String {
    const HOST_TYPE: u32 = 126;
    let local = 65_535 - u32::try_from(i.min(65_535)).unwrap_or(65_535);
    let priority = (HOST_TYPE << 24) | (local << 8) | 255;
    format!("candidate:{} 1 udp {priority} {ip} {port} typ host", i + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(address: &str, hosts: &[&str]) -> RtcConfig {
        RtcConfig {
            udp_address: address.parse().expect("an address"),
            additional_hosts: hosts.iter().map(|h| (*h).to_owned()).collect(),
            ..RtcConfig::default()
        }
    }

    #[tokio::test]
    async fn a_bound_address_is_offered_alone_with_the_additional_hosts() {
        let c = Candidates::new(&config(
            "127.0.0.1:0",
            &["203.0.113.7", "2001:db8::1", "no.such.host.invalid"],
        ));
        let list = c.list(None).await;
        assert_eq!(
            list,
            [
                "203.0.113.7".parse::<IpAddr>().expect("ip"),
                "127.0.0.1".parse().expect("ip")
            ]
        );
        let list = c.list("127.0.0.1".parse().ok()).await;
        assert_eq!(list[0], IpAddr::from([127, 0, 0, 1]));
    }

    #[tokio::test]
    async fn an_unspecified_address_offers_every_interface_and_loopback_last() {
        let list = Candidates::new(&config("0.0.0.0:0", &[])).list(None).await;
        assert_eq!(list.last(), Some(&IpAddr::from([127, 0, 0, 1])));
        assert!(list.iter().all(IpAddr::is_ipv4));
    }

    #[test]
    fn earlier_candidates_have_the_higher_priority() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(
            value(0, ip, 8189),
            "candidate:1 1 udp 2130706431 127.0.0.1 8189 typ host"
        );
        assert_eq!(
            value(1, ip, 8189),
            "candidate:2 1 udp 2130706175 127.0.0.1 8189 typ host"
        );
    }
}
