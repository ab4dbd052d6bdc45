//! Runs a node and ends it: serve until told to end, drain, then close every session with a reason, then the ports, the
//! lease and the bus. What a part does to end its sessions is its own business.

use super::{EgressPart, Node, service, settings};
use actix_web::dev::ServerHandle;
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use weft_bus::{BusState, LeaseError, Standing};
use weft_egress::Egress;
use weft_wire::CloseReason;

/// What the close of all sessions may take after the drain.
const CLOSING: Duration = Duration::from_secs(3);

/// What the steps after the sessions' end may take together; with the default `drainTimeout` (5 s) the process is gone
/// before an orchestrator's patience (10 s) is.
const LAST_STEPS: Duration = Duration::from_millis(1_500);

impl Node {
    /// Serves until `shutdown` is cancelled or a drain is ordered, then ends in good order. A drain ordered by the API takes
    /// the time it was given; `shutdown` during it shortens it to `fabric.drainTimeout`.
    ///
    /// # Errors
    /// When a server ended by itself, or when it turned out, once NATS was there, that another live run has this node's name.
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
        let mut tasks = self.background();
        self.tls
            .follow(&weft_config::Live::new(self.settings.subscribe()), &mut tasks);
        let ended = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            () = self.state.drain.ordered() => Ok(()),
            held = held(self.members.standing()) => Err(std::io::Error::other(held)),
            Some(done) = servers.join_next() => done.unwrap_or_else(|e| Err(std::io::Error::other(e))),
        };
        match &ended {
            Ok(()) => {
                let egress = rtsp.as_ref().map(|(egress, _)| egress);
                self.drain(egress, &shutdown).await;
            }
            // There is nothing to wait for.
            Err(error) => {
                self.state.order_drain(Some(Duration::ZERO), &error.to_string());
            }
        }
        let keeper = self.keeper.take();
        let leaving = async {
            if let Some(keeper) = keeper
                && let Err(error) = keeper.leave().await
            {
                tracing::warn!(%error, "the lease could not be given up; it expires");
            }
        };
        let closing = async {
            tokio::join!(self.close_sessions(rtsp, &stop_rtsp), leaving);
            self.hooks.shutdown().await;
        };
        if tokio::time::timeout(CLOSING, closing).await.is_err() {
            tracing::warn!(limit = ?CLOSING, "not every session has ended in time");
        }
        if tokio::time::timeout(LAST_STEPS, self.close(handles, servers))
            .await
            .is_err()
        {
            tracing::warn!("the last steps did not end in time");
        }
        tasks.shutdown().await;
        tracing::info!("ended");
        ended
    }

    /// What goes on beside the servers until the node ends.
    fn background(&self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(crate::logging::follow(weft_config::Live::new(
            self.settings.subscribe(),
        )));
        if let Some(changes) = &self.changes {
            let state = self.state.clone();
            tasks.spawn(
                changes
                    .clone()
                    .follow(move |change| settings::sweep(state.clone(), change)),
            );
        }
        tasks.spawn(announce(
            self.bus.state(),
            self.config.fabric.address_file.clone(),
            self.addresses,
        ));
        tasks.spawn(service::serve(
            self.bus.clone(),
            self.identity.name.clone(),
            self.state.clone(),
        ));
        let state = self.state.clone();
        let bytes = move || state.parts().map_or(0, super::state::Parts::bytes);
        tasks.spawn(self.state.meter.clone().run(bytes));
        tasks.spawn(self.state.lag.clone().run());
        tasks
    }

    /// Takes nobody new, tells publishers to move, and waits until everybody has left or the time is over.
    async fn drain(&self, egress: Option<&Egress>, shutdown: &CancellationToken) {
        let patience = self.patience();
        if shutdown.is_cancelled() {
            self.state.order_drain(Some(patience), "a signal");
        }
        self.members.changed();
        if let Some(ingest) = &self.ingest {
            ingest.drain().await;
        }
        if let Some(egress) = egress {
            egress.drain();
        }
        let hurried = async {
            shutdown.cancelled().await;
            self.state.order_drain(Some(patience), "a signal");
            std::future::pending::<()>().await;
        };
        let left = || {
            let left = self.state.left();
            left.publishers > 0 || left.readers > 0
        };
        tokio::select! {
            () = hurried => {}
            _ = self.state.drain.over(left) => {}
        }
        let left = self.state.left();
        if left.publishers > 0 || left.readers > 0 {
            tracing::info!(
                publishers = left.publishers,
                readers = left.readers,
                "the time to drain is over; who is still here is closed"
            );
        } else {
            tracing::info!("drained; everybody has left");
        }
    }

    /// How long a signal's drain waits. Where there are no other nodes nobody can go anywhere.
    fn patience(&self) -> Duration {
        if self.config.fabric.nats.servers.is_empty() {
            Duration::ZERO
        } else {
            self.settings.borrow().fabric.drain_timeout
        }
    }

    async fn close_sessions(&self, rtsp: Option<(Egress, JoinHandle<()>)>, stop_rtsp: &CancellationToken) {
        let publishers = async {
            if let Some(ingest) = &self.ingest {
                ingest.shutdown(CloseReason::Shutdown).await;
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
        self.shards.stop(CloseReason::Shutdown).await;
    }

    async fn close(&self, handles: Vec<ServerHandle>, mut servers: JoinSet<std::io::Result<()>>) {
        if let Some(file) = &self.config.fabric.address_file
            && let Err(error) = std::fs::remove_file(file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(file = %file.display(), %error, "fabric.addressFile cannot be removed");
        }
        futures::future::join_all(handles.iter().map(|handle| handle.stop(true))).await;
        while servers.join_next().await.is_some() {}
        self.bus.flush().await;
    }
}

/// Resolves when another live run has the name and this one never had it: it must not go on.
async fn held(mut standing: tokio::sync::watch::Receiver<Standing>) -> LeaseError {
    loop {
        if let Standing::Held {
            by,
            after_joining: false,
        } = &*standing.borrow_and_update()
        {
            return LeaseError::Held(by.clone());
        }
        if standing.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Tells once that the node is ready: when the bus is there for the first time.
async fn announce(
    mut bus: tokio::sync::watch::Receiver<BusState>,
    file: Option<std::path::PathBuf>,
    addresses: super::Addresses,
) {
    // One that a killed run left behind names ports that nobody has any more.
    if let Some(file) = &file {
        drop(std::fs::remove_file(file));
    }
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
