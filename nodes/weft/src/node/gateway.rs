//! The node as the exam gateway on its WebRTC port sees it: whether it is well, and where its streams are read.
//! What the gateway's URLs mean is `weft-gateway`'s business.

use super::Addresses;
use super::addresses::host_port;
use rand::seq::IteratorRandom;
use std::sync::Arc;
use weft_bus::Members;
use weft_config::Live;
use weft_control::NodeView;
use weft_gateway::Host;
use weft_wire::NodeRole;

/// What the gateway asks.
pub(crate) struct Inside {
    pub(crate) view: Arc<dyn NodeView>,
    pub(crate) members: Members,
    pub(crate) settings: Live,
    /// Scheme and port of this node's own RTSP.
    pub(crate) readers: Option<(&'static str, u16)>,
}

/// Scheme and port at which a node with these addresses serves readers.
pub(crate) fn readers(addresses: &Addresses) -> Option<(&'static str, u16)> {
    let plain = addresses.rtsp.map(|address| ("rtsp", address.port()));
    plain.or_else(|| addresses.rtsps.map(|address| ("rtsps", address.port())))
}

impl Inside {
    /// The address at which some other node serves readers. Each serves every stream; one at random, so that readers are
    /// spread.
    fn elsewhere(&self) -> Option<String> {
        let view = self.members.view();
        let records = view.nodes.values().map(|seen| &seen.record);
        let serving = records.filter(|record| {
            let serves = matches!(record.role, NodeRole::Egress | NodeRole::Standalone);
            serves && !record.draining && !record.addresses.rtsp.is_empty()
        });
        let one = serving.choose(&mut rand::rng())?;
        Some(one.addresses.rtsp.clone())
    }
}

impl Host for Inside {
    fn name(&self) -> String {
        self.view.identity().name.to_string()
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = self.view.problems();
        if self.readers.is_none() && self.elsewhere().is_none() {
            problems.push("no node that serves readers is known: start one with \"weft egress\"".to_owned());
        }
        problems
    }

    fn rtsp(&self, host: &str) -> Option<String> {
        let Some((scheme, port)) = self.readers else {
            return Some(format!("rtsp://{}", self.elsewhere()?));
        };
        let config = self.settings.now();
        let host = config.fabric.advertised_host.as_deref().unwrap_or(host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(format!("{scheme}://{}", host_port(host, port)))
    }

    fn allow_origins(&self) -> Vec<String> {
        self.settings.now().allow_origins.webrtc.clone()
    }
}
