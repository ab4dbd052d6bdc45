//! Three (or more) real nats-servers that form one cluster, each of which can be killed, hung and started again; who leads a
//! stream is asked of their monitoring ports. What a fault must not break is judged by the tests that use this.

use super::nats_server::{NatsServer, NatsServerOptions};
use serde_json::Value;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// A cluster that has no leader by then will have none.
const FORMED: Duration = Duration::from_secs(20);
/// A monitoring port that says nothing for this long belongs to a server that hangs.
const ANSWER: Duration = Duration::from_millis(500);

/// A cluster of nats-servers with the shipped settings and JetStream; all end when it is dropped.
#[derive(Debug)]
pub struct NatsCluster {
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    server: NatsServer,
    monitor: u16,
}

/// A free port; released at once and taken by a server a moment later.
fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn name(index: usize) -> String {
    format!("n{index}")
}

impl NatsCluster {
    /// Starts `count` servers and waits until they have elected a JetStream leader and all follow it.
    ///
    /// # Errors
    /// If a server does not start, or no leader is elected within 20 s.
    pub async fn start(count: usize) -> io::Result<Self> {
        let routes: Vec<u16> = (0..count).map(|_| free_port()).collect::<io::Result<_>>()?;
        let urls: Vec<String> = routes
            .iter()
            .map(|port| format!("\"nats://127.0.0.1:{port}\""))
            .collect();
        let mut members = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            let monitor = free_port()?;
            let extra = format!(
                "server_name: {}\nhttp: \"127.0.0.1:{monitor}\"\n\
                 cluster {{ name: weft, listen: \"127.0.0.1:{route}\", routes: [{}] }}\n",
                name(index),
                urls.join(", ")
            );
            let server = NatsServer::reserve(NatsServerOptions {
                extra,
                ..NatsServerOptions::default()
            })?;
            members.push(Member { server, monitor });
        }
        let mut cluster = Self { members };
        for member in &mut cluster.members {
            member.server.restart().await?;
        }
        cluster.healthy(FORMED).await?;
        Ok(cluster)
    }

    /// How many servers it has, running or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it has no servers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Addresses of all servers, separated by commas.
    #[must_use]
    pub fn urls(&self) -> String {
        let urls: Vec<String> = self.members.iter().map(|member| member.server.url()).collect();
        urls.join(",")
    }

    /// The server at a place.
    #[must_use]
    pub fn server(&self, index: usize) -> &NatsServer {
        &self.members[index].server
    }

    /// Ends a server at once (SIGKILL).
    pub fn kill(&mut self, index: usize) {
        self.members[index].server.kill();
    }

    /// Hangs a server (SIGSTOP).
    ///
    /// # Errors
    /// If it does not run.
    pub fn stop(&self, index: usize) -> io::Result<()> {
        self.members[index].server.signal("STOP")
    }

    /// Lets a hung server go on (SIGCONT).
    ///
    /// # Errors
    /// If it does not run.
    pub fn cont(&self, index: usize) -> io::Result<()> {
        self.members[index].server.signal("CONT")
    }

    /// Ends a server in good order (SIGTERM) and waits for its end.
    ///
    /// # Errors
    /// If it does not run, or does not end within 15 s.
    pub async fn terminate(&mut self, index: usize) -> io::Result<()> {
        self.members[index].server.terminate().await
    }

    /// Starts a server again on its ports with its store.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart(&mut self, index: usize) -> io::Result<()> {
        self.members[index].server.restart().await
    }

    /// Which server leads a JetStream stream (for a KV bucket `b` that is `KV_b`), as the servers that answer say.
    pub async fn leader_of(&self, stream: &str) -> Option<usize> {
        for index in 0..self.len() {
            let Ok(said) = self.monitor(index, "/jsz?streams=true").await else {
                continue;
            };
            let accounts = said["account_details"].as_array().cloned().unwrap_or_default();
            let streams = accounts
                .iter()
                .flat_map(|account| account["stream_detail"].as_array().cloned().unwrap_or_default());
            for detail in streams.filter(|detail| detail["name"] == stream) {
                let leader = detail["cluster"]["leader"].as_str().unwrap_or_default();
                let place = (0..self.len()).find(|place| name(*place) == leader);
                if place.is_some() {
                    return place;
                }
            }
        }
        None
    }

    /// The names that the clients connected to a server have given themselves.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn clients(&self, index: usize) -> io::Result<Vec<String>> {
        let said = self.monitor(index, "/connz").await?;
        let connections = said["connections"].as_array().cloned().unwrap_or_default();
        let name = |connection: &Value| connection["name"].as_str().map(str::to_owned);
        Ok(connections.iter().filter_map(name).collect())
    }

    /// Waits until every server says that it and its copies of the streams are up to date.
    ///
    /// # Errors
    /// If they are not within `limit`; the error tells what the last one said.
    pub async fn healthy(&self, limit: Duration) -> io::Result<()> {
        let deadline = Instant::now() + limit;
        let mut index = 0;
        while index < self.len() {
            let said = self.monitor(index, "/healthz").await;
            if matches!(&said, Ok(health) if health["status"] == "ok") {
                index += 1;
                continue;
            }
            if Instant::now() > deadline {
                let log = self.members[index].server.log();
                return Err(io::Error::other(format!(
                    "nats-server {index} is not healthy: {said:?}\n{log}"
                )));
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// GET of a page of JSON from a server's monitoring port.
    ///
    /// # Errors
    /// If nothing sensible comes within 500 ms.
    pub async fn monitor(&self, index: usize, page: &str) -> io::Result<Value> {
        let port = self.members[index].monitor;
        let asking = async {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            let request = format!("GET {page} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            let body = answer.windows(4).position(|four| four == b"\r\n\r\n");
            let body = body.map_or(&[][..], |end| &answer[end + 4..]);
            serde_json::from_slice(body).map_err(io::Error::other)
        };
        timeout(ANSWER, asking)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}
