//! What each request does: finds streams, sets up tracks, joins and leaves, and answers.
//! Whether it may be asked now is the session's judgement; how packets leave is the playback's.

use crate::connection::{Connection, Found};
use crate::counters::Counters;
use crate::datagrams::Datagrams;
use crate::ending::End;
use crate::playback::Playback;
use crate::sessions::Entry;
use crate::stream::Stream;
use crate::{DescribeRequest, ReaderSpec, Refusal};
use bytes::BytesMut;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};
use tokio::io::Interest;
use weft_rtsp::{Action, Chosen, Lower, Request, Response, SetUp, State, Status, Target};
use weft_wire::{StreamName, TrackId, TrackInfo};

/// Bytes that a client may send ahead while its stream is looked for.
const MAX_AHEAD: usize = 16 * 1024;
/// What a client is told to wait when a stream could not be found in time.
const RETRY_AFTER: Duration = Duration::from_secs(2);

impl Connection {
    /// Takes one request and writes its answer.
    pub(crate) async fn on_request(&mut self, request: Request) -> Result<(), End> {
        if self.user_agent.is_none() {
            self.user_agent = request.headers.get("User-Agent").map(str::to_owned);
        }
        let mut action = self.session.request(&request, self.shared.now());
        if action == Action::Renew {
            self.renew();
            action = self.session.request(&request, self.shared.now());
        }
        let answer = match action {
            Action::Reply(answer) => answer,
            Action::Describe(target) => self.describe(&request, target).await?,
            Action::SetUp(setup) => self.set_up(&request, setup).await?,
            Action::Play => self.play(&request).await?,
            Action::Pause(answer) => {
                if let Some(playback) = &mut self.playback {
                    playback.pause();
                }
                answer
            }
            Action::TearDown(answer) => {
                self.playback = None;
                self.answer(&answer);
                return Err(End::TornDown);
            }
            // A session that has not begun has no reason to be renewed.
            Action::Renew => request.answer(Status::INTERNAL),
        };
        self.answer(&answer);
        // The client was heard when it asked; the search for its stream may have taken longer than a session lasts.
        self.session.touch(self.shared.now());
        if let Some(playback) = &mut self.playback {
            // After the answer to PLAY: packets that overtake it are thrown away by most readers.
            let told = playback.open(&mut self.out, self.shared.udp.as_ref());
            self.pulse.reception.told(told);
        }
        Ok(())
    }

    pub(crate) fn answer(&mut self, answer: &Response) {
        if answer.status.0 >= 400 {
            Counters::one(&self.shared.counters.requests_refused);
        }
        tracing::debug!(peer = %self.peer, status = answer.status.0, "request answered");
        answer.write(&mut self.out.stream);
    }

    async fn describe(&mut self, request: &Request, target: Target) -> Result<Response, End> {
        let name = match StreamName::new(&target.path) {
            Ok(name) => name,
            Err(e) => return Ok(request.refuse(Status::BAD_REQUEST, &e.to_string())),
        };
        let principal = match self
            .let_in(request, &target.path, target.query.as_deref())
            .await?
        {
            Ok(principal) => principal,
            Err(answer) => return Ok(answer),
        };
        // Whoever reads a stream already is told of that one: it is neither moved nor refused.
        let known = self
            .found
            .as_ref()
            .filter(|f| self.registered.is_some() && f.path == target.path);
        if let Some(found) = known {
            let sdp = sdp(&found.source.tracks(), &name);
            return Ok(self.session.described(request, &target, sdp));
        }
        let found = match self.find(&name, &target, principal).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(self.refused(request, refusal)),
        };
        let sdp = sdp(&found.tracks, &name);
        if self.session.state() == State::Init {
            // Kept, so that the stream stays open until PLAY. A session that has tracks keeps theirs.
            self.found = Some(found);
        }
        Ok(self.session.described(request, &target, sdp))
    }

    /// Exclusive although it changes nothing: readers are `Send` and not `Sync`, so a shared borrow could not be awaited.
    async fn find(
        &mut self,
        name: &StreamName,
        target: &Target,
        principal: String,
    ) -> Result<Result<Found, Refusal>, End> {
        let handler = Arc::clone(&self.shared.handler);
        let asked = handler.describe(DescribeRequest {
            stream: name.clone(),
            query: target.query.clone(),
            peer: self.peer,
            user_agent: self.user_agent.clone(),
            principal: principal.clone(),
        });
        let limit = self.patience.read + handler.patience(name);
        let source = tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Refusal::Unavailable(RETRY_AFTER)),
            found = tokio::time::timeout(limit, asked) => found.unwrap_or(Err(Refusal::Unavailable(RETRY_AFTER))),
            end = hung_up(&mut self.stream, &mut self.input) => return Err(end),
        };
        Ok(source.map(|source| Found {
            path: target.path.clone(),
            // What is shown in lists and told to hooks holds no credentials.
            query: target.query.as_deref().map(weft_auth::without_secrets),
            principal,
            tracks: source.tracks(),
            source,
        }))
    }

    async fn set_up(&mut self, request: &Request, mut setup: SetUp) -> Result<Response, End> {
        // A reader that resolved the control against a URL whose path its query had hidden: it means what it described.
        if let (true, Some(found)) = (setup.target.path.is_empty(), &self.found) {
            setup.target.path.clone_from(&found.path);
        }
        let name = match StreamName::new(&setup.target.path) {
            Ok(name) => name,
            Err(e) => return Ok(request.refuse(Status::BAD_REQUEST, &e.to_string())),
        };
        let path = setup.target.path.clone();
        let principal = match self.let_in(request, &path, setup.target.query.as_deref()).await? {
            Ok(principal) => principal,
            Err(answer) => return Ok(answer),
        };
        if self.found.as_ref().is_none_or(|f| f.path != setup.target.path) {
            match self.find(&name, &setup.target, principal).await? {
                Ok(found) => self.found = Some(found),
                Err(refusal) => return Ok(self.refused(request, refusal)),
            }
        }
        Ok(self.set_up_track(request, setup))
    }

    fn set_up_track(&mut self, request: &Request, setup: SetUp) -> Response {
        let tracks = self.tracks();
        let track = match (setup.target.track, tracks.as_slice()) {
            (Some(id), tracks) if tracks.iter().any(|t| t.id.0 == id) => id,
            (Some(id), _) => {
                return request.refuse(Status::NOT_FOUND, &format!("the stream has no track {id}"));
            }
            (None, [only]) => only.id.0,
            (None, _) => {
                return request.refuse(
                    Status::AGGREGATE_NOT_ALLOWED,
                    "set up each track by its control URL",
                );
            }
        };
        if let Err(why) = self.open_transport(track, setup.transport) {
            return request.refuse(Status::BAD_REQUEST, why);
        }
        let transport = setup.transport.lower();
        let ports = self.shared.udp.as_ref().map(crate::udp::UdpPair::ports);
        if !self.register(transport) {
            Counters::one(&self.shared.counters.sessions_refused);
            return request.refuse(
                Status::NOT_ENOUGH_BANDWIDTH,
                "this address has as many sessions as it may (fabric.limits.sessionsPerAddress)",
            );
        }
        self.session.set_up(request, track, setup, ports)
    }

    /// Makes ready what a track's transport needs.
    fn open_transport(&mut self, track: u8, transport: Chosen) -> Result<(), &'static str> {
        let (peer, local) = (self.peer.ip(), self.local.ip());
        let mut claim = None;
        if let (Chosen::Udp { rtcp, .. }, Some(udp)) = (transport, &self.shared.udp) {
            if self
                .claims
                .iter()
                .any(|(t, c)| *t == track && c.is_of(peer, rtcp))
            {
                return Ok(());
            }
            // A refused change leaves the track the port it has.
            let free = udp.pulses.claim(peer, rtcp, &self.pulse);
            claim = Some((track, free.ok_or("another session uses this client_port")?));
            self.out
                .datagrams
                .get_or_insert_with(|| Datagrams::new(self.peer, local));
        }
        self.claims.retain(|(t, _)| *t != track);
        self.claims.extend(claim);
        Ok(())
    }

    /// The tracks as they were described: a publisher that comes without one of them in between ends no reader.
    fn tracks(&self) -> Vec<TrackInfo> {
        self.found.as_ref().map(|f| f.tracks.clone()).unwrap_or_default()
    }

    /// Enters the session where it is new; false when its address has as many as it may.
    fn register(&mut self, transport: Lower) -> bool {
        let (None, Some(found)) = (&self.registered, &self.found) else {
            return true;
        };
        let settings = self.shared.config.settings.now();
        let ip = self.peer.ip();
        // A proxy's address is that of many.
        let by_proxy = settings.trusted_proxies.rtsp.iter().any(|rule| rule.contains(ip));
        let most = match by_proxy {
            true => 0,
            false => settings.fabric.limits.sessions_per_address,
        };
        let Some(share) = self.shared.config.shares.take(ip, most) else {
            return false;
        };
        let connection = self.entered.line.id();
        self.entered.line.carries(Some(self.id));
        self.registered = Some(self.shared.sessions.enter(Entry {
            id: self.id,
            created: SystemTime::now(),
            peer: self.peer,
            path: found.path.clone(),
            query: found.query.clone().unwrap_or_default(),
            user_agent: self.user_agent.clone().unwrap_or_default(),
            transport: label(transport),
            secure: self.stream.is_secure(),
            plays: false.into(),
            bytes: 0.into(),
            packets: 0.into(),
            pulse: Arc::clone(&self.pulse),
            principal: found.principal.clone(),
            connection,
            kick: self.stop.clone(),
            _share: share,
        }));
        true
    }

    async fn play(&mut self, request: &Request) -> Result<Response, End> {
        if let Some(playback) = &mut self.playback {
            let starts = playback.resume().await;
            return Ok(self.session.playing(request, &starts));
        }
        if let Err(answer) = self.still_let_in(request).await? {
            return Ok(answer);
        }
        Ok(match self.join().await {
            Ok(playback) => {
                let answer = self.session.playing(request, &playback.starts());
                self.playback = Some(playback);
                answer
            }
            Err(refusal) => self.refused(request, refusal),
        })
    }

    /// Whoever waits before PLAY is no reader yet, whom a change of the configuration would close: it is judged here.
    async fn still_let_in(&mut self, request: &Request) -> Result<Result<(), Response>, End> {
        let Some(path) = self.found.as_ref().map(|found| found.path.clone()) else {
            return Ok(Ok(()));
        };
        let principal = match self.let_in(request, &path, None).await? {
            Ok(principal) => principal,
            Err(answer) => return Ok(Err(answer)),
        };
        let config = self.shared.config.settings.now();
        if StreamName::new(&path).is_ok_and(|name| config.paths.find(&name).is_none()) {
            return Ok(Err(self.refused(request, Refusal::NotFound)));
        }
        if let Some(found) = &mut self.found {
            found.principal = principal;
        }
        Ok(Ok(()))
    }

    fn refused(&self, request: &Request, refusal: Refusal) -> Response {
        match refusal {
            // Whoever came over TLS is not led into the clear.
            Refusal::Moved(url) if self.stream.is_secure() && !url.starts_with("rtsps:") => {
                refused(request, Refusal::Unavailable(RETRY_AFTER))
            }
            refusal => refused(request, refusal),
        }
    }

    async fn join(&mut self) -> Result<Playback, Refusal> {
        let found = self.found.as_ref().ok_or(Refusal::NotFound)?;
        let clock = |id: u8| found.tracks.iter().find(|t| t.id.0 == id).map(|t| t.clock_rate);
        let tracks = self
            .session
            .tracks()
            .map(|(id, t)| Some((TrackId(id), t, clock(id)?)));
        let tracks = tracks.collect::<Option<Vec<_>>>().ok_or(Refusal::NotFound)?;
        let spec = ReaderSpec {
            id: self.id,
            peer: self.peer,
            transport: self.session.lower().map_or("TCP", label),
            secure: self.stream.is_secure(),
            tracks: tracks.iter().map(|t| t.0).collect(),
            query: found.query.clone().unwrap_or_default(),
            user_agent: self.user_agent.clone().unwrap_or_default(),
            principal: found.principal.clone(),
        };
        let joined = tokio::select! {
            joined = tokio::time::timeout(self.patience.read, found.source.join(spec)) => {
                joined.unwrap_or(Err(Refusal::Unavailable(RETRY_AFTER)))?
            }
            () = self.stop.cancelled() => return Err(Refusal::Unavailable(RETRY_AFTER)),
        };
        let playback = Playback::new(joined, &tracks).ok_or(Refusal::NotFound)?;
        Counters::one(&self.shared.counters.readers);
        if let Some(registered) = &self.registered {
            let entry = &registered.entry;
            entry.plays.store(true, Relaxed);
            let (session, path, transport) = (entry.id, entry.path.as_str(), entry.transport);
            tracing::info!(%session, stream = %path, peer = %self.peer, %transport, "reader plays");
        }
        Ok(playback)
    }
}

fn sdp(tracks: &[TrackInfo], name: &StreamName) -> String {
    weft_sdp::description(tracks, name, rand::random::<u32>().into())
}

/// Ends when the client hangs up. What it says meanwhile is kept for later, up to a bound: beyond it, it is not listened to.
pub(crate) async fn hung_up(stream: &mut Stream, input: &mut BytesMut) -> End {
    while input.len() < MAX_AHEAD {
        let read = match stream.ready(Interest::READABLE).await {
            Ok(_) => stream.try_read_buf(input),
            Err(e) => return End::Lost(e),
        };
        match read {
            Ok(0) => return End::Left,
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return End::Lost(e),
        }
    }
    std::future::pending().await
}

fn label(lower: Lower) -> &'static str {
    match lower {
        Lower::Tcp => "TCP",
        Lower::Udp => "UDP",
    }
}

fn refused(request: &Request, refusal: Refusal) -> Response {
    match refusal {
        Refusal::NotFound => request.refuse(Status::NOT_FOUND, "no such stream"),
        Refusal::Moved(url) => request.answer(Status::MOVED_TEMPORARILY).with("Location", url),
        Refusal::Refused(why) => request.refuse(Status::BAD_REQUEST, &why),
        Refusal::Full => request.refuse(Status::NOT_ENOUGH_BANDWIDTH, "too many readers"),
        Refusal::Unavailable(after) => request
            .refuse(Status::UNAVAILABLE, "the stream cannot be reached now")
            .with("Retry-After", after.as_secs().max(1).to_string()),
    }
}
