//! Spans from events to a collector: ids by construction, a collector that is away, and the wire form.
//! That a real stream leaves a trace is shown with real nodes elsewhere.

use super::export::COUNTS;
use super::{Spans, otlp};
use serde_json::Value;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt;

const SESSION: &str = "0102030a-0000-4000-8000-0000000000ff";

/// Takes one request and answers with this status; gives its path and body.
async fn collect(listener: &TcpListener, status: &str) -> (String, Value) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length:")?
                        .trim()
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
                stream.write_all(answer.as_bytes()).await.unwrap();
                let path = head.split(' ').nth(1).unwrap().to_owned();
                return (path, serde_json::from_str(body).unwrap());
            }
        }
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap();
        assert!(read > 0, "cut short: {text}");
        bytes.extend_from_slice(&part[..read]);
    }
}

#[tokio::test]
async fn spans_of_a_session_reach_the_collector_with_ids_by_construction() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (spans, exporter) = Spans::to(&endpoint, "ingest");
    let end = CancellationToken::new();
    let sending = tokio::spawn(exporter.run("n1".to_owned(), end.clone()));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(spans.layer()), || {
        tracing::info!(target: "span", name = "publish", session = %SESSION, stream = "a", root = true, took_us = 3_000_000_u64);
        tracing::info!(target: "span", name = "first reader", session = %SESSION, took_us = 20_000_u64, units = 3_u64);
        tracing::info!(target: "span", name = "of nothing", session = "no id", took_us = 1_u64);
        tracing::info!(session = %SESSION, "a line of the log");
    });
    // The first answer asks for patience, the second takes them.
    let first = collect(&listener, "503 Service Unavailable").await;
    let (path, body) = collect(&listener, "200 OK").await;
    assert_eq!(first.1, body);
    assert_eq!(path, "/v1/traces");
    let resource = &body["resourceSpans"][0]["resource"]["attributes"];
    assert!(
        resource
            .to_string()
            .contains(r#"{"key":"service.instance.id","value":{"stringValue":"n1"}}"#)
    );
    let sent = body["resourceSpans"][0]["scopeSpans"][0]["spans"]
        .as_array()
        .unwrap();
    let [publish, reader] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(publish["traceId"], SESSION.replace('-', ""));
    assert_eq!(publish["spanId"], &SESSION.replace('-', "")[..16]);
    assert_eq!(publish.get("parentSpanId"), None);
    assert_eq!(reader["parentSpanId"], publish["spanId"]);
    assert_eq!(reader["traceId"], publish["traceId"]);
    assert_ne!(reader["spanId"], publish["spanId"]);
    let lasted = |span: &Value| {
        let at = |key: &str| span[key].as_str().unwrap().parse::<u128>().unwrap();
        at("endTimeUnixNano") - at("startTimeUnixNano")
    };
    assert_eq!((lasted(publish), lasted(reader)), (3_000_000_000, 20_000_000));
    let attributes = reader["attributes"].to_string();
    assert!(
        attributes.contains(r#"{"key":"units","value":{"intValue":"3"}}"#),
        "{attributes}"
    );
    end.cancel();
    sending.await.unwrap();
}

#[tokio::test]
async fn what_has_not_been_sent_is_sent_at_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let (spans, mut exporter) = Spans::to(&endpoint, "egress");
    // Whatever else runs on this machine: that it is sent is the question here, not how soon.
    exporter.last = Duration::from_secs(30);
    let end = CancellationToken::new();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(spans.layer()), || {
        tracing::info!(target: "span", name = "first reader", session = SESSION, took_us = 1_u64);
    });
    end.cancel();
    let sending = tokio::spawn(exporter.run("n2".to_owned(), end));
    let (path, body) = collect(&listener, "200 OK").await;
    assert_eq!(path, "/v1/traces");
    assert!(body.to_string().contains("first reader"));
    sending.await.unwrap();
}

#[tokio::test]
async fn without_a_collector_spans_are_counted_and_nobody_waits() {
    let before = COUNTS.dropped.load(Relaxed);
    let (spans, exporter) = Spans::to("http://127.0.0.1:1", "ingest");
    tracing::subscriber::with_default(tracing_subscriber::registry().with(spans.layer()), || {
        for _ in 0..3_000 {
            tracing::info!(target: "span", name = "first reader", session = SESSION, took_us = 1_u64);
        }
    });
    assert!(COUNTS.dropped.load(Relaxed) - before >= 3_000 - 2_048);
    let end = CancellationToken::new();
    end.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), exporter.run("n3".to_owned(), end)).await;
    assert!(ended.is_ok());
    assert!(COUNTS.dropped.load(Relaxed) - before >= 3_000);
}

#[test]
fn an_empty_batch_has_the_form_too() {
    let body = otlp::body("n", "egress", &[]);
    assert_eq!(
        body["resourceSpans"][0]["scopeSpans"][0]["spans"],
        serde_json::json!([])
    );
}
