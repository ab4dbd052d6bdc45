//! One connection from accept to close: reads requests, writes answers and packets, keeps the time limits.
//! What a request does is in `requests`; this is the loop around it.

use crate::access::Access;
use crate::config::Patience;
use crate::connections::Entered;
use crate::counters::Counters;
use crate::datagrams::Wait;
use crate::ending::End;
use crate::liveness::{Claim, Pulse};
use crate::outbox::Outbox;
use crate::playback::{Playback, Written};
use crate::server::Shared;
use crate::sessions::Registered;
use crate::stream::Stream;
use crate::{PlaySource, ReaderEvent};
use bytes::BytesMut;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::io::Interest;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weft_hooks::{Happening, Hooks};
use weft_limits::Guest;
use weft_rtsp::{Allowed, Frame, Framer, Limits, Session};
use weft_wire::{CloseReason, SessionId, TrackInfo};

/// Bytes asked of the system per read.
const READ: usize = 4096;
/// An input buffer grown beyond this is given back once it is empty.
const KEEP_INPUT: usize = 32 * 1024;
/// With this many connections that never said a word, new ones are given less time to say theirs.
const SILENT_MANY: u64 = 256;
const SILENT_HURRY: Duration = Duration::from_secs(2);

/// The stream a connection asked for.
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// As whom it was let in.
    pub(crate) principal: String,
    /// Its tracks as they were when it was found.
    pub(crate) tracks: Vec<TrackInfo>,
    pub(crate) source: Arc<dyn PlaySource>,
}

/// One connection.
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) stream: Stream,
    guest: Guest,
    pub(crate) patience: Patience,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    framer: Framer,
    pub(crate) input: BytesMut,
    /// Since when the front of `input` is a part of a message.
    partial: Option<Instant>,
    pub(crate) out: Outbox,
    pub(crate) id: Uuid,
    pub(crate) session: Session,
    pub(crate) spoke: bool,
    pub(crate) user_agent: Option<String>,
    pub(crate) access: Access,
    pub(crate) found: Option<Found>,
    pub(crate) playback: Option<Playback>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) claims: Vec<(u8, Claim)>,
    pub(crate) registered: Option<Registered>,
    /// Set to no later than the next time limit. Limits mostly move on with each packet; it rings at an old one now and then
    /// rather than being set anew for each.
    alarm: Pin<Box<Sleep>>,
    /// Its place in the list of connections.
    pub(crate) entered: Entered,
    /// Ends this connection; cancelled with the server's own, or alone by an operator.
    pub(crate) stop: CancellationToken,
}

/// An IPv4 address that came as IPv6 as itself; any other stays as it is, with its scope (RFC 4007: a link-local address
/// means nothing without).
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        IpAddr::V6(_) => address,
    }
}

/// What the loop was woken by.
enum Wake {
    Stop,
    Socket(io::Result<tokio::io::Ready>),
    SentAway,
    Media(ReaderEvent),
    Other,
}

/// Serves one connection until it ends.
pub(crate) async fn serve(stream: Stream, guest: Guest, peer: SocketAddr, shared: Arc<Shared>) {
    let local = stream.local_addr().unwrap_or(peer);
    let id = Uuid::new_v4();
    let entered = shared.connections.enter(canonical(peer), stream.is_secure());
    let _told = Told::new(
        &shared.config.hooks,
        &entered,
        canonical(peer),
        stream.is_secure(),
    );
    let mut connection = Connection {
        session: new_session(&shared, id, stream.is_secure()),
        stop: shared.stop.child_token(),
        stream,
        guest,
        patience: shared.config.patience(),
        peer: canonical(peer),
        local: canonical(local),
        framer: Framer::default(),
        input: BytesMut::new(),
        partial: None,
        out: Outbox::new(),
        id,
        spoke: false,
        user_agent: None,
        access: Access::default(),
        found: None,
        playback: None,
        pulse: Arc::default(),
        claims: Vec::new(),
        registered: None,
        alarm: Box::pin(sleep_until(Instant::now())),
        entered,
        shared,
    };
    Counters::one(&connection.shared.counters.silent);
    let end = connection.run().await;
    if !connection.spoke {
        Counters::one_less(&connection.shared.counters.silent);
    }
    connection.log(&end);
    connection.finish(&end).await;
}

/// Hooks have heard of a connection, and hear of its end on every way out.
struct Told(Hooks, SessionId);

impl Told {
    fn new(hooks: &Hooks, entered: &Entered, peer: SocketAddr, secure: bool) -> Self {
        let id = SessionId(entered.line.id().into_bytes());
        let kind = if secure { "rtspsConn" } else { "rtspConn" };
        hooks.happened(Happening::Connected { kind, id, peer });
        Self(hooks.clone(), id)
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.0.happened(Happening::Disconnected { id: self.1 });
    }
}

fn new_session(shared: &Shared, id: Uuid, secure: bool) -> Session {
    let config = &shared.config;
    let hurry = shared.counters.silent.load(Relaxed) >= SILENT_MANY;
    let limits = Limits {
        first_request: if hurry {
            SILENT_HURRY.min(config.patience().read)
        } else {
            config.patience().read
        },
        idle: config.session_timeout,
    };
    let allowed = Allowed {
        tcp: true,
        // Datagrams would go in the clear: SRTP is not spoken, and clients take TCP when this is refused (461).
        udp: shared.udp.is_some() && !secure,
    };
    Session::new(id.simple().to_string(), limits, allowed, shared.now())
}

impl Connection {
    async fn run(&mut self) -> End {
        loop {
            // A client that sends without end has its own connection to itself, not its thread.
            tokio::task::coop::consume_budget().await;
            if let Err(end) = self.take_frames().await {
                return end;
            }
            let now = Instant::now();
            if let Err(e) = self.out.write(&mut self.stream, now) {
                return End::Lost(e);
            }
            self.entered.line.sent.store(self.out.taken, Relaxed);
            let wait = self.flush_datagrams(now);
            let deadline = match self.deadline(now) {
                Ok(deadline) => deadline,
                Err(end) => return end,
            };
            match self.wake(wait, deadline).await {
                Wake::Stop if self.shared.stop.is_cancelled() => return End::Closed(CloseReason::Shutdown),
                Wake::Stop => return End::Closed(CloseReason::Kicked),
                Wake::SentAway => return End::MadeRoom,
                Wake::Socket(Err(e)) => return End::Lost(e),
                Wake::Socket(Ok(ready)) if ready.is_readable() => {
                    if let Err(end) = self.read() {
                        return end;
                    }
                }
                Wake::Socket(Ok(_)) | Wake::Other => {}
                Wake::Media(event) => {
                    if let Err(reason) = self.send(event) {
                        return End::Closed(reason);
                    }
                }
            }
        }
    }

    /// Waits for whatever comes first.
    async fn wake(&mut self, wait: Option<Wait>, deadline: Option<Instant>) -> Wake {
        // overflow: not here. While something is left to send, nothing is taken from the reader's queue: that one
        // overflows and skips to a key unit, this one stays small.
        // A paused reader has nothing but its end to take.
        let take = self.out.is_empty();
        let interest = if self.out.is_written() {
            Interest::READABLE
        } else if self.out.is_full() {
            // A client that asks and does not read its answers is not read either.
            Interest::WRITABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        };
        let timer = match (wait, deadline) {
            (Some(Wait::Until(a)), Some(b)) => Some(a.min(b)),
            (Some(Wait::Until(a)), None) => Some(a),
            (_, b) => b,
        };
        if let Some(at) = timer
            && (self.alarm.is_elapsed() || self.alarm.deadline() > at)
        {
            self.alarm.as_mut().reset(at);
        }
        let (stream, playback, shared) = (&self.stream, &mut self.playback, &self.shared);
        let (guest, alarm) = (&mut self.guest, self.alarm.as_mut());
        let media = async {
            match playback {
                Some(playback) if take => playback.next().await,
                _ => std::future::pending().await,
            }
        };
        let datagrams = async {
            match &shared.udp {
                // An error shows at the next attempt to send.
                Some(udp) if wait == Some(Wait::Socket) => drop(udp.rtp.writable().await),
                _ => std::future::pending().await,
            }
        };
        let timer = async {
            match timer {
                Some(_) => alarm.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // In this order: an end before all else, then the client's wishes, then its media.
            biased;
            () = self.stop.cancelled() => Wake::Stop,
            () = guest.sent_away() => Wake::SentAway,
            ready = stream.ready(interest) => Wake::Socket(ready),
            () = timer => Wake::Other,
            () = datagrams => Wake::Other,
            event = media => Wake::Media(event),
        }
    }

    fn read(&mut self) -> Result<(), End> {
        self.input.reserve(READ);
        match self.stream.try_read_buf(&mut self.input) {
            Ok(0) => Err(End::Left),
            Ok(read) => {
                self.entered.line.received.fetch_add(read as u64, Relaxed);
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(e) => Err(End::Lost(e)),
        }
    }

    /// Takes every whole frame off the input.
    async fn take_frames(&mut self) -> Result<(), End> {
        while !self.input.is_empty() && !self.out.is_full() {
            match self.framer.next(&mut self.input) {
                Ok(None) => {
                    if !self.input.is_empty() {
                        self.partial.get_or_insert_with(Instant::now);
                    }
                    return Ok(());
                }
                Ok(Some(Frame::Request(request))) => {
                    self.partial = None;
                    Counters::one(&self.shared.counters.requests);
                    self.first_word();
                    self.on_request(request).await?;
                }
                Ok(Some(Frame::Interleaved { data, .. })) => {
                    self.partial = None;
                    self.session.touch(self.shared.now());
                    Counters::one(&self.shared.counters.reports_received);
                    if self.registered.is_some() {
                        self.pulse.reception.heard(&data);
                    }
                }
                Ok(Some(Frame::Response)) => self.partial = None,
                Err(e) => {
                    let cseq = Framer::cseq_of(&self.input);
                    return Err(End::Malformed(e, cseq));
                }
            }
        }
        if self.input.is_empty() {
            self.partial = None;
            if self.input.capacity() > KEEP_INPUT {
                self.input = BytesMut::new();
            }
        }
        Ok(())
    }

    fn first_word(&mut self) {
        if !self.spoke {
            self.spoke = true;
            self.guest.spoke();
            Counters::one_less(&self.shared.counters.silent);
        }
    }

    /// When the next time limit strikes; `Err` when one has struck.
    fn deadline(&mut self, now: Instant) -> Result<Option<Instant>, End> {
        self.session.touch(self.pulse.last());
        let partial = self.partial.map(|since| since + self.patience.read);
        let stuck = self.out.stuck_since().map(|since| since + self.patience.write);
        let silent = self.session.deadline().map(|at| self.shared.start + at);
        if stuck.is_some_and(|at| at <= now) {
            Err(End::TooSlow)
        } else if partial.is_some_and(|at| at <= now) {
            Err(End::HalfRequest)
        } else if silent.is_some_and(|at| at <= now) {
            // One that is in the middle of its words is told, whichever of the two limits strikes first.
            Err(if self.partial.is_some() {
                End::HalfRequest
            } else {
                End::Silent
            })
        } else {
            Ok([partial, stuck, silent].into_iter().flatten().min())
        }
    }

    /// Gathers an event and all that are there already, for one write.
    fn send(&mut self, first: ReaderEvent) -> Result<(), CloseReason> {
        let Some(playback) = &mut self.playback else {
            return Ok(());
        };
        self.out.begin();
        let mut sum = Written::default();
        let mut next = Some(first);
        let mut end = Ok(());
        while let Some(event) = next.take() {
            match playback.write(event, &mut self.out, self.shared.udp.as_ref()) {
                Ok(written) => {
                    sum.packets += written.packets;
                    sum.bytes += written.bytes;
                    sum.reports += written.reports;
                }
                Err(reason) => end = Err(reason),
            }
            if end.is_ok() && !self.out.is_full() {
                next = playback.try_next();
            }
        }
        playback.tell(sum);
        self.pulse.reception.told(sum.reports);
        let counters = &self.shared.counters;
        counters.packets_sent.fetch_add(sum.packets, Relaxed);
        counters.bytes_sent.fetch_add(sum.bytes, Relaxed);
        if let Some(registered) = &self.registered {
            registered.entry.packets.fetch_add(sum.packets, Relaxed);
            registered.entry.bytes.fetch_add(sum.bytes, Relaxed);
        }
        end
    }

    pub(crate) fn flush_datagrams(&mut self, now: Instant) -> Option<Wait> {
        let (datagrams, udp) = (self.out.datagrams.as_mut()?, self.shared.udp.as_ref()?);
        let (shared, peer) = (&self.shared, self.peer);
        datagrams.flush(udp, now, |error, packets| {
            shared
                .counters
                .datagrams_refused
                .fetch_add(packets as u64, Relaxed);
            if let Some(more) = shared.limiters.datagram.pass() {
                tracing::warn!(%peer, %error, packets, more, "datagrams refused by the system");
            }
        })
    }

    /// Leaves the stream and forgets the session: the next request begins a new one.
    pub(crate) fn renew(&mut self) {
        self.playback = None;
        self.registered = None;
        self.entered.line.carries(None);
        self.claims.clear();
        self.out.datagrams = None;
        self.pulse = Arc::default();
        self.id = Uuid::new_v4();
        self.session = new_session(&self.shared, self.id, self.stream.is_secure());
    }
}
