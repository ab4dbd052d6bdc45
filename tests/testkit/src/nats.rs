//! A real nats-server on a free port, with JetStream in a folder of its own. The settings beyond that are the test's.

use crate::process::Process;
use crate::{tools, until};
use anyhow::Result;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tokio::net::TcpStream;

/// A running server; its store is removed with it.
#[derive(Debug)]
pub struct NatsServer {
    process: Option<Process>,
    store: PathBuf,
    port: u16,
}

impl NatsServer {
    /// Starts one and waits until it takes connections.
    pub async fn start() -> Result<Self> {
        let mut server = Self::planned()?;
        server.run().await?;
        Ok(server)
    }

    /// Chooses the port of a server that is not running yet.
    pub fn planned() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let store = tools::scratch("test-nats")?.join(format!("{}-{port}", std::process::id()));
        Ok(NatsServer {
            process: None,
            store,
            port,
        })
    }

    /// Starts it, or starts it again on the same port and store.
    pub async fn run(&mut self) -> Result<()> {
        let mut command = Command::new(tools::nats_server()?);
        command
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-js", "-sd"])
            .arg(&self.store);
        self.process = Some(Process::spawn("nats-server", command)?);
        let port = self.port;
        until(
            "nats-server takes connections",
            Duration::from_secs(10),
            || async move { TcpStream::connect(("127.0.0.1", port)).await.ok() },
        )
        .await?;
        Ok(())
    }

    /// Kills it.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// The process, if it runs.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// What clients connect to.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.process = None;
        // Nothing depends on the store being gone.
        drop(std::fs::remove_dir_all(&self.store));
    }
}
