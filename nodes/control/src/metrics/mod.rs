//! `GET /metrics`: Prometheus text, with MediaMTX's names where the meaning is the same and `weft_` in front of ours.
//! What is counted is each part's business; the tables of streams and sessions are in `tables`, what is asked for in `filter`.

mod filter;
mod tables;

use crate::dashboard::Counts;
use crate::fabric::{Fabric, fullness};
use crate::health;
use crate::process;
use crate::prometheus::Text;
use crate::routes::Control;
use crate::view::SessionKind;
use actix_web::{HttpRequest, HttpResponse, web};
use filter::Filter;
use std::sync::atomic::Ordering::Relaxed;
use tables::{rows, write_paths, write_sessions};
use weft_wire::NodeRole;

pub(crate) async fn metrics(request: HttpRequest, control: web::Data<Control>) -> HttpResponse {
    let filter = Filter::read(request.query_string());
    let mut text = Text::default();
    // A node shows what is on it: over all nodes it adds up, and nobody waits for another one.
    if let Some(only) = filter.wants("paths", "path") {
        write_paths(&mut text, rows(&control.fabric.own_report().await), only);
    }
    let tables = [
        ("webrtc_sessions", "webrtc_session", SessionKind::WebRtc),
        ("rtsp_sessions", "rtsp_session", SessionKind::Rtsp),
        ("rtsps_sessions", "rtsps_session", SessionKind::Rtsps),
    ];
    let wanted = tables.map(|(name, key, kind)| filter.wants(name, key).map(|only| (name, kind, only)));
    if wanted.iter().any(Option::is_some) {
        let sessions = control.node.sessions().await;
        for (name, kind, only) in wanted.into_iter().flatten() {
            write_sessions(&mut text, name, kind, &sessions, only);
        }
    }
    if filter.wants_node() {
        write_node(&mut text, &control);
    }
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text.out)
}

/// The node itself: its health, its place in the fabric, its process and the counters of its parts.
fn write_node(text: &mut Text, control: &Control) {
    let problems = health::problems(control);
    text.family("weft_ready", "1 when the node wants new work.", "gauge");
    text.sample("weft_ready", &[], u8::from(problems.is_empty()));
    let identity = control.node.identity();
    text.family("weft_info", "Which node this is.", "gauge");
    let labels = [
        ("node", identity.name.as_str()),
        ("role", identity.role),
        ("version", identity.version),
    ];
    text.sample("weft_info", &labels, 1);
    write_fabric(text, &control.fabric, control.live.counts());
    text.family("weft_tasks", "Tasks alive on the main runtime.", "gauge");
    text.sample("weft_tasks", &[], control.tasks());
    for (name, help, kind, value) in process::figures() {
        text.family(name, help, kind);
        text.sample(name, &[], value);
    }
    control.node.counters(&mut |name, help, value| {
        let kind = if name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        if text.family(name, help, kind) {
            text.sample(name, &[], value);
        }
    });
    control
        .node
        .histograms(&mut |name, help, histogram| text.histogram(name, help, histogram));
}

/// What is known here of all nodes, by their leases.
fn write_fabric(text: &mut Text, fabric: &Fabric, live: &Counts) {
    let view = fabric.members().view();
    let own = fabric.members().own();
    let others = view.nodes.iter().filter(|(name, _)| *name != fabric.own());
    let nodes: Vec<_> = others
        .map(|(_, seen)| &seen.record)
        .chain(std::iter::once(&own))
        .collect();
    text.family("weft_fabric_nodes", "Nodes known here, by role.", "gauge");
    for role in [NodeRole::Standalone, NodeRole::Ingest, NodeRole::Egress] {
        let count = nodes.iter().filter(|node| node.role == role).count();
        text.sample("weft_fabric_nodes", &[("role", role.token())], count);
    }
    let sum = |part: fn(&weft_wire::NodeLoad) -> u32| -> u64 {
        nodes.iter().map(|node| u64::from(part(&node.load))).sum()
    };
    let draining = nodes.iter().filter(|node| node.draining).count() as u64;
    let counts = &fabric.counts;
    let figures = [
        (
            "weft_fabric_nodes_draining",
            "Nodes known here that take nobody new.",
            draining,
        ),
        (
            "weft_fabric_publishers",
            "Publishers on all nodes, as of their leases.",
            sum(|load| load.publishers),
        ),
        (
            "weft_fabric_readers",
            "Readers on all nodes, as of their leases.",
            sum(|load| load.readers),
        ),
        (
            "weft_fabric_view_age_seconds",
            "How long the table of nodes has been out of reach; 0 while it is in reach.",
            fabric.blind().map_or(0, |age| age.as_secs().max(1)),
        ),
        (
            "weft_control_rounds_total",
            "Rounds of questions to all nodes.",
            counts.rounds.load(Relaxed),
        ),
        (
            "weft_control_unanswered_total",
            "Nodes that did not answer a round.",
            counts.unanswered.load(Relaxed),
        ),
        (
            "weft_control_refused_total",
            "Requests for a change that were refused for where they came from.",
            counts.refused.load(Relaxed),
        ),
        (
            "weft_control_live_listeners",
            "Pages that listen to the fabric at this node.",
            live.listeners.load(Relaxed) as u64,
        ),
        (
            "weft_control_live_looks_total",
            "Looks at the fabric for pages that listen, one a second for all of them.",
            live.looks.load(Relaxed),
        ),
        (
            "weft_control_live_refused_total",
            "Pages refused because as many listen as may.",
            live.refused.load(Relaxed),
        ),
        (
            "weft_control_live_behind_total",
            "Times that a page was too slow and got everything anew.",
            live.behind.load(Relaxed),
        ),
    ];
    for (name, help, value) in figures {
        let kind = if name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        text.family(name, help, kind);
        text.sample(name, &[], value);
    }
    text.family(
        "weft_node_fullness",
        "How full this node is: 0 is empty, 1 at one of its limits.",
        "gauge",
    );
    text.sample("weft_node_fullness", &[], fullness(&own));
}
