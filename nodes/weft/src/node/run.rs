//! Runs a node and ends it: serve until told to stop, then close every session with a reason, then the ports, then the bus.
//! What a part does to end its sessions is its own business.

use super::{EgressPart, Node};
use actix_web::dev::ServerHandle;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weft_bus::BusState;
use weft_wire::CloseReason;

/// What the steps after the sessions' end may take together; with the longest `drainTimeout` in use the process is gone
/// before an orchestrator's patience (10 s) is.
const LAST_STEPS: Duration = Duration::from_secs(2);

impl Node {
    /// Serves until `shutdown` is cancelled, then ends in good order.
    ///
    /// # Errors
    /// When a server ended by itself.
    pub async fn run(mut self, shutdown: CancellationToken) -> std::io::Result<()> {
        let stop_rtsp = CancellationToken::new();
        let mut servers = JoinSet::new();
        let mut handles = Vec::new();
        for web in self.web.drain(..) {
            handles.push(web.handle);
            servers.spawn_local(web.server);
        }
        let rtsp = self.egress.take().map(|EgressPart { egress, server }| {
            let task = tokio::spawn(server.run(stop_rtsp.clone()));
            (egress, task)
        });
        tokio::spawn(announce(
            self.bus.state(),
            self.config.fabric.address_file.clone(),
            self.addresses,
        ));
        let ended = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            Some(done) = servers.join_next() => done.unwrap_or_else(|e| Err(std::io::Error::other(e))),
        };

        self.state.draining.store(true, Relaxed);
        let sessions = async {
            let publishers = async {
                if let Some(part) = &self.ingest {
                    part.ingest.shutdown(CloseReason::Shutdown).await;
                    part.shards.stop(CloseReason::Shutdown).await;
                }
            };
            let readers = async {
                if let Some((egress, server)) = rtsp {
                    egress.shutdown(CloseReason::Shutdown).await;
                    stop_rtsp.cancel();
                    if let Err(error) = server.await {
                        tracing::error!(%error, "the RTSP server did not end cleanly");
                    }
                }
            };
            tokio::join!(publishers, readers);
        };
        let limit = self.config.fabric.drain_timeout;
        if tokio::time::timeout(limit, sessions).await.is_err() {
            tracing::warn!(?limit, "not every session has ended in time");
        }
        if tokio::time::timeout(LAST_STEPS, self.close(handles, servers))
            .await
            .is_err()
        {
            tracing::warn!("the HTTP servers did not end in time");
        }
        tracing::info!("ended");
        ended
    }

    async fn close(&self, handles: Vec<ServerHandle>, mut servers: JoinSet<std::io::Result<()>>) {
        futures::future::join_all(handles.iter().map(|handle| handle.stop(true))).await;
        while servers.join_next().await.is_some() {}
        self.bus.flush().await;
    }
}

/// Tells once that the node is ready: when the bus is there for the first time.
async fn announce(
    mut bus: tokio::sync::watch::Receiver<BusState>,
    file: Option<std::path::PathBuf>,
    addresses: super::Addresses,
) {
    let connected = bus.wait_for(|state| matches!(state, BusState::Connected(_)));
    if connected.await.is_err() {
        return;
    }
    tracing::info!("ready");
    if let Some(file) = file
        && let Err(error) = addresses.write(&file)
    {
        tracing::error!(file = %file.display(), %error, "fabric.addressFile cannot be written");
    }
}
