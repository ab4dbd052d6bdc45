//! The shards: threads with one UDP socket each, started together, chosen by load; and the one TCP port of all.
//! What a shard does with its datagrams is in `shard`.

use crate::candidates::Candidates;
use crate::certificate;
use crate::counters::{Counters, count};
use crate::engine::Engine;
use crate::handle::{Command, PeerHandle, Shared};
use crate::negotiate::{Core, MakeReceiver, MakeSource, MakeUser, Negotiated, negotiate};
use crate::out::Outgoing;
use crate::session::User;
use crate::shard::Shard;
use crate::socket;
use crate::tcp::{self, Directory};
use crate::watch::Watch;
use crate::{Answer, Error, NegotiatedTrack, RtcConfig, WatchAnswer};
use actix_rt::Arbiter;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use weft_sdp::offer::{self, Offer};
use weft_wire::{CloseReason, TrackInfo};

/// Commands that may wait for a shard.
const COMMANDS: usize = 1024;

/// How full a shard is.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Peers, pending ones included.
    pub(crate) peers: AtomicUsize,
    /// Peers that are not connected yet.
    pub(crate) pending: AtomicUsize,
}

/// A place in a shard, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    load: Arc<Load>,
    pending: bool,
}

impl Place {
    fn take(load: &Arc<Load>, config: &RtcConfig) -> Option<Self> {
        let within = |counter: &AtomicUsize, most: usize| {
            counter
                .fetch_update(Relaxed, Relaxed, |n| (n < most).then_some(n + 1))
                .is_ok()
        };
        if !within(&load.pending, config.max_pending) {
            return None;
        }
        if !within(&load.peers, config.max_peers) {
            load.pending.fetch_sub(1, Relaxed);
            return None;
        }
        Some(Self {
            load: load.clone(),
            pending: true,
        })
    }

    /// The peer is connected.
    pub(crate) fn settle(&mut self) {
        if std::mem::take(&mut self.pending) {
            self.load.pending.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.settle();
        self.load.peers.fetch_sub(1, Relaxed);
    }
}

struct Inner {
    engine: Engine,
    config: RtcConfig,
    candidates: Candidates,
    counters: Arc<Counters>,
    handles: Vec<Seat>,
    tcp: Option<SocketAddr>,
    arbiters: Mutex<Vec<Arbiter>>,
    next_peer: AtomicU64,
}

struct Seat {
    commands: mpsc::Sender<Command>,
    local: SocketAddr,
    load: Arc<Load>,
    look_at_all: Arc<AtomicBool>,
}

/// All shards of the node.
#[derive(Clone)]
pub struct Shards {
    inner: Arc<Inner>,
}

/// One shard.
#[derive(Clone)]
pub struct ShardHandle {
    inner: Arc<Inner>,
    index: usize,
}

impl Shards {
    /// Binds the sockets and starts the loops on the current runtime. Must be called inside an actix system.
    ///
    /// # Errors
    /// [`Error::Bind`], [`Error::Certificate`], [`Error::Thread`].
    pub fn start(config: RtcConfig) -> Result<Self, Error> {
        Self::start_on(&Handle::current(), config)
    }

    /// The same with the loops on that runtime: best the one that hubs and readers run on, so that a unit changes no thread
    /// on its way.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_on(runtime: &Handle, config: RtcConfig) -> Result<Self, Error> {
        let crypto = rtc::crypto::default_provider().map_err(|e| Error::Certificate(e.to_string()))?;
        let engine = Engine {
            certificate: certificate::load(config.certificate_pem.as_deref(), &crypto)?,
            crypto,
        };
        let counters = Arc::new(Counters::default());
        let mut handles = Vec::new();
        let mut arbiters = Vec::new();
        // All ports first, so that a taken one is said before anything runs.
        let sockets: Vec<_> = (0..config.shards.max(1))
            .map(|i| socket::bind(&config, i))
            .collect::<Result<_, _>>()?;
        let listener = config.tcp_address.map(tcp::bind).transpose()?;
        let tcp = listener
            .as_ref()
            .map(std::net::TcpListener::local_addr)
            .transpose();
        let tcp = tcp.map_err(Error::Thread)?;
        let directory = Directory::default();
        for (index, socket) in sockets.into_iter().enumerate() {
            let local = socket.local_addr().map_err(Error::Thread)?;
            let (commands, queue) = mpsc::channel(COMMANDS);
            let look_at_all = Arc::new(AtomicBool::new(false));
            let (config, engine) = (config.clone(), engine.clone());
            let (shard_counters, look) = (counters.clone(), look_at_all.clone());
            let place = (directory.clone(), index);
            let tcp_port = tcp.map_or(0, |address| address.port());
            let shard = Shard::new(&config, &engine, shard_counters, look, place, tcp_port);
            runtime.spawn(shard.run(socket, queue));
            handles.push(Seat {
                commands,
                local,
                load: Arc::new(Load::default()),
                look_at_all,
            });
        }
        if let Some(listener) = listener {
            let seats = handles.iter().map(|h: &Seat| h.commands.clone()).collect();
            let door = tcp::Listener::new(config.clone(), directory, seats, counters.clone());
            // A thread of its own: a flood of connections takes no time from media.
            let arbiter = Arbiter::new();
            arbiter.spawn(door.run(listener));
            arbiters.push(arbiter);
        }
        let udp = handles.first().map_or(config.udp_address, |h: &Seat| h.local);
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                candidates: Candidates::new(&config, udp.ip(), tcp.map(|address| address.ip())),
                config,
                counters,
                handles,
                tcp,
                arbiters: Mutex::new(arbiters),
                next_peer: AtomicU64::new(1),
            }),
        })
    }

    /// The shard with the fewest peers.
    #[must_use]
    pub fn pick(&self) -> ShardHandle {
        let index = (0..self.inner.handles.len())
            .min_by_key(|i| self.inner.handles[*i].load.peers.load(Relaxed))
            .unwrap_or_default();
        ShardHandle {
            inner: self.inner.clone(),
            index,
        }
    }

    /// Where the shards listen.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.inner.handles.iter().map(|h| h.local).collect()
    }

    /// Where TCP connections of peers are taken, if they are.
    #[must_use]
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.inner.tcp
    }

    /// What they count.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.inner.counters
    }

    /// Peers on all shards, those still connecting included.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.inner
            .handles
            .iter()
            .map(|h| h.load.peers.load(Relaxed))
            .sum()
    }

    /// Commands that wait for a loop to carry them out.
    #[must_use]
    pub fn commands_waiting(&self) -> usize {
        let waiting = |seat: &Seat| COMMANDS - seat.commands.capacity();
        self.inner.handles.iter().map(waiting).sum()
    }

    /// Closes every peer with `reason` and stops the threads. Handles then give [`Error::Stopped`].
    pub async fn stop(&self, reason: CloseReason) {
        for handle in &self.inner.handles {
            // A shard that is gone has closed its peers already.
            if handle.commands.send(Command::Stop(reason)).await.is_ok() {
                handle.commands.closed().await;
            }
        }
        let arbiters = self
            .inner
            .arbiters
            .lock()
            .map(|mut a| std::mem::take(&mut *a))
            .unwrap_or_default();
        for arbiter in arbiters {
            arbiter.stop();
        }
    }
}

impl ShardHandle {
    /// Answers an offer. `make` runs on the shard's loop once the negotiation is done and before the answer is out.
    ///
    /// # Errors
    /// [`Error::Offer`], [`Error::Negotiation`], [`Error::Full`], [`Error::Refused`] with what `make` said, [`Error::Stopped`].
    pub async fn answer(&self, offer_sdp: String, make: MakeReceiver) -> Result<Answer, Error> {
        self.answer_at(offer_sdp, None, make).await
    }

    /// As [`Self::answer`]; `reached_at` is the address of ours the publisher has used for HTTP, which is offered
    /// first: FFmpeg tries the first candidate only.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub async fn answer_at(
        &self,
        offer_sdp: String,
        reached_at: Option<IpAddr>,
        make: MakeReceiver,
    ) -> Result<Answer, Error> {
        let offer = offer::check(&offer_sdp)?;
        let (core, sdp, tracks, place) = self.core(&offer, &offer_sdp, reached_at, false).await?;
        let peer = self.peer();
        let make: MakeUser = Box::new(move |tracks, peer| Ok(User::In(make(tracks, peer)?)));
        self.adopt(core, Answer { sdp, tracks, peer }, make, place).await
    }

    /// Answers the offer of a reader of these tracks with a peer that is sent to. `make` runs on the shard's loop before
    /// the answer is out; `reached_at` as in [`Self::answer_at`].
    ///
    /// # Errors
    /// [`Error::Offer`] where the offer takes none of the tracks, else as [`Self::answer`].
    pub async fn watch_at(
        &self,
        offer_sdp: String,
        tracks: &[TrackInfo],
        reached_at: Option<IpAddr>,
        make: MakeSource,
    ) -> Result<WatchAnswer, Error> {
        // The core is kilobytes that its callers need not carry along.
        Box::pin(self.watched(offer_sdp, tracks, reached_at, make)).await
    }

    async fn watched(
        &self,
        offer_sdp: String,
        tracks: &[TrackInfo],
        reached_at: Option<IpAddr>,
        make: MakeSource,
    ) -> Result<WatchAnswer, Error> {
        let watch = Watch::new(&offer_sdp, tracks)?;
        let (plain, text) = watch.plain()?;
        let (mut core, answered, _, place) = self.core(&plain, &text, reached_at, true).await?;
        let sdp = watch.answer(&mut core, &answered)?;
        let peer = self.peer();
        let (shared, counters) = (peer.shared.clone(), self.inner.counters.clone());
        let make: MakeUser = Box::new(move |_, peer| {
            let source = make(peer)?;
            let out = Outgoing::new(Instant::now(), watch.parts(source), shared, counters);
            Ok(User::Out(Box::new(out)))
        });
        let answer = Answer {
            sdp,
            tracks: Vec::new(),
            peer,
        };
        let Answer { sdp, peer, .. } = self.adopt(core, answer, make, place).await?;
        Ok(WatchAnswer { sdp, peer })
    }

    /// A core that has answered, and its place.
    async fn core(
        &self,
        offer: &Offer,
        offer_sdp: &str,
        reached_at: Option<IpAddr>,
        to_reader: bool,
    ) -> Result<(Core, String, Vec<NegotiatedTrack>, Place), Error> {
        let inner = &self.inner;
        let seat = &inner.handles[self.index];
        let Some(place) = Place::take(&seat.load, &inner.config) else {
            count(&inner.counters.refused_full);
            return Err(Error::Full);
        };
        let ports = (seat.local.port(), inner.tcp.map(|address| address.port()));
        let offered = inner.candidates.offer(reached_at, ports).await;
        let (core, sdp, tracks) = negotiate(
            &inner.engine,
            offer,
            offer_sdp,
            seat.local,
            offered,
            inner.config.max_bitrate,
            to_reader,
        )?;
        Ok((core, sdp, tracks, place))
    }

    fn peer(&self) -> PeerHandle {
        let seat = &self.inner.handles[self.index];
        PeerHandle {
            peer: self.inner.next_peer.fetch_add(1, Relaxed),
            commands: seat.commands.clone(),
            shared: Arc::new(Shared::default()),
            counters: self.inner.counters.clone(),
            look_at_all: seat.look_at_all.clone(),
        }
    }

    /// Has the shard take the peer over.
    async fn adopt(&self, core: Core, answer: Answer, make: MakeUser, place: Place) -> Result<Answer, Error> {
        let seat = &self.inner.handles[self.index];
        let (reply, answered) = oneshot::channel();
        let negotiated = Negotiated {
            core,
            answer,
            make,
            reply,
            place,
        };
        seat.commands
            .send(Command::Adopt(Box::new(negotiated)))
            .await
            .map_err(|_| Error::Stopped)?;
        answered.await.map_err(|_| Error::Stopped)?
    }
}
