//! Who may read what on a connection: what the client shows is read, the gate judges, refusals are worded for RTSP.
//! Who is let in to a path once is not asked again for it on this connection, as long as the configuration stays.

use crate::connection::Connection;
use crate::ending::End;
use crate::requests::hung_up;
use std::sync::{Arc, Weak};
use weft_auth::{Action, Credentials, Denied, DigestAnswer, Protocol};
use weft_config::{AuthMethod, Config, RtspAuthMethod};
use weft_rtsp::{Digest, REALM, Request, Response, Status, basic_challenge, digest_challenge, user_info};
use weft_wire::SessionId;

/// Paths that one connection is remembered to be let in to.
const GRANTS: usize = 8;
/// Seconds after which to ask again when there was no telling.
const RETRY_AFTER: &str = "2";

/// What a connection has shown.
#[derive(Debug)]
pub(crate) struct Access {
    /// Its own: a digest seen on another connection is of no use on this one.
    nonce: String,
    granted: Vec<Granted>,
}

/// A path that a connection is let in to.
#[derive(Debug)]
struct Granted {
    path: String,
    /// As whom.
    principal: String,
    /// Under which configuration. Weak: nobody who reads for days keeps one of days ago.
    under: Weak<Config>,
    /// What was shown for it, and the query it came with: judged anew under another configuration.
    credentials: Credentials,
    query: String,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            nonce: format!("{:032x}", rand::random::<u128>()),
            granted: Vec::new(),
        }
    }
}

/// What a client shows with one request.
struct Shown {
    credentials: Credentials,
    /// A digest of a nonce that is not this connection's.
    stale: bool,
}

/// How this client may show who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offer {
    basic: bool,
    digest: bool,
    basic_first: bool,
}

impl Offer {
    /// By the configuration: a digest needs the password itself, which only the users of the file can have; over TLS Basic
    /// is as good.
    fn of(config: &Config, secure: bool) -> Self {
        let methods = &config.auth.rtsp_methods;
        let digest = config.auth.method == AuthMethod::Internal && methods.contains(&RtspAuthMethod::Digest);
        Self {
            basic: methods.contains(&RtspAuthMethod::Basic) || secure || !digest,
            digest,
            basic_first: methods.first() == Some(&RtspAuthMethod::Basic),
        }
    }
}

impl Connection {
    /// As whom the client may read a path; `Err(Ok)`: how it is told that it may not. Nothing is looked for before.
    pub(crate) async fn let_in(
        &mut self,
        request: &Request,
        path: &str,
        query: Option<&str>,
    ) -> Result<Result<String, Response>, End> {
        let config = self.shared.config.settings.now();
        let before = self
            .access
            .granted
            .iter()
            .position(|granted| granted.path == path);
        let before = before.map(|at| self.access.granted.remove(at));
        match before {
            Some(granted) if std::ptr::eq(granted.under.as_ptr(), Arc::as_ptr(&config)) => {
                let principal = granted.principal.clone();
                self.access.granted.push(granted);
                Ok(Ok(principal))
            }
            before => self.judged(request, path, query, &config, before).await,
        }
    }

    /// The same by the gate. `before`: it was let in under another configuration, and need not show again what it showed then.
    async fn judged(
        &mut self,
        request: &Request,
        path: &str,
        query: Option<&str>,
        config: &Arc<Config>,
        before: Option<Granted>,
    ) -> Result<Result<String, Response>, End> {
        let offer = Offer::of(config, self.stream.is_secure());
        let mut query = query.unwrap_or_default().to_owned();
        let mut shown = self.access.shown(request, &query, offer);
        if let Some(before) = before
            && shown.credentials.is_empty()
        {
            (shown.credentials, query) = (before.credentials, before.query);
        }
        let asked = weft_auth::Request {
            action: Action::Read,
            path: path.to_owned(),
            protocol: Protocol::Rtsp,
            session: Some(SessionId(self.id.into_bytes())),
            ip: self.peer.ip(),
            query: query.clone(),
            user_agent: self.user_agent.clone().unwrap_or_default(),
            credentials: shown.credentials.clone(),
        };
        let shared = Arc::clone(&self.shared);
        let judged = tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Denied::Unavailable("shutting down".to_owned())),
            judged = shared.config.gate.check(asked) => judged,
            end = hung_up(&mut self.stream, &mut self.input) => return Err(end),
        };
        let denied = match judged {
            Ok(grant) => {
                if self.access.granted.len() >= GRANTS {
                    // overflow: the oldest is asked about again.
                    self.access.granted.remove(0);
                }
                self.access.granted.push(Granted {
                    path: path.to_owned(),
                    principal: grant.principal.clone(),
                    under: Arc::downgrade(config),
                    credentials: shown.credentials,
                    query,
                });
                return Ok(Ok(grant.principal));
            }
            Err(denied) => denied,
        };
        let answer = match denied {
            Denied::NoCredentials => self.access.challenge(request, offer, shown.stale),
            Denied::TooMany(wait) => {
                unavailable(request, &denied).with("Retry-After", wait.as_secs().max(1).to_string())
            }
            Denied::Unavailable(_) => unavailable(request, &denied).with("Retry-After", RETRY_AFTER),
            // Wrong, and whatever may come to be.
            _ => {
                self.answer(&request.refuse(Status::UNAUTHORIZED, "authentication error"));
                return Err(End::NotLetIn);
            }
        };
        Ok(Err(answer))
    }
}

fn unavailable(request: &Request, denied: &Denied) -> Response {
    request.refuse(Status::UNAVAILABLE, &denied.to_string())
}

impl Access {
    /// What a request shows: headers, the URL's query, the user before its host.
    fn shown(&self, request: &Request, query: &str, offer: Offer) -> Shown {
        let lines = || request.headers.all("Authorization");
        let digest = lines().find_map(Digest::parse);
        let mut header = lines().find(|line| Digest::parse(line).is_none());
        let is_basic =
            header.is_some_and(|line| line.get(..6).is_some_and(|s| s.eq_ignore_ascii_case("basic ")));
        if is_basic && !offer.basic {
            // Shown where everybody on the way can read it: it counts for nothing, right or wrong.
            header = None;
        }
        let mut credentials = Credentials::from_http(header, query);
        if credentials.login.is_none()
            && offer.basic
            && let Some(user) = user_info(&request.uri)
        {
            credentials.login = Credentials::from_user_info(user).login;
        }
        let mut stale = false;
        if let Some(digest) = digest.filter(|_| offer.digest) {
            // Of another connection, as a client that connects anew shows it first: a reason to challenge it, not to
            // judge it.
            stale = digest.nonce != self.nonce || digest.realm != REALM;
            credentials.digest = (!stale).then(|| DigestAnswer {
                username: digest.username,
                realm: digest.realm,
                nonce: digest.nonce,
                uri: digest.uri,
                response: digest.response,
                method: request.method.as_str().to_owned(),
            });
        }
        Shown { credentials, stale }
    }

    /// One line per way to show who one is: clients do not read two in one.
    fn challenge(&self, request: &Request, offer: Offer, stale: bool) -> Response {
        let mut lines = Vec::new();
        if offer.digest {
            lines.push(digest_challenge(&self.nonce, stale));
        }
        if offer.basic {
            lines.push(basic_challenge());
        }
        if offer.basic_first {
            lines.reverse();
        }
        let answer = request.refuse(Status::UNAUTHORIZED, "authentication error");
        lines
            .into_iter()
            .fold(answer, |answer, line| answer.with("WWW-Authenticate", line))
    }
}
