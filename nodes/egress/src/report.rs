//! What this egress tells other nodes of itself, and the closing of one reader by its session's id.
//! Who asks, and who may, is decided elsewhere.

use crate::egress::Egress;
use crate::life::HubState;
use crate::views::{HubView, ReaderView, TapView};
use crate::whep::{WEBRTC, WEBRTC_SESSION};
use std::time::UNIX_EPOCH;
use weft_wire::{CloseReason, HubReport, ReaderReport, SessionDetail, SessionId};

/// What lists call a reader over RTSP.
const RTSP_SESSION: &str = "rtspSession";
/// The same over TLS.
const RTSPS_SESSION: &str = "rtspsSession";

impl Egress {
    /// All streams that are open for readers, sorted by name, each with its readers, oldest first.
    #[must_use]
    pub fn report(&self) -> Vec<HubReport> {
        let open = |hub: &HubView| hub.state != HubState::Opening;
        self.hubs().into_iter().filter(open).map(hub).collect()
    }

    /// Ends a reader with a reason: what is queued for it is thrown away. False when there is none of this id. A reader that
    /// takes nothing at all hears of it only when it does, or at the server's write timeout; the server's own
    /// `Handle::kick_session` ends its connection without a word.
    #[must_use]
    pub fn close_reader(&self, session: SessionId, reason: CloseReason) -> bool {
        let hubs = self.inner.all();
        let mut closed = false;
        for hub in hubs {
            let face = hub.face();
            for queue in face.readers.iter().filter(|q| q.spec.id.as_bytes() == &session.0) {
                closed |= queue.close(reason);
            }
            for tap in face.taps.iter().filter(|t| t.spec.id.as_bytes() == &session.0) {
                closed |= tap.close(reason);
            }
        }
        closed
    }
}

fn hub(view: HubView) -> HubReport {
    HubReport {
        bytes_sent: view.bytes_sent,
        stream: view.stream,
        epoch: view.epoch,
        ready: view.ready,
        readers: view
            .readers
            .iter()
            .map(reader)
            .chain(view.taps.iter().map(tap))
            .collect(),
    }
}

/// A face of this node: it has no address, and no packets.
fn tap(view: &TapView) -> ReaderReport {
    let since = view.since.duration_since(UNIX_EPOCH).unwrap_or_default();
    ReaderReport {
        session: SessionId(*view.id.as_bytes()),
        kind: view.kind.to_owned(),
        remote: String::new(),
        since: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        packets: view.units,
        bytes: view.bytes,
        detail: SessionDetail {
            discarded: view.dropped,
            ..SessionDetail::default()
        },
    }
}

fn reader(view: &ReaderView) -> ReaderReport {
    let since = view.since.duration_since(UNIX_EPOCH).unwrap_or_default();
    ReaderReport {
        session: SessionId(*view.id.as_bytes()),
        kind: kind(view).into(),
        remote: view.peer.to_string(),
        since: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        packets: view.packets,
        bytes: view.bytes,
        detail: detail(view),
    }
}

fn kind(view: &ReaderView) -> &'static str {
    match view.transport {
        WEBRTC => WEBRTC_SESSION,
        _ if view.secure => RTSPS_SESSION,
        _ => RTSP_SESSION,
    }
}

/// What lists show of it; its query with its secrets, which whoever reports leaves out.
fn detail(view: &ReaderView) -> SessionDetail {
    SessionDetail {
        query: view.query.clone(),
        user: view.principal.clone(),
        user_agent: view.user_agent.clone(),
        transport: view.transport.to_owned(),
        discarded: view.dropped,
        ..SessionDetail::default()
    }
}
