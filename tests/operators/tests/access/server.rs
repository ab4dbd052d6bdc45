//! A server that is asked by nodes: what the authentication callback and the keys of tokens need of HTTP/1.1.
//! What it answers is each test's business.

use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Status, body, and how long it takes to answer.
pub(super) type Reply = (u16, String, Duration);

/// A running server; ends when it is dropped.
pub(super) struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Starts one that answers by the body of a request.
    pub(super) async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let reply = Arc::new(reply);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let reply = Arc::clone(&reply);
                // Ends with its connection; a client that goes away is no fault.
                tokio::spawn(async move { serve(stream, &*reply).await.ok() });
            }
        });
        Ok(Self { address, task })
    }

    /// Where it is.
    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

async fn serve(mut stream: TcpStream, reply: &(impl Fn(&str) -> Reply + Send + Sync)) -> Result<()> {
    let mut input = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            anyhow::ensure!(stream.read_buf(&mut input).await? > 0, "closed");
        };
        let text = String::from_utf8_lossy(&input[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(Ok(0), |length| length.trim().parse())?;
        while input.len() < head + length {
            anyhow::ensure!(stream.read_buf(&mut input).await? > 0, "closed");
        }
        let body = String::from_utf8(input[head..head + length].to_vec()).context("no text")?;
        input.drain(..head + length);
        let (status, answer, pause) = reply(&body);
        tokio::time::sleep(pause).await;
        let head = format!(
            "HTTP/1.1 {status} Answer\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        stream.write_all(format!("{head}{answer}").as_bytes()).await?;
    }
}
