//! The server: binds its sockets, accepts connections, starts a task for each, ends them together.
//! It knows its connections only by their sessions' views and its counters.

use crate::connection;
use crate::counters::Counters;
use crate::limiter::Limiters;
use crate::sessions::{SessionView, Sessions};
use crate::udp::UdpPair;
use crate::{Error, PlayHandler, ServerConfig, tcp};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use weft_wire::SessionId;

/// How long connections may take to say their last words at shutdown.
const SHUTDOWN: Duration = Duration::from_secs(2);
/// After a failed accept (no descriptors left): trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every connection shares.
pub(crate) struct Shared {
    pub(crate) config: ServerConfig,
    pub(crate) handler: Arc<dyn PlayHandler>,
    pub(crate) udp: Option<UdpPair>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) limiters: Limiters,
    pub(crate) start: Instant,
    pub(crate) stop: CancellationToken,
}

impl Shared {
    /// Time since the server's start: the clock of its sessions.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Where the server listens, after the system has chosen ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// RTSP.
    pub rtsp: SocketAddr,
    /// RTP, where UDP is on.
    pub rtp: Option<SocketAddr>,
    /// RTCP, where UDP is on.
    pub rtcp: Option<SocketAddr>,
}

/// A view of the server for others; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    addresses: Addresses,
}

impl Handle {
    /// Where the server listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The sessions there are, oldest first.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionView> {
        self.shared.sessions.views()
    }

    /// Ends a session and its connection; false when there is none of this id.
    #[must_use]
    pub fn kick(&self, id: Uuid) -> bool {
        self.shared.sessions.kick(id)
    }

    /// The same by the id that other nodes use: a UUID's 16 bytes.
    #[must_use]
    pub fn kick_session(&self, session: SessionId) -> bool {
        self.kick(Uuid::from_bytes(session.0))
    }

    /// The server's counters.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }
}

/// The server, bound and not yet running.
pub struct Server {
    listener: TcpListener,
    handle: Handle,
}

impl Server {
    /// Binds all sockets. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`Error`] names the address that cannot be used.
    pub fn bind(config: ServerConfig, handler: Arc<dyn PlayHandler>) -> Result<Self, Error> {
        let listener = tcp::listen(&config)?;
        let udp = config.udp.map(UdpPair::bind).transpose()?;
        let unbound = |source| Error::Bind {
            purpose: "RTSP",
            address: config.rtsp_address,
            source,
        };
        let pair = udp
            .as_ref()
            .map(UdpPair::addresses)
            .transpose()
            .map_err(unbound)?;
        let addresses = Addresses {
            rtsp: listener.local_addr().map_err(unbound)?,
            rtp: pair.map(|p| p.0),
            rtcp: pair.map(|p| p.1),
        };
        let counters = Arc::<Counters>::default();
        let shared = Arc::new(Shared {
            sessions: Arc::new(Sessions::new(Arc::clone(&counters))),
            counters,
            config,
            handler,
            udp,
            limiters: Limiters::default(),
            start: Instant::now(),
            stop: CancellationToken::new(),
        });
        Ok(Self {
            listener,
            handle: Handle { shared, addresses },
        })
    }

    /// A view that outlives [`Self::run`].
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Where the server listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.handle.addresses
    }

    /// Serves until `shutdown` is cancelled, then closes every connection cleanly (within 2 s) and returns.
    pub async fn run(self, shutdown: CancellationToken) {
        let shared = self.handle.shared;
        let connections = TaskTracker::new();
        let serve = async {
            loop {
                match self.listener.accept().await {
                    Ok((stream, peer)) => admit(&shared, &connections, stream, peer),
                    Err(error) => {
                        if let Some(more) = shared.limiters.accept.pass() {
                            tracing::warn!(%error, more, "cannot accept a connection");
                        }
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        let reports = async {
            match &shared.udp {
                Some(udp) => udp.listen(shared.start, &shared.counters).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = async { tokio::join!(serve, reports); } => {}
        }
        drop(self.listener);
        shared.stop.cancel();
        connections.close();
        if tokio::time::timeout(SHUTDOWN, connections.wait()).await.is_err() {
            tracing::warn!(left = connections.len(), "connections did not close in time");
        }
    }
}

/// Starts a connection's task, unless there are too many.
fn admit(shared: &Arc<Shared>, connections: &TaskTracker, stream: TcpStream, peer: SocketAddr) {
    let counters = &shared.counters;
    if counters.connections.load(Relaxed) >= shared.config.max_connections as u64 {
        Counters::one(&counters.refused);
        if let Some(more) = shared.limiters.refused.pass() {
            tracing::warn!(%peer, more, "connection refused: there are too many");
        }
        return;
    }
    if let Err(error) = tune(&stream, shared) {
        tracing::debug!(%peer, %error, "connection was gone before it began");
        return;
    }
    Counters::one(&counters.accepted);
    Counters::one(&counters.connections);
    let shared = Arc::clone(shared);
    connections.spawn(async move {
        // Counted down on every way out, a panic's too.
        let _open = Open(Arc::clone(&shared.counters));
        connection::serve(stream, peer, shared).await;
    });
}

fn tune(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    tcp::tune(stream, &shared.config)
}

/// A connection that is counted as open.
struct Open(Arc<Counters>);

impl Drop for Open {
    fn drop(&mut self) {
        Counters::one_less(&self.0.connections);
    }
}
