//! Publishers' sessions by their URL, on whichever node they are: requests to one of this node are done here, those to
//! another node's are passed on and its answer passed back. The wording for HTTP is the handlers' work.

use crate::error::Error;
use crate::http::State;
use crate::messages::{Close, Entry, Find, Found};
use std::time::Duration;
use uuid::Uuid;
use weft_bus::{Error as BusError, NodeReply, NodeRequest, RequestError};
use weft_wire::{
    CloseReason, NodeName, PublisherWord, ResourceMethod, ResourceReply, ResourceRequest, SessionSecret,
};

/// What another node's answer may take: with it a dead one is told in 300 ms.
const PATIENCE: Duration = Duration::from_millis(250);
/// Media type of trickle fragments (RFC 8840 §9).
pub(crate) const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// Which session a URL means. Its secret is the capability: nothing else is checked, and it is never logged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The other node that has it; `None`: this one.
    pub(crate) node: Option<NodeName>,
    pub(crate) secret: Uuid,
}

impl Target {
    /// Reads `{node}.{uuid}`, or the bare UUID of MediaMTX's URLs, which means a session of this node, `own`.
    ///
    /// # Errors
    /// [`Error::InvalidSecret`] when there is no UUID, [`Error::NotFound`] when no node can have this name.
    pub(crate) fn parse(text: &str, own: &NodeName) -> Result<Self, Error> {
        let (node, secret) = match text.rsplit_once('.') {
            Some((node, secret)) => (Some(node), secret),
            None => (None, text),
        };
        let secret = Uuid::try_parse(secret).map_err(|_| Error::InvalidSecret)?;
        let node = match node {
            Some(node) if node != own.as_str() => Some(NodeName::new(node).map_err(|_| Error::NotFound)?),
            _ => None,
        };
        Ok(Self { node, secret })
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl State {
    /// Does what is asked of a session's URL, wherever the session is. Ends within 300 ms when it is another node's.
    ///
    /// # Errors
    /// [`Error::NotFound`] when that node is not there or does not answer, [`Error::Unavailable`] when the bus is away.
    /// What a node that answers has to say against it is a reply.
    pub(crate) async fn resource(
        &self,
        target: &Target,
        method: ResourceMethod,
        body: String,
    ) -> Result<ResourceReply, Error> {
        match &target.node {
            None => Ok(self.resource_here(target.secret, method, body).await),
            Some(node) => {
                let asked = self.ask(node.clone(), target.secret, method, body).await;
                asked.map_err(|error| match error {
                    // Nothing is known about the session, and it may well live.
                    RequestError::Bus(BusError::Away(_)) => Error::Unavailable("the bus is away".to_owned()),
                    _ => Error::NotFound,
                })
            }
        }
    }

    /// Asks the node that has the session.
    ///
    /// # Errors
    /// As the bus; an answer to another question is none.
    pub(crate) async fn ask(
        &self,
        node: NodeName,
        secret: Uuid,
        method: ResourceMethod,
        body: String,
    ) -> Result<ResourceReply, RequestError> {
        let request = NodeRequest::Resource(ResourceRequest {
            node: self.node.clone(),
            secret: SessionSecret(secret.into_bytes()),
            method,
            body,
        });
        let asked = self.fabric.bus.ask(node, request, PATIENCE);
        // The bus keeps the time too; this one also counts what it does before it asks.
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(NodeReply::Resource(reply))) => Ok(reply),
            Ok(Ok(_)) => Err(RequestError::NoOwner),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(RequestError::Timeout),
        }
    }

    /// Does it to a session of this node.
    pub(crate) async fn resource_here(
        &self,
        secret: Uuid,
        method: ResourceMethod,
        body: String,
    ) -> ResourceReply {
        let done = match method {
            ResourceMethod::Patch => self.steer(secret, body).await,
            ResourceMethod::Delete => self.leave(secret).await,
            ResourceMethod::Get => self.look(secret).await,
            ResourceMethod::Events => self.listen(secret).await,
        };
        done.unwrap_or_else(|error| refusal(&error))
    }

    /// Trickle, or an ICE restart (RFC 9725 §4.3).
    async fn steer(&self, secret: Uuid, fragment: String) -> Result<ResourceReply, Error> {
        let entry = self.find(secret).await?;
        Ok(match entry.peer.patch(fragment).await? {
            None => about(&entry, 204),
            Some(answer) => {
                let ufrag = answer.lines().find_map(|l| l.strip_prefix("a=ice-ufrag:"));
                ResourceReply {
                    content_type: FRAGMENT.to_owned(),
                    etag: format!("\"{}\"", ufrag.unwrap_or_default().trim()),
                    body: answer,
                    ..about(&entry, 200)
                }
            }
        })
    }

    /// The publisher leaves. The stream has ended when this is answered.
    async fn leave(&self, secret: Uuid) -> Result<ResourceReply, Error> {
        let entry = self.find(secret).await?;
        // Fails only when the session ended meanwhile, which is what was asked for.
        entry.actor.send(Close(CloseReason::PeerLeft)).await.ok();
        Ok(ResourceReply {
            content_type: "application/json".to_owned(),
            body: r#"{"status":"ok"}"#.to_owned(),
            ..about(&entry, 200)
        })
    }

    /// Nothing while the session runs, as with MediaMTX; the reason after its end.
    async fn look(&self, secret: Uuid) -> Result<ResourceReply, Error> {
        match self.find(secret).await {
            Err(error @ Error::Closed(_)) => Err(error),
            _ => Ok(ResourceReply {
                content_type: "text/plain".to_owned(),
                body: "404 page not found".to_owned(),
                ..bare(404)
            }),
        }
    }

    /// Whether it runs, and what its publisher was told last.
    async fn listen(&self, secret: Uuid) -> Result<ResourceReply, Error> {
        let entry = self.find(secret).await?;
        Ok(ResourceReply {
            said: entry.live.said(),
            ..about(&entry, 200)
        })
    }

    /// A running session of this node.
    ///
    /// # Errors
    /// [`Error::Closed`] for a minute after its end, else [`Error::NotFound`].
    pub(crate) async fn find(&self, secret: Uuid) -> Result<Entry, Error> {
        match self.sessions.send(Find(secret)).await {
            Ok(Found::Open(entry)) => Ok(entry),
            Ok(Found::Closed(reason)) => Err(Error::Closed(reason)),
            Ok(Found::Unknown) | Err(_) => Err(Error::NotFound),
        }
    }
}

fn bare(status: u16) -> ResourceReply {
    ResourceReply {
        status,
        content_type: String::new(),
        etag: String::new(),
        body: String::new(),
        session: None,
        stream: None,
        said: None,
    }
}

fn about(entry: &Entry, status: u16) -> ResourceReply {
    ResourceReply {
        session: Some(entry.live.id),
        stream: Some(entry.live.stream.clone()),
        ..bare(status)
    }
}

fn refusal(error: &Error) -> ResourceReply {
    ResourceReply {
        content_type: "application/json".to_owned(),
        body: error.to_json(),
        said: match error {
            Error::Closed(reason) => Some(PublisherWord::Closed(*reason)),
            _ => None,
        },
        ..bare(error.status().as_u16())
    }
}
