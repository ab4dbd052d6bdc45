//! The gate: judges requests by the configuration as it is now.
//! Each way of judging has a module of its own.

use crate::argon::Argon;
use crate::callback::Callback;
use crate::keys::{AGAIN, KeySet};
use crate::request::{Action, Denied, Grant, Protocol, Request};
use crate::throttle::Throttle;
use crate::verdict::{Counters, Log, No, count};
use crate::{internal, token};
use std::sync::Arc;
use tokio::runtime::Handle;
use weft_config::{AuthMethod, Config, Live};
use weft_wire::StreamName;

/// Judges who may do what; cheap to clone. A judgement never waits for another one.
#[derive(Clone, Default)]
pub struct Gate(Option<Arc<Inner>>);

struct Inner {
    live: Live,
    argon: Argon,
    callback: Callback,
    keys: KeySet,
    throttle: Throttle,
    counters: Arc<Counters>,
    log: Log,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

impl Gate {
    /// One that lets everybody do everything.
    #[must_use]
    pub fn open() -> Self {
        Self(None)
    }

    /// One that judges by the configuration, as it is at each request. Must be called within a Tokio runtime, whose it
    /// stays: what takes a while runs there, whoever asks.
    #[must_use]
    pub fn new(live: Live) -> Self {
        crate::crypto::install();
        let counters = Arc::<Counters>::default();
        Self(Some(Arc::new(Inner {
            callback: Callback::new(Handle::current(), Arc::clone(&counters)),
            keys: KeySet::new(live.clone(), Arc::clone(&counters), AGAIN),
            live,
            argon: Argon::new(Handle::current()),
            throttle: Throttle::default(),
            counters,
            log: Log::default(),
        })))
    }

    /// Whether somebody may do something. A wrong login is answered after a pause, in which nothing else waits.
    ///
    /// # Errors
    /// [`Denied`] says how to answer.
    pub async fn check(&self, request: Request) -> Result<Grant, Denied> {
        let Some(inner) = &self.0 else {
            return Ok(Grant::default());
        };
        match inner.judge(&request).await {
            Ok(grant) => {
                count(&inner.counters.allowed);
                Ok(grant)
            }
            Err(no) => {
                inner.log.note(&inner.counters, &request, &no);
                if let No::Login(_) = no {
                    if !is_of_all(&inner.live.now(), &request) {
                        inner.throttle.failed(request.ip);
                    }
                    if !inner.throttle.pause().await {
                        count(&inner.counters.pauses_skipped);
                    }
                }
                Err(no.denied())
            }
        }
    }

    /// Whether somebody may do one of many things, as of a list of which it may see a part: a no is no failed login, is not
    /// logged and comes without a pause. Whoever gets nothing but no must be [`Self::check`]ed, or passwords could be tried
    /// by way of lists.
    ///
    /// # Errors
    /// [`Denied`] says how to answer.
    pub async fn peek(&self, request: &Request) -> Result<Grant, Denied> {
        match &self.0 {
            Some(inner) => inner.judge(request).await.map_err(|no| no.denied()),
            None => Ok(Grant::default()),
        }
    }

    /// Fetches the keys of tokens again, as after an hour; not more often than every 10 s.
    pub fn refresh_keys(&self) {
        if let Some(inner) = &self.0 {
            inner.keys.refresh();
        }
    }

    /// Each counter: metric name, help, value.
    pub fn counters(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
        if let Some(inner) = &self.0 {
            inner.counters.visit(visit);
        }
    }
}

impl Inner {
    async fn judge(&self, request: &Request) -> Result<Grant, No> {
        let config = self.live.now();
        if !allows_address(&config, request.action, &request.path, request.ip) {
            return Err(No::Address);
        }
        let wait = if request.credentials.is_empty() || is_of_all(&config, request) {
            None
        } else {
            self.throttle.wait(request.ip, config.fabric.limits.failed_logins)
        };
        match (config.auth.method, wait) {
            // A signature is not guessed: who has a token that is right waits for nobody behind the same address, such as
            // a page there that tries an old one again and again.
            (AuthMethod::Jwt, wait) => {
                let judged = token::judge(&config.auth.jwt, request, &self.keys).await;
                judged.map_err(|no| match (no, wait) {
                    (No::Login(_), Some(wait)) => No::TooMany(wait),
                    (no, _) => no,
                })
            }
            (_, Some(wait)) => Err(No::TooMany(wait)),
            (AuthMethod::Internal, None) => internal::judge(&config.auth, request, &self.argon).await,
            (AuthMethod::Http, None) => self.callback.judge(&config.auth.http, request).await,
        }
    }
}

/// Whether the address says nothing of the client: a proxy's, which in RTSP has no way to tell for whom it asks. One of its
/// clients that fails would keep all of them out.
fn is_of_all(config: &Config, request: &Request) -> bool {
    let proxies = &config.trusted_proxies.rtsp;
    request.protocol == Protocol::Rtsp && proxies.iter().any(|rule| rule.contains(request.ip))
}

/// Whether the path that a stream comes under is for this address: `publishIPs`, `readIPs`. A stream without a path is
/// refused elsewhere.
pub(crate) fn allows_address(config: &Config, action: Action, path: &str, ip: std::net::IpAddr) -> bool {
    let found = match action {
        Action::Publish | Action::Read | Action::Playback => StreamName::new(path).ok(),
        Action::Api | Action::Metrics | Action::Pprof => None,
    };
    let Some(found) = found.and_then(|name| config.paths.find(&name)) else {
        return true;
    };
    let rules = match action {
        Action::Publish => &found.conf.publish_ips,
        _ => &found.conf.read_ips,
    };
    rules.is_empty() || rules.iter().any(|rule| rule.contains(ip))
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
