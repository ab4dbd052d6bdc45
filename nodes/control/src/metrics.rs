//! `GET /metrics`: Prometheus text, with MediaMTX's names where the meaning is the same and `weft_` in front of ours.
//! What is counted is each part's business; here it is only written down.

use crate::fabric::{Fabric, fullness};
use crate::health;
use crate::process;
use crate::prometheus::Text;
use crate::routes::Control;
use crate::view::{SessionKind, SessionLine};
use actix_web::{HttpResponse, web};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use weft_wire::{NodeReport, NodeRole, StreamState};

pub(crate) async fn metrics(control: web::Data<Control>) -> HttpResponse {
    let mut text = Text::default();
    // A node shows what is on it: over all nodes it adds up, and nobody waits for another one.
    write_paths(&mut text, &rows(&control.fabric.own_report().await));
    let sessions = control.node.sessions().await;
    write_sessions(&mut text, "webrtc_sessions", SessionKind::WebRtc, &sessions);
    write_sessions(&mut text, "rtsp_sessions", SessionKind::Rtsp, &sessions);
    let problems = health::problems(&control);
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
    write_fabric(&mut text, &control.fabric);
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
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text.out)
}

/// What is known here of all nodes, by their leases.
fn write_fabric(text: &mut Text, fabric: &Fabric) {
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

/// A stream on this node.
#[derive(Default)]
struct Row {
    ready: bool,
    inbound: u64,
    outbound: u64,
    in_error: u64,
    readers: BTreeMap<String, usize>,
}

/// The streams that are published or open on this node.
fn rows(report: &NodeReport) -> BTreeMap<String, Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for publisher in &report.publishers {
        let row = rows.entry(publisher.stream.to_string()).or_default();
        let info = &publisher.info;
        row.ready |= info.state == StreamState::Live;
        row.inbound += info.inbound_bytes;
        row.in_error += info.units_in_error;
    }
    for hub in &report.hubs {
        let row = rows.entry(hub.stream.to_string()).or_default();
        row.ready |= hub.ready;
        row.outbound += hub.bytes_sent;
        for reader in &hub.readers {
            *row.readers.entry(reader.kind.clone()).or_default() += 1;
        }
    }
    rows
}

/// A column of the streams' table: name, help, value.
type PathColumn = (&'static str, &'static str, fn(&Row) -> u64);

const PATH_COLUMNS: [PathColumn; 6] = [
    (
        "paths",
        "Streams that are published or read on this node, by name and state.",
        |_| 1,
    ),
    (
        "paths_inbound_bytes",
        "Bytes received from the publisher by this node.",
        |row| row.inbound,
    ),
    (
        "paths_outbound_bytes",
        "Bytes sent to readers by this node.",
        |row| row.outbound,
    ),
    (
        "paths_inbound_frames_in_error",
        "Access units dropped: packets missing or malformed.",
        |row| row.in_error,
    ),
    (
        "paths_bytes_received",
        "The same as paths_inbound_bytes.",
        |row| row.inbound,
    ),
    ("paths_bytes_sent", "The same as paths_outbound_bytes.", |row| {
        row.outbound
    }),
];

fn write_paths(text: &mut Text, rows: &BTreeMap<String, Row>) {
    let state = |row: &Row| if row.ready { "ready" } else { "notReady" };
    for (name, help, value) in PATH_COLUMNS {
        text.family(name, help, "gauge");
        if rows.is_empty() {
            text.sample(name, &[], 0);
        }
        for (stream, row) in rows {
            text.sample(name, &[("name", stream), ("state", state(row))], value(row));
        }
    }
    text.family(
        "paths_readers",
        "Readers on this node by stream and kind.",
        "gauge",
    );
    if rows.is_empty() {
        text.sample("paths_readers", &[], 0);
    }
    for (stream, row) in rows {
        let mut sample = |kind: &str, count: usize| {
            let labels = [
                ("name", stream.as_str()),
                ("readerType", kind),
                ("state", state(row)),
            ];
            text.sample("paths_readers", &labels, count);
        };
        if row.readers.is_empty() {
            sample("", 0);
        }
        for (kind, count) in &row.readers {
            sample(kind, *count);
        }
    }
}

/// A column of the sessions' table: suffix, help, value.
type SessionColumn = (&'static str, &'static str, fn(&SessionLine) -> u64);

const SESSION_COLUMNS: [SessionColumn; 6] = [
    ("", "Sessions by id, state and stream.", |_| 1),
    ("_inbound_bytes", "Bytes of RTP received.", |s| s.inbound_bytes),
    ("_inbound_rtp_packets", "RTP packets received.", |s| {
        s.inbound_packets
    }),
    ("_inbound_rtp_packets_lost", "RTP packets that never came.", |s| {
        s.inbound_lost
    }),
    ("_outbound_bytes", "Bytes of RTP sent.", |s| s.outbound_bytes),
    ("_outbound_rtp_packets", "RTP packets sent.", |s| {
        s.outbound_packets
    }),
];

fn write_sessions(text: &mut Text, name: &str, kind: SessionKind, sessions: &[SessionLine]) {
    let of_kind: Vec<&SessionLine> = sessions.iter().filter(|s| s.kind == kind).collect();
    for (suffix, help, value) in SESSION_COLUMNS {
        let name = format!("{name}{suffix}");
        text.family(&name, help, "gauge");
        if of_kind.is_empty() {
            text.sample(&name, &[], 0);
        }
        for session in &of_kind {
            let labels = [
                ("id", &*session.id),
                ("path", &session.path),
                ("remoteAddr", &session.remote),
                ("state", session.state),
            ];
            text.sample(&name, &labels, value(session));
        }
    }
}
