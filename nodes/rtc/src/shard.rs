//! The loop of one shard: its sockets, its peers, their deadlines, the commands of others; never waits for any of them.
//! A task of the runtime that hubs and readers run on too: a unit goes from its last packet to the readers' sockets on one
//! thread, if there is nothing else to do.

mod streams;

use crate::Error;
use crate::counters::{Counters, count};
use crate::deadlines::Deadlines;
use crate::demux::{Demux, Kind};
use crate::engine::Engine;
use crate::handle::Command;
use crate::negotiate::Negotiated;
use crate::session::{Parts, Session};
use crate::socket::{Buffers, Datagram, Socket};
use crate::stun::{self, Class};
use crate::tcp::Directory;
use crate::{RtcConfig, restart};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use weft_wire::CloseReason;

/// With peers present the loop turns at least so often; if it did not, it was kept from running.
const TICK: Duration = Duration::from_millis(100);
/// A pause longer than this is a stall, and media that waited longer is too old to be worth anything.
const STALL: Duration = Duration::from_millis(500);
/// After a stall, how long the age of media is looked at; reading what has queued up takes milliseconds.
const CATCH_UP: Duration = Duration::from_secs(1);
/// Batches read before timers and commands get their turn.
const MOST_BATCHES: usize = 8;
/// Commands carried out before the socket gets its turn.
const MOST_COMMANDS: usize = 32;
/// How often dropped datagrams are spoken of.
const REPORT: Duration = Duration::from_secs(10);

/// The state of one shard.
pub(crate) struct Shard {
    engine: Engine,
    counters: Arc<Counters>,
    look_at_all: Arc<AtomicBool>,
    handshake_timeout: Duration,
    /// 0 where there is no TCP.
    tcp_port: u16,
    sessions: HashMap<u64, Session>,
    demux: Demux,
    deadlines: Deadlines,
    /// Peers that got media in this turn.
    touched: Vec<u64>,
    /// When the loop was last seen to run, whatever it was at.
    ran: Instant,
    /// When the loop last came out of a stall.
    stalled_until: Option<Instant>,
    /// There while the loop runs.
    socket: Option<Arc<Socket>>,
    dropped: Dropped,
}

/// Drops since the last report.
#[derive(Debug)]
struct Dropped {
    datagrams: u64,
    since: Option<Instant>,
}

impl Shard {
    /// A shard without peers.
    pub(crate) fn new(
        config: &RtcConfig,
        engine: &Engine,
        counters: Arc<Counters>,
        look_at_all: Arc<AtomicBool>,
        (directory, index): (Directory, usize),
        tcp_port: u16,
    ) -> Self {
        Self {
            engine: engine.clone(),
            counters,
            look_at_all,
            handshake_timeout: config.handshake_timeout,
            sessions: HashMap::new(),
            tcp_port,
            demux: Demux::new(directory, index),
            deadlines: Deadlines::default(),
            touched: Vec::new(),
            ran: Instant::now(),
            stalled_until: None,
            socket: None,
            dropped: Dropped {
                datagrams: 0,
                since: None,
            },
        }
    }

    /// Runs until [`Command::Stop`] or until no handle is left.
    pub(crate) async fn run(mut self, socket: std::net::UdpSocket, mut commands: mpsc::Receiver<Command>) {
        let socket = match Socket::new(socket, self.counters.clone()) {
            Ok(socket) => Arc::new(socket),
            Err(error) => {
                tracing::error!(%error, "the WebRTC socket cannot be used");
                return;
            }
        };
        self.socket = Some(socket.clone());
        let mut buffers = Buffers::new();
        loop {
            let wake = self.wake_at(Instant::now());
            // Commands first, so that a flood on the socket cannot keep anybody from closing a peer.
            let command = tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => Some(command),
                    None => break self.stop(CloseReason::Shutdown, &socket),
                },
                readable = socket.readable() => {
                    if let Err(error) = readable {
                        tracing::error!(%error, "the WebRTC socket failed");
                        break self.stop(CloseReason::Internal, &socket);
                    }
                    None
                }
                () = socket.tcp().news() => None,
                () = sleep_until(wake) => {
                    self.counters.lag.note(wake.elapsed());
                    None
                }
            };
            let now = self.look_at_clock(&socket);
            let mut next = command;
            for _ in 0..MOST_COMMANDS {
                // What is taken out of the queue is carried out in the same round.
                match next.take().or_else(|| commands.try_recv().ok()) {
                    Some(Command::Stop(reason)) => {
                        self.stop(reason, &socket);
                        return socket.tcp().gone().await;
                    }
                    Some(command) => self.command(now, command, &socket),
                    None => break,
                }
            }
            self.read(&socket, &mut buffers);
            self.read_streams(&socket);
            self.timers(&socket);
            if self.look_at_all.swap(false, Relaxed) {
                let all: Vec<u64> = self.sessions.keys().copied().collect();
                for peer in all {
                    self.with(peer, &socket, |s, now, socket| s.look(now, socket));
                }
            }
            self.report(now);
        }
    }

    fn wake_at(&self, now: Instant) -> Instant {
        let limit = if self.sessions.is_empty() { REPORT } else { TICK };
        let limit = now + limit;
        self.deadlines.next().map_or(limit, |at| at.min(limit))
    }

    /// The time, and whether the loop was kept from running until now: while it slept, or anywhere in a turn.
    fn look_at_clock(&mut self, socket: &Socket) -> Instant {
        let now = Instant::now();
        let pause = now.saturating_duration_since(std::mem::replace(&mut self.ran, now));
        if !self.sessions.is_empty() && pause > STALL + TICK {
            self.stalled(now, pause, socket);
        }
        now
    }

    fn stalled(&mut self, now: Instant, pause: Duration, socket: &Socket) {
        count(&self.counters.stalls);
        self.stalled_until = Some(now);
        let ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(ms, peers = self.sessions.len(), "the WebRTC loop stood still");
        let all: Vec<u64> = self.sessions.keys().copied().collect();
        for peer in all {
            self.with(peer, socket, |s, _, socket| {
                s.stalled(now, pause);
                s.flush(now, socket);
            });
        }
    }

    fn read(&mut self, socket: &Socket, buffers: &mut Buffers) {
        for _ in 0..MOST_BATCHES {
            let now = self.look_at_clock(socket);
            match socket.receive(buffers, |d| self.datagram(now, d, socket)) {
                Ok(0) => break,
                Ok(_) => self.flush(now, socket),
                Err(error) => {
                    // A refused earlier send of ours shows up here; the socket itself is well.
                    tracing::debug!(%error, "receive failed");
                    break;
                }
            }
        }
    }

    fn flush(&mut self, now: Instant, socket: &Socket) {
        for peer in std::mem::take(&mut self.touched) {
            self.with(peer, socket, |s, _, socket| s.flush(now, socket));
        }
    }

    fn datagram(&mut self, now: Instant, d: Datagram<'_>, socket: &Socket) {
        match Kind::of(d.data) {
            Kind::Stun => self.stun(now, d, socket),
            Kind::Dtls => match self.demux.by_address(d.from, now) {
                Some(peer) => self.with(peer, socket, |s, now, socket| s.dtls(now, d, socket)),
                None => self.drop_unknown(),
            },
            Kind::Media => match self.demux.by_address(d.from, now) {
                Some(_) if self.is_stale(now, d.age) => count(&self.counters.stale),
                Some(peer) => {
                    self.with(peer, socket, |s, now, _| s.media(now, d));
                    if self.touched.last() != Some(&peer) && !self.touched.contains(&peer) {
                        self.touched.push(peer);
                    }
                }
                None => self.drop_unknown(),
            },
            Kind::Junk => {
                count(&self.counters.junk);
                self.dropped.datagrams += 1;
            }
        }
    }

    /// True for media that waited too long because the loop stood still. Ages are measured on the wall clock, which may
    /// step, so they count only while the queue of a stall is being read.
    fn is_stale(&self, now: Instant, age: Option<Duration>) -> bool {
        let Some(since) = self.stalled_until.map(|at| now.saturating_duration_since(at)) else {
            return false;
        };
        match age {
            Some(age) => since < CATCH_UP && age > STALL,
            // Without the kernel's time, what is read at once counts as old.
            None => since < TICK,
        }
    }

    fn stun(&mut self, now: Instant, d: Datagram<'_>, socket: &Socket) {
        let Some((class, id)) = stun::header(d.data) else {
            count(&self.counters.junk);
            self.dropped.datagrams += 1;
            return;
        };
        let peer = if class == Class::Request {
            self.proved(now, d)
        } else {
            self.demux.by_address(d.from, now)
        };
        self.release(socket);
        match peer {
            Some(peer) => self.with(peer, socket, |s, now, socket| {
                if class == Class::Request {
                    s.link.learn(d.from, d.to);
                }
                s.stun(now, d, class, id, socket);
            }),
            None => self.drop_unknown(),
        }
    }

    /// The peer a check belongs to, if its integrity proves it; its address is learnt.
    fn proved(&mut self, now: Instant, d: Datagram<'_>) -> Option<u64> {
        let peer = self.demux.by_ufrag(stun::our_ufrag(d.data)?)?;
        let session = self.sessions.get(&peer)?;
        if !stun::is_authentic(d.data, &session.core.credentials.pwd, self.engine.crypto.crypto()) {
            count(&self.counters.bad_integrity);
            return None;
        }
        let chosen = session.link.remote().map(|(remote, _)| remote);
        self.demux.learn(d.from, peer, chosen, now).then_some(peer)
    }

    fn drop_unknown(&mut self) {
        count(&self.counters.unknown_source);
        self.dropped.datagrams += 1;
    }

    fn timers(&mut self, socket: &Socket) {
        let now = Instant::now();
        while let Some(peer) = self.deadlines.due(now) {
            if let Some(session) = self.sessions.get_mut(&peer) {
                session.standing = None;
                let due = session.deadline().is_some_and(|at| at <= now);
                self.with(peer, socket, |s, _, socket| {
                    if due {
                        s.due(now, socket);
                    }
                });
            }
        }
    }

    fn command(&mut self, now: Instant, command: Command, socket: &Socket) {
        match command {
            Command::Adopt(negotiated) => self.adopt(now, *negotiated, socket),
            Command::Look(peer) => self.with(peer, socket, |s, now, socket| s.look(now, socket)),
            Command::Patch {
                peer,
                fragment,
                reply,
            } => {
                let mut result = Err(Error::Closed);
                self.with(peer, socket, |s, now, socket| {
                    result = restart::patch(s, now, &fragment);
                    s.pump(now, socket);
                });
                if matches!(result, Ok(Some(_)))
                    && let Some(session) = self.sessions.get(&peer)
                {
                    self.demux.add_ufrag(session.core.credentials.ufrag.clone(), peer);
                }
                // Nobody waits any more: the publisher will ask again.
                let _gone = reply.send(result);
            }
            Command::Connection(arrival) => self.arrival(now, *arrival, socket),
            // Seen by the caller before it gets here.
            Command::Stop(reason) => self.stop(reason, socket),
        }
    }

    fn adopt(&mut self, now: Instant, negotiated: Negotiated, socket: &Socket) {
        let Negotiated {
            core,
            answer,
            make,
            reply,
            place,
        } = negotiated;
        let handle = answer.peer.clone();
        let made = catch_unwind(AssertUnwindSafe(|| make(&answer.tracks, handle.clone())));
        let made = made.unwrap_or_else(|_| {
            tracing::error!(peer = handle.peer, "a WebRTC session could not be begun");
            Err(CloseReason::Internal)
        });
        let user = match made {
            Ok(user) => user,
            Err(reason) => {
                let _gone = reply.send(Err(Error::Refused(reason)));
                return;
            }
        };
        count(&self.counters.peers_opened);
        let peer = handle.peer;
        self.demux.add_ufrag(core.credentials.ufrag.clone(), peer);
        let session = Session::new(
            now,
            Parts {
                core,
                user,
                shared: handle.shared.clone(),
                counters: self.counters.clone(),
                place,
                tracks: answer.tracks.len(),
                local: socket.local(),
                tcp_port: self.tcp_port,
                until: now + self.handshake_timeout,
            },
        );
        self.sessions.insert(peer, session);
        if reply.send(Ok(answer)).is_err() {
            // The publisher went away while it was waiting for the answer.
            handle.close(CloseReason::PeerLeft);
        }
        self.with(peer, socket, |s, now, socket| s.start(now, socket));
    }

    /// Calls a peer, then puts its next deadline in the timetable, or forgets it if it has closed. A panic of the core
    /// or of the receiver ends that peer and no other.
    fn with(&mut self, peer: u64, socket: &Socket, f: impl FnOnce(&mut Session, Instant, &Socket)) {
        let Some(session) = self.sessions.get_mut(&peer) else {
            return;
        };
        let now = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| f(session, now, socket))).is_err() {
            tracing::error!(peer, "a WebRTC session failed and is closed");
            if catch_unwind(AssertUnwindSafe(|| session.end(CloseReason::Internal))).is_err() {
                tracing::error!(peer, "its receiver failed too");
            }
        }
        if session.is_closed() {
            self.deadlines.remove(peer, session.standing);
            self.demux.remove(peer);
            self.sessions.remove(&peer);
            self.release(socket);
        } else if let Some(at) = session.deadline() {
            session.standing = self.deadlines.earlier(peer, session.standing, at);
        }
    }

    fn stop(&mut self, reason: CloseReason, socket: &Socket) {
        let all: Vec<u64> = self.sessions.keys().copied().collect();
        for peer in all {
            self.with(peer, socket, |s, now, socket| s.close(now, reason, socket));
        }
    }

    /// One line per ten seconds at most, however much junk comes.
    fn report(&mut self, now: Instant) {
        const WORTH_A_LINE: u64 = 100;
        let since = *self.dropped.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= REPORT {
            if self.dropped.datagrams >= WORTH_A_LINE {
                tracing::warn!(
                    datagrams = self.dropped.datagrams,
                    "dropped datagrams of unknown sources"
                );
            }
            self.dropped = Dropped {
                datagrams: 0,
                since: Some(now),
            };
        }
    }
}

impl Drop for Shard {
    /// The arbiter was stopped under the loop: the peers are told all the same.
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take() {
            self.stop(CloseReason::Shutdown, &socket);
        }
    }
}
