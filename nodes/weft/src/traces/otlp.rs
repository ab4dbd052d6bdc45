//! Spans in OTLP's JSON form, as `POST /v1/traces` takes it (OpenTelemetry protocol 1.x, "JSON Protobuf Encoding").
//! Protobuf would need a code generator and a dozen crates; JSON needs nothing that is not here, and every collector takes it.

use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Something that took time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    /// The publisher's session.
    pub(super) trace: [u8; 16],
    pub(super) id: [u8; 8],
    /// `None`: the trace begins with it.
    pub(super) parent: Option<[u8; 8]>,
    pub(super) name: String,
    pub(super) start: SystemTime,
    pub(super) end: SystemTime,
    pub(super) attributes: Vec<(&'static str, Value)>,
}

/// The body of a request.
pub(super) fn body(node: &str, role: &str, spans: &[Span]) -> Value {
    let attributes = [
        ("service.name", Value::from("weft")),
        ("service.version", env!("CARGO_PKG_VERSION").into()),
        ("service.instance.id", node.into()),
        ("weft.role", role.into()),
    ];
    json!({"resourceSpans": [{
        "resource": {"attributes": list(&attributes)},
        "scopeSpans": [{
            "scope": {"name": "weft"},
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }]})
}

fn span(span: &Span) -> Value {
    // SPAN_KIND_INTERNAL
    const INTERNAL: u8 = 1;
    let mut value = json!({
        "traceId": hex(&span.trace),
        "spanId": hex(&span.id),
        "name": span.name,
        "kind": INTERNAL,
        "startTimeUnixNano": nanos(span.start),
        "endTimeUnixNano": nanos(span.end),
        "attributes": list(&span.attributes),
    });
    if let Some(parent) = span.parent {
        value["parentSpanId"] = hex(&parent).into();
    }
    value
}

fn list(attributes: &[(&'static str, Value)]) -> Vec<Value> {
    let one = |(key, value): &(&'static str, Value)| {
        let value = match value {
            Value::Bool(value) => json!({"boolValue": value}),
            // 64-bit numbers are strings in Protobuf's JSON.
            Value::Number(value) => json!({"intValue": value.to_string()}),
            Value::String(value) => json!({"stringValue": value}),
            other => json!({"stringValue": other.to_string()}),
        };
        json!({"key": key, "value": value})
    };
    attributes.iter().map(one).collect()
}

/// Nanoseconds since 1970, as a string.
fn nanos(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
