//! What other nodes ask of this one: an offer taken, a session's URL served, a close, a report in pages, a drain.
//! Each answer is made by the part that knows; a part that this role does not have answers "no" in the question's own terms.

use super::report::page;
use super::state::State;
use super::whole::Whole;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;
use weft_bus::{Bus, NodeReply, NodeRequest, NodeService};
use weft_wire::{
    CloseReply, CloseRequest, DemandReply, DemandRequest, DrainReply, DrainRequest, NodeName, NodeReport,
    OfferReply, OfferRequest, ReportRequest, ResourceReply, ResourceRequest,
};

/// How soon the questions are offered to be answered again when the bus did not take them.
const AGAIN: Duration = Duration::from_secs(1);

/// Answers for this node.
pub(crate) struct Service(pub(crate) Arc<State>);

impl NodeService for Service {
    fn answer(&self, request: NodeRequest) -> BoxFuture<'static, NodeReply> {
        let state = self.0.clone();
        async move {
            match request {
                NodeRequest::Offer(offer) => NodeReply::Offer(take(&state, offer).await),
                NodeRequest::Resource(request) => NodeReply::Resource(resource(&state, request).await),
                NodeRequest::Close(request) => NodeReply::Close(close(&state, &request).await),
                NodeRequest::Report(request) => NodeReply::Report(report(&state, request).await),
                NodeRequest::Demand(request) => NodeReply::Demand(demand(&state, request).await),
                NodeRequest::Drain(request) => NodeReply::Drain(drain(&state, &request)),
            }
        }
        .boxed()
    }
}

/// Answers for this node while it is polled.
pub(crate) async fn serve(bus: Arc<dyn Bus>, node: NodeName, state: Arc<State>) {
    let service = Arc::new(Service(state));
    let mut told = false;
    let _serving = loop {
        match bus.serve(node.clone(), service.clone()).await {
            Ok(serving) => break serving,
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "other nodes cannot ask this one yet");
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    };
    std::future::pending().await
}

async fn take(state: &State, offer: OfferRequest) -> OfferReply {
    match state.parts().and_then(|parts| parts.ingest.as_ref()) {
        Some(ingest) => ingest.offer(offer).await,
        None => OfferReply {
            status: 503,
            body: "this node takes no publishers".to_owned(),
            session: None,
            secret: None,
        },
    }
}

async fn resource(state: &State, request: ResourceRequest) -> ResourceReply {
    let whep = state.parts().and_then(|parts| parts.whep.as_ref());
    let secret = Uuid::from_bytes(request.secret.0);
    if let Some(whep) = whep.filter(|whep| whep.knows(secret)) {
        return whep.resource_here(secret, request.method, request.body).await;
    }
    match state.parts().and_then(|parts| parts.ingest.as_ref()) {
        Some(ingest) => ingest.resource(request).await,
        None => ResourceReply {
            status: 404,
            content_type: "application/json".to_owned(),
            etag: String::new(),
            body: r#"{"status":"error","error":"session not found"}"#.to_owned(),
            session: None,
            stream: None,
            said: None,
        },
    }
}

async fn close(state: &State, request: &CloseRequest) -> CloseReply {
    let (session, reason) = (request.session, request.reason);
    let found = match state.parts() {
        Some(parts) => parts.close(session, reason).await,
        None => false,
    };
    if found {
        tracing::info!(other = %request.node, %session, reason = reason.token(), "closed for another node");
    }
    CloseReply { found }
}

async fn report(state: &State, request: ReportRequest) -> NodeReport {
    let Some(parts) = state.parts() else {
        return page(Whole::default(), request.from);
    };
    if let Some(stream) = &request.events_of {
        return NodeReport {
            events: parts.hooks.events_of(stream),
            ..NodeReport::default()
        };
    }
    let publishers = match &parts.ingest {
        Some(ingest) => ingest.report().await,
        None => Vec::new(),
    };
    // Readers before sessions: who has begun to read in between is a reader at the next look.
    let hubs = parts.egress.as_ref().map(|egress| egress.report());
    let mut hubs = hubs.unwrap_or_default();
    let muxers = parts.hls.as_ref().map(|hls| hls.report(&hubs));
    let joining = parts.whep.as_ref().map(|whep| whep.complete(&mut hubs));
    let rtsp = parts.rtsp.as_ref();
    let whole = Whole::of(
        publishers,
        hubs,
        rtsp.map(|rtsp| rtsp.sessions()).unwrap_or_default(),
        rtsp.map(|rtsp| rtsp.connections()).unwrap_or_default(),
    )
    .with_idle(joining.unwrap_or_default())
    .with_muxers(muxers.unwrap_or_default());
    NodeReport {
        cpu_ms: weft_control::cpu_ms(),
        ..page(whole, request.from)
    }
}

async fn demand(state: &State, request: DemandRequest) -> DemandReply {
    match state.parts().and_then(|parts| parts.ingest.as_ref()) {
        Some(ingest) => ingest.demand(request).await,
        None => DemandReply { taken: false },
    }
}

fn drain(state: &State, request: &DrainRequest) -> DrainReply {
    let limit = (request.timeout_ms != 0).then(|| Duration::from_millis(request.timeout_ms));
    state.order_drain(limit, request.node.as_str())
}
