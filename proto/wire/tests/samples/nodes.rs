//! One value of every message that nodes send each other, and of the lease.
//! Messages about a stream are in the parent.

use super::{EPOCH, REASONS, SESSION, Sample, former, message, node, owner_info};
use weft_wire::{
    CloseReason, CloseReply, CloseRequest, ConnectionReport, DrainReply, DrainRequest, HubReport, IdleReport,
    Incarnation, MuxerReport, NodeAddresses, NodeLimits, NodeLoad, NodeRecord, NodeReport, NodeRole,
    OfferReply, OfferRequest, PublisherEvent, PublisherReport, PublisherWord, ReaderReport, ReportRequest,
    ResourceMethod, ResourceReply, ResourceRequest, SessionDetail, SessionId, SessionSecret, StreamEvent,
    StreamName, StreamState,
};

const SECRET: SessionSecret = SessionSecret([0x5e, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff]);

fn stream() -> StreamName {
    StreamName::new("exam.1/cam-2").expect("a good name")
}

fn record(role: NodeRole, draining: bool) -> NodeRecord {
    NodeRecord {
        role,
        incarnation: Incarnation(1_763_825_399_000_000),
        version: "0.1.0".into(),
        addresses: NodeAddresses {
            webrtc: "media.example:8889".into(),
            ice: "192.0.2.7:8189".into(),
            rtsp: "[2001:db8::7]:8554".into(),
            api: String::new(),
            hls: String::new(),
        },
        load: NodeLoad {
            publishers: 480,
            readers: 3,
            hubs: 2,
            bits_per_second: 1_200_000_000,
        },
        limits: NodeLimits {
            publishers: 500,
            readers: 0,
            bits_per_second: 8_000_000_000,
        },
        draining,
        started: 1_763_825_399_000_000,
    }
}

fn offer(moves: bool) -> OfferRequest {
    OfferRequest {
        node: node(),
        stream: stream(),
        principal: "teacher".into(),
        client: "192.0.2.7:50000".into(),
        query: "moves=a.b&c=d".into(),
        user_agent: "Browser/1".into(),
        offer: "v=0\r\n".into(),
        moves: moves.then_some(SESSION),
    }
}

fn resource_reply(status: u16) -> ResourceReply {
    let running = status == 200;
    ResourceReply {
        status,
        content_type: "text/plain".into(),
        etag: if running { "\"7\"".into() } else { String::new() },
        body: "words".into(),
        session: running.then_some(SESSION),
        stream: running.then(stream),
        said: running.then(|| PublisherWord::Move("http://b:8889/cam/whip?moves=a.b".into())),
    }
}

/// A page as it was written before sessions had details.
fn report(whole: bool) -> NodeReport {
    let reader = ReaderReport {
        session: SESSION,
        kind: "rtspSession".into(),
        remote: "[2001:db8::1]:50001".into(),
        since: 1_763_825_402_000_000,
        packets: 1 << 33,
        bytes: 1 << 43,
        detail: SessionDetail::default(),
    };
    let hub = HubReport {
        stream: stream(),
        epoch: EPOCH,
        ready: true,
        bytes_sent: 1 << 44,
        readers: vec![reader.clone(), reader],
    };
    let publisher = PublisherReport {
        stream: stream(),
        info: owner_info(StreamState::Live),
        created: 1_763_825_400_000_000,
        detail: SessionDetail::default(),
    };
    NodeReport {
        publishers: if whole { vec![] } else { vec![publisher] },
        hubs: if whole { vec![] } else { vec![hub] },
        next: (!whole).then_some(300),
        ..NodeReport::default()
    }
}

/// A page with what came after sessions had details.
fn told() -> NodeReport {
    let mut report = detailed();
    report.publishers[0].detail.pictures = 1 << 33;
    report.cpu_ms = 1 << 34;
    let event = |what: &str, kind: &str, reason: &str| StreamEvent {
        at: 1_763_825_402_000_000,
        what: what.into(),
        session: SESSION,
        kind: kind.into(),
        reason: reason.into(),
    };
    report.events = vec![
        event("live", "webRTCSession", ""),
        event("closed", "", "taken-over"),
    ];
    report
}

/// A page with streams that are made into HLS.
fn muxed() -> NodeReport {
    let mut report = told();
    report.muxers = vec![MuxerReport {
        stream: stream(),
        id: SESSION,
        created: 1_763_825_400_000_000,
        last_request: 1_763_825_402_000_000,
        bytes_sent: 1 << 44,
        discarded: 7,
    }];
    report
}

fn detailed() -> NodeReport {
    let detail = SessionDetail {
        query: "quality=hd&token=<redacted>".into(),
        user: "teacher".into(),
        user_agent: "Browser/1".into(),
        transport: "UDP".into(),
        connection: Some(SessionId([0xc0; 16])),
        local: "192.0.2.1:8189".into(),
        jitter_us: 1_500,
        rtcp_received: 70_000,
        rtcp_sent: 300,
        reported_lost: 17,
        discarded: 1 << 33,
        kind: "rtspSource".into(),
        pictures: 0,
    };
    let mut report = report(false);
    report.publishers[0].detail = detail.clone();
    report.hubs[0].readers[1].detail = detail.clone();
    let mut reader = report.hubs[0].readers[0].clone();
    reader.detail = detail;
    let idle = IdleReport {
        stream: stream(),
        reader,
    };
    let connection = |session| ConnectionReport {
        id: SessionId([0xc0; 16]),
        created: 1_763_825_400_000_000,
        remote: "192.0.2.9:50001".into(),
        tls: session,
        session: Some(SESSION).filter(|_| session),
        bytes_received: 1_024,
        bytes_sent: 1 << 40,
    };
    NodeReport {
        idle: vec![idle],
        connections: vec![connection(true), connection(false)],
        ..report
    }
}

/// Every message between nodes.
pub(super) fn all() -> Vec<Sample> {
    let mut samples = vec![
        former("node_record_ingest", record(NodeRole::Ingest, false)),
        former("node_record_egress_draining", record(NodeRole::Egress, true)),
        former("node_record_standalone", record(NodeRole::Standalone, false)),
        message("node_record_hls", {
            let mut record = record(NodeRole::Standalone, false);
            record.addresses.hls = "media.example:8888".into();
            record
        }),
        message("offer_request", offer(false)),
        message("offer_request_moves", offer(true)),
        message(
            "offer_reply_accepted",
            OfferReply {
                status: 201,
                body: "v=0\r\n".into(),
                session: Some(SESSION),
                secret: Some(SECRET),
            },
        ),
        message(
            "offer_reply_refused",
            OfferReply {
                status: 503,
                body: "this node is full".into(),
                session: None,
                secret: None,
            },
        ),
        message("resource_reply_running", resource_reply(200)),
        message("resource_reply_gone", resource_reply(410)),
        message(
            "publisher_event_move",
            PublisherEvent {
                session: SESSION,
                word: PublisherWord::Move("/exam.1/cam-2/whip?moves=a.b".into()),
            },
        ),
        message("close_request", {
            CloseRequest {
                node: node(),
                session: SESSION,
                reason: CloseReason::Kicked,
            }
        }),
        message("close_reply", CloseReply { found: true }),
        former(
            "report_request",
            ReportRequest {
                from: 300,
                events_of: None,
            },
        ),
        message(
            "report_request_page",
            ReportRequest {
                from: 300,
                events_of: None,
            },
        ),
        message(
            "report_request_events",
            ReportRequest {
                from: 0,
                events_of: Some(stream()),
            },
        ),
        former("node_report_page", report(false)),
        former("node_report_last", report(true)),
        former("node_report_detailed", detailed()),
        former("node_report_nothing", report(true)),
        former("node_report_told", told()),
        former("node_report_empty", report(true)),
        message("node_report_muxed", muxed()),
        message("node_report_none", report(true)),
        message(
            "drain_request",
            DrainRequest {
                node: node(),
                timeout_ms: 600_000,
            },
        ),
        message(
            "demand_request",
            weft_wire::DemandRequest {
                node: node(),
                stream: stream(),
                query: "cam=1".into(),
                over: true,
            },
        ),
        message("demand_reply", weft_wire::DemandReply { taken: true }),
        message(
            "drain_reply",
            DrainReply {
                publishers: 12,
                readers: 70_000,
            },
        ),
    ];
    for method in [
        ResourceMethod::Patch,
        ResourceMethod::Delete,
        ResourceMethod::Get,
        ResourceMethod::Events,
    ] {
        let request = ResourceRequest {
            node: node(),
            secret: SECRET,
            method,
            body: "a=candidate:1\r\n".into(),
        };
        let name = format!("resource_request_{method:?}").to_lowercase();
        samples.push(message(&name, request));
    }
    for reason in REASONS {
        let name = format!("publisher_event_closed_{}", reason.token().replace('-', "_"));
        let word = PublisherWord::Closed(reason);
        samples.push(message(
            &name,
            PublisherEvent {
                session: SESSION,
                word,
            },
        ));
    }
    samples
}
