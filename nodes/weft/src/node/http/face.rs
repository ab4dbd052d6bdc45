//! What a port's connections and requests have in common: its settings, its limits, what is counted.
//! A face with a plain port and a TLS port counts both together.

use super::admission;
use super::counters::Counters;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use weft_config::{Config, IpRule, Live, TrustedProxies};
use weft_limits::{Bounds, Door, Rates};
use weft_tls::Acceptor;

/// One face of a node over HTTP; cheap to clone.
#[derive(Clone)]
pub(crate) struct Face {
    key: &'static str,
    settings: Live,
    proxies: fn(&TrustedProxies) -> &[IpRule],
    origins: fn(&Config) -> &[String],
    pub(super) door: Door,
    pub(super) rates: Arc<Rates>,
    pub(super) counters: Arc<Counters>,
    pub(super) acceptor: Option<Acceptor>,
    pub(super) secure_port: Option<u16>,
    pub(super) refusing: Arc<Semaphore>,
}

impl Face {
    /// A plain one. `key` is the configuration's name of its address.
    pub(crate) fn new(
        key: &'static str,
        settings: Live,
        counters: Arc<Counters>,
        proxies: fn(&TrustedProxies) -> &[IpRule],
        origins: fn(&Config) -> &[String],
    ) -> Self {
        Self {
            key,
            settings,
            proxies,
            origins,
            door: Door::default(),
            rates: Arc::default(),
            counters,
            acceptor: None,
            secure_port: None,
            refusing: Arc::new(Semaphore::new(admission::REFUSING)),
        }
    }

    /// The same over TLS, where an acceptor is given.
    pub(crate) fn secured(&self, acceptor: Option<Acceptor>) -> Self {
        Self {
            acceptor,
            ..self.clone()
        }
    }

    /// The same, which sends whoever asks for a page to this TLS port.
    pub(crate) fn beside(self, secure_port: Option<u16>) -> Self {
        Self { secure_port, ..self }
    }

    /// True where it speaks TLS itself.
    pub(crate) fn is_secure(&self) -> bool {
        self.acceptor.is_some()
    }

    pub(super) fn key(&self) -> &'static str {
        self.key
    }

    pub(super) fn now(&self) -> Arc<Config> {
        self.settings.now()
    }

    pub(super) fn bounds(&self, config: &Config) -> Bounds {
        let limits = &config.fabric.limits;
        Bounds {
            total: limits.http_connections,
            per_address: limits.connections_per_address,
        }
    }

    /// Whose word about the client's address is believed here.
    pub(super) fn proxies<'a>(&self, config: &'a Config) -> &'a [IpRule] {
        (self.proxies)(&config.trusted_proxies)
    }

    pub(super) fn trusts(&self, config: &Config, ip: IpAddr) -> bool {
        self.proxies(config).iter().any(|rule| rule.contains(ip))
    }

    /// True when pages of every site may read what is answered here.
    pub(super) fn is_open_to_pages(&self, config: &Config) -> bool {
        (self.origins)(config).iter().any(|origin| origin == "*")
    }
}
