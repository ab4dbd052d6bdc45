//! One reader: an RTSP session from DESCRIBE to TEARDOWN on one TCP connection that never blocks, with UDP sockets where asked.
//! When it is called is the thread's business, what the packets hold is the track's.

use super::Plan;
use super::rtsp::{self, Reply};
use super::track::{self, Whole};
use super::udp::Pair;
use crate::count::ReaderTally;
use crate::template::Target;
use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tokens of one reader: its connection, and a socket for each track.
pub(super) const TOKENS: usize = 8;
/// A stream that is not there yet is asked for again after this, for [`PATIENCE`].
const AGAIN: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);
/// Without a word for so long a server may end the session.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// How often a server may send a reader elsewhere.
const MOVES: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The connection is not up.
    Connecting,
    /// DESCRIBE, SETUP of the track with that number, PLAY: the answer is waited for.
    Describe,
    Setup(usize),
    Play,
    Playing,
    /// The next attempt comes then.
    Waiting(Instant),
    Over,
}

/// One reader.
pub(super) struct Connection {
    number: usize,
    target: Target,
    udp: bool,
    socket: TcpStream,
    stage: Stage,
    began: Instant,
    tracks: Vec<(rtsp::Track, track::Track)>,
    pairs: Vec<Pair>,
    slices: Arc<Vec<u32>>,
    session: Option<String>,
    sequence: u32,
    spoken: Instant,
    moves: usize,
    /// The beginning of a frame or answer whose end has not come.
    rest: Vec<u8>,
    pub(super) tally: ReaderTally,
}

impl Connection {
    /// Begins to connect.
    pub(super) fn open(
        number: usize,
        plan: &Plan,
        slices: Arc<Vec<u32>>,
        registry: &Registry,
    ) -> Result<Self> {
        let now = Instant::now();
        Ok(Self {
            number,
            socket: connect(&plan.target, number, registry)?,
            target: plan.target.clone(),
            udp: plan.udp,
            stage: Stage::Connecting,
            began: now,
            tracks: Vec::new(),
            pairs: Vec::new(),
            slices,
            session: None,
            sequence: 0,
            spoken: now,
            moves: 0,
            rest: Vec::new(),
            tally: ReaderTally {
                stream: plan.stream,
                joining: plan.joining,
                ..ReaderTally::default()
            },
        })
    }

    /// Whether it has ended, wished or not.
    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// The connection can be read or written; `pictures` gets each whole picture with the time it came. `closed`: nothing
    /// follows what is there.
    pub(super) fn ready(
        &mut self,
        closed: bool,
        buffer: &mut [u8],
        registry: &Registry,
        pictures: &mut dyn FnMut(Whole, Instant),
    ) {
        // Between two attempts it is no matter what becomes of the first connection.
        if matches!(self.stage, Stage::Waiting(_) | Stage::Over) {
            return;
        }
        if let Err(error) = self.advance(closed, buffer, registry, pictures) {
            self.drop_out(&format!("{error:#}"));
        }
    }

    fn drop_out(&mut self, why: &str) {
        self.stage = Stage::Over;
        self.tally.dropped = Some(format!("{}: {why}", self.target.url));
    }

    fn advance(
        &mut self,
        closed: bool,
        buffer: &mut [u8],
        registry: &Registry,
        pictures: &mut dyn FnMut(Whole, Instant),
    ) -> Result<()> {
        if self.stage == Stage::Connecting {
            if let Some(error) = self.socket.take_error()? {
                bail!("cannot connect to {}: {error}", self.target.authority);
            }
            if self.socket.peer_addr().is_err() {
                return Ok(());
            }
            self.socket.set_nodelay(true)?;
            self.describe()?;
        }
        loop {
            let kept = self.rest.len();
            buffer[..kept].copy_from_slice(&self.rest);
            match self.socket.read(&mut buffer[kept..]) {
                Ok(0) => bail!("closed by the server"),
                Ok(length) => {
                    let used = self.take(&buffer[..kept + length], registry, pictures)?;
                    self.rest.clear();
                    self.rest.extend_from_slice(&buffer[used..kept + length]);
                    // Fewer bytes than asked for: there are no more (epoll(7), question 9).
                    let drained = kept + length < buffer.len() && !closed;
                    if drained || matches!(self.stage, Stage::Connecting | Stage::Waiting(_) | Stage::Over) {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes what is whole of `bytes`; returns how much that was.
    fn take(
        &mut self,
        bytes: &[u8],
        registry: &Registry,
        pictures: &mut dyn FnMut(Whole, Instant),
    ) -> Result<usize> {
        let now = Instant::now();
        let mut at = 0;
        loop {
            match &bytes[at..] {
                // RFC 2326 section 10.12
                [b'$', channel, high, low, rest @ ..] => {
                    let length = usize::from(u16::from_be_bytes([*high, *low]));
                    let Some(packet) = rest.get(..length) else { break };
                    if channel & 1 == 0 {
                        self.packet(usize::from(channel / 2), packet, now, pictures);
                    }
                    at += 4 + length;
                }
                [] | [b'$', ..] => break,
                rest => {
                    let Some((reply, length)) = rtsp::reply(rest)? else {
                        break;
                    };
                    at += length;
                    self.replied(&reply, registry)?;
                }
            }
            if self.stage == Stage::Over {
                break;
            }
        }
        Ok(at)
    }

    fn packet(
        &mut self,
        track: usize,
        packet: &[u8],
        now: Instant,
        pictures: &mut dyn FnMut(Whole, Instant),
    ) {
        let Some((about, track)) = self.tracks.get_mut(track) else {
            return;
        };
        if !about.video {
            track.sound(packet, &mut self.tally);
        } else if let Some(whole) = track.picture(packet, &mut self.tally) {
            if whole.key && self.tally.first_picture.is_none() {
                let took = now.saturating_duration_since(self.began).as_nanos();
                self.tally.first_picture = u64::try_from(took).ok();
                if self.tally.joining {
                    self.leave();
                }
            }
            pictures(whole, now);
        }
    }

    /// A UDP socket can be read.
    pub(super) fn datagrams(
        &mut self,
        socket: usize,
        buffer: &mut [u8],
        pictures: &mut dyn FnMut(Whole, Instant),
    ) {
        while self.stage == Stage::Playing {
            let Some(pair) = self.pairs.get(socket) else {
                return;
            };
            let Some(length) = pair.receive(buffer) else {
                return;
            };
            self.packet(socket, &buffer[..length], Instant::now(), pictures);
        }
    }

    /// To be called now and then.
    pub(super) fn tick(&mut self, now: Instant, registry: &Registry) {
        let done = match self.stage {
            Stage::Waiting(until) if until <= now => self.again(registry),
            Stage::Playing if self.spoken + KEEPALIVE <= now => self.ask("GET_PARAMETER", None, &[]),
            Stage::Playing | Stage::Over => Ok(()),
            _ if self.began + PATIENCE + PATIENCE <= now => {
                Err(anyhow::anyhow!("no answer in {:?}", PATIENCE * 2))
            }
            _ => Ok(()),
        };
        if let Err(error) = done {
            self.drop_out(&format!("{error:#}"));
        }
    }

    fn again(&mut self, registry: &Registry) -> Result<()> {
        self.socket = connect(&self.target, self.number, registry)?;
        self.rest.clear();
        self.session = None;
        self.stage = Stage::Connecting;
        Ok(())
    }

    /// Says goodbye and ends.
    pub(super) fn leave(&mut self) {
        if !matches!(self.stage, Stage::Over | Stage::Connecting | Stage::Waiting(_)) {
            // Whoever does not take it sees the connection end.
            drop(self.ask("TEARDOWN", None, &[]));
        }
        self.stage = Stage::Over;
    }

    fn ask(&mut self, method: &str, url: Option<&str>, headers: &[(&str, &str)]) -> Result<()> {
        self.sequence += 1;
        self.spoken = Instant::now();
        let own = [
            ("Session", &self.session),
            ("Authorization", &self.target.authorization),
        ];
        let own = own
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let headers: Vec<_> = headers.iter().copied().chain(own).collect();
        let text = rtsp::request(method, url.unwrap_or(&self.target.url), self.sequence, &headers);
        // A request is smaller than any socket's buffer, and one is on its way at a time.
        let written = self
            .socket
            .write(text.as_bytes())
            .with_context(|| format!("sending {method}"))?;
        ensure!(written == text.len(), "the connection took only half of {method}");
        Ok(())
    }

    fn describe(&mut self) -> Result<()> {
        self.stage = Stage::Describe;
        self.ask("DESCRIBE", None, &[("Accept", "application/sdp")])
    }

    fn replied(&mut self, reply: &Reply, registry: &Registry) -> Result<()> {
        if let Some(session) = reply.session() {
            self.session = Some(session.to_owned());
        }
        match (self.stage, reply.status) {
            (Stage::Describe, 301 | 302) => {
                self.moves += 1;
                ensure!(self.moves <= MOVES, "sent elsewhere {MOVES} times");
                let to = reply
                    .header("location")
                    .context("sent elsewhere without a Location")?;
                self.target = self.target.join(to)?;
                self.again(registry)
            }
            // Between nodes it takes a moment until a stream is known everywhere.
            (Stage::Describe, 404 | 454 | 503) if self.began.elapsed() < PATIENCE => {
                self.stage = Stage::Waiting(Instant::now() + AGAIN);
                Ok(())
            }
            (Stage::Playing | Stage::Over, _) => Ok(()),
            (stage, 200) => self.step(stage, reply, registry),
            (stage, status) => bail!("{stage:?} was answered with {status}: {}", reply.body.trim()),
        }
    }

    fn step(&mut self, stage: Stage, reply: &Reply, registry: &Registry) -> Result<()> {
        match stage {
            Stage::Describe => {
                let tracks = rtsp::tracks(reply, &self.target.url)?;
                ensure!(
                    tracks.len() < TOKENS,
                    "{} tracks are more than a reader here takes",
                    tracks.len()
                );
                let with = |about| (about, track::Track::new(self.slices.clone()));
                self.tracks = tracks.into_iter().map(with).collect();
                self.setup(0, registry)
            }
            Stage::Setup(track) => {
                if let (Some(pair), Some(port)) = (self.pairs.get(track), reply.server_port()) {
                    pair.greet(self.socket.peer_addr()?, port);
                }
                if track + 1 < self.tracks.len() {
                    return self.setup(track + 1, registry);
                }
                self.stage = Stage::Play;
                self.ask("PLAY", None, &[("Range", "npt=0.000-")])
            }
            Stage::Play => {
                self.stage = Stage::Playing;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn setup(&mut self, track: usize, registry: &Registry) -> Result<()> {
        self.stage = Stage::Setup(track);
        let transport = if self.udp {
            let pair = Pair::open(self.socket.local_addr()?.ip(), registry, self.token(1 + track))?;
            let port = pair.port();
            self.pairs.push(pair);
            format!("RTP/AVP;unicast;client_port={port}-{}", port + 1)
        } else {
            format!("RTP/AVP/TCP;unicast;interleaved={}-{}", 2 * track, 2 * track + 1)
        };
        let url = self.tracks[track].0.url.clone();
        self.ask("SETUP", Some(&url), &[("Transport", &transport)])
    }

    fn token(&self, place: usize) -> Token {
        Token(self.number * TOKENS + place)
    }
}

fn connect(target: &Target, number: usize, registry: &Registry) -> Result<TcpStream> {
    let address = target.address()?;
    let mut socket = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
    registry.register(
        &mut socket,
        Token(number * TOKENS),
        Interest::READABLE | Interest::WRITABLE,
    )?;
    Ok(socket)
}
