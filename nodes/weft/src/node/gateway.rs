//! The node as the exam gateway on its WebRTC port sees it: whether it is well, and where its streams are read.
//! What the gateway's URLs mean is `weft-gateway`'s business.

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
    /// The bound port of this node's own RTSP.
    pub(crate) rtsp_port: Option<u16>,
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
        if self.rtsp_port.is_none() && self.elsewhere().is_none() {
            problems.push("no node that serves readers is known: start one with \"weft egress\"".to_owned());
        }
        problems
    }

    fn rtsp(&self, host: &str) -> Option<String> {
        let authority = match self.rtsp_port {
            Some(port) => {
                let config = self.settings.now();
                let host = config.fabric.advertised_host.as_deref().unwrap_or(host);
                host_port(host.trim_start_matches('[').trim_end_matches(']'), port)
            }
            None => self.elsewhere()?,
        };
        Some(format!("rtsp://{authority}"))
    }

    fn allow_origins(&self) -> Vec<String> {
        self.settings.now().allow_origins.webrtc.clone()
    }
}
