//! All that is on a node, put together from its parts for lists: what ingest and egress know of sessions, and what the RTSP
//! server knows of the same ones and of its connections. Secrets in queries are left out here.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;
use weft_auth::without_secrets;
use weft_rtsp_server::{ConnectionView, SessionView};
use weft_wire::{
    ConnectionReport, HubReport, IdleReport, MuxerReport, PublisherReport, ReaderReport, SessionDetail,
    SessionId, StreamName,
};

/// Bytes of a text that a client chose, as lists show it.
// overflow: what is longer is cut.
const TEXT: usize = 300;

/// All that is on a node.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Whole {
    pub(crate) publishers: Vec<PublisherReport>,
    pub(crate) hubs: Vec<HubReport>,
    pub(crate) idle: Vec<IdleReport>,
    pub(crate) connections: Vec<ConnectionReport>,
    pub(crate) muxers: Vec<MuxerReport>,
}

impl Whole {
    /// Joins what the parts know.
    pub(crate) fn of(
        mut publishers: Vec<PublisherReport>,
        mut hubs: Vec<HubReport>,
        sessions: Vec<SessionView>,
        connections: Vec<ConnectionView>,
    ) -> Self {
        for publisher in &mut publishers {
            show(&mut publisher.detail);
        }
        let mut sessions: HashMap<Uuid, SessionView> = sessions.into_iter().map(|s| (s.id, s)).collect();
        for reader in hubs.iter_mut().flat_map(|hub| &mut hub.readers) {
            if let Some(session) = sessions.remove(&Uuid::from_bytes(reader.session.0)) {
                add(reader, &session);
            }
            show(&mut reader.detail);
        }
        // Who is left has set up tracks and reads nothing yet.
        let mut idle: Vec<IdleReport> = sessions.into_values().filter_map(idle).collect();
        idle.sort_by_key(|idle| (idle.reader.since, idle.reader.session));
        Self {
            publishers,
            hubs,
            idle,
            connections: connections.into_iter().map(connection).collect(),
            muxers: Vec::new(),
        }
    }

    /// With the streams that are made into HLS.
    pub(crate) fn with_muxers(self, muxers: Vec<MuxerReport>) -> Self {
        Self { muxers, ..self }
    }

    /// With sessions that read nothing yet, beside those of the RTSP server.
    pub(crate) fn with_idle(mut self, mut idle: Vec<IdleReport>) -> Self {
        idle.iter_mut().for_each(|idle| show(&mut idle.reader.detail));
        self.idle.extend(idle);
        self
    }
}

/// What only the RTSP server knows of a reader.
fn add(reader: &mut ReaderReport, session: &SessionView) {
    reader.kind = kind(session).to_owned();
    let detail = &mut reader.detail;
    detail.connection = Some(SessionId(session.connection.into_bytes()));
    detail.rtcp_received = session.reports_received;
    detail.rtcp_sent = session.reports_sent;
    detail.reported_lost = session.reported_lost;
}

fn kind(session: &SessionView) -> &'static str {
    if session.secure {
        "rtspsSession"
    } else {
        "rtspSession"
    }
}

fn idle(session: SessionView) -> Option<IdleReport> {
    // It was found by this name, so it is one.
    let stream = StreamName::new(session.path.as_str()).ok()?;
    let mut reader = ReaderReport {
        session: SessionId(session.id.into_bytes()),
        kind: String::new(),
        remote: session.remote_addr.to_string(),
        since: micros(session.created),
        packets: session.packets_sent,
        bytes: session.bytes_sent,
        detail: SessionDetail {
            query: session.query.clone(),
            user: session.principal.clone(),
            user_agent: session.user_agent.clone(),
            transport: session.transport.to_owned(),
            ..SessionDetail::default()
        },
    };
    add(&mut reader, &session);
    show(&mut reader.detail);
    Some(IdleReport { stream, reader })
}

fn connection(view: ConnectionView) -> ConnectionReport {
    ConnectionReport {
        id: SessionId(view.id.into_bytes()),
        created: micros(view.created),
        remote: view.remote_addr.to_string(),
        tls: view.tls,
        session: view.session.map(|session| SessionId(session.into_bytes())),
        bytes_received: view.bytes_received,
        bytes_sent: view.bytes_sent,
    }
}

/// Makes what a client chose fit to be shown.
fn show(detail: &mut SessionDetail) {
    detail.query = without_secrets(&detail.query);
    for text in [&mut detail.query, &mut detail.user, &mut detail.user_agent] {
        text.truncate(text.floor_char_boundary(TEXT));
    }
}

fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_wire::Epoch;

    fn session(id: u128, path: &str) -> SessionView {
        SessionView {
            id: Uuid::from_u128(id),
            created: UNIX_EPOCH,
            remote_addr: "192.0.2.9:5".parse().unwrap(),
            state: "read",
            path: path.to_owned(),
            query: "token=hush&quality=hd".to_owned(),
            user_agent: "é".repeat(400),
            transport: "TCP",
            secure: id == 2,
            bytes_sent: 7,
            packets_sent: 1,
            reports_received: 3,
            reports_sent: 4,
            reported_lost: 5,
            principal: "teacher".to_owned(),
            connection: Uuid::from_u128(99),
        }
    }

    #[test]
    fn a_reader_is_joined_with_its_session_and_who_reads_nothing_is_idle_and_nobody_shows_a_secret() {
        let reader = ReaderReport {
            session: SessionId(Uuid::from_u128(2).into_bytes()),
            kind: "rtspSession".to_owned(),
            remote: "192.0.2.9:5".to_owned(),
            since: 1,
            packets: 1,
            bytes: 7,
            detail: SessionDetail {
                query: "jwt=hush".to_owned(),
                ..SessionDetail::default()
            },
        };
        let hub = HubReport {
            stream: StreamName::new("cam").unwrap(),
            epoch: Epoch::default(),
            ready: true,
            bytes_sent: 7,
            readers: vec![reader],
        };
        let whole = Whole::of(
            vec![],
            vec![hub],
            vec![session(1, "cam"), session(2, "cam")],
            vec![],
        );
        let read = &whole.hubs[0].readers[0];
        assert_eq!(read.kind, "rtspsSession");
        assert_eq!(
            (
                read.detail.rtcp_received,
                read.detail.rtcp_sent,
                read.detail.reported_lost
            ),
            (3, 4, 5)
        );
        let [idle] = &whole.idle[..] else {
            panic!("{:?}", whole.idle)
        };
        assert_eq!(
            (
                idle.stream.as_str(),
                &*idle.reader.kind,
                &*idle.reader.detail.user
            ),
            ("cam", "rtspSession", "teacher")
        );
        assert!(idle.reader.detail.user_agent.len() <= TEXT);
        assert!(!format!("{whole:?}").contains("hush"));
        assert!(idle.reader.detail.query.contains("quality=hd"));
    }
}
