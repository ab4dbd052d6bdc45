//! A listening address as MediaMTX writes it: `:8889`, `127.0.0.1:8889`, `[::]:8889`.
//! Opening it is left to its user.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Where to listen. Port 0 lets the system choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenAddress {
    /// `None`: every address of the host, IPv6 and IPv4.
    pub ip: Option<IpAddr>,
    /// TCP or UDP port.
    pub port: u16,
}

impl ListenAddress {
    /// Every address of the host.
    #[must_use]
    pub const fn port(port: u16) -> Self {
        Self { ip: None, port }
    }

    /// What to bind; `[::]`, to be bound for both families, where every address is meant.
    #[must_use]
    pub fn to_socket_addr(self) -> SocketAddr {
        SocketAddr::new(self.ip.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), self.port)
    }

    /// True when the two cannot be bound at once on one protocol. Port 0 never clashes.
    #[must_use]
    pub fn clashes(self, other: Self) -> bool {
        let wide = |a: Self| a.ip.is_none_or(|ip| ip.is_unspecified());
        self.port != 0 && self.port == other.port && (wide(self) || wide(other) || self.ip == other.ip)
    }
}

/// Not an address of this form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an address to listen on; write it as ':8889', '127.0.0.1:8889' or '[::]:8889'")]
pub struct AddressError(String);

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let ip = match host {
            "" => None,
            "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            host => {
                let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
                Some(bare.unwrap_or(host).parse().map_err(|_| wrong())?)
            }
        };
        if ip.is_some_and(|ip| ip.is_ipv6() && !host.starts_with('[')) {
            return Err(wrong());
        }
        Ok(Self { ip, port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            None => write!(f, ":{}", self.port),
            Some(ip) => SocketAddr::new(ip, self.port).fmt(f),
        }
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_mediamtx_is_read_and_written_back() {
        for text in [":8889", "127.0.0.1:0", "[::]:8554", "[fe80::1]:1"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        assert_eq!(
            "localhost:80".parse::<ListenAddress>().unwrap().to_string(),
            "127.0.0.1:80"
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for bad in [
            "",
            "8889",
            ":",
            ":70000",
            "host.example:1",
            "::1:80",
            "[::1:80",
            "1.2.3:4",
        ] {
            let error = bad.parse::<ListenAddress>().unwrap_err().to_string();
            assert!(error.contains("':8889'"), "{error}");
        }
    }

    #[test]
    fn addresses_clash_only_when_they_cannot_be_bound_together() {
        let at = |t: &str| t.parse::<ListenAddress>().unwrap();
        assert!(at(":80").clashes(at("127.0.0.1:80")));
        assert!(at("10.0.0.1:80").clashes(at("10.0.0.1:80")));
        assert!(!at("10.0.0.1:80").clashes(at("10.0.0.2:80")));
        assert!(!at(":0").clashes(at(":0")));
    }
}
