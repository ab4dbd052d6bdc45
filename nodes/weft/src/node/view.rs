//! The node as its control face sees it: sessions and counters of its parts, and whether it wants work.
//! How this is shown is `weft-control`'s business.

use super::state::State;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use weft_bus::{Bus, BusState};
use weft_control::{Identity, NodeView, SessionKind, SessionLine};
use weft_egress::{Egress, Hls, Whep};
use weft_histogram::Histogram;
use weft_ingest::Ingest;
use weft_rtc::Shards;

/// Handles of all parts.
pub(crate) struct View {
    pub(crate) identity: Identity,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) shards: Shards,
    pub(crate) ingest: Option<Ingest>,
    pub(crate) egress: Option<(Egress, weft_rtsp_server::Handle)>,
    pub(crate) hls: Option<Hls>,
    pub(crate) whep: Option<Whep>,
    pub(crate) state: Arc<State>,
    pub(crate) http: Arc<super::http::Counters>,
    pub(crate) tls: Arc<weft_tls::Counters>,
    pub(crate) gate: weft_auth::Gate,
    pub(crate) hooks: weft_hooks::Hooks,
}

impl NodeView for View {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.state.drain.is_ordered() {
            problems.push("the node is draining and will end".to_owned());
        }
        if *self.bus.state().borrow() == BusState::Away {
            problems.push("the bus is away; waiting for a NATS server".to_owned());
        }
        problems
    }

    fn sessions(&self) -> BoxFuture<'_, Vec<SessionLine>> {
        async {
            let mut lines = Vec::new();
            if let Some(ingest) = &self.ingest {
                lines.extend(ingest.sessions().await.into_iter().map(publisher));
            }
            if let Some((egress, rtsp)) = &self.egress {
                lines.extend(egress.hubs().iter().flat_map(watchers));
                lines.extend(rtsp.sessions().into_iter().map(reader));
            }
            lines
        }
        .boxed()
    }

    fn counters(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
        crate::logging::counters(visit);
        crate::traces::counters(visit);
        self.bus.counters().each(visit);
        self.http.each(visit);
        self.tls.each(visit);
        self.gate.counters(visit);
        self.hooks.counters(visit);
        self.shards.counters().each(visit);
        if let Some(ingest) = &self.ingest {
            ingest.counters().each(visit);
        }
        visit(
            "weft_rtc_commands_waiting",
            "Orders to WebRTC peers that no loop has carried out yet.",
            self.shards.commands_waiting() as u64,
        );
        if let Some((egress, rtsp)) = &self.egress {
            let hubs = egress.hubs();
            let readers = || hubs.iter().flat_map(|hub| &hub.readers);
            visit(
                "weft_egress_units_queued",
                "Units that wait in the queues of readers.",
                readers().map(|reader| reader.queued_units as u64).sum(),
            );
            visit(
                "weft_egress_bytes_queued",
                "Bytes of packets that wait in the queues of readers.",
                readers().map(|reader| reader.queued_bytes as u64).sum(),
            );
            egress.counters().each(visit);
            egress.stills().counters().each(visit);
            rtsp.counters().each(visit);
        }
        if let Some(whep) = &self.whep {
            whep.counters(visit);
        }
        if let Some(hls) = &self.hls {
            hls.counters(visit);
        }
    }

    fn histograms(&self, visit: &mut dyn FnMut(&'static str, &'static str, &Histogram)) {
        visit(
            "weft_runtime_lag_seconds",
            "How much later than it was due something ran on the node's runtime, ten times a second; about 1 ms is the timer's own.",
            self.state.lag.histogram(),
        );
        self.shards.counters().histograms(visit);
        if let Some((egress, _)) = &self.egress {
            egress.counters().histograms(visit);
        }
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

/// The readers of a hub over WebRTC.
fn watchers(hub: &weft_egress::HubView) -> Vec<SessionLine> {
    let over_webrtc = hub.readers.iter().filter(|reader| reader.is_webrtc());
    over_webrtc
        .map(|reader| SessionLine {
            kind: SessionKind::WebRtc,
            id: reader.id.to_string(),
            state: "read",
            path: hub.stream.to_string(),
            remote: reader.peer.to_string(),
            inbound_bytes: 0,
            inbound_packets: 0,
            inbound_lost: 0,
            outbound_bytes: reader.bytes,
            outbound_packets: reader.packets,
        })
        .collect()
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
