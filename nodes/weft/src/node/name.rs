//! Who a node is: its name, taken from the host where none is given, and the number of this run.
//! That no two nodes share a name is the registry's business.

use std::time::SystemTime;
use weft_wire::{Incarnation, NodeName};

/// Letters of a host's name that are kept; the random part and the rest of an escaped name need room too.
const HOST_LETTERS: usize = 40;

/// The name in the configuration, or the host's name with a random part: two nodes on one host must differ.
pub(crate) fn of_node(configured: Option<NodeName>) -> NodeName {
    configured.unwrap_or_else(|| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        from_host(&host, rand::random())
    })
}

fn from_host(host: &str, random: u16) -> NodeName {
    let host: String = host
        .trim()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(HOST_LETTERS)
        .collect();
    let host = if host.is_empty() { "node" } else { &host };
    NodeName::new(format!("{host}-{random:04x}")).expect("letters, digits and dashes make a name")
}

/// Differs for every run of a node: the time it started, µs since 1970.
pub(crate) fn incarnation(started: SystemTime) -> Incarnation {
    let since = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Incarnation(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_host_name_makes_a_node_name() {
        assert_eq!(from_host("web-1.example\n", 0xab).as_str(), "web-1-example-00ab");
        assert_eq!(from_host("", 1).as_str(), "node-0001");
        assert!(from_host(&"ü".repeat(300), 1).as_str().len() < 50);
    }
}
