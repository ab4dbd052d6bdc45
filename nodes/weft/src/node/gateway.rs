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

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use futures::future::BoxFuture;
    use std::time::SystemTime;
    use tokio::sync::watch;
    use tokio::time::Instant;
    use weft_bus::{NodesView, SeenNode};
    use weft_config::Config;
    use weft_control::{Identity, SessionLine};
    use weft_wire::{NodeName, NodeRecord};

    struct Well;

    impl NodeView for Well {
        fn identity(&self) -> Identity {
            Identity {
                name: NodeName::new("n1").unwrap(),
                role: "ingest",
                version: "v",
                started: SystemTime::UNIX_EPOCH,
            }
        }

        fn problems(&self) -> Vec<String> {
            Vec::new()
        }

        fn sessions(&self) -> BoxFuture<'_, Vec<SessionLine>> {
            async { Vec::new() }.boxed()
        }

        fn counters(&self, _visit: &mut dyn FnMut(&'static str, &'static str, u64)) {}

        fn histograms(&self, _: &mut dyn FnMut(&'static str, &'static str, &weft_histogram::Histogram)) {}
    }

    /// A node beside others of these names, roles and RTSP addresses; the last may be draining.
    fn inside(others: &[(&str, NodeRole, &str)], readers: Option<(&'static str, u16)>, text: &str) -> Inside {
        let name = NodeName::new("n1").unwrap();
        let own = Members::alone(name.clone()).own();
        let nodes = others.iter().map(|(other, role, rtsp)| {
            let mut record = NodeRecord {
                role: *role,
                draining: *other == "draining",
                ..own.clone()
            };
            record.addresses.rtsp = (*rtsp).to_owned();
            let heard = Instant::now();
            (NodeName::new(other).unwrap(), SeenNode { record, heard })
        });
        let view = NodesView {
            nodes: nodes.collect(),
            as_of: None,
        };
        Inside {
            view: Arc::new(Well),
            members: Members::seeing(
                name,
                Arc::new(move || own.clone()),
                watch::channel(Arc::new(view)).1,
            ),
            settings: Live::fixed(Config::parse(text, "test").unwrap()),
            readers,
        }
    }

    #[test]
    fn a_node_that_serves_readers_names_itself_as_the_client_calls_it_or_as_it_is_advertised() {
        let node = inside(&[], Some(("rtsp", 8554)), "");
        assert_eq!(node.rtsp("media.example").unwrap(), "rtsp://media.example:8554");
        assert_eq!(node.rtsp("[::1]").unwrap(), "rtsp://[::1]:8554");
        assert_eq!(node.problems(), Vec::<String>::new());
        let node = inside(
            &[],
            Some(("rtsps", 8322)),
            "fabric: {advertisedHost: 192.0.2.7}\n",
        );
        assert_eq!(node.rtsp("media.example").unwrap(), "rtsps://192.0.2.7:8322");
    }

    #[test]
    fn a_node_of_publishers_alone_names_one_that_serves_readers_and_is_not_well_without() {
        let others = [
            ("n1", NodeRole::Ingest, ""),
            ("e1", NodeRole::Egress, "192.0.2.1:8554"),
            ("draining", NodeRole::Egress, "192.0.2.2:8554"),
        ];
        for _ in 0..20 {
            assert_eq!(
                inside(&others, None, "").rtsp("x").unwrap(),
                "rtsp://192.0.2.1:8554"
            );
        }
        let alone = inside(&others[..1], None, "");
        assert_eq!(alone.rtsp("x"), None);
        assert!(alone.problems()[0].contains("weft egress"));
    }
}
