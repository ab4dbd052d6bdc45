//! The HTTP callback: a server that is asked by POST with MediaMTX's JSON, where any 2xx allows.
//! A server that hangs costs those who wait for it a few seconds, and nobody else anything: they are told to come again.

use crate::answers::{Answers, How, Keys};
use crate::client::{Clients, words};
use crate::verdict::{Counters, No, count};
use crate::{Grant, Request};
use serde::Serialize;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;
use weft_config::HttpAuth;

/// Questions open at once.
const OPEN: usize = 256;
/// Those of one address among them, so that one client cannot take all places.
const OPEN_OF_ONE: usize = 64;
/// How long an answer may take; MediaMTX waits 10 s, in which publishers give up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an allowed answer is known: what the server withdraws ends a little later.
const KNOWN_FOR: Duration = Duration::from_secs(3);
const KNOWN: usize = 4096;
/// How often the log is told why the server does not answer.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// What is asked; the field names are MediaMTX's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    user: &'a str,
    password: &'a str,
    token: &'a str,
    ip: String,
    action: &'static str,
    path: &'a str,
    protocol: &'static str,
    id: Option<String>,
    query: &'a str,
    user_agent: &'a str,
}

/// What the server said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Nothing,
}

/// Asks the server.
pub(crate) struct Callback {
    clients: Clients,
    keys: Keys,
    answers: Answers<Answer>,
    waiting: Arc<Mutex<HashMap<IpAddr, usize>>>,
    said: Arc<Mutex<Option<Instant>>>,
    runtime: Handle,
    counters: Arc<Counters>,
}

impl Callback {
    pub(crate) fn new(runtime: Handle, counters: Arc<Counters>) -> Self {
        Self {
            clients: Clients::default(),
            keys: Keys::new(),
            answers: Answers::new(OPEN, KNOWN, KNOWN_FOR),
            waiting: Arc::default(),
            said: Arc::default(),
            runtime,
            counters,
        }
    }

    /// Judges by what the server says. Equal questions at once are one, whichever sessions they are of.
    pub(crate) async fn judge(&self, http: &HttpAuth, request: &Request) -> Result<Grant, No> {
        if crate::internal::permits(&http.exclude, request.action, &request.path) {
            return Ok(Grant::default());
        }
        let shown = &request.credentials;
        let (user, password) = match (&shown.login, &shown.digest) {
            (Some((user, password)), _) => (user.as_str(), password.expose()),
            (None, Some(digest)) => (digest.username.as_str(), ""),
            (None, None) => ("", ""),
        };
        let question = Question {
            user,
            password,
            token: shown.token.as_ref().map_or("", |token| token.expose()),
            ip: request.ip.to_canonical().to_string(),
            action: request.action.as_str(),
            path: &request.path,
            protocol: request.protocol.as_str(),
            id: request.session.map(|id| id.to_string()),
            query: &request.query,
            user_agent: &request.user_agent,
        };
        match self.ask(http, request.ip, &question).await {
            Answer::Yes => Ok(Grant {
                principal: user.to_owned(),
            }),
            Answer::No if shown.is_empty() => Err(No::Nothing),
            Answer::No => Err(No::Login("the authentication server refuses it")),
            Answer::Nothing => Err(No::Unavailable("the authentication server does not answer")),
        }
    }

    async fn ask(&self, http: &HttpAuth, ip: IpAddr, question: &Question<'_>) -> Answer {
        let failed = || {
            count(&self.counters.callback_failed);
            Answer::Nothing
        };
        let Some(_place) = Place::take(&self.waiting, ip) else {
            return failed();
        };
        let key = self.keys.of(&[
            &http.address,
            &http.fingerprint,
            question.user,
            question.password,
            question.token,
            &question.ip,
            question.action,
            question.path,
            question.protocol,
            question.query,
            question.user_agent,
        ]);
        let post = || {
            let body = serde_json::to_string(question).unwrap_or_default();
            let (address, client) = (http.address.clone(), self.clients.get(&http.fingerprint));
            let (counters, said) = (Arc::clone(&self.counters), Arc::clone(&self.said));
            async move {
                count(&counters.callback_asked);
                match tokio::time::timeout(PATIENCE, post(client, &address, body)).await {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(error)) => {
                        say(&said, &words(error));
                        Answer::Nothing
                    }
                    Err(_) => {
                        say(&said, "it did not answer in time");
                        Answer::Nothing
                    }
                }
            }
        };
        let worth_keeping = |answer: &Answer| *answer == Answer::Yes;
        match self.answers.get(&self.runtime, key, worth_keeping, post).await {
            Some((Answer::Nothing, _)) | None => failed(),
            Some((answer, how)) => {
                if how != How::Asked {
                    count(&self.counters.callback_spared);
                }
                answer
            }
        }
    }
}

/// Tells why there was no answer, once in a while: whoever asks must not fill the log.
fn say(said: &Mutex<Option<Instant>>, error: &str) {
    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    if said.is_none_or(|last| now >= last + SAID_EVERY) {
        *said = Some(now);
        tracing::warn!(
            error,
            "the authentication server (authHTTPAddress) cannot be asked"
        );
    }
}

async fn post(
    client: Result<reqwest::Client, reqwest::Error>,
    address: &str,
    body: String,
) -> Result<Answer, reqwest::Error> {
    let request = client?.post(address);
    let request = request.header(reqwest::header::CONTENT_TYPE, "application/json");
    let status = request.body(body).send().await?.status();
    Ok(match status.as_u16() {
        200..=299 => Answer::Yes,
        // Asked too often or too slowly: it has not judged.
        408 | 429 => Answer::Nothing,
        400..=499 => Answer::No,
        _ => Answer::Nothing,
    })
}

/// One of an address's places.
struct Place {
    waiting: Arc<Mutex<HashMap<IpAddr, usize>>>,
    ip: IpAddr,
}

impl Place {
    /// `None`: all are taken.
    fn take(waiting: &Arc<Mutex<HashMap<IpAddr, usize>>>, ip: IpAddr) -> Option<Self> {
        // One customer's IPv6 network must not take the places of all others.
        let ip = crate::throttle::network(ip);
        let mut map = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = map.entry(ip).or_default();
        // overflow: refused; the caller counts it.
        if *taken >= OPEN_OF_ONE {
            return None;
        }
        *taken += 1;
        drop(map);
        Some(Self {
            waiting: Arc::clone(waiting),
            ip,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut map = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = map.get_mut(&self.ip) {
            *taken -= 1;
            if *taken == 0 {
                map.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
#[path = "callback_tests.rs"]
mod tests;
