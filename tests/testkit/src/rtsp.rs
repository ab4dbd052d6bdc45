//! An RTSP dialogue (RFC 2326) by hand, for requests that no proper reader would make. It takes no media: what comes between
//! answers on the connection is passed over.

use crate::http::{self, Response};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection and the session on it.
#[derive(Debug)]
pub struct Dialogue {
    stream: TcpStream,
    sequence: u32,
    session: Option<String>,
    /// What has come and is no answer that was taken.
    bytes: Vec<u8>,
}

impl Dialogue {
    /// Connects.
    pub async fn open(address: &str) -> Result<Self> {
        Ok(Dialogue {
            stream: TcpStream::connect(address).await?,
            sequence: 0,
            session: None,
            bytes: Vec::new(),
        })
    }

    /// Sends a request with CSeq and the session's id, and waits for its answer, at most 10 s.
    pub async fn ask(&mut self, method: &str, url: &str, headers: &[(&str, &str)]) -> Result<Response> {
        self.sequence += 1;
        let mut text = format!("{method} {url} RTSP/1.0\r\nCSeq: {}\r\n", self.sequence);
        for (name, value) in headers
            .iter()
            .copied()
            .chain(self.session.as_deref().map(|id| ("Session", id)))
        {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        self.stream.write_all(text.as_bytes()).await?;
        let answer = tokio::time::timeout(Duration::from_secs(10), self.answer());
        let answer = answer.await.with_context(|| format!("no answer to {method}"))??;
        if let Some(session) = answer.header("session") {
            self.session = Some(session.split(';').next().unwrap_or_default().to_owned());
        }
        Ok(answer)
    }

    async fn answer(&mut self) -> Result<Response> {
        loop {
            skip_interleaved(&mut self.bytes);
            if let Some(end) = complete(&self.bytes)? {
                // What follows may be the beginning of a frame: it is kept for the next time.
                let answer: Vec<u8> = self.bytes.drain(..end).collect();
                return http::parse(&answer);
            }
            ensure!(self.stream.read_buf(&mut self.bytes).await? > 0, "closed");
        }
    }
}

/// `$`, channel, two bytes of length, data (RFC 2326 section 10.12).
fn skip_interleaved(bytes: &mut Vec<u8>) {
    while let [b'$', _, high, low, ..] = bytes[..] {
        let end = 4 + usize::from(u16::from_be_bytes([high, low]));
        if bytes.len() < end {
            return;
        }
        bytes.drain(..end);
    }
}

/// Where the answer at the front ends, once all of it is there.
fn complete(bytes: &[u8]) -> Result<Option<usize>> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(head) = head.filter(|_| bytes.first() != Some(&b'$')) else {
        return Ok(None);
    };
    // An RTSP answer has the form of an HTTP answer.
    let answer = http::parse(&bytes[..head + 4])?;
    let length = answer
        .header("content-length")
        .and_then(|value| value.parse().ok())
        .unwrap_or(0usize);
    let end = head + 4 + length;
    Ok((bytes.len() >= end).then_some(end))
}
