//! The sessions as lists show them: what the hub does not know of a reader over WebRTC, and the closing of one by its id.
//! Who asks, and who may, is decided elsewhere.

use super::Whep;
use super::sessions::Entry;
use std::collections::HashMap;
use std::time::UNIX_EPOCH;
use weft_wire::{CloseReason, HubReport, IdleReport, ReaderReport, SessionDetail, SessionId};

/// What lists call it.
pub(crate) const KIND: &str = "webRTCSession";

impl Whep {
    /// Adds to the reports of hubs what only this face knows of their readers; gives those that read nothing yet.
    #[must_use]
    pub fn complete(&self, hubs: &mut [HubReport]) -> Vec<IdleReport> {
        let all = self.sessions.all();
        let mut sessions: HashMap<[u8; 16], Entry> =
            all.into_iter().map(|e| (*e.known.id.as_bytes(), e)).collect();
        for reader in hubs.iter_mut().flat_map(|hub| &mut hub.readers) {
            if let Some(entry) = sessions.remove(&reader.session.0) {
                add(&mut reader.detail, &entry);
            }
        }
        let mut idle: Vec<IdleReport> = sessions.into_values().map(|e| idle(&e)).collect();
        idle.sort_by_key(|idle| (idle.reader.since, idle.reader.session));
        idle
    }

    /// Ends a session with a reason, one that is not connected yet included; false when there is none of this id.
    #[must_use]
    pub fn close(&self, session: SessionId, reason: CloseReason) -> bool {
        let all = self.sessions.all();
        let found = all.iter().find(|e| *e.known.id.as_bytes() == session.0);
        if let Some(entry) = found {
            entry.close(reason);
        }
        found.is_some()
    }
}

fn add(detail: &mut SessionDetail, entry: &Entry) {
    if let Some(addresses) = entry.known.addresses.get() {
        detail.local = addresses.local.to_string();
        detail.transport = addresses.transport.as_str().to_ascii_uppercase();
    }
    let stats = entry.peer.stats();
    detail.reported_lost = stats.reported_lost;
    detail.rtcp_received = stats.rtcp_received;
    detail.rtcp_sent = stats.rtcp_sent;
}

fn idle(entry: &Entry) -> IdleReport {
    let known = &entry.known;
    let since = known.created.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut detail = SessionDetail {
        query: known.query.clone(),
        user: known.principal.clone(),
        user_agent: known.user_agent.clone(),
        transport: super::session::TRANSPORT.to_owned(),
        ..SessionDetail::default()
    };
    add(&mut detail, entry);
    IdleReport {
        stream: known.stream.clone(),
        reader: ReaderReport {
            session: SessionId(*known.id.as_bytes()),
            kind: KIND.to_owned(),
            // Empty until it is connected.
            remote: entry.remote().map(|r| r.to_string()).unwrap_or_default(),
            since: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            packets: 0,
            bytes: 0,
            detail,
        },
    }
}
