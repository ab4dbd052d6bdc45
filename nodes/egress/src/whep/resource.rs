//! The URL of one session, `/{path}/whep/{node}.{secret}`: trickle and restarts by PATCH, the end by DELETE, and the reason of
//! a close for a minute after it. Requests about another node's sessions are passed on to it.

use super::error::Error;
use super::sessions::{Entry, Found};
use super::{Whep, finish};
use actix_web::{HttpRequest, HttpResponse, web};
use std::time::Duration;
use uuid::Uuid;
use weft_bus::{Error as BusError, NodeReply, NodeRequest, RequestError};
use weft_http::{body, reply};
use weft_wire::{
    CloseReason, NodeName, ResourceMethod, ResourceReply, ResourceRequest, SessionId, SessionSecret,
};

/// Media type of trickle fragments (RFC 8840 section 9).
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// What another node's answer may take.
const PATIENCE: Duration = Duration::from_millis(250);
/// Requests about sessions of other nodes that one client address may make, per second and at once.
const PASSED_ON_PER_SECOND: u32 = 100;

/// `PATCH`: candidates, or an ICE restart (RFC 9725 section 4.3).
pub(super) async fn patch(
    request: HttpRequest,
    payload: web::Payload,
    face: web::Data<Whep>,
) -> HttpResponse {
    let steered = async {
        body::is_of_type(&request, FRAGMENT)?;
        let fragment = body::text(&request, payload).await?;
        face.asked(&request, ResourceMethod::Patch, fragment).await
    };
    finish(steered.await.map(reply::passed))
}

/// `DELETE`: the reader leaves.
pub(super) async fn delete(request: HttpRequest, face: web::Data<Whep>) -> HttpResponse {
    let left = face.asked(&request, ResourceMethod::Delete, String::new()).await;
    finish(left.map(reply::passed))
}

/// `GET`: nothing while the session runs, the reason after its end.
pub(super) async fn get(request: HttpRequest, face: web::Data<Whep>) -> HttpResponse {
    match face.asked(&request, ResourceMethod::Get, String::new()).await {
        Err(Error::InvalidSecret | Error::NotFound) => reply::not_found(),
        asked => finish(asked.map(reply::passed)),
    }
}

impl Whep {
    /// Does what is asked of a session's URL, wherever the session is.
    async fn asked(
        &self,
        request: &HttpRequest,
        method: ResourceMethod,
        body: String,
    ) -> Result<ResourceReply, Error> {
        let text = request.match_info().query("secret");
        let (node, secret) = match text.rsplit_once('.') {
            Some((node, secret)) => (Some(node), secret),
            None => (None, text),
        };
        let secret = Uuid::try_parse(secret).map_err(|_| Error::InvalidSecret)?;
        let own = self.egress.inner.node.as_str();
        let Some(node) = node.filter(|node| *node != own) else {
            return Ok(self.resource_here(secret, method, body).await);
        };
        let node = NodeName::new(node).map_err(|_| Error::NotFound)?;
        let ip = weft_http::address(request, &self.config.settings.now().trusted_proxies.webrtc);
        self.passed_on
            .take(ip, PASSED_ON_PER_SECOND)
            .map_err(Error::TooOften)?;
        let question = NodeRequest::Resource(ResourceRequest {
            node: self.egress.inner.node.clone(),
            secret: SessionSecret(secret.into_bytes()),
            method,
            body,
        });
        let asked = self.egress.inner.bus.ask(node, question, PATIENCE);
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(NodeReply::Resource(reply))) => Ok(reply),
            // Nothing is known about the session, and it may well live.
            Ok(Err(RequestError::Bus(BusError::Away(_)))) => Err(Error::Unavailable(Duration::from_secs(1))),
            Ok(_) | Err(_) => Err(Error::NotFound),
        }
    }

    /// Does it to a session of this node; 404 where there is none of this secret.
    pub async fn resource_here(&self, secret: Uuid, method: ResourceMethod, body: String) -> ResourceReply {
        let done = match self.sessions.find(secret) {
            Found::Open(entry) => entry.asked(method, body).await,
            Found::Closed(reason) => Err(Error::Closed(reason)),
            Found::Unknown => Err(Error::NotFound),
        };
        done.unwrap_or_else(|error| ResourceReply {
            status: error.status().as_u16(),
            content_type: "application/json".to_owned(),
            etag: String::new(),
            body: error.json(),
            session: None,
            stream: None,
            said: None,
        })
    }

    /// True when a secret is that of a session here, or of one that ended a short while ago.
    #[must_use]
    pub fn knows(&self, secret: Uuid) -> bool {
        !matches!(self.sessions.find(secret), Found::Unknown)
    }
}

impl Entry {
    async fn asked(&self, method: ResourceMethod, body: String) -> Result<ResourceReply, Error> {
        let reply = |status, content_type: &str, body: String| ResourceReply {
            status,
            content_type: content_type.to_owned(),
            etag: String::new(),
            body,
            session: Some(SessionId(*self.known.id.as_bytes())),
            stream: Some(self.known.stream.clone()),
            said: None,
        };
        Ok(match method {
            ResourceMethod::Patch => match self.peer.patch(body).await? {
                None => reply(204, "", String::new()),
                Some(answer) => {
                    let ufrag = answer.lines().find_map(|l| l.strip_prefix("a=ice-ufrag:"));
                    let etag = format!("\"{}\"", ufrag.unwrap_or_default().trim());
                    ResourceReply {
                        etag,
                        ..reply(200, FRAGMENT, answer)
                    }
                }
            },
            ResourceMethod::Delete => {
                self.close(CloseReason::PeerLeft);
                reply(200, "application/json", r#"{"status":"ok"}"#.to_owned())
            }
            ResourceMethod::Get | ResourceMethod::Events => {
                reply(404, "text/plain", "404 page not found".to_owned())
            }
        })
    }
}
