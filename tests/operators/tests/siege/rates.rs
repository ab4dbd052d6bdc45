//! How often one address may ask, and what it is told; somebody else at the same time is not concerned.
//! Behind a trusted proxy it is the client that counts, and the proxy's own connections are not limited.

use super::attack::{connect, stranger};
use anyhow::{Result, ensure};
use std::net::IpAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weft_testkit::http::{self, Response};
use weft_testkit::node::{Node, Plan, Role};

/// Asks once, for somebody behind a proxy where one is named.
async fn ask(node: &Node, from: IpAddr, client: Option<&str>) -> Result<Response> {
    let mut stream = connect(from, node.address("webrtc")?).await?;
    let forwarded = client.map_or_else(String::new, |ip| format!("X-Forwarded-For: {ip}\r\n"));
    let head = format!("GET /cam/publish HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{forwarded}\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    http::parse(&answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_asks_too_often_is_told_when_to_come_again_and_no_other_is() -> Result<()> {
    let plan = Plan::new(Role::Standalone)
        .with("webrtcTrustedProxies: [127.9.0.6]")
        .fabric("limits:")
        .fabric("  requestsPerSecond: 5")
        .fabric("  connectionsPerAddress: 4");
    let node = plan.start().await?;
    let one = stranger(3);
    let mut refused = None;
    for _ in 0..12 {
        let answer = ask(&node, one, None).await?;
        if answer.status != 200 {
            refused = Some(answer);
        }
    }
    let refused = refused.expect("twelve requests within a second, of which five are allowed");
    ensure!(refused.status == 429, "{}", refused.status);
    ensure!(
        refused.header("retry-after") == Some("1"),
        "{:?}",
        refused.headers
    );
    ensure!(refused.json()?["error"] == "too many requests from this address");
    ensure!(
        refused.header("access-control-allow-origin") == Some("*"),
        "{:?}",
        refused.headers
    );
    ensure!(ask(&node, stranger(4), None).await?.status == 200);

    // A proxy brings many.
    let proxy = stranger(5);
    ensure!(proxy == IpAddr::from([127, 9, 0, 6]));
    for number in 0..20 {
        let client = format!("192.0.2.{number}");
        ensure!(ask(&node, proxy, Some(&client)).await?.status == 200, "{client}");
    }
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(ask(&node, proxy, Some("198.51.100.7")).await?.status);
    }
    ensure!(statuses.contains(&429), "{statuses:?}");
    // Whoever is no proxy says nothing about himself.
    let liar = stranger(6);
    let mut statuses = Vec::new();
    for number in 0..12 {
        statuses.push(
            ask(&node, liar, Some(&format!("203.0.113.{number}")))
                .await?
                .status,
        );
    }
    ensure!(statuses.contains(&429), "{statuses:?}");
    let counted = node.metric("weft_http_requests_too_often_total").await?;
    ensure!(counted > Some(2.0), "{counted:?}");

    let held = super::attack::half_open(4, |_| stranger(10), node.address("webrtc")?, b"G").await?;
    let answer = ask(&node, stranger(10), None).await?;
    ensure!(
        answer.status == 429 && answer.header("retry-after").is_some(),
        "{}",
        answer.status
    );
    ensure!(answer.json()?["error"] == "too many connections from this address");
    drop(held);
    let held = super::attack::half_open(30, |_| proxy, node.address("webrtc")?, b"G").await?;
    ensure!(ask(&node, proxy, Some("192.0.2.99")).await?.status == 200);
    drop(held);
    Ok(())
}
