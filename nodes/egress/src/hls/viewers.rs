//! Who may read: the gate's judgement about a viewer stands for some seconds, because a player asks ten times a second.
//! Judging itself is the gate's business.

use super::Hls;
use crate::counters::add;
use actix_web::HttpRequest;
use actix_web::http::header;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use weft_auth::{Action, Denied, Protocol, Request};
use weft_wire::StreamName;

/// How long a judgement stands.
const STANDS: Duration = Duration::from_secs(10);
/// Judgements remembered at once.
const MAX_REMEMBERED: usize = 8192;
/// What the protocol adds to a URL; it says nothing of the client (draft-pantos-hls-rfc8216bis-16 §6.2.5).
const DIRECTIVES: &str = "_HLS_";

/// All that a judgement depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    stream: StreamName,
    ip: IpAddr,
    authorization: String,
    query: String,
    agent: String,
}

/// The judgements that stand.
#[derive(Debug, Default)]
pub(super) struct Viewers(Mutex<HashMap<Key, (Instant, String)>>);

impl Viewers {
    fn known(&self, key: &Key) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, principal) = known.get(key)?;
        (since.elapsed() < STANDS).then(|| principal.clone())
    }

    fn remember(&self, key: Key, principal: String) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_REMEMBERED {
            known.retain(|_, (since, _)| since.elapsed() < STANDS);
        }
        // overflow: not remembered; the next request is judged again.
        if known.len() < MAX_REMEMBERED {
            known.insert(key, (Instant::now(), principal));
        }
    }
}

/// A viewer that may read.
pub(super) struct Viewer {
    pub(super) principal: String,
    pub(super) agent: String,
    /// Its query without the protocol's own parameters, as it came.
    pub(super) query: String,
}

impl Hls {
    /// Lets a viewer read a stream, or not.
    pub(super) async fn viewer(&self, request: &HttpRequest, stream: &StreamName) -> Result<Viewer, Denied> {
        let query = without_directives(request.query_string());
        let (credentials, agent) = weft_http::credentials(request, &query);
        let authorization = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let key = Key {
            stream: stream.clone(),
            ip: weft_http::address(request, &self.inner.live.now().trusted_proxies.hls),
            authorization: authorization.unwrap_or_default().to_owned(),
            query: query.clone(),
            agent: agent.clone(),
        };
        if let Some(principal) = self.inner.viewers.known(&key) {
            return Ok(Viewer {
                principal,
                agent,
                query,
            });
        }
        add(&self.inner.counters.judged, 1);
        let asked = self.inner.gate.check(Request {
            action: Action::Read,
            path: stream.to_string(),
            protocol: Protocol::Hls,
            session: None,
            ip: key.ip,
            credentials,
            query: query.clone(),
            user_agent: agent.clone(),
        });
        let principal = asked.await?.principal;
        self.inner.viewers.remember(key, principal.clone());
        Ok(Viewer {
            principal,
            agent,
            query,
        })
    }
}

/// The parameters of a query but for the protocol's own.
fn without_directives(query: &str) -> String {
    let own = |part: &&str| !part.is_empty() && !part.starts_with(DIRECTIVES);
    query.split('&').filter(own).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_protocol_adds_to_a_url_is_not_passed_on() {
        assert_eq!(
            without_directives("_HLS_msn=3&token=a&_HLS_part=1&&b=c"),
            "token=a&b=c"
        );
        assert_eq!(without_directives(""), "");
    }
}
