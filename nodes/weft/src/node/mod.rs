//! A node: bus, ingest, egress, RTSP server, control face and their ports, put together in one order and taken down in
//! the reverse one. Each part's work is its own; tests build nodes as the program does.

mod addresses;
mod advertise;
mod build;
mod bus;
mod drain;
mod elsewhere;
mod error;
mod gateway;
mod greeting;
mod http;
mod join;
mod lag;
mod late;
mod meter;
mod name;
mod page;
mod report;
mod run;
mod service;
mod settings;
mod state;
mod tls;
mod view;
mod watch;
mod whole;

pub use addresses::Addresses;
pub use error::StartError;

pub(crate) use http::Port;
use http::WebServer;
use std::sync::Arc;
use weft_bus::{Bus, Keeper, Members};
use weft_config::{Config, Faces};
use weft_control::Identity;
use weft_egress::Egress;
use weft_ingest::Ingest;
use weft_rtc::Shards;

/// Which part of the fabric a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ingest and egress over the in-process bus.
    Standalone,
    /// Publishers only.
    Ingest,
    /// Readers only.
    Egress,
}

impl Role {
    /// The word for it in API, logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Ingest => "ingest",
            Self::Egress => "egress",
        }
    }

    /// True where publishers send to.
    pub(crate) fn takes_publishers(self) -> bool {
        self != Self::Egress
    }

    /// True where readers read from.
    pub(crate) fn serves_readers(self) -> bool {
        self != Self::Ingest
    }

    /// Which ports it opens.
    #[must_use]
    pub fn faces(self) -> Faces {
        match self {
            Self::Standalone => Faces::Both,
            Self::Ingest => Faces::Publishers,
            Self::Egress => Faces::Readers,
        }
    }
}

/// A node with its ports bound; serves while it runs.
pub struct Node {
    config: Config,
    identity: Identity,
    addresses: Addresses,
    bus: Arc<dyn Bus>,
    members: Members,
    keeper: Option<Keeper>,
    shards: Shards,
    ingest: Option<Ingest>,
    egress: Option<EgressPart>,
    web: Vec<WebServer>,
    state: Arc<state::State>,
    hooks: weft_hooks::Hooks,
    /// Where a changed configuration is told to every part.
    settings: tokio::sync::watch::Sender<Arc<Config>>,
    /// Who changes it; `None`: it is fixed.
    changes: Option<settings::Settings>,
    tls: tls::Tls,
}

struct EgressPart {
    egress: Egress,
    server: weft_rtsp_server::Server,
}

impl Node {
    /// Its name in the fabric.
    #[must_use]
    pub fn name(&self) -> &weft_wire::NodeName {
        &self.identity.name
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Where publishers of a stream post their offers, from this host; `None` without the ingest role.
    #[must_use]
    pub fn whip_url(&self, stream: &str) -> Option<String> {
        self.ingest.as_ref()?;
        let address = self.addresses.webrtc?;
        Some(format!("http://{}/{stream}/whip", addresses::from_here(address)))
    }
}
