//! An HTTP proxy for WHIP that puts a relay between a publisher and an ingest node: it takes the publisher's candidates out
//! of the offer and writes the relay's address over those in the answer. Everything else passes as it is, a session's events
//! without end.

use crate::http::{self, Response};
use crate::relay::Relay;
use anyhow::{Context, Result};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A running proxy; it ends when dropped.
#[derive(Debug)]
pub struct WhipProxy {
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl WhipProxy {
    /// Listens on a free port of 127.0.0.1 in front of the node's HTTP address.
    pub async fn start(node: String, relay: &Relay) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let media = relay.address();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut requests = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let node = node.clone();
                requests.spawn(async move { drop(serve(stream, &node, media).await) });
            }
        });
        Ok(WhipProxy { address, _task: task })
    }

    /// The WHIP URL of a stream through this proxy.
    pub fn whip(&self, stream: &str) -> String {
        format!("http://{}/{stream}/whip", self.address)
    }
}

async fn serve(mut stream: TcpStream, node: &str, media: SocketAddr) -> Result<()> {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "closed early");
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec())?;
        break (head, end + 4);
    };
    let mut lines = head.split("\r\n");
    let mut start = lines.next().context("no request line")?.split(' ');
    let (method, path) = (start.next().unwrap_or_default(), start.next().unwrap_or_default());
    let headers: Vec<(&str, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(k, v)| (k, v.trim()))
        .collect();
    if method == "GET"
        && path
            .split('?')
            .next()
            .is_some_and(|path| path.ends_with("/events"))
    {
        let mut events = TcpStream::connect(node).await?;
        events.write_all(&bytes).await?;
        copy_bidirectional(&mut stream, &mut events).await?;
        return Ok(());
    }
    let field = |name: &str| {
        headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    };
    let body = length
        + field("content-length")
            .and_then(|value| value.parse().ok())
            .unwrap_or(0usize);
    while bytes.len() < body {
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "closed early");
    }
    let offer = String::from_utf8_lossy(&bytes[length..body]);
    let offer: String = offer
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("a=candidate:"))
        .collect();
    let kept: Vec<(&str, &str)> = headers
        .iter()
        .filter(|(name, _)| {
            !["host", "connection", "content-length", "expect"].contains(&&*name.to_lowercase())
        })
        .copied()
        .collect();
    let response = http::request(method, node, path, &kept, offer.as_bytes()).await?;
    stream.write_all(&answer(&response, media)).await?;
    stream.shutdown().await?;
    Ok(())
}

fn answer(response: &Response, media: SocketAddr) -> Vec<u8> {
    let body = if response
        .header("content-type")
        .is_some_and(|value| value.starts_with("application/sdp"))
    {
        rewrite_candidates(&response.text(), media).into_bytes()
    } else {
        response.body.clone()
    };
    let mut head = format!("HTTP/1.1 {} Relayed\r\n", response.status);
    for (name, value) in &response.headers {
        if !["content-length", "connection", "transfer-encoding"].contains(&&*name.to_lowercase()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str(&format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    ));
    [head.into_bytes(), body].concat()
}

/// Address and port are the fifth and sixth word of a candidate (RFC 8839 section 5.1).
fn rewrite_candidates(sdp: &str, media: SocketAddr) -> String {
    sdp.split_inclusive('\n')
        .map(|line| {
            if !line.starts_with("a=candidate:") {
                return line.to_owned();
            }
            let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            if words.len() > 5 {
                words[4] = media.ip().to_string();
                words[5] = media.port().to_string();
            }
            words.join(" ")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_gets_the_relays_address_and_other_lines_stay() {
        let sdp = "m=video 9 X\r\na=candidate:1 1 udp 2130706431 10.0.0.7 8189 typ host\r\na=mid:0\r\n";
        let expected = "m=video 9 X\r\na=candidate:1 1 udp 2130706431 127.0.0.1 5 typ host\r\na=mid:0\r\n";
        assert_eq!(
            rewrite_candidates(sdp, SocketAddr::from(([127, 0, 0, 1], 5))),
            expected
        );
    }
}
