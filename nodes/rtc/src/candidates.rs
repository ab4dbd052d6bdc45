//! Which addresses are offered as host candidates (RFC 8445 §5.1.1, RFC 6544 §5.1): those that are bound, or those of the
//! interfaces, and the additional hosts. The core is told of one address only; all of these lead to the same sockets.

use crate::RtcConfig;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// How long the list is good before interfaces and DNS are asked again.
const LIFETIME: Duration = Duration::from_secs(10);
/// How long a DNS name may take; a slow one is left out of this answer.
const DNS_TIMEOUT: Duration = Duration::from_secs(1);
/// Most addresses in an answer, by each transport.
const MOST: usize = 16;

/// The addresses to offer, kept for a short while.
#[derive(Debug)]
pub(crate) struct Candidates {
    /// Where datagrams are taken.
    udp: IpAddr,
    /// Where connections are taken, if they are.
    tcp: Option<IpAddr>,
    from_interfaces: bool,
    interfaces: Vec<String>,
    additional: Vec<String>,
    kept: Mutex<Option<(Instant, Known)>>,
}

/// What was found the last time.
#[derive(Debug, Clone, Default)]
struct Known {
    additional: Vec<IpAddr>,
    interfaces: Vec<IpAddr>,
}

impl Candidates {
    /// `udp` and `tcp` as the sockets are bound.
    pub(crate) fn new(config: &RtcConfig, udp: IpAddr, tcp: Option<IpAddr>) -> Self {
        Self {
            udp,
            tcp,
            from_interfaces: config.ips_from_interfaces,
            interfaces: config.interfaces.clone(),
            additional: config.additional_hosts.clone(),
            kept: Mutex::new(None),
        }
    }

    /// The candidates as an answer writes them, the most useful first, UDP before TCP: some publishers try no other than
    /// the first. `reached_at`: the address the client has already reached us at, if known. `ports`: of UDP and TCP.
    pub(crate) async fn offer(&self, reached_at: Option<IpAddr>, ports: (u16, Option<u16>)) -> Vec<String> {
        let udp = self.list(reached_at, self.udp).await;
        let mut offered: Vec<String> = (udp.iter().enumerate())
            .map(|(i, ip)| value(i, *ip, ports.0))
            .collect();
        if let (Some(bound), Some(port)) = (self.tcp, ports.1) {
            let tcp = self.list(reached_at, bound).await;
            offered.extend((tcp.iter().enumerate()).map(|(i, ip)| passive(udp.len(), i, *ip, port)));
        }
        offered
    }

    /// The addresses that lead to a socket bound so. IPv4 first, unless the client has reached us by IPv6; loopback last,
    /// and not at all for clients known to be elsewhere.
    async fn list(&self, reached_at: Option<IpAddr>, bound: IpAddr) -> Vec<IpAddr> {
        let known = self.known().await;
        let mut own = if bound.is_unspecified() {
            known.interfaces
        } else {
            vec![bound]
        };
        let v6_first = reached_at.is_some_and(|ip| ip.is_ipv6());
        own.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6() != v6_first));
        let elsewhere = reached_at.is_some_and(|ip| !ip.is_loopback());
        let mut list = known.additional;
        if bound.is_unspecified() && elsewhere && (!list.is_empty() || own.iter().any(|ip| !ip.is_loopback()))
        {
            own.retain(|ip| !ip.is_loopback());
        }
        list.extend(own);
        let mut seen = Vec::new();
        for ip in list {
            let fits = ip.is_ipv4() || bound.is_ipv6();
            if fits && !ip.is_unspecified() && !ip.is_multicast() && !seen.contains(&ip) {
                seen.push(ip);
            }
        }
        if let Some(i) = reached_at.and_then(|at| seen.iter().position(|ip| *ip == at)) {
            seen[..=i].rotate_right(1);
        }
        seen.truncate(MOST);
        seen
    }

    async fn known(&self) -> Known {
        let now = Instant::now();
        let kept = self.kept.lock().ok().and_then(|k| k.clone());
        match kept {
            Some((at, known)) if now - at < LIFETIME => known,
            _ => {
                let known = Known {
                    additional: self.resolve().await,
                    interfaces: self.own(),
                };
                if let Ok(mut kept) = self.kept.lock() {
                    *kept = Some((now, known.clone()));
                }
                known
            }
        }
    }

    async fn resolve(&self) -> Vec<IpAddr> {
        let mut list = Vec::new();
        for host in &self.additional {
            // An IPv6 address may stand in brackets, as in URLs.
            let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
            if let Ok(ip) = bare.unwrap_or(host).parse() {
                list.push(ip);
                continue;
            }
            match tokio::time::timeout(DNS_TIMEOUT, tokio::net::lookup_host((&**host, 0))).await {
                Ok(Ok(found)) => list.extend(found.map(|a| a.ip())),
                Ok(Err(error)) => tracing::warn!(%host, %error, "additional host left out of the answer"),
                Err(_) => tracing::warn!(%host, "additional host left out of the answer: DNS is slow"),
            }
        }
        list
    }

    fn own(&self) -> Vec<IpAddr> {
        if !self.from_interfaces {
            return Vec::new();
        }
        match if_addrs::get_if_addrs() {
            Ok(interfaces) => (interfaces.iter())
                .filter(|i| self.interfaces.is_empty() || self.interfaces.contains(&i.name))
                .map(if_addrs::Interface::ip)
                .filter(|ip| usable(*ip))
                .collect(),
            Err(error) => {
                tracing::warn!(%error, "cannot list the network interfaces");
                vec![IpAddr::from([127, 0, 0, 1])]
            }
        }
    }
}

/// Link-local IPv6 addresses mean nothing without their interface.
fn usable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => ip == Ipv6Addr::LOCALHOST || !ip.is_unicast_link_local(),
    }
}

/// Priority of a host candidate (RFC 8445 §5.1.2.1).
fn priority(kind: u32, local: u32) -> u32 {
    (kind << 24) | (local << 8) | 255
}

/// The `a=` value of the candidate at place `i` of the list, component 1 over UDP (RFC 8839 §5.1).
pub(crate) fn value(i: usize, ip: IpAddr, port: u16) -> String {
    const HOST_TYPE: u32 = 126;
    let local = 65_535 - u32::try_from(i.min(65_535)).unwrap_or(65_535);
    let priority = priority(HOST_TYPE, local);
    format!("candidate:{} 1 udp {priority} {ip} {port} typ host", i + 1)
}

/// The same over TCP, where the client opens the connection (RFC 6544 §4.5); `after` others. Whatever goes by UDP is
/// better, by a relay's as well: a lost packet holds up no other there.
pub(crate) fn passive(after: usize, i: usize, ip: IpAddr, port: u16) -> String {
    /// As browsers have it for their own.
    const TCP_HOST_TYPE: u32 = 90;
    /// RFC 6544 §4.2: the direction in the upper 3 bits, 4 for passive.
    const PASSIVE: u32 = 4 << 13;
    let other = 8191 - u32::try_from(i.min(8191)).unwrap_or(8191);
    let priority = priority(TCP_HOST_TYPE, PASSIVE + other);
    let foundation = after + i + 1;
    format!("candidate:{foundation} 1 tcp {priority} {ip} {port} typ host tcptype passive")
}

/// True for a candidate written by [`passive`].
pub(crate) fn is_tcp(candidate: &str) -> bool {
    candidate.split(' ').nth(2) == Some("tcp")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn candidates(bound: &str, hosts: &[&str]) -> Candidates {
        let config = RtcConfig {
            additional_hosts: hosts.iter().map(|h| (*h).to_owned()).collect(),
            ..RtcConfig::default()
        };
        Candidates::new(&config, ip(bound), None)
    }

    /// Of a host with these interfaces.
    fn on(bound: &str, interfaces: &[&str]) -> Candidates {
        let c = candidates(bound, &[]);
        let known = Known {
            additional: Vec::new(),
            interfaces: interfaces.iter().map(|i| ip(i)).collect(),
        };
        *c.kept.lock().expect("not poisoned") = Some((Instant::now(), known));
        c
    }

    async fn list(c: &Candidates, reached_at: Option<&str>) -> Vec<String> {
        let list = c.list(reached_at.map(ip), c.udp).await;
        list.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn a_bound_address_is_offered_alone_with_the_additional_hosts() {
        let c = candidates(
            "127.0.0.1",
            &["203.0.113.7", "2001:db8::1", "no.such.host.invalid"],
        );
        assert_eq!(list(&c, None).await, ["203.0.113.7", "127.0.0.1"]);
        assert_eq!(list(&c, Some("127.0.0.1")).await[0], "127.0.0.1");
        let c = candidates("::1", &["[2001:db8::1]"]);
        assert_eq!(list(&c, Some("::1")).await, ["::1", "2001:db8::1"]);
    }

    #[tokio::test]
    async fn an_unspecified_address_offers_every_interface_and_loopback_last() {
        let list = list(&candidates("0.0.0.0", &[]), None).await;
        assert_eq!(list.last().map(String::as_str), Some("127.0.0.1"));
        assert!(list.iter().all(|ip| ip.parse::<std::net::Ipv4Addr>().is_ok()));
    }

    #[tokio::test]
    async fn both_families_are_offered_once_the_one_that_the_client_came_by_first() {
        let host = [
            "127.0.0.1",
            "::1",
            "2001:db8::2",
            "192.0.2.2",
            "fd00::2",
            "192.0.2.2",
        ];
        let c = on("::", &host);
        let came_by = |at: &'static str| list(&c, Some(at));
        assert_eq!(
            came_by("192.0.2.2").await,
            ["192.0.2.2", "2001:db8::2", "fd00::2"]
        );
        assert_eq!(came_by("fd00::2").await, ["fd00::2", "2001:db8::2", "192.0.2.2"]);
        // Behind a router it is known by none of ours.
        assert_eq!(came_by("198.51.100.9").await[0], "192.0.2.2");
        let local = came_by("::1").await;
        assert_eq!((local.len(), &*local[0]), (5, "::1"));
        assert_eq!(
            list(&on("0.0.0.0", &host), Some("192.0.2.2")).await,
            ["192.0.2.2"]
        );
        assert_eq!(
            list(&on("::", &["127.0.0.1"]), Some("198.51.100.9")).await,
            ["127.0.0.1"]
        );
    }

    #[tokio::test]
    async fn only_the_named_interfaces_are_offered() {
        let config = |interface: &str| RtcConfig {
            interfaces: vec![interface.to_owned()],
            ..RtcConfig::default()
        };
        let of = |interface| Candidates::new(&config(interface), ip("0.0.0.0"), None);
        assert_eq!(list(&of("lo"), None).await, ["127.0.0.1"]);
        assert!(list(&of("none-of-these"), None).await.is_empty());
    }

    #[tokio::test]
    async fn tcp_comes_after_udp_with_a_lower_priority() {
        let mut c = on("::", &["192.0.2.2", "2001:db8::2"]);
        c.tcp = Some(ip("0.0.0.0"));
        let offered = c.offer(None, (8189, Some(8190))).await;
        assert_eq!(
            offered,
            [
                "candidate:1 1 udp 2130706431 192.0.2.2 8189 typ host",
                "candidate:2 1 udp 2130706175 2001:db8::2 8189 typ host",
                "candidate:3 1 tcp 1520435199 192.0.2.2 8190 typ host tcptype passive",
            ]
        );
        assert!(is_tcp(&offered[2]) && !is_tcp(&offered[0]));
    }
}
