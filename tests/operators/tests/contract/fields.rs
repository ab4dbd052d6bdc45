//! The fields of the contract's objects with their JSON types: section 2, `APIPath` and what follows it.
//! Fields that are ours beside them are allowed.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A field and its type: `string`, `time`, `uuid`, `bool`, `uint`, `float`, `array`, `object`; `?` behind it: or null.
type Field = (&'static str, &'static str);

pub(super) const PATH: &[Field] = &[
    ("name", "string"),
    ("confName", "string"),
    ("ready", "bool"),
    ("readyTime", "time?"),
    ("available", "bool"),
    ("availableTime", "time?"),
    ("online", "bool"),
    ("onlineTime", "time?"),
    ("source", "object?"),
    ("tracks", "array"),
    ("tracks2", "array"),
    ("readers", "array"),
    ("inboundBytes", "uint"),
    ("outboundBytes", "uint"),
    ("inboundFramesInError", "uint"),
    ("bytesReceived", "uint"),
    ("bytesSent", "uint"),
];

pub(super) const WEBRTC: &[Field] = &[
    ("id", "uuid"),
    ("created", "time"),
    ("remoteAddr", "string"),
    ("peerConnectionEstablished", "bool"),
    ("localCandidate", "string"),
    ("remoteCandidate", "string"),
    ("state", "string"),
    ("path", "string"),
    ("query", "string"),
    ("user", "string"),
    ("userAgent", "string"),
    ("inboundBytes", "uint"),
    ("inboundRTPPackets", "uint"),
    ("inboundRTPPacketsLost", "uint"),
    ("inboundRTPPacketsJitter", "float"),
    ("inboundRTCPPackets", "uint"),
    ("outboundBytes", "uint"),
    ("outboundRTPPackets", "uint"),
    ("outboundRTCPPackets", "uint"),
    ("outboundFramesDiscarded", "uint"),
    ("bytesReceived", "uint"),
    ("bytesSent", "uint"),
    ("rtpPacketsReceived", "uint"),
    ("rtpPacketsSent", "uint"),
    ("rtpPacketsLost", "uint"),
    ("rtpPacketsJitter", "float"),
    ("rtcpPacketsReceived", "uint"),
    ("rtcpPacketsSent", "uint"),
];

pub(super) const RTSP: &[Field] = &[
    ("id", "uuid"),
    ("created", "time"),
    ("remoteAddr", "string"),
    ("state", "string"),
    ("path", "string"),
    ("query", "string"),
    ("user", "string"),
    ("userAgent", "string"),
    ("transport", "string?"),
    ("profile", "string?"),
    ("conns", "array"),
    ("inboundBytes", "uint"),
    ("outboundBytes", "uint"),
    ("inboundRTPPackets", "uint"),
    ("inboundRTPPacketsLost", "uint"),
    ("inboundRTPPacketsInError", "uint"),
    ("inboundRTPPacketsJitter", "float"),
    ("inboundRTCPPackets", "uint"),
    ("inboundRTCPPacketsInError", "uint"),
    ("outboundRTPPackets", "uint"),
    ("outboundRTPPacketsReportedLost", "uint"),
    ("outboundRTPPacketsDiscarded", "uint"),
    ("outboundRTCPPackets", "uint"),
    ("bytesReceived", "uint"),
    ("bytesSent", "uint"),
    ("rtpPacketsReceived", "uint"),
    ("rtpPacketsSent", "uint"),
    ("rtpPacketsLost", "uint"),
    ("rtpPacketsInError", "uint"),
    ("rtpPacketsJitter", "float"),
    ("rtcpPacketsReceived", "uint"),
    ("rtcpPacketsSent", "uint"),
    ("rtcpPacketsInError", "uint"),
];

pub(super) const CONNECTION: &[Field] = &[
    ("id", "uuid"),
    ("created", "time"),
    ("remoteAddr", "string"),
    ("session", "uuid?"),
    ("tunnel", "string"),
    ("inboundBytes", "uint"),
    ("outboundBytes", "uint"),
    ("bytesReceived", "uint"),
    ("bytesSent", "uint"),
];

pub(super) const MUXER: &[Field] = &[
    ("path", "string"),
    ("created", "time"),
    ("lastRequest", "time"),
    ("outboundBytes", "uint"),
    ("outboundFramesDiscarded", "uint"),
    ("bytesSent", "uint"),
];

/// Every field is there with its type.
pub(super) fn check(value: &Value, fields: &[Field]) -> Result<()> {
    for (name, kind) in fields {
        let field = value.get(name).with_context(|| format!("{name} is not there"))?;
        ensure!(is(field, kind), "{name} is {field}, no {kind}");
    }
    Ok(())
}

fn is(value: &Value, kind: &str) -> bool {
    if let Some(kind) = kind.strip_suffix('?') {
        return value.is_null() || is(value, kind);
    }
    let text = value.as_str().unwrap_or_default();
    match kind {
        "string" => value.is_string(),
        // RFC 3339.
        "time" => text.len() >= 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z'),
        "uuid" => text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]),
        "bool" => value.is_boolean(),
        "uint" => value.is_u64(),
        "float" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("what is '{other}'?"),
    }
}

/// A list: the shape of its page, and each item's fields.
pub(super) fn check_list(list: &Value, fields: &[Field]) -> Result<()> {
    check(
        list,
        &[("itemCount", "uint"), ("pageCount", "uint"), ("items", "array")],
    )?;
    let items = list["items"].as_array().context("items")?;
    ensure!(!items.is_empty(), "an empty list shows no fields");
    items.iter().try_for_each(|item| check(item, fields))
}

#[test]
fn types_are_told_apart() {
    use serde_json::json;
    assert!(is(&json!("2023-09-05T01:00:00.5Z"), "time") && !is(&json!("yesterday"), "time"));
    assert!(is(&json!(null), "uuid?") && !is(&json!(null), "uuid") && !is(&json!("7"), "uuid?"));
    assert!(is(&json!(1), "uint") && !is(&json!(-1), "uint") && !is(&json!(1.5), "uint"));
    assert!(check(&json!({"a": 1}), &[("b", "uint")]).is_err());
    assert!(check_list(&json!({"itemCount": 0, "pageCount": 0, "items": []}), &[]).is_err());
}
