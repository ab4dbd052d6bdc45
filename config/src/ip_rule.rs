//! Which addresses a rule means: one address or a network, as in `ips: [127.0.0.1, 192.168.1.0/24]`.
//! What follows from a match is decided by whoever holds the rule.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// One address or a network (RFC 4632 for IPv4, RFC 4291 section 2.3 for IPv6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpRule(IpNet);

impl IpRule {
    /// True for an address of it; an IPv4 address that came as IPv6 is taken as itself.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// Neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither an IP address nor a network; write it as '10.1.2.3', '10.1.0.0/16' or 'fd00::/8'")]
pub struct IpRuleError(String);

impl FromStr for IpRule {
    type Err = IpRuleError;

    fn from_str(text: &str) -> Result<Self, IpRuleError> {
        let address = text.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical()));
        address
            .or_else(|_| text.parse::<IpNet>())
            .map(|net| Self(net.trunc()))
            .map_err(|_| IpRuleError(text.to_owned()))
    }
}

impl fmt::Display for IpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

impl Serialize for IpRule {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IpRule {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_match_what_is_in_them_in_either_family() {
        let in_rule = |rule: &str, ip: &str| rule.parse::<IpRule>().unwrap().contains(ip.parse().unwrap());
        assert!(in_rule("127.0.0.1", "127.0.0.1") && in_rule("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(in_rule("192.168.1.7/24", "192.168.1.200") && !in_rule("192.168.1.0/24", "192.168.2.1"));
        assert!(in_rule("fd00::/8", "fd12::1") && !in_rule("::1", "127.0.0.1"));
        assert!(in_rule("0.0.0.0/0", "8.8.8.8") && !in_rule("0.0.0.0/0", "::1"));
        assert!("10.0.0.300".parse::<IpRule>().is_err() && "10.0.0.0/33".parse::<IpRule>().is_err());
    }

    #[test]
    fn a_rule_is_written_back_as_people_write_it() {
        for (text, back) in [
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.9/8", "10.0.0.0/8"),
            ("::1", "::1"),
        ] {
            assert_eq!(text.parse::<IpRule>().unwrap().to_string(), back);
        }
    }
}
