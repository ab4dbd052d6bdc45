//! A small HTTP server for this crate's tests: what it is asked it hands to a function, and keeps.
//! It speaks as much HTTP/1.1 as the client needs.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is answered: status, body, how long it takes.
pub(crate) type Reply = (u16, String, Duration);

pub(crate) struct HttpServer {
    pub(crate) address: SocketAddr,
    /// The bodies it was sent; of GET the empty text.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HttpServer {
    pub(crate) async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (seen, reply) = (Arc::clone(&asked), Arc::new(reply));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&reply)));
            }
        });
        Self { address, asked, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/asked?key=value", self.address)
    }

    pub(crate) fn times(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: Arc<Mutex<Vec<String>>>,
    reply: Arc<impl Fn(&str) -> Reply>,
) -> Option<()> {
    let mut input = Vec::new();
    loop {
        let (head, length) = loop {
            let text = String::from_utf8_lossy(&input).to_lowercase();
            if let Some(end) = text.find("\r\n\r\n") {
                let length = text[..end]
                    .lines()
                    .find_map(|l| l.strip_prefix("content-length: "));
                break (end + 4, length.map_or(0, |l| l.trim().parse().unwrap()));
            }
            (stream.read_buf(&mut input).await.ok()? > 0).then_some(())?;
        };
        while input.len() < head + length {
            (stream.read_buf(&mut input).await.ok()? > 0).then_some(())?;
        }
        let body = String::from_utf8(input[head..head + length].to_vec()).unwrap();
        input.drain(..head + length);
        seen.lock().unwrap().push(body.clone());
        let (status, answer, pause) = reply(&body);
        tokio::time::sleep(pause).await;
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        );
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}
