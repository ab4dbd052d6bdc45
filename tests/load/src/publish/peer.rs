//! One publisher: its socket, from the first check through the handshake to media and the farewell. It is called when it says
//! it wants to be; it waits for nothing.

use super::ice::{self, Heard, Transaction};
use super::offer::{Answer, Credentials, Offer};
use super::player::Player;
use super::secure::{Dtls, Identity, Step};
use crate::clip::Clip;
use crate::count::Published;
use anyhow::{Context, Result};
use bytes::BytesMut;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};
use std::collections::VecDeque;
use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Between two looks while connecting.
const STEP: Duration = Duration::from_millis(5);
/// Between two rounds of checks while nobody has answered.
const CHECKS: Duration = Duration::from_millis(50);
/// Between two checks that show that both sides still want this (RFC 7675).
const CONSENT: Duration = Duration::from_secs(2);
/// Without an answer for so long the server is gone.
const SILENCE: Duration = Duration::from_secs(10);
/// Packets that leave at once; the rest of a large picture follows in steps of [`PACE`].
const BURST: usize = 32;
const PACE: Duration = Duration::from_millis(1);

enum Phase {
    /// Nobody has answered a check.
    Checking,
    /// This candidate has; it was told to be the one.
    Nominating,
    /// DTLS is under way.
    Handshake(Dtls),
    /// Media flows.
    Live(Dtls, Box<Player>),
    /// It is over.
    Over,
}

/// What the publishers of one thread share.
pub(super) struct Scratch {
    buffer: Vec<u8>,
    headers: MultiHeaders<SockaddrIn>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            buffer: vec![0; 2048],
            headers: MultiHeaders::preallocate(BURST, None),
        }
    }
}

/// A publisher.
pub(super) struct Peer {
    stream: u32,
    socket: UdpSocket,
    local: SocketAddr,
    identity: Arc<Identity>,
    ours: Credentials,
    ssrcs: (u32, u32),
    answer: Option<Answer>,
    remote: Option<SocketAddr>,
    phase: Phase,
    clip: Arc<Clip>,
    counts: Arc<Published>,
    checks: Vec<(Transaction, SocketAddr)>,
    next_check: Instant,
    heard: Instant,
    waiting: VecDeque<BytesMut>,
    next_burst: Option<Instant>,
    silent: bool,
}

impl Peer {
    /// A publisher of stream number `stream` that will send from the address with which this machine reaches `server`.
    pub(super) fn new(
        stream: u32,
        server: SocketAddr,
        identity: Arc<Identity>,
        clip: Arc<Clip>,
        counts: Arc<Published>,
    ) -> Result<Self> {
        let probe = UdpSocket::bind("0.0.0.0:0")?;
        probe
            .connect(server)
            .with_context(|| format!("no way to {server}; only IPv4 is supported"))?;
        let socket = UdpSocket::bind((probe.local_addr()?.ip(), 0))?;
        socket.set_nonblocking(true)?;
        // A large picture must fit in.
        socket2::SockRef::from(&socket).set_send_buffer_size(1 << 20)?;
        let now = Instant::now();
        Ok(Self {
            stream,
            local: socket.local_addr()?,
            socket,
            identity,
            ours: Credentials::random(),
            ssrcs: (rand::random(), rand::random()),
            answer: None,
            remote: None,
            phase: Phase::Checking,
            clip,
            counts,
            checks: Vec::new(),
            next_check: now,
            heard: now,
            waiting: VecDeque::new(),
            next_burst: None,
            silent: false,
        })
    }

    /// What to offer.
    pub(super) fn offer(&self) -> String {
        let audio = self.clip.units.iter().any(|unit| !unit.video);
        let offer = Offer {
            local: self.local,
            credentials: &self.ours,
            fingerprint: &self.identity.fingerprint,
            video_ssrc: self.ssrcs.0,
            audio_ssrc: audio.then_some(self.ssrcs.1),
        };
        offer.sdp()
    }

    /// Takes the answer; `via` gives each candidate's address another one that leads there.
    pub(super) fn answered(
        &mut self,
        sdp: &str,
        mut via: impl FnMut(SocketAddr) -> Result<SocketAddr>,
    ) -> Result<()> {
        let mut answer = Answer::parse(sdp)?;
        // From a loopback address only loopback addresses are reached, and there is no IPv6 socket.
        let near = |to: &SocketAddr| match (self.local.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => !from.is_loopback() || to.is_loopback(),
            _ => false,
        };
        let all = answer.candidates.len();
        answer.candidates.retain(near);
        anyhow::ensure!(
            !answer.candidates.is_empty(),
            "none of the {all} addresses in the server's answer is reached from {}: give its address to the server as an \
             additional host",
            self.local.ip()
        );
        for candidate in &mut answer.candidates {
            *candidate = via(*candidate)?;
        }
        self.answer = Some(answer);
        self.heard = Instant::now();
        Ok(())
    }

    /// When it wants to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Over => None,
            Phase::Live(_, player) if self.silent => Some(player.due().max(self.next_check)),
            Phase::Live(_, player) => Some(
                self.next_burst
                    .map_or(player.due(), |burst| burst.min(player.due())),
            ),
            _ => Some(Instant::now() + STEP),
        }
    }

    /// No media any more; the session stays.
    pub(super) fn silence(&mut self) {
        self.silent = true;
    }

    /// Hears, checks, sends.
    pub(super) fn run(&mut self, now: Instant, scratch: &mut Scratch) {
        if let Err(error) = self.step(now, scratch) {
            self.end(&format!("{error:#}"));
        }
    }

    /// Says goodbye.
    pub(super) fn close(&mut self) {
        if let Phase::Handshake(dtls) | Phase::Live(dtls, _) = &mut self.phase {
            dtls.close();
            while let Some(datagram) = dtls.next() {
                drop(self.socket.send(&datagram));
            }
        }
        self.counts.live.store(false, Relaxed);
        self.phase = Phase::Over;
    }

    fn end(&mut self, why: &str) {
        self.close();
        self.counts.dropped.store(true, Relaxed);
        self.counts.say(why);
    }

    fn step(&mut self, now: Instant, scratch: &mut Scratch) -> Result<()> {
        loop {
            match self.socket.recv_from(&mut scratch.buffer) {
                Ok((length, from)) => self.read(&scratch.buffer[..length], from)?,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                // An ICMP answer to an earlier datagram: whether the server is gone is told by its silence.
                Err(_) => break,
            }
        }
        anyhow::ensure!(
            now.saturating_duration_since(self.heard) < SILENCE,
            "no answer to STUN checks for {SILENCE:?}"
        );
        if self.next_check <= now {
            self.check(now)?;
        }
        match &mut self.phase {
            Phase::Handshake(dtls) => {
                dtls.tick()?;
                while let Some(datagram) = dtls.next() {
                    drop(self.socket.send(&datagram));
                }
            }
            Phase::Live(_, player) if !self.silent => {
                while player.due() <= now {
                    if player.next(now, &mut self.waiting)? {
                        self.counts.units.fetch_add(1, Relaxed);
                    }
                    self.counts.next_unit.store(player.unit(), Relaxed);
                    let late = now.saturating_duration_since(player.due());
                    // After a pause of this machine's own the clip does not catch up in one burst.
                    if late > Duration::from_secs(1) {
                        self.counts.stalls.fetch_add(1, Relaxed);
                    }
                }
                self.flush(now, &mut scratch.headers);
            }
            _ => {}
        }
        Ok(())
    }

    fn check(&mut self, now: Instant) -> Result<()> {
        let Some(answer) = &self.answer else { return Ok(()) };
        let nominate = !matches!(self.phase, Phase::Checking);
        let targets: Vec<SocketAddr> = match self.remote {
            Some(remote) => vec![remote],
            None => answer.candidates.clone(),
        };
        for target in targets {
            let crypto = self.identity.crypto.crypto();
            let (transaction, datagram) = ice::check(&self.ours, &answer.credentials, nominate, crypto)?;
            self.checks.push((transaction, target));
            drop(match self.remote {
                Some(_) => self.socket.send(&datagram),
                None => self.socket.send_to(&datagram, target),
            });
        }
        let most = self.checks.len().saturating_sub(64);
        self.checks.drain(..most);
        self.next_check = now
            + if matches!(self.phase, Phase::Live(..)) {
                CONSENT
            } else {
                CHECKS
            };
        Ok(())
    }

    fn read(&mut self, datagram: &[u8], from: SocketAddr) -> Result<()> {
        match datagram.first() {
            Some(0..=3) => self.read_check(datagram, from),
            Some(20..=63) => {
                let (Phase::Handshake(dtls) | Phase::Live(dtls, _)) = &mut self.phase else {
                    return Ok(());
                };
                let step = dtls.read(datagram)?;
                while let Some(datagram) = dtls.next() {
                    drop(self.socket.send(&datagram));
                }
                match step {
                    Step::Nothing => Ok(()),
                    Step::Closed => anyhow::bail!("the server has closed the session"),
                    Step::Up(keys) => {
                        let Phase::Handshake(dtls) = std::mem::replace(&mut self.phase, Phase::Over) else {
                            return Ok(());
                        };
                        let (video, audio) = self.ssrcs;
                        let player = Player::start(self.clip.clone(), keys, self.stream, video, audio);
                        self.counts.next_unit.store(player.unit(), Relaxed);
                        self.phase = Phase::Live(dtls, Box::new(player));
                        self.counts.live.store(true, Relaxed);
                        Ok(())
                    }
                }
            }
            // RTCP (RFC 5761 section 4)
            Some(128..=191) if datagram.get(1).is_some_and(|kind| (200..=207).contains(kind)) => {
                if let Phase::Live(_, player) = &mut self.phase {
                    let asked = player.hear(datagram, &mut self.waiting);
                    self.counts.asked_again.fetch_add(asked, Relaxed);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn read_check(&mut self, datagram: &[u8], from: SocketAddr) -> Result<()> {
        match ice::heard(datagram) {
            Some(Heard::Request(transaction)) => {
                let answer = ice::answer(transaction, from, &self.ours, self.identity.crypto.crypto())?;
                drop(match self.remote {
                    Some(_) => self.socket.send(&answer),
                    None => self.socket.send_to(&answer, from),
                });
            }
            Some(Heard::Success(transaction)) => {
                let Some((_, target)) = self.checks.iter().find(|(ours, _)| *ours == transaction) else {
                    return Ok(());
                };
                let target = *target;
                self.heard = Instant::now();
                match (&self.phase, &self.answer) {
                    (Phase::Checking, _) => {
                        self.socket.connect(target)?;
                        self.remote = Some(target);
                        self.phase = Phase::Nominating;
                        self.check(Instant::now())?;
                    }
                    (Phase::Nominating, Some(answer)) => {
                        let dtls = Dtls::start(&self.identity, self.local, target, answer.server_begins)?;
                        self.phase = Phase::Handshake(dtls);
                    }
                    _ => {}
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Sends what waits, as far as this turn goes.
    fn flush(&mut self, now: Instant, headers: &mut MultiHeaders<SockaddrIn>) {
        if self.next_burst.is_some_and(|burst| now < burst) {
            return;
        }
        let count = self.waiting.len().min(BURST);
        if count > 0 {
            let slices: Vec<[IoSlice<'_>; 1]> = self
                .waiting
                .iter()
                .take(count)
                .map(|datagram| [IoSlice::new(datagram)])
                .collect();
            let nobody = [None; BURST];
            // overflow: what the socket does not take is lost as on any network, and counted; the server asks again.
            let sent = sendmmsg(
                self.socket.as_raw_fd(),
                headers,
                &slices,
                &nobody[..count],
                [],
                MsgFlags::empty(),
            );
            let sent = sent.map_or(0, |results| results.count());
            drop(slices);
            let mut bytes = 0;
            for (number, datagram) in self.waiting.drain(..count).enumerate() {
                bytes += if number < sent { datagram.len() } else { 0 };
                if let Phase::Live(_, player) = &mut self.phase {
                    player.keep(datagram);
                }
            }
            self.counts.packets.fetch_add(sent as u64, Relaxed);
            self.counts.bytes.fetch_add(bytes as u64, Relaxed);
            self.counts.unsent.fetch_add((count - sent) as u64, Relaxed);
        }
        self.next_burst = (!self.waiting.is_empty()).then(|| now + PACE);
    }
}
