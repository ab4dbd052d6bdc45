//! What the server is told: addresses, time limits, bounds.
//! Where these values come from and what they are called in a file is the configuration's business.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

/// The two UDP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpAddresses {
    /// RTP; port 0: the system picks one; where both are 0, an even one and the successor of that.
    pub rtp: SocketAddr,
    /// RTCP; port 0: the system picks one.
    pub rtcp: SocketAddr,
}

/// A listener that speaks TLS.
#[derive(Clone)]
pub struct TlsListener {
    /// Where; port 0: the system picks one.
    pub address: SocketAddr,
    /// Does the handshakes.
    pub acceptor: weft_tls::Acceptor,
}

impl std::fmt::Debug for TlsListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TlsListener").field(&self.address).finish()
    }
}

/// What the server is told.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The listener; port 0: the system picks one. `None`: TLS alone.
    pub rtsp_address: Option<SocketAddr>,
    /// The listener of TLS (RTSPS), and what it needs.
    pub tls: Option<TlsListener>,
    /// `None`: readers over TCP only.
    pub udp: Option<UdpAddresses>,
    /// How long a connection may say nothing at all at its beginning, and how long a request may take to be completed
    /// or a stream to be found.
    /// Besides `readTimeout` of the settings, which counts for connections made after its change.
    pub read_timeout: Duration,
    /// How long a reader may take nothing of what is written to it.
    /// Besides `writeTimeout`, as above.
    pub write_timeout: Duration,
    /// Silence after which a session over UDP, or one that does not play, ends. Announced to clients.
    pub session_timeout: Duration,
    /// `SO_SNDBUF` of a connection, in bytes: what the system may hide of a reader's lag.
    pub send_buffer: usize,
    /// Most connections at a time, where `settings` do not say less; further ones are refused, and those that have said
    /// nothing make room for them.
    pub max_connections: usize,
    /// What may change while the server runs: challenges, trusted proxies, limits of one address.
    pub settings: weft_config::Live,
    /// What each address has of the node's publishers and readers.
    pub shares: weft_limits::Shares,
    /// Who may read.
    pub gate: weft_auth::Gate,
    /// What is told when connections come and go.
    pub hooks: weft_hooks::Hooks,
}

impl Default for ServerConfig {
    fn default() -> Self {
        let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        Self {
            rtsp_address: Some(any(8554)),
            tls: None,
            udp: Some(UdpAddresses {
                rtp: any(8000),
                rtcp: any(8001),
            }),
            read_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            session_timeout: Duration::from_secs(60),
            // Measured: without it Linux swallows 15 s of a 2 Mbit/s stream before a stopped reader shows; with it 2 s.
            send_buffer: 256 * 1024,
            max_connections: 4096,
            settings: weft_config::Live::default(),
            shares: weft_limits::Shares::default(),
            gate: weft_auth::Gate::open(),
            hooks: weft_hooks::Hooks::none(),
        }
    }
}

/// The time limits of a connection, as they are when it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Of what the client sends.
    pub(crate) read: Duration,
    /// Of what it takes.
    pub(crate) write: Duration,
}

impl ServerConfig {
    pub(crate) fn patience(&self) -> Patience {
        let live = self.settings.now();
        Patience {
            read: self.read_timeout.min(live.read_timeout),
            write: self.write_timeout.min(live.write_timeout),
        }
    }
}
