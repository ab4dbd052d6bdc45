//! `/v3/rtspsessions` and `/v3/webrtcsessions`: publishers and readers of all nodes with MediaMTX's fields and the node.
//! Queries are left empty: they may carry tokens. What nodes do not tell each other is null, empty or 0.

use crate::error::Error;
use crate::fabric::Session;
use crate::rfc3339;
use crate::view::SessionKind;
use serde_json::{Map, Value, json};
use weft_wire::{SessionId, StreamState};

/// What both kinds have, from either side of the stream.
struct Common {
    created: i64,
    remote: String,
    state: &'static str,
    path: String,
    inbound: (u64, u64, u64),
    outbound: (u64, u64),
    /// Media flows or has flowed.
    established: bool,
}

impl Common {
    fn of(session: &Session<'_>) -> Self {
        match session {
            Session::Publisher(_, publisher) => {
                let info = &publisher.info;
                Self {
                    created: publisher.created,
                    remote: info.remote.clone(),
                    state: "publish",
                    path: publisher.stream.to_string(),
                    inbound: (info.inbound_bytes, info.inbound_packets, info.packets_lost),
                    outbound: (0, 0),
                    established: info.state != StreamState::Waiting || !info.remote.is_empty(),
                }
            }
            Session::Reader(_, stream, reader) => Self {
                created: reader.since,
                remote: reader.remote.clone(),
                state: "read",
                path: stream.to_string(),
                inbound: (0, 0, 0),
                outbound: (reader.bytes, reader.packets),
                established: true,
            },
        }
    }
}

/// A session as its list shows it.
pub(crate) fn json(kind: SessionKind, session: &Session<'_>) -> Value {
    let common = Common::of(session);
    let (in_bytes, in_packets, in_lost) = common.inbound;
    let (out_bytes, out_packets) = common.outbound;
    let mut fields = object(json!({
        "id": session.id().to_string(),
        "created": rfc3339::from_micros(common.created),
        "remoteAddr": common.remote,
        "state": common.state,
        "path": common.path,
        "query": "",
        "user": "",
        "userAgent": "",
        "node": session.node().to_string(),
        "inboundBytes": in_bytes,
        "inboundRTPPackets": in_packets,
        "inboundRTPPacketsLost": in_lost,
        "inboundRTPPacketsJitter": 0.0,
        "inboundRTCPPackets": 0,
        "outboundBytes": out_bytes,
        "outboundRTPPackets": out_packets,
        "outboundRTCPPackets": 0,
        "bytesReceived": in_bytes,
        "bytesSent": out_bytes,
        "rtpPacketsReceived": in_packets,
        "rtpPacketsSent": out_packets,
        "rtpPacketsLost": in_lost,
        "rtpPacketsJitter": 0.0,
        "rtcpPacketsReceived": 0,
        "rtcpPacketsSent": 0,
    }));
    fields.extend(object(match kind {
        SessionKind::WebRtc => json!({
            "peerConnectionEstablished": common.established,
            "localCandidate": "",
            "remoteCandidate": candidate(&common.remote),
            "outboundFramesDiscarded": 0,
        }),
        SessionKind::Rtsp => json!({
            "transport": null,
            "profile": "AVP",
            "conns": [],
            "inboundRTPPacketsInError": 0,
            "inboundRTCPPacketsInError": 0,
            "outboundRTPPacketsReportedLost": 0,
            "outboundRTPPacketsDiscarded": 0,
            "rtpPacketsInError": 0,
            "rtcpPacketsInError": 0,
        }),
    }));
    Value::Object(fields)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// `ip:port` in MediaMTX's form; the kind of a peer's candidate is not known here.
fn candidate(remote: &str) -> String {
    match remote.rsplit_once(':') {
        Some((ip, port)) => format!("prflx/udp/{}/{port}", ip.trim_matches(['[', ']'])),
        None => String::new(),
    }
}

/// Reads an id: the usual form of a UUID, with or without its dashes.
pub(crate) fn id(text: &str) -> Result<SessionId, Error> {
    let wrong = || Error::BadRequest(format!("invalid UUID length: {}", text.len()));
    let dashes = [8, 13, 18, 23];
    let digits: String = match text.len() {
        36 if dashes.iter().all(|at| text.as_bytes()[*at] == b'-') => text.replace('-', ""),
        32 => text.to_owned(),
        36 => return Err(Error::BadRequest("invalid UUID format".to_owned())),
        _ => return Err(wrong()),
    };
    let mut bytes = [0; 16];
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Error::BadRequest("invalid UUID format".to_owned()));
    }
    for (byte, at) in bytes.iter_mut().zip((0..32).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).unwrap_or(0);
    }
    Ok(SessionId(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_either_form_and_nothing_else_is() {
        let id_of = |text: &str| id(text).map(|id| id.to_string());
        let uuid = "01020304-0506-0708-090a-0b0c0d0e0fff";
        assert_eq!(id_of(uuid).unwrap(), uuid);
        assert_eq!(id_of(&uuid.replace('-', "").to_uppercase()).unwrap(), uuid);
        for wrong in [
            "",
            "x",
            "01020304-0506-0708-090a-0b0c0d0e0ffg",
            "010203040-506-0708-090a-0b0c0d0e0fff",
            "-----------------------------------0",
            "é1020304050607080900a0b0c0d0e0ff",
        ] {
            assert!(id(wrong).is_err(), "{wrong}");
        }
    }
}
