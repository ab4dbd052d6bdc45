//! One peer on its shard: feeds the core, drains it until it is quiet, hands media to the receiver and its wishes back.
//! Which datagrams come here, and when it is called, is the shard's business; what media means is the receiver's.

mod media;
mod user;

pub(crate) use user::User;

use crate::counters::{Counters, count};
use crate::handle::Shared;
use crate::link::Link;
use crate::negotiate::{Core, canonical};
use crate::peer::{Feedback, PeerAddresses};
use crate::remote::{Remote, Transport};
use crate::shards::Place;
use crate::socket::{Datagram, Socket};
use crate::stun::{Class, Transaction};
use bytes::BytesMut;
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::RTCDtlsTransportState;
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::time::Duration;
use tokio::time::Instant;
use weft_wire::CloseReason;

/// Media datagrams held for a peer whose DTLS is not quite up.
const MOST_EARLY: usize = 128;
/// Rounds of draining before other peers get their turn; the core is quiet after two or three.
const MOST_ROUNDS: usize = 16;
/// While media flows, how often the core's own timers are asked about.
const CORE_CHECK: Duration = Duration::from_millis(20);
/// A track's source may be followed by another announced one after so long a silence.
const SOURCE_SILENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Waiting for ICE and DTLS, until then.
    Connecting { until: Instant },
    /// DTLS is up.
    Connected,
    /// The receiver has heard the last of it.
    Closed,
}

/// The source a track's media comes from.
#[derive(Debug, Clone, Copy)]
struct Live {
    ssrc: u32,
    heard: Instant,
}

/// One peer.
pub(crate) struct Session {
    pub(crate) core: Core,
    pub(crate) link: Link,
    /// Entry in the shard's timetable.
    pub(crate) standing: Option<Instant>,
    user: User,
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    place: Place,
    state: State,
    ending: Option<CloseReason>,
    local: SocketAddr,
    tcp_port: u16,
    sender_ssrc: u32,
    live: Vec<Option<Live>>,
    early: Vec<(Remote, Vec<u8>)>,
    core_deadline: Option<Instant>,
    receiver_deadline: Option<Instant>,
    core_checked: Instant,
    writes: bool,
}

/// What a session is made of.
pub(crate) struct Parts {
    pub(crate) core: Core,
    pub(crate) user: User,
    pub(crate) shared: Arc<Shared>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) place: Place,
    pub(crate) tracks: usize,
    pub(crate) local: SocketAddr,
    /// 0 where there is no TCP.
    pub(crate) tcp_port: u16,
    pub(crate) until: Instant,
}

impl Session {
    pub(crate) fn new(now: Instant, parts: Parts) -> Self {
        Self {
            core: parts.core,
            link: Link::default(),
            standing: None,
            user: parts.user,
            shared: parts.shared,
            counters: parts.counters,
            place: parts.place,
            state: State::Connecting { until: parts.until },
            ending: None,
            local: parts.local,
            tcp_port: parts.tcp_port,
            sender_ssrc: rand::random(),
            live: vec![None; parts.tracks],
            early: Vec::new(),
            core_deadline: Some(now),
            receiver_deadline: None,
            core_checked: now,
            writes: false,
        }
    }

    /// The first calls: what handles wanted meanwhile, the receiver's first deadline, the core's first timers.
    pub(crate) fn start(&mut self, now: Instant, socket: &Socket) {
        self.poll_receiver(now);
        self.look(now, socket);
        self.pump(now, socket);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// The earliest instant at which [`Self::due`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let handshake = match self.state {
            State::Connecting { until } => Some(until),
            State::Connected => None,
            State::Closed => return None,
        };
        [
            self.core_deadline,
            self.receiver_deadline,
            self.link.deadline(),
            handshake,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// A STUN datagram, proved to be the peer's if it is a check.
    pub(crate) fn stun(
        &mut self,
        now: Instant,
        d: Datagram<'_>,
        class: Class,
        id: Transaction,
        socket: &Socket,
    ) {
        self.link.before_check();
        if class == Class::Success
            && let Some(rtt) = self.link.pong(id, now)
        {
            let micros = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
            self.shared.round_trip_us.store(micros, Relaxed);
            self.user.round_trip(rtt);
        }
        self.feed(now, d.from, d.data);
        self.pump(now, socket);
        match class {
            Class::Request => self.link.after_check(d.from, d.data, id),
            Class::Success => {
                if let Some(check) = self.link.take_nomination(d.from) {
                    self.feed(now, d.from, &check);
                    self.pump(now, socket);
                }
            }
            Class::Other => {}
        }
    }

    /// A DTLS datagram from an address of the peer's.
    pub(crate) fn dtls(&mut self, now: Instant, d: Datagram<'_>, socket: &Socket) {
        self.link.heard_dtls();
        self.feed(now, d.from, d.data);
        self.pump(now, socket);
        if self.state == State::Connected && self.dtls_is_closed() {
            self.close(now, CloseReason::PeerLeft, socket);
        }
    }

    fn dtls_is_closed(&mut self) -> bool {
        let Some(id) = self.core.pc.get_receivers().next() else {
            return false;
        };
        let receiver = self.core.pc.rtp_receiver(id);
        receiver.is_some_and(|r| {
            r.transport()
                .is_some_and(|t| t.state() == RTCDtlsTransportState::Closed)
        })
    }

    /// An RTP or RTCP datagram from an address of the peer's. [`Self::flush`] must follow.
    pub(crate) fn media(&mut self, now: Instant, d: Datagram<'_>) {
        if !self.core.sources.admits(d.data) {
            count(&self.counters.unknown_ssrc);
        } else if self.state == State::Connected {
            self.feed(now, d.from, d.data);
            self.drain_tap(now);
        } else if self.early.len() < MOST_EARLY {
            self.early.push((d.from, d.data.to_vec()));
        } else {
            // overflow: dropped and counted; the publisher is asked again for what is missing.
            count(&self.counters.early);
        }
    }

    /// After a batch of media: sends what has come together and looks at the core's timers now and then.
    pub(crate) fn flush(&mut self, now: Instant, socket: &Socket) {
        if self.writes || now.saturating_duration_since(self.core_checked) >= CORE_CHECK {
            self.pump(now, socket);
        }
        self.end_if_wanted(now, socket);
    }

    /// A deadline has come.
    pub(crate) fn due(&mut self, now: Instant, socket: &Socket) {
        if let State::Connecting { until } = self.state
            && until <= now
        {
            count(&self.counters.handshake_timeouts);
            self.close(now, CloseReason::NoMedia, socket);
            return;
        }
        self.link.repeat_hello(now, socket);
        if self.receiver_deadline.is_some_and(|at| at <= now) {
            self.poll_receiver(now);
        }
        self.pump(now, socket);
        self.end_if_wanted(now, socket);
    }

    /// Carries out what handles have asked for.
    pub(crate) fn look(&mut self, now: Instant, socket: &Socket) {
        if let Some(reason) = self.shared.close.get() {
            self.ending = Some(*reason);
        }
        if self.shared.media.swap(false, AcqRel) {
            self.poll_receiver(now);
            self.pump(now, socket);
        }
        let wanted = self.shared.keyframes.swap(0, Relaxed);
        if wanted != 0 {
            let keyframe = (0..self.live.len()).filter(|t| wanted & (1 << t) != 0).collect();
            self.apply(
                now,
                Feedback {
                    keyframe,
                    ..Feedback::default()
                },
            );
            self.pump(now, socket);
        }
        self.end_if_wanted(now, socket);
    }

    /// The loop stood still: our own limits do not count that time, and the receiver is told.
    pub(crate) fn stalled(&mut self, now: Instant, pause: Duration) {
        if let State::Connecting { until } = &mut self.state {
            *until += pause;
        }
        let mut feedback = Feedback::default();
        self.user.loop_stalled(now, pause, &mut feedback);
        self.apply(now, feedback);
        self.poll_receiver(now);
    }

    /// Ends the peer: `close_notify` to the publisher, `closed` to the receiver, once.
    pub(crate) fn close(&mut self, now: Instant, reason: CloseReason, socket: &Socket) {
        if self.is_closed() {
            return;
        }
        self.say_goodbye(now);
        if let Err(error) = self.core.pc.close() {
            tracing::debug!(%error, "the WebRTC core did not close cleanly");
        }
        while let Some(m) = self.core.pc.poll_write() {
            self.link.send(now, Remote::of(&m.transport), &m.message, socket);
        }
        self.end(reason);
    }

    /// As [`Self::close`], without touching the core, which may be broken.
    pub(crate) fn end(&mut self, reason: CloseReason) {
        if !self.is_closed() {
            self.state = State::Closed;
            self.place.settle();
            count(&self.counters.peers_closed);
            // The first reason stands; nobody else sets it.
            let _first = self.shared.closed.set(reason);
            self.shared.connected.store(false, Relaxed);
            self.user.closed(reason);
        }
    }

    fn end_if_wanted(&mut self, now: Instant, socket: &Socket) {
        if let Some(reason) = self.ending {
            self.close(now, reason, socket);
        }
    }

    fn feed(&mut self, now: Instant, from: Remote, datagram: &[u8]) {
        let fed = self.core.pc.handle_read(TaggedBytesMut {
            now: now.into_std(),
            transport: TransportContext {
                local_addr: canonical(self.local, from.address.ip()),
                peer_addr: from.address,
                ecn: None,
                transport_protocol: from.transport.protocol(),
            },
            message: BytesMut::from(datagram),
        });
        if let Err(error) = fed {
            tracing::debug!(%error, "the WebRTC core refused a datagram");
        }
    }

    /// Drains the core until it is quiet: an event can bring writes, a write a timer, a timer an event.
    pub(crate) fn pump(&mut self, now: Instant, socket: &Socket) {
        if self.is_closed() {
            return;
        }
        self.writes = false;
        self.core_checked = now;
        for _ in 0..MOST_ROUNDS {
            let mut busy = false;
            while let Some(m) = self.core.pc.poll_write() {
                self.link.send(now, Remote::of(&m.transport), &m.message, socket);
                busy = true;
            }
            while let Some(event) = self.core.pc.poll_event() {
                self.event(now, &event);
                busy = true;
            }
            busy |= self.drain_tap(now);
            self.core_deadline = self.core.pc.poll_timeout().map(Instant::from_std);
            if self.core_deadline.is_some_and(|at| at <= now) {
                if let Err(error) = self.core.pc.handle_timeout(now.into_std()) {
                    tracing::debug!(%error, "a timer of the WebRTC core failed");
                }
                busy = true;
            }
            if !busy {
                break;
            }
        }
        // A core that wants to be called now for ever is called every millisecond.
        let soonest = now + Duration::from_millis(1);
        self.core_deadline = self.core_deadline.map(|at| at.max(soonest));
        self.end_if_wanted(now, socket);
    }

    fn event(&mut self, now: Instant, event: &RTCPeerConnectionEvent) {
        let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event else {
            return;
        };
        match state {
            RTCPeerConnectionState::Connected if matches!(self.state, State::Connecting { .. }) => {
                self.connected(now);
            }
            RTCPeerConnectionState::Failed => self.ending = self.ending.or(Some(CloseReason::PeerLost)),
            // `Disconnected` comes and goes with publishers that send STUN rarely.
            _ => {}
        }
    }

    fn connected(&mut self, now: Instant) {
        self.state = State::Connected;
        self.place.settle();
        count(&self.counters.peers_connected);
        let (remote, to) = self.link.remote().unwrap_or((Remote::udp(self.local), None));
        let port = match remote.transport {
            Transport::Udp => self.local.port(),
            Transport::Tcp => self.tcp_port,
        };
        let local = SocketAddr::new(to.unwrap_or(self.local.ip()), port);
        self.shared.connected.store(true, Relaxed);
        if let Ok(mut shown) = self.shared.remote.lock() {
            *shown = Some(remote.address);
        }
        let addresses = PeerAddresses {
            transport: remote.transport,
            local,
            remote: remote.address,
        };
        self.user.connected(now, addresses);
        self.poll_receiver(now);
        for (from, datagram) in std::mem::take(&mut self.early) {
            self.feed(now, from, &datagram);
        }
    }
}
