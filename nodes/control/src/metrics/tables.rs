//! The tables of streams and sessions, with MediaMTX's names and labels. Where there are too many entries for one time series
//! each, a table shows sums: their number is then no burden for whoever keeps them.

use crate::prometheus::Text;
use crate::view::{SessionKind, SessionLine};
use std::collections::BTreeMap;
use weft_wire::{NodeReport, StreamState};

/// Entries of a table that have series of their own. A Prometheus server keeps each for as long as it keeps anything, and
/// sessions have new ids for ever.
pub(super) const MOST: usize = 1_000;

/// A stream on this node.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    ready: bool,
    count: u64,
    inbound: u64,
    outbound: u64,
    in_error: u64,
    readers: BTreeMap<String, usize>,
}

impl Row {
    fn state(&self) -> &'static str {
        if self.ready { "ready" } else { "notReady" }
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.inbound += other.inbound;
        self.outbound += other.outbound;
        self.in_error += other.in_error;
        for (kind, count) in &other.readers {
            *self.readers.entry(kind.clone()).or_default() += count;
        }
    }
}

/// The streams that are published or open on this node.
pub(super) fn rows(report: &NodeReport) -> BTreeMap<String, Row> {
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
    for row in rows.values_mut() {
        row.count = 1;
    }
    rows
}

/// A column of the streams' table: name, help, value.
type PathColumn = (&'static str, &'static str, fn(&Row) -> u64);

const PATH_COLUMNS: [PathColumn; 6] = [
    (
        "paths",
        "Streams that are published or read on this node, by name and state.",
        |row| row.count,
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

/// Writes all streams, or only one.
pub(super) fn write_paths(text: &mut Text, mut rows: BTreeMap<String, Row>, only: Option<&str>) {
    rows.retain(|name, _| only.is_none_or(|only| only == name));
    // Without a name: the sum of those in that state.
    let mut lines: Vec<(Option<String>, Row)> = Vec::new();
    if rows.len() > MOST {
        for ready in [true, false] {
            let mut sum = Row {
                ready,
                ..Row::default()
            };
            rows.values()
                .filter(|r| r.ready == ready)
                .for_each(|r| sum.add(r));
            lines.push((None, sum));
        }
    } else {
        lines.extend(rows.into_iter().map(|(name, row)| (Some(name), row)));
    }
    let labels = |name: &Option<String>, row: &Row| {
        let name = name.as_ref().map(|name| ("name", name.clone()));
        let state = ("state", row.state().to_owned());
        name.into_iter().chain([state]).collect::<Vec<_>>()
    };
    for (name, help, value) in PATH_COLUMNS {
        text.family(name, help, "gauge");
        if lines.is_empty() && only.is_none() {
            text.sample(name, &[], 0);
        }
        for (stream, row) in &lines {
            text.sample_of(name, &labels(stream, row), value(row));
        }
    }
    let name = "paths_readers";
    text.family(name, "Readers on this node by stream and kind.", "gauge");
    if lines.is_empty() && only.is_none() {
        text.sample(name, &[], 0);
    }
    for (stream, row) in &lines {
        let mut sample = |kind: &str, count: usize| {
            let mut labels = labels(stream, row);
            labels.insert(labels.len() - 1, ("readerType", kind.to_owned()));
            text.sample_of(name, &labels, count);
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

const SESSION_COLUMNS: [SessionColumn; 11] = [
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
    ("_bytes_received", "The same as _inbound_bytes.", |s| {
        s.inbound_bytes
    }),
    ("_bytes_sent", "The same as _outbound_bytes.", |s| {
        s.outbound_bytes
    }),
    (
        "_rtp_packets_received",
        "The same as _inbound_rtp_packets.",
        |s| s.inbound_packets,
    ),
    (
        "_rtp_packets_lost",
        "The same as _inbound_rtp_packets_lost.",
        |s| s.inbound_lost,
    ),
    ("_rtp_packets_sent", "The same as _outbound_rtp_packets.", |s| {
        s.outbound_packets
    }),
];

/// Writes all sessions of a kind, or only one.
pub(super) fn write_sessions(
    text: &mut Text,
    name: &str,
    kind: SessionKind,
    sessions: &[SessionLine],
    only: Option<&str>,
) {
    let wanted = |s: &&SessionLine| s.kind == kind && only.is_none_or(|only| only == s.id);
    let of_kind: Vec<&SessionLine> = sessions.iter().filter(wanted).collect();
    for (suffix, help, value) in SESSION_COLUMNS {
        let name = format!("{name}{suffix}");
        text.family(&name, help, "gauge");
        if of_kind.is_empty() && only.is_none() {
            text.sample(&name, &[], 0);
        }
        if of_kind.len() > MOST {
            let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
            for session in &of_kind {
                *sums.entry(session.state).or_default() += value(session);
            }
            for (state, sum) in sums {
                text.sample(&name, &[("state", state)], sum);
            }
            continue;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(count: usize) -> Vec<SessionLine> {
        let line = |n: usize| SessionLine {
            kind: SessionKind::Rtsp,
            id: format!("id-{n}"),
            state: if n.is_multiple_of(2) { "read" } else { "idle" },
            path: "a".to_owned(),
            remote: "192.0.2.1:9".to_owned(),
            inbound_bytes: 0,
            inbound_packets: 0,
            inbound_lost: 0,
            outbound_bytes: 10,
            outbound_packets: 1,
        };
        (0..count).map(line).collect()
    }

    #[test]
    fn too_many_streams_and_sessions_are_summed_by_state() {
        let mut text = Text::default();
        let row = |ready| Row {
            ready,
            count: 1,
            inbound: 5,
            readers: BTreeMap::from([("rtspSession".to_owned(), 2)]),
            ..Row::default()
        };
        let rows: BTreeMap<_, _> = (0..=MOST).map(|n| (format!("s{n}"), row(n > 0))).collect();
        write_paths(&mut text, rows.clone(), None);
        write_sessions(
            &mut text,
            "rtsp_sessions",
            SessionKind::Rtsp,
            &sessions(MOST + 2),
            None,
        );
        for line in [
            "paths{state=\"ready\"} 1000",
            "paths{state=\"notReady\"} 1",
            "paths_inbound_bytes{state=\"ready\"} 5000",
            "paths_readers{readerType=\"rtspSession\",state=\"ready\"} 2000",
            "rtsp_sessions{state=\"read\"} 501",
            "rtsp_sessions_outbound_bytes{state=\"idle\"} 5010",
        ] {
            assert!(text.out.lines().any(|l| l == line), "{line} in\n{}", text.out);
        }
        assert!(text.out.lines().count() < 80, "{}", text.out);
        // One of them can still be asked for.
        let mut text = Text::default();
        write_paths(&mut text, rows, Some("s7"));
        assert!(text.out.contains("paths{name=\"s7\",state=\"ready\"} 1"));
    }

    #[test]
    fn what_is_asked_for_and_is_not_there_has_no_sample() {
        let mut text = Text::default();
        write_paths(&mut text, BTreeMap::new(), Some("nothing"));
        write_sessions(
            &mut text,
            "rtsp_sessions",
            SessionKind::Rtsp,
            &sessions(3),
            Some("id-9"),
        );
        assert!(text.out.lines().all(|line| line.starts_with('#')), "{}", text.out);
        write_sessions(
            &mut text,
            "rtsp_sessions",
            SessionKind::Rtsp,
            &sessions(3),
            Some("id-1"),
        );
        assert!(text.out.contains("rtsp_sessions{id=\"id-1\","));
        assert!(!text.out.contains("id-2"));
    }
}
