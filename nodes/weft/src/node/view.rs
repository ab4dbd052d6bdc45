//! The node as its control face sees it: hubs, sessions and counters of its parts, and whether it wants work.
//! How this is shown is `weft-control`'s business.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use weft_bus::{Bus, BusState};
use weft_control::{HubLine, Identity, NodeView, ReaderLine, SessionKind, SessionLine};
use weft_egress::{Egress, HubView};
use weft_ingest::Ingest;
use weft_rtc::Shards;

/// What the running node and its view share.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The node has begun to shut down.
    pub(crate) draining: AtomicBool,
}

/// Handles of all parts.
pub(crate) struct View {
    pub(crate) identity: Identity,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) ingest: Option<(Shards, Ingest)>,
    pub(crate) egress: Option<(Egress, weft_rtsp_server::Handle)>,
    pub(crate) state: Arc<State>,
}

/// What an RTSP reader is called in the API.
const RTSP_SESSION: &str = "rtspSession";

/// The hub's own count of bytes sent to readers, those that have left included.
const HUB_BYTES: &str = "weft_egress_rtp_bytes_sent_total";

impl NodeView for View {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.state.draining.load(Relaxed) {
            problems.push("the node is shutting down".to_owned());
        }
        if *self.bus.state().borrow() == BusState::Away {
            problems.push("the bus is away; waiting for a NATS server".to_owned());
        }
        problems
    }

    fn hubs(&self) -> Vec<HubLine> {
        let hubs = self.egress.as_ref().map(|(egress, _)| egress.hubs());
        hubs.unwrap_or_default()
            .into_iter()
            .filter(|hub| !hub.readers.is_empty() || hub.ready)
            .map(line)
            .collect()
    }

    fn sessions(&self) -> BoxFuture<'_, Vec<SessionLine>> {
        async {
            let mut lines = Vec::new();
            if let Some((_, ingest)) = &self.ingest {
                lines.extend(ingest.sessions().await.into_iter().map(publisher));
            }
            if let Some((_, rtsp)) = &self.egress {
                lines.extend(rtsp.sessions().into_iter().map(reader));
            }
            lines
        }
        .boxed()
    }

    fn counters(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
        self.bus.counters().each(visit);
        if let Some((shards, ingest)) = &self.ingest {
            shards.counters().each(visit);
            ingest.counters().each(visit);
        }
        if let Some((egress, rtsp)) = &self.egress {
            egress.counters().each(visit);
            rtsp.counters().each(visit);
        }
    }
}

fn line(hub: HubView) -> HubLine {
    HubLine {
        stream: hub.stream,
        bytes_sent: hub
            .counters
            .iter()
            .find(|(name, _)| *name == HUB_BYTES)
            .map_or(0, |(_, bytes)| *bytes),
        readers: hub
            .readers
            .iter()
            .map(|r| ReaderLine {
                kind: RTSP_SESSION,
                id: r.id.to_string(),
            })
            .collect(),
    }
}

fn publisher(session: weft_ingest::SessionView) -> SessionLine {
    SessionLine {
        kind: SessionKind::WebRtc,
        id: session.id.to_string(),
        state: "publish",
        path: session.stream.to_string(),
        remote: session.remote.map(|r| r.to_string()).unwrap_or_default(),
        inbound_bytes: session.inbound_bytes,
        inbound_packets: session.inbound_packets,
        inbound_lost: session.inbound_packets_lost,
        outbound_bytes: 0,
        outbound_packets: 0,
    }
}

fn reader(session: weft_rtsp_server::SessionView) -> SessionLine {
    SessionLine {
        kind: SessionKind::Rtsp,
        id: session.id.to_string(),
        state: session.state,
        path: session.path,
        remote: session.remote_addr.to_string(),
        inbound_bytes: 0,
        inbound_packets: 0,
        inbound_lost: 0,
        outbound_bytes: session.bytes_sent,
        outbound_packets: session.packets_sent,
    }
}
