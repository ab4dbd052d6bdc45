//! `GET /metrics`: Prometheus text, with MediaMTX's names where the meaning is the same and `weft_` in front of ours.
//! What is counted is each part's business; here it is only written down.

use crate::path::Path;
use crate::process;
use crate::routes::Control;
use crate::view::{SessionKind, SessionLine};
use actix_web::{HttpResponse, web};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write};

/// The text under construction.
#[derive(Default)]
struct Text {
    out: String,
    /// Families written so far: each may have its head once.
    families: BTreeSet<String>,
}

impl Text {
    /// Begins a family; false when it was there before.
    fn family(&mut self, name: &str, help: &str, kind: &str) -> bool {
        let new = self.families.insert(name.to_owned());
        if new {
            _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        }
        new
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let escape = |v: &str| v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}=\"{}\"", escape(value)))
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        _ = writeln!(self.out, "{name}{labels} {value}");
    }
}

pub(crate) async fn metrics(control: web::Data<Control>) -> HttpResponse {
    let mut text = Text::default();
    // An unreachable registry must not hide the rest.
    let paths = control.paths.list().await.unwrap_or_default();
    write_paths(&mut text, &paths);
    let sessions = control.node.sessions().await;
    write_sessions(&mut text, "webrtc_sessions", SessionKind::WebRtc, &sessions);
    write_sessions(&mut text, "rtsp_sessions", SessionKind::Rtsp, &sessions);
    let problems = control.node.problems();
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

/// A column of the streams' table: name, help, value.
type PathColumn = (&'static str, &'static str, fn(&Path) -> u64);

const PATH_COLUMNS: [PathColumn; 6] = [
    ("paths", "Streams by name and state.", |_| 1),
    ("paths_inbound_bytes", "Bytes received from the publisher.", |p| {
        p.inbound_bytes
    }),
    (
        "paths_outbound_bytes",
        "Bytes sent to readers by this node.",
        |p| p.outbound_bytes,
    ),
    (
        "paths_inbound_frames_in_error",
        "Access units dropped: packets missing or malformed.",
        |p| p.inbound_frames_in_error,
    ),
    ("paths_bytes_received", "The same as paths_inbound_bytes.", |p| {
        p.bytes_received
    }),
    ("paths_bytes_sent", "The same as paths_outbound_bytes.", |p| {
        p.bytes_sent
    }),
];

fn write_paths(text: &mut Text, paths: &[Path]) {
    let state = |p: &Path| if p.ready { "ready" } else { "notReady" };
    for (name, help, value) in PATH_COLUMNS {
        text.family(name, help, "gauge");
        if paths.is_empty() {
            text.sample(name, &[], 0);
        }
        for path in paths {
            text.sample(name, &[("name", &path.name), ("state", state(path))], value(path));
        }
    }
    text.family(
        "paths_readers",
        "Readers on this node by stream and kind.",
        "gauge",
    );
    if paths.is_empty() {
        text.sample("paths_readers", &[], 0);
    }
    for path in paths {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for reader in &path.readers {
            *kinds.entry(reader.kind).or_default() += 1;
        }
        if kinds.is_empty() {
            kinds.insert("", 0);
        }
        for (kind, count) in kinds {
            let labels = [
                ("name", &*path.name),
                ("readerType", kind),
                ("state", state(path)),
            ];
            text.sample("paths_readers", &labels, count);
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
