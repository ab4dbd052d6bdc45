//! The routes that change something, wherever it is: close a publisher or a reader, drain a node.
//! Who may ask is checked before (`guard`); what a node does about it is its own business.

use crate::error::Error;
use crate::lists::node_name;
use crate::notice::OldName;
use crate::routes::Control;
use crate::span;
use crate::uuid;
use crate::view::SessionKind;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_bus::{NodeReply, NodeRequest, RequestError};
use weft_wire::{CloseReason, CloseRequest, DrainRequest, Kick, NodeName, StreamName};

/// What an order that was carried out is answered with.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Ok")]
pub(crate) struct Done {
    /// `ok`.
    status: &'static str,
}

/// Who is still on a node that drains.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Left {
    /// `ok`.
    status: &'static str,
    /// The node.
    node: String,
    publishers: u32,
    readers: u32,
}

pub(crate) fn done() -> HttpResponse {
    HttpResponse::Ok().json(Done { status: "ok" })
}

fn silent(node: &NodeName) -> Error {
    Error::Unavailable(format!(
        "node '{node}' does not answer; ask it directly or try again"
    ))
}

/// `POST /v3/paths/kick/{name}`: ends the stream's publisher.
pub(crate) async fn kick_path(
    control: web::Data<Control>,
    name: web::Path<String>,
) -> Result<HttpResponse, Error> {
    let name = StreamName::new(name.as_str()).map_err(|e| Error::BadRequest(e.to_string()))?;
    let kick = Kick {
        node: control.fabric.own().clone(),
        reason: CloseReason::Kicked,
    };
    let kicked = match control.fabric.bus().kick(name.clone(), kick).await {
        Err(_) if close_reported(&control, &name).await => Ok(()),
        kicked => kicked,
    };
    control.fabric.changed();
    match kicked {
        Ok(()) => {
            tracing::info!(stream = %name, "the publisher was closed by an operator");
            Ok(done())
        }
        Err(RequestError::NoOwner) => Err(Error::NotFound("path")),
        Err(error) => Err(Error::Unavailable(error.to_string())),
    }
}

/// Closes the publisher that lists show under the name, by its session: one without media yet does not answer on the bus,
/// and this node's own are here while the bus is away. False when there is none or its node does not answer.
async fn close_reported(control: &Control, name: &StreamName) -> bool {
    let fabric = &control.fabric;
    let snapshot = fabric.snapshot().await;
    let Some((node, publisher)) = snapshot.stream(name).and_then(|stream| stream.owner) else {
        return false;
    };
    let request = NodeRequest::Close(CloseRequest {
        node: fabric.own().clone(),
        session: publisher.info.session,
        reason: CloseReason::Kicked,
    });
    let reply = fabric.ask(node, request).await;
    reply.is_ok_and(|reply| closed(&reply))
}

static DELETE_PATH: OldName = OldName::new(
    "DELETE /v3/paths/delete/{name}",
    "this route is called POST /v3/paths/kick/{name} today; both work",
);

/// `DELETE /v3/paths/delete/{name}`: the same by the name that clients of an early plan know.
pub(crate) async fn delete_path(
    control: web::Data<Control>,
    name: web::Path<String>,
) -> Result<HttpResponse, Error> {
    kick_path(control, name).await.map(|done| DELETE_PATH.on(done))
}

/// `POST /v3/{kind}sessions/kick/{id}`: closes a session on any node.
pub(crate) async fn kick_session(
    control: web::Data<Control>,
    id: web::Path<String>,
    kind: SessionKind,
) -> Result<HttpResponse, Error> {
    let id = uuid::read(&id)?;
    let fabric = &control.fabric;
    let request = NodeRequest::Close(CloseRequest {
        node: fabric.own().clone(),
        session: id,
        reason: CloseReason::Kicked,
    });
    let snapshot = fabric.snapshot().await;
    let found = if let Some(session) = snapshot.session(id) {
        if session.kind() != Some(kind) {
            return Err(Error::NotFound("session"));
        }
        let node = session.node();
        match fabric.ask(node, request).await {
            Ok(reply) => closed(&reply),
            Err(_) => return Err(silent(node)),
        }
    } else {
        // One that has come since the view was taken: whoever has it closes it.
        fabric.ask_all(&request).await.iter().any(closed)
    };
    fabric.changed();
    if found {
        tracing::info!(session = %id, "a session was closed by an operator");
        Ok(done())
    } else {
        Err(Error::NotFound("session"))
    }
}

fn closed(reply: &NodeReply) -> bool {
    matches!(reply, NodeReply::Close(reply) if reply.found)
}

/// The query of the drain routes.
#[derive(Debug, Deserialize)]
pub(crate) struct DrainQuery {
    /// As `30s`; absent or 0: as long as it takes.
    timeout: Option<String>,
}

/// `POST /v3/node/drain`: this node.
pub(crate) async fn drain_own(
    control: web::Data<Control>,
    query: web::Query<DrainQuery>,
) -> Result<HttpResponse, Error> {
    let own = control.fabric.own().clone();
    drain(&control, own, &query).await
}

/// `POST /v3/nodes/drain/{name}`: any node.
pub(crate) async fn drain_any(
    control: web::Data<Control>,
    name: web::Path<String>,
    query: web::Query<DrainQuery>,
) -> Result<HttpResponse, Error> {
    let name = node_name(&name)?;
    drain(&control, name, &query).await
}

async fn drain(control: &Control, node: NodeName, query: &DrainQuery) -> Result<HttpResponse, Error> {
    let fabric = &control.fabric;
    let timeout = match query.timeout.as_deref() {
        None | Some("") => std::time::Duration::ZERO,
        Some(text) => span::parse(text).ok_or_else(|| {
            Error::BadRequest(format!("'{text}' is not a duration; write it as '30s' or '5m'"))
        })?,
    };
    let request = NodeRequest::Drain(DrainRequest {
        node: fabric.own().clone(),
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
    });
    let known = node == *fabric.own() || fabric.members().view().nodes.contains_key(&node);
    let reply = fabric.ask(&node, request).await;
    fabric.changed();
    match reply {
        Ok(NodeReply::Drain(left)) => {
            tracing::info!(%node, ?timeout, "a node was told to drain by an operator");
            Ok(HttpResponse::Ok().json(Left {
                status: "ok",
                node: node.to_string(),
                publishers: left.publishers,
                readers: left.readers,
            }))
        }
        Err(RequestError::NoOwner) if !known => Err(Error::NotFound("node")),
        Ok(_) | Err(_) => Err(silent(&node)),
    }
}
