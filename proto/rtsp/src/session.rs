//! One reader's session as a state machine without I/O (RFC 2326 §A): a request goes in, what to do about it comes out.
//! Finding streams, opening ports and sending packets are the caller's; it reports back what it achieved.

use crate::range::{NPT_NOW, format_rtp_info};
use crate::{
    Allowed, Chosen, Lower, Method, Request, Response, ServerPorts, Status, Target, Version, choose,
    parse_transports,
};
use bytes::Bytes;
use std::time::Duration;

/// The methods of a server that only plays, as in `Public` and `Allow`.
pub const PUBLIC: &str = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN";

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// No track is set up.
    Init,
    /// Tracks are set up, nothing was played yet.
    Ready,
    /// Packets flow.
    Playing,
    /// They flowed, and may again.
    Paused,
}

/// How long a client may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the first request of a connection.
    pub first_request: Duration,
    /// Between two signs of life; announced in the `Session` header, in whole seconds.
    pub idle: Duration,
}

/// A track to be set up, as the client asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetUp {
    /// The stream.
    pub target: Target,
    /// The URL as the client wrote it.
    pub url: String,
    /// The transport chosen of its offers.
    pub transport: Chosen,
}

/// A track that is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Track {
    id: u8,
    url: String,
    transport: Chosen,
}

/// What a request asks of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send this; nothing else changes.
    Reply(Response),
    /// Find the stream, answer with [`Session::described`] or a refusal.
    Describe(Target),
    /// Find the stream and its track, then [`Session::set_up`] or a refusal.
    SetUp(SetUp),
    /// Begin or go on sending, then [`Session::playing`] or a refusal.
    Play,
    /// Stop sending, then send this.
    Pause(Response),
    /// Stop sending, send this, close.
    TearDown(Response),
    /// The client begins a new session in the midst of this one (ffmpeg does so when UDP brought nothing): stop sending,
    /// replace this session by a new one, hand it the request again.
    Renew,
}

/// One reader's session. Instants are durations since any fixed start.
#[derive(Debug)]
pub struct Session {
    id: String,
    limits: Limits,
    allowed: Allowed,
    state: State,
    path: String,
    tracks: Vec<Track>,
    spoke: bool,
    alive: Duration,
}

impl Session {
    /// A session that has not begun. `id` must not be guessable: whoever knows it may end the session.
    #[must_use]
    pub fn new(id: String, limits: Limits, allowed: Allowed, now: Duration) -> Self {
        Self {
            id,
            limits,
            allowed,
            state: State::Init,
            path: String::new(),
            tracks: Vec::new(),
            spoke: false,
            alive: now,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// What carries its packets; `None` before the first track is set up.
    #[must_use]
    pub fn lower(&self) -> Option<Lower> {
        self.tracks.first().map(|t| t.transport.lower())
    }

    /// The tracks set up, with their transports.
    pub fn tracks(&self) -> impl Iterator<Item = (u8, Chosen)> {
        self.tracks.iter().map(|t| (t.id, t.transport))
    }

    /// A sign of life: a request, a receiver report, whatever the client sent.
    pub fn touch(&mut self, now: Duration) {
        self.alive = self.alive.max(now);
    }

    /// When it ends for want of a sign of life; `None` while it plays over its own connection, whose writes tell enough.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        if !self.spoke {
            Some(self.alive + self.limits.first_request)
        } else if self.state == State::Playing && self.lower() == Some(Lower::Tcp) {
            None
        } else {
            Some(self.alive + self.limits.idle)
        }
    }

    /// Takes a request.
    pub fn request(&mut self, request: &Request, now: Duration) -> Action {
        self.spoke = true;
        self.touch(now);
        if request.version != Version::V1 {
            return Action::Reply(request.answer(Status::VERSION));
        }
        if request.cseq().is_none() {
            return refuse(request, Status::BAD_REQUEST, "CSeq is missing or no number");
        }
        if request
            .session()
            .is_some_and(|id| self.state == State::Init || id != self.id)
        {
            return refuse(
                request,
                Status::SESSION_NOT_FOUND,
                "no such session on this connection",
            );
        }
        match &request.method {
            Method::Options => Action::Reply(self.ok(request).with("Public", PUBLIC)),
            Method::Describe => match Target::parse(&request.uri) {
                Ok(target) => Action::Describe(target),
                Err(e) => refuse(request, Status::BAD_REQUEST, &e.to_string()),
            },
            Method::Setup => self.on_setup(request),
            Method::Play => match self.state {
                State::Init => self.not_in_state(request),
                State::Ready | State::Paused => Action::Play,
                // A keep-alive of some players; RFC 2326 §10.5 would queue it, and a live stream has nothing to queue.
                State::Playing => Action::Reply(self.ok(request).with("Range", NPT_NOW)),
            },
            Method::Pause => match self.state {
                State::Init => self.not_in_state(request),
                State::Ready | State::Paused => Action::Reply(self.ok(request)),
                State::Playing => {
                    self.state = State::Paused;
                    Action::Pause(self.ok(request))
                }
            },
            Method::Teardown if self.state == State::Init => {
                refuse(request, Status::SESSION_NOT_FOUND, "there is no session to end")
            }
            Method::Teardown => Action::TearDown(self.ok(request)),
            Method::GetParameter | Method::SetParameter if is_blank(&request.body) => {
                Action::Reply(self.ok(request))
            }
            Method::GetParameter | Method::SetParameter => refuse(
                request,
                Status::PARAMETER_NOT_UNDERSTOOD,
                "no parameter is known here",
            ),
            Method::Announce | Method::Record => {
                let answer = request.refuse(Status::METHOD_NOT_ALLOWED, "this server only plays");
                Action::Reply(answer.with("Allow", PUBLIC))
            }
            Method::Other(_) => Action::Reply(request.answer(Status::NOT_IMPLEMENTED).with("Public", PUBLIC)),
        }
    }

    fn on_setup(&self, request: &Request) -> Action {
        if matches!(self.state, State::Playing | State::Paused) {
            return match request.session() {
                None => Action::Renew,
                Some(_) => self.not_in_state(request),
            };
        }
        let target = match Target::parse(&request.uri) {
            Ok(target) => target,
            Err(e) => return refuse(request, Status::BAD_REQUEST, &e.to_string()),
        };
        if self.state == State::Ready && target.path != self.path {
            return refuse(
                request,
                Status::BAD_REQUEST,
                "all tracks of a session are of one stream",
            );
        }
        let offers: Vec<_> = request
            .headers
            .all("Transport")
            .flat_map(parse_transports)
            .collect();
        if request.headers.get("Transport").is_none() {
            return refuse(request, Status::BAD_REQUEST, "the Transport header is missing");
        }
        // All tracks of a session travel alike: half a session over UDP would need two sets of time limits.
        let allowed = match self.lower() {
            Some(Lower::Tcp) => Allowed {
                udp: false,
                ..self.allowed
            },
            Some(Lower::Udp) => Allowed {
                tcp: false,
                ..self.allowed
            },
            None => self.allowed,
        };
        let again = |t: &&Track| Some(t.id) != target.track;
        let taken: Vec<Chosen> = self.tracks.iter().filter(again).map(|t| t.transport).collect();
        match choose(&offers, allowed, &taken) {
            Some(transport) => Action::SetUp(SetUp {
                target,
                url: request.uri.clone(),
                transport,
            }),
            None => refuse(
                request,
                Status::UNSUPPORTED_TRANSPORT,
                "none of the offered transports is open here",
            ),
        }
    }

    /// The answer to DESCRIBE.
    #[must_use]
    pub fn described(&self, request: &Request, target: &Target, sdp: String) -> Response {
        request
            .answer(Status::OK)
            .with("Content-Base", target.base.as_str())
            .with_body("application/sdp", Bytes::from(sdp))
    }

    /// The track is set up: remembers it and makes the answer. `ports` are the server's, for UDP.
    pub fn set_up(
        &mut self,
        request: &Request,
        track: u8,
        setup: SetUp,
        ports: Option<ServerPorts>,
    ) -> Response {
        self.state = State::Ready;
        self.path = setup.target.path;
        self.tracks.retain(|t| t.id != track);
        self.tracks.push(Track {
            id: track,
            url: setup.url,
            transport: setup.transport,
        });
        self.ok(request)
            .with("Transport", setup.transport.reply(ports, None))
    }

    /// Packets are about to flow: `starts` says for each track set up the sequence number and RTP timestamp of its first.
    pub fn playing(&mut self, request: &Request, starts: &[(u8, u16, u32)]) -> Response {
        self.state = State::Playing;
        let info = |t: &Track| {
            let (_, seq, rtp_time) = *starts.iter().find(|s| s.0 == t.id)?;
            Some(format_rtp_info(&t.url, seq, rtp_time))
        };
        let infos: Vec<String> = self.tracks.iter().filter_map(info).collect();
        self.ok(request)
            .with("Range", NPT_NOW)
            .with("RTP-Info", infos.join(","))
    }

    /// 200, with the session's header once there is a session.
    fn ok(&self, request: &Request) -> Response {
        let answer = request.answer(Status::OK);
        match self.state {
            State::Init => answer,
            _ => answer.with(
                "Session",
                format!("{};timeout={}", self.id, self.limits.idle.as_secs()),
            ),
        }
    }

    fn not_in_state(&self, request: &Request) -> Action {
        let allowed = match self.state {
            State::Init => "OPTIONS, DESCRIBE, SETUP, GET_PARAMETER, SET_PARAMETER",
            _ => "OPTIONS, DESCRIBE, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN",
        };
        Action::Reply(request.answer(Status::METHOD_NOT_VALID).with("Allow", allowed))
    }
}

fn refuse(request: &Request, status: Status, why: &str) -> Action {
    Action::Reply(request.refuse(status, why))
}

fn is_blank(body: &[u8]) -> bool {
    body.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
