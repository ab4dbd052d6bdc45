//! A stream's trace at a collector of ours: the publisher's spans from one node, the first reader's from another, one id.
//! The wire form is tested beside the code that writes it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weft_bus::testing::NatsServer;
use weft_testkit::fixture::{self, MINUTE};
use weft_testkit::node::{Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::{http, publish, until};

const LIMIT: Duration = Duration::from_secs(20);

type Spans = Arc<Mutex<Vec<(String, Value)>>>;

/// Takes what is posted; gives each span with the node that sent it.
async fn collector() -> Result<(String, Spans)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let spans = Spans::default();
    let kept = Arc::clone(&spans);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&kept)));
        }
    });
    Ok((url, spans))
}

async fn serve(mut stream: TcpStream, spans: Spans) -> Result<()> {
    let mut bytes = Vec::new();
    while stream.read_buf(&mut bytes).await? > 0 {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length:")?
                    .trim()
                    .parse()
                    .ok()
            })
            .unwrap_or(usize::MAX);
        if body.len() < length {
            continue;
        }
        let body: Value = serde_json::from_str(body)?;
        for resource in body["resourceSpans"].as_array().context("no resources")? {
            let node = resource["resource"]["attributes"].to_string();
            for span in resource["scopeSpans"][0]["spans"]
                .as_array()
                .context("no spans")?
            {
                spans
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((node.clone(), span.clone()));
            }
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            .await?;
        bytes.clear();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streams_trace_has_its_sessions_id_and_its_first_reader() -> Result<()> {
    let nats = NatsServer::start().await?;
    let (url, spans) = collector().await?;
    let plan = |role, name: &str| {
        Plan::new(role)
            .nats(&nats.url())
            .named(name)
            .fabric(&format!("otlpEndpoint: {url}"))
    };
    let mut ingest = plan(Role::Ingest, "in").start().await?;
    let mut egress = plan(Role::Egress, "out").start().await?;
    let clip = fixture::clip(MINUTE)?;
    let _publisher = publish::ffmpeg_copy(&ingest.whip("cam")?, &clip)?;
    ingest.wait_for("cam", LIMIT).await?;
    let path = ingest.path("cam").await?.context("no path")?;
    let session = path["source"]["id"].as_str().context("no publisher")?.to_owned();
    for _ in 0..2 {
        let mut reader = oracle::open_when_there(&egress.rtsp("cam")?, Over::Tcp, LIMIT).await?;
        reader.read_units(5, LIMIT).await?;
    }
    let found = |name: &str| -> Vec<(String, Value)> {
        let all = spans.lock().unwrap();
        all.iter()
            .filter(|(_, span)| span["name"] == name)
            .cloned()
            .collect()
    };
    let one = async |name: &'static str| {
        until(name, LIMIT, || std::future::ready(found(name).into_iter().next())).await
    };
    let (from, start) = one("first key unit").await?;
    ensure!(from.contains("\"in\"") && from.contains("\"ingest\""), "{from}");
    let (from, reader) = one("first reader").await?;
    ensure!(from.contains("\"out\"") && from.contains("\"egress\""), "{from}");
    let kicked = http::request(
        "POST",
        egress.address("api")?,
        &format!("/v3/webrtcsessions/kick/{session}"),
        &[],
        b"",
    )
    .await?;
    ensure!(kicked.status == 200, "{}", kicked.text());
    let (_, publish) = one("publish").await?;
    let trace = session.replace('-', "");
    for span in [&start, &reader, &publish] {
        ensure!(span["traceId"] == trace, "{span}, not {trace}");
        ensure!(span["attributes"].to_string().contains("\"cam\""), "{span}");
    }
    ensure!(
        publish["spanId"] == trace[..16] && publish.get("parentSpanId").is_none(),
        "{publish}"
    );
    for child in [&start, &reader] {
        ensure!(child["parentSpanId"] == publish["spanId"], "{child}");
        let at =
            |span: &Value, key: &str| -> Result<i128> { Ok(span[key].as_str().context("no time")?.parse()?) };
        let (begun, ended) = (
            at(&publish, "startTimeUnixNano")?,
            at(&publish, "endTimeUnixNano")?,
        );
        // Both nodes have one clock here.
        ensure!(
            at(child, "startTimeUnixNano")? >= begun - 1_000_000 && at(child, "endTimeUnixNano")? <= ended
        );
    }
    ensure!(publish["attributes"].to_string().contains("kicked"), "{publish}");
    for node in [&mut ingest, &mut egress] {
        ensure!(node.terminate(LIMIT).await? == Some(0));
    }
    ensure!(
        found("first reader").len() == 1,
        "one of two readers is the first"
    );
    Ok(())
}
