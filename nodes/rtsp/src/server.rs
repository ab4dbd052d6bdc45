//! The server: binds its sockets, accepts connections, starts a task for each, ends them together.
//! It knows its connections only by their sessions' views and its counters.

use crate::connection;
use crate::connections::{ConnectionView, Connections};
use crate::counters::Counters;
use crate::limiter::Limiters;
use crate::sessions::{SessionView, Sessions};
use crate::stream::Stream;
use crate::udp::UdpPair;
use crate::{Error, PlayHandler, ServerConfig, tcp};
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use weft_limits::{Bounds, Door, Full, Guest};
use weft_tls::Acceptor;
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
    pub(crate) connections: Arc<Connections>,
    pub(crate) limiters: Limiters,
    /// Of both listeners together.
    pub(crate) door: Door,
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
    /// RTSP, where it is spoken in the clear.
    pub rtsp: Option<SocketAddr>,
    /// RTSP over TLS, where that is spoken.
    pub rtsps: Option<SocketAddr>,
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

    /// The connections there are, oldest first.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionView> {
        self.shared.connections.views()
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
    plain: Option<TcpListener>,
    secure: Option<(TcpListener, Acceptor)>,
    handle: Handle,
}

impl Server {
    /// Binds all sockets. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`Error`] names the address that cannot be used.
    pub fn bind(config: ServerConfig, handler: Arc<dyn PlayHandler>) -> Result<Self, Error> {
        let plain = config.rtsp_address.map(|at| tcp::listen(&config, "RTSP", at));
        let plain = plain.transpose()?;
        let secure = config.tls.as_ref().map(|tls| {
            let listener = tcp::listen(&config, "RTSPS", tls.address)?;
            Ok((listener, tls.acceptor.clone()))
        });
        let secure = secure.transpose()?;
        let udp = config.udp.map(UdpPair::bind).transpose()?;
        let unbound = |source| Error::Bind {
            purpose: "RTSP",
            address: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            source,
        };
        let bound = |listener: Option<&TcpListener>| listener.map(TcpListener::local_addr).transpose();
        let pair = udp
            .as_ref()
            .map(UdpPair::addresses)
            .transpose()
            .map_err(unbound)?;
        let addresses = Addresses {
            rtsp: bound(plain.as_ref()).map_err(unbound)?,
            rtsps: bound(secure.as_ref().map(|s| &s.0)).map_err(unbound)?,
            rtp: pair.map(|p| p.0),
            rtcp: pair.map(|p| p.1),
        };
        let counters = Arc::<Counters>::default();
        let shared = Arc::new(Shared {
            sessions: Arc::new(Sessions::new(Arc::clone(&counters))),
            connections: Arc::default(),
            counters,
            config,
            handler,
            udp,
            limiters: Limiters::default(),
            door: Door::default(),
            start: Instant::now(),
            stop: CancellationToken::new(),
        });
        Ok(Self {
            plain,
            secure,
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
        let serve = async |listener: &TcpListener, acceptor: Option<&Acceptor>| -> () {
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => admit(&shared, &connections, stream, peer, acceptor),
                    Err(error) => {
                        if let Some(more) = shared.limiters.accept.pass() {
                            tracing::warn!(%error, more, "cannot accept a connection");
                        }
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        let plain = async {
            match &self.plain {
                Some(listener) => serve(listener, None).await,
                None => std::future::pending().await,
            }
        };
        let secure = async {
            match &self.secure {
                Some((listener, acceptor)) => serve(listener, Some(acceptor)).await,
                None => std::future::pending().await,
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
            () = async { tokio::join!(plain, secure, reports); } => {}
        }
        drop((self.plain, self.secure));
        shared.stop.cancel();
        connections.close();
        if tokio::time::timeout(SHUTDOWN, connections.wait()).await.is_err() {
            tracing::warn!(left = connections.len(), "connections did not close in time");
        }
    }
}

/// Starts a connection's task, unless there are too many.
fn admit(
    shared: &Arc<Shared>,
    connections: &TaskTracker,
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<&Acceptor>,
) {
    let guest = match enter(shared, peer) {
        Ok(guest) => guest,
        Err(full) => return refuse(shared, &stream, peer, full, acceptor.is_some()),
    };
    if let Err(error) = tcp::tune(&stream, &shared.config) {
        tracing::debug!(%peer, %error, "connection was gone before it began");
        return;
    }
    let secure = acceptor.is_some();
    Counters::one(&shared.counters.accepted);
    Counters::one(shared.counters.connections_of(secure));
    let (shared, acceptor) = (Arc::clone(shared), acceptor.cloned());
    connections.spawn(async move {
        // Counted down on every way out, a panic's too.
        let _open = Open(Arc::clone(&shared.counters), secure);
        match acceptor {
            None => connection::serve(Stream::Plain(stream), guest, peer, shared).await,
            Some(acceptor) => secured(stream, guest, peer, shared, &acceptor).await,
        }
    });
}

/// A place among the open connections.
fn enter(shared: &Shared, peer: SocketAddr) -> Result<Guest, Full> {
    let settings = shared.config.settings.now();
    let bounds = Bounds {
        total: shared
            .config
            .max_connections
            .min(settings.fabric.limits.rtsp_connections),
        per_address: settings.fabric.limits.connections_per_address,
    };
    let ip = peer.ip().to_canonical();
    if settings.trusted_proxies.rtsp.iter().any(|rule| rule.contains(ip)) {
        return shared.door.enter_by_proxy(bounds);
    }
    shared.door.enter(ip, bounds)
}

fn refuse(shared: &Shared, stream: &TcpStream, peer: SocketAddr, full: Full, secure: bool) {
    Counters::one(match full {
        Full::Address => &shared.counters.refused_address,
        Full::Port => &shared.counters.refused,
    });
    if let Some(more) = shared.limiters.refused.pass() {
        tracing::warn!(%peer, %full, more, "connection refused");
    }
    if !secure {
        // It has not asked yet, so there is no number to answer to; who looks sees why.
        let answer = "RTSP/1.0 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\n\r\n";
        // By the socket itself: the runtime does not know yet that it may be written to.
        _ = socket2::SockRef::from(stream).send(answer.as_bytes());
    }
}

/// A connection that begins with a handshake.
async fn secured(
    stream: TcpStream,
    mut guest: Guest,
    peer: SocketAddr,
    shared: Arc<Shared>,
    acceptor: &Acceptor,
) {
    let stream = tokio::select! {
        biased;
        () = shared.stop.cancelled() => return,
        () = guest.sent_away() => return Counters::one(&shared.counters.made_room),
        done = acceptor.accept(stream, shared.config.patience().read) => done,
    };
    match stream {
        Ok(stream) => connection::serve(stream.into(), guest, peer, shared).await,
        Err(error) => tracing::debug!(%peer, %error, "no TLS connection"),
    }
}

/// A connection that is counted as open, with TLS or without.
struct Open(Arc<Counters>, bool);

impl Drop for Open {
    fn drop(&mut self) {
        Counters::one_less(self.0.connections_of(self.1));
    }
}
