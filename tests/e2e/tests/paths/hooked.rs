//! Commands and webhooks of a node: what they are told of a publisher and its reader, in which order, signed.
//! How they are run and tried again is tested in nodes/hooks.

use super::{LIMIT, is_gone, publisher, sees};
use anyhow::{Context, Result, ensure};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weft_testkit::node::{Plan, Role};
use weft_testkit::watch::Watcher;
use weft_testkit::{tools, until};

const SECRET: &str = "what only we know";

type Heard = Arc<Mutex<Vec<(String, String)>>>;

/// Takes every event; the URL and what came, heads and bodies.
async fn server() -> Result<(String, Heard)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/events", listener.local_addr()?);
    let heard = Heard::default();
    let shared = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let heard = shared.clone();
            tokio::spawn(async move {
                while let Some(request) = request(&mut stream).await {
                    heard.lock().unwrap_or_else(|e| e.into_inner()).push(request);
                    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok((url, heard))
}

async fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = value(head, "content-length")?.parse::<usize>().ok()?;
            if body.len() >= length {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// As docs/guides/hooks.md tells receivers to check it.
fn is_signed(head: &str, body: &str) -> bool {
    let Some((time, hex)) =
        value(head, "weft-signature").and_then(|signature| signature.strip_prefix("t=")?.split_once(",v1="))
    else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else {
        return false;
    };
    mac.update(format!("{time}.{body}").as_bytes());
    let ours: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    ours == hex
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_and_commands_are_told_of_a_publisher_and_its_reader_in_order() -> Result<()> {
    let (url, heard) = server().await?;
    let told = tools::scratch("hooks")?.join(format!("{}-env", std::process::id()));
    let path = format!(
        "onEvent: {url}\nonEventSecret: {SECRET}\npaths:\n  '~^cam/(.+)$':\n    runOnRead: sh -c 'env >{0}.part; mv {0}.part {0}; exec sleep 300'",
        told.display()
    );
    let node = Plan::new(Role::Standalone)
        .named("hooked")
        .with(&path)
        .start()
        .await?;
    let publisher = publisher(&node, "cam/1")?;
    node.wait_for("cam/1", LIMIT).await?;
    let watcher = Watcher::start(vec![format!("{}?a=1&jwt=secret", node.rtsp("cam/1")?)]);
    sees(&watcher, 10, &[&node]).await?;
    let environment = until("the command's environment", LIMIT, || {
        std::future::ready(std::fs::read_to_string(&told).ok())
    })
    .await
    .with_context(|| node.log())?;
    drop(watcher);
    let count = |event: &str| {
        let heard = heard.lock().unwrap_or_else(|e| e.into_inner());
        heard
            .iter()
            .filter(|(_, body)| body.contains(&format!("\"event\":\"{event}\"")))
            .count()
    };
    until("the reader's end", LIMIT, || {
        std::future::ready((count("unread") == 1).then_some(()))
    })
    .await?;
    drop(publisher);
    is_gone(&node, "cam/1").await?;
    until("the publisher's end", Duration::from_secs(40), || {
        std::future::ready(
            (count("unavailable") == 1 && count("disconnect") == count("connect")).then_some(()),
        )
    })
    .await
    .with_context(|| node.log())?;

    let heard = heard.lock().unwrap_or_else(|e| e.into_inner()).clone();
    for (head, body) in &heard {
        ensure!(is_signed(head, body), "not signed: {head}\n{body}");
    }
    let bodies: Vec<Value> = heard
        .iter()
        .filter_map(|(_, body)| serde_json::from_str(body).ok())
        .collect();
    let of_stream: Vec<&Value> = bodies.iter().filter(|body| body["path"] == "cam/1").collect();
    let events: Vec<&str> = of_stream
        .iter()
        .filter_map(|body| body["event"].as_str())
        .collect();
    ensure!(
        events == ["available", "read", "unread", "unavailable"],
        "{events:?}"
    );
    let read = of_stream[1];
    ensure!(
        read["type"] == "rtspSession" && read["query"] == "a=1" && read["node"] == "hooked",
        "{read}"
    );
    ensure!(of_stream[0]["type"] == "webRTCSession" && of_stream[3]["session"] == of_stream[0]["session"]);

    let session = read["session"].as_str().context("no session")?;
    let reader = format!("MTX_READER_ID={session}");
    let rtsp = node.address("rtsp")?.rsplit(':').next().unwrap_or_default();
    let port = format!("RTSP_PORT={rtsp}");
    for line in [
        "MTX_PATH=cam/1",
        "MTX_READER_TYPE=rtspSession",
        "G1=1",
        "WEFT_NODE=hooked",
        &reader,
        &port,
    ] {
        ensure!(
            environment.lines().any(|l| l == line),
            "{line} is not in\n{environment}"
        );
    }
    ensure!(
        environment
            .lines()
            .any(|line| line.starts_with("MTX_QUERY=a%3D1")),
        "{environment}"
    );
    std::fs::remove_file(&told)?;
    Ok(())
}
