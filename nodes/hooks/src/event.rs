//! What a webhook is told: one JSON object per event.
//! Its fields are described in docs/guides/hooks.md; new ones may come, none goes.

use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;
use weft_wire::{CloseReason, NodeName, SessionId};

/// An event.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Event {
    id: String,
    event: &'static str,
    node: NodeName,
    #[serde(skip_serializing_if = "String::is_empty")]
    path: String,
    session: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    peer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    query: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    time: String,
}

impl Event {
    /// Something that has just happened to a session of this kind.
    pub(crate) fn new(event: &'static str, node: &NodeName, kind: &str, session: SessionId) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            id: Uuid::new_v4().to_string(),
            event,
            node: node.clone(),
            path: String::new(),
            session: session.to_string(),
            kind: kind.to_owned(),
            peer: String::new(),
            query: String::new(),
            user: String::new(),
            reason: None,
            time: rfc3339(now),
        }
    }

    pub(crate) fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    pub(crate) fn peer(mut self, peer: String) -> Self {
        self.peer = peer;
        self
    }

    /// Who it is and what its URL said.
    pub(crate) fn who(mut self, user: &str, query: &str) -> Self {
        user.clone_into(&mut self.user);
        self.query = weft_auth::without_secrets(query);
        self
    }

    pub(crate) fn reason(mut self, reason: CloseReason) -> Self {
        self.reason = Some(reason.token());
        self
    }

    /// What keeps its place among others of the same: the path, or the session where there is none.
    pub(crate) fn line(&self) -> &str {
        if self.path.is_empty() {
            &self.session
        } else {
            &self.path
        }
    }

    pub(crate) fn to_json(&self) -> String {
        // Strings have a JSON form, whatever is in them.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// RFC 3339, UTC, milliseconds.
fn rfc3339(since_1970: Duration) -> String {
    let (seconds, ms) = (since_1970.as_secs(), since_1970.subsec_millis());
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Years are counted from March within eras of 400 years, so that the leap day is the last of a year.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (h, m, s) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_an_object_of_what_is_known_without_credentials() {
        let node = NodeName::new("n1").unwrap();
        let event = Event::new("read", &node, "rtspSession", SessionId([1; 16]))
            .path("cam/1")
            .who("bob", "jwt=secret&a=1&Token=x&b");
        let value: serde_json::Value = serde_json::from_str(&event.to_json()).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "id": event.id, "event": "read", "node": "n1", "path": "cam/1", "type": "rtspSession",
                "session": "01010101-0101-0101-0101-010101010101", "user": "bob", "query": "a=1&b", "time": event.time,
            })
        );
        assert_eq!(event.line(), "cam/1");
    }

    #[test]
    fn instants_are_written_as_rfc_3339() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_693_875_600_123, "2023-09-05T01:00:00.123Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
        ] {
            assert_eq!(rfc3339(Duration::from_millis(ms)), text);
        }
    }
}
