//! What the shards need to be told: where to listen, which addresses to offer, how much to take on.
//! Reading it from a file is `weft-config`'s business.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Settings of all shards.
#[derive(Debug, Clone)]
pub struct RtcConfig {
    /// UDP address of shard 0; shard k takes the port + k. Port 0: the system picks one for each.
    pub udp_address: SocketAddr,
    /// TCP address of all peers, for clients whose network blocks UDP; `None`: no TCP.
    pub tcp_address: Option<SocketAddr>,
    /// Most TCP connections at once, those without a check yet included.
    pub tcp_connections: usize,
    /// How many shards, each a thread; at least 1.
    pub shards: usize,
    /// With an unspecified address in `udp_address`: offer the addresses of all interfaces.
    pub ips_from_interfaces: bool,
    /// Of these interfaces only, where any is named.
    pub interfaces: Vec<String>,
    /// Addresses or DNS names offered besides, for servers behind NAT.
    pub additional_hosts: Vec<String>,
    /// Where the DTLS certificate is kept between runs; `None`: a new one each run.
    pub certificate_pem: Option<PathBuf>,
    /// How long a peer may take from its answer to DTLS being up.
    pub handshake_timeout: Duration,
    /// Most peers of one shard that are not connected yet.
    pub max_pending: usize,
    /// Most peers of one shard.
    pub max_peers: usize,
    /// Kernel receive buffer of each socket, in bytes.
    pub receive_buffer: usize,
    /// The most a publisher is told to send, in bits per second.
    pub max_bitrate: u32,
    /// What may change while the node runs: how many connections an address may have.
    pub settings: weft_config::Live,
}

impl Default for RtcConfig {
    fn default() -> Self {
        Self {
            udp_address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8189)),
            tcp_address: None,
            tcp_connections: 4096,
            shards: 1,
            ips_from_interfaces: true,
            interfaces: Vec::new(),
            additional_hosts: Vec::new(),
            certificate_pem: None,
            handshake_timeout: Duration::from_secs(10),
            max_pending: 128,
            max_peers: 1024,
            receive_buffer: 4 * 1024 * 1024,
            max_bitrate: 8_000_000,
            settings: weft_config::Live::default(),
        }
    }
}
