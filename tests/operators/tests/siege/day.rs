//! The day itself: one attack after the other on every port of one node. The live stream is exact at the end, memory,
//! descriptors and log are as they were, and honest newcomers got in at every moment.

use super::attack::{connect, dribble, half_open, still_open, stranger};
use super::certificate::Certificate;
use super::fortress::{Fortress, with_rtsps};
use anyhow::{Context, Result, ensure};
use futures::future::{join_all, try_join_all};
use std::time::{Duration, Instant};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::rtsp::Dialogue;
use weft_testkit::{http, until};

/// `readTimeout` of the node.
const READ: Duration = Duration::from_secs(2);
/// Most connections of one address on one port.
const OF_ONE: usize = 150;
/// Most connections of one HTTP port, and of RTSP with RTSPS.
const OF_ALL: usize = 400;
/// Half-open connections of a flood.
const FLOOD: usize = 1000;

/// The ports, with what a client says first on them.
const PORTS: [(&str, &[u8]); 5] = [
    ("webrtc", b"POST /cam/whip HTTP/1.1\r\nHost: a\r\n"),
    ("api", b"GET /v3/paths/list HTTP/1.1\r\nHo"),
    ("metrics", b"GET /metr"),
    ("rtsp", b"DESCRIBE rtsp://a/cam RTSP/1.0\r\nCSeq: 1\r\n"),
    // The first bytes of a ClientHello.
    ("rtsps", &[22, 3, 1, 2, 0, 1, 0]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_floods_dribbles_and_bodies_without_measure_leaves_the_live_stream_exact() -> Result<()> {
    let certificate = Certificate::new()?;
    let plan = Plan::new(Role::Standalone)
        .with("readTimeout: 2s")
        .fabric("limits:")
        .fabric(&format!("  httpConnections: {OF_ALL}"))
        .fabric(&format!("  rtspConnections: {OF_ALL}"))
        .fabric(&format!("  connectionsPerAddress: {OF_ONE}"))
        .fabric("  requestsPerSecond: 400");
    let fortress = Fortress::start(&with_rtsps(plan, &certificate)).await?;
    let node = &fortress.node;
    for (port, word) in PORTS {
        let step = flood_from_one(node, port, word).await;
        step.with_context(|| format!("flood from one address, {port}"))?;
        let step = flood_from_many(node, port, word).await;
        step.with_context(|| format!("flood from many addresses, {port}"))?;
    }
    dribbles(node).await.context("dribbling clients")?;
    large_bodies(node).await.context("10 MB bodies")?;
    logins(node).await.context("wrong logins")?;
    fortress.stands().await
}

/// An honest newcomer on this port is served, at once.
async fn newcomer(node: &Node, port: &str) -> Result<()> {
    let began = Instant::now();
    match port {
        "webrtc" => {
            let page = http::get(node.address("webrtc")?, "/new/publish").await?;
            ensure!(page.status == 200, "{}", page.status);
        }
        "api" => {
            let list = http::get(node.address("api")?, "/v3/paths/list").await?;
            ensure!(list.status == 200, "{}", list.status);
        }
        "metrics" => {
            let metrics = http::get(node.address("metrics")?, "/metrics").await?;
            ensure!(metrics.status == 200, "{}", metrics.status);
        }
        // A reader that comes with TLS is the other tests' matter: the two share what is full here.
        _ => {
            let mut reader = Dialogue::open(node.address("rtsp")?).await?;
            let answer = reader.ask("DESCRIBE", &node.rtsp("witness")?, &[]).await?;
            ensure!(answer.status == 200, "{}", answer.status);
        }
    }
    let took = began.elapsed();
    ensure!(took < Duration::from_secs(2), "a newcomer waited {took:?}");
    Ok(())
}

async fn flood_from_one(node: &Node, port: &str, word: &[u8]) -> Result<()> {
    let flood = half_open(FLOOD, |_| stranger(0), node.address(port)?, word).await?;
    newcomer(node, port).await?;
    let limit = READ + Duration::from_secs(3);
    until("the refused are closed", limit, || async {
        (still_open(&flood) <= OF_ONE).then_some(())
    })
    .await
    .with_context(|| format!("{} open", still_open(&flood)))?;
    until("the silent are closed", limit, || async {
        (still_open(&flood) == 0).then_some(())
    })
    .await
    .with_context(|| format!("{} open", still_open(&flood)))
}

async fn flood_from_many(node: &Node, port: &str, word: &[u8]) -> Result<()> {
    let flood = half_open(FLOOD, stranger, node.address(port)?, word).await?;
    newcomer(node, port).await?;
    let open = still_open(&flood);
    ensure!(open <= 2 * OF_ALL, "{open} open");
    until("all are closed", READ + Duration::from_secs(3), || async {
        (still_open(&flood) == 0).then_some(())
    })
    .await
    .with_context(|| format!("{} open", still_open(&flood)))
}

/// A head a byte at a time on every port; and on those that take one, a body.
async fn dribbles(node: &Node) -> Result<()> {
    let body = b"POST /cam/whip HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\nContent-Length: 9000\r\n\r\nv=0";
    let chunked = b"POST /v3/node/drain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n";
    let again = b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\nGET /noth";
    let more: [(&str, &[u8]); 3] = [("webrtc", body), ("api", chunked), ("webrtc", again)];
    let clients = PORTS.into_iter().chain(more).map(|(port, word)| async move {
        let stream = connect(stranger(7), node.address(port)?).await?;
        let (stood, answer) = dribble(stream, word, b'a').await?;
        let said = answer.lines().last().unwrap_or_default().to_owned();
        ensure!(
            stood >= READ - Duration::from_millis(100) && stood < READ + Duration::from_secs(3),
            "{port} stood it for {stood:?}: {answer}"
        );
        let refused = ["408", "400"].iter().any(|status| {
            answer.contains(&format!("1.1 {status}")) || answer.contains(&format!("1.0 {status}"))
        });
        ensure!(refused || port == "rtsps", "{port} said {answer}");
        anyhow::Ok(said)
    });
    try_join_all(clients).await?;
    newcomer(node, "webrtc").await
}

/// Refused early, without reading them; memory is judged at the end.
async fn large_bodies(node: &Node) -> Result<()> {
    let body = vec![b'a'; 10 * 1024 * 1024];
    let begun = Instant::now();
    for (port, method, path) in [
        ("webrtc", "POST", "/cam/whip"),
        (
            "webrtc",
            "PATCH",
            "/cam/whip/x.11111111-1111-1111-1111-111111111111",
        ),
        ("api", "PATCH", "/v3/config/global/patch"),
        ("metrics", "GET", "/metrics"),
    ] {
        let address = node.address(port)?;
        let clients = (0..5).map(|_| {
            http::request(
                method,
                address,
                path,
                &[("Content-Type", "application/sdp")],
                &body,
            )
        });
        for answer in join_all(clients).await {
            let answer = answer.with_context(|| format!("{method} {path}"))?;
            ensure!(answer.status == 413, "{method} {path}: {}", answer.status);
        }
        // Whoever asks first is not asked for it.
        let mut asks = connect(stranger(8), address).await?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10485760\r\n\r\n"
        );
        let (_, answer) = dribble_nothing(&mut asks, head.as_bytes()).await?;
        ensure!(answer.starts_with("HTTP/1.1 413"), "{method} {path}: {answer}");
    }
    // Chunks say no size before.
    let mut chunks = b"POST /cam/whip HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..40 {
        chunks.extend_from_slice(b"10000\r\n");
        chunks.extend_from_slice(&body[..0x10000]);
        chunks.extend_from_slice(b"\r\n");
    }
    let answer = http::parse(&http::exchange(node.address("webrtc")?, &chunks).await?)?;
    ensure!(answer.status == 413, "chunks: {}", answer.status);
    // A head without end is no better.
    let mut head = b"GET /nothing HTTP/1.1\r\nHost: a\r\n".to_vec();
    head.extend((0..4000).flat_map(|n| format!("X-{n}: {}\r\n", "a".repeat(40)).into_bytes()));
    let answer = http::parse(&http::exchange(node.address("api")?, &head).await?)?;
    ensure!(answer.status == 431, "a long head: {}", answer.status);
    let long = format!(
        "GET /{} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "a".repeat(9000)
    );
    let answer = http::parse(&http::exchange(node.address("api")?, long.as_bytes()).await?)?;
    ensure!(answer.status == 414, "a long URL: {}", answer.status);
    weft_testkit::figure(format!("10 MB bodies: all refused in {:?}", begun.elapsed()));
    newcomer(node, "webrtc").await
}

async fn dribble_nothing(stream: &mut tokio::net::TcpStream, head: &[u8]) -> Result<(usize, String)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.write_all(head).await?;
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await??;
    Ok((read, String::from_utf8_lossy(&answer[..read]).into_owned()))
}

/// 200 wrong logins a second from one address, for two seconds; somebody of another one does not notice.
async fn logins(node: &Node) -> Result<()> {
    let began = Instant::now();
    let mut clients = Vec::new();
    for number in 0..400_u32 {
        let at = began + Duration::from_millis(5) * number;
        tokio::time::sleep_until(at.into()).await;
        let address = node.address("api")?.to_owned();
        clients.push(tokio::spawn(async move {
            let mut stream = connect(stranger(9), &address).await?;
            let head = b"GET /v3/paths/list HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Basic eDp5\r\n\r\n";
            let (_, answer) = dribble_nothing(&mut stream, head).await?;
            anyhow::Ok(answer.get(9..12).unwrap_or_default().to_owned())
        }));
        if number % 100 == 50 {
            newcomer(node, "api").await?;
        }
    }
    let mut said = std::collections::BTreeMap::new();
    for client in clients {
        *said
            .entry(client.await?.unwrap_or_else(|e| e.to_string()))
            .or_insert(0) += 1;
    }
    weft_testkit::figure(format!("400 wrong logins in {:?}: {said:?}", began.elapsed()));
    ensure!(!said.contains_key("200"), "{said:?}");
    ensure!(said.get("429").is_some_and(|count| *count > 200), "{said:?}");
    Ok(())
}
