//! `GET /v3/paths/events/{name}`: what has happened to a stream of late, on all nodes that answer.
//! Each node keeps its own events; there they are gone when it ends.

use crate::error::Error;
use crate::rfc3339;
use crate::routes::Control;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;
use weft_wire::StreamName;

/// Events that are shown.
const SHOWN: usize = 200;

/// What has happened to a stream.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StreamEvents {
    /// The last 200, oldest first, each by its own node's clock.
    items: Vec<StreamEvent>,
    /// Nodes that did not answer.
    silent: Vec<String>,
}

/// One thing that has happened.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StreamEvent {
    /// When.
    time: String,
    /// `live`, `stalled`, `resumed`, `closed`, `reader-joined` or `reader-left`; others may come.
    event: String,
    /// Where.
    node: String,
    /// Whose session it is about.
    session: String,
    /// What that session speaks; empty where it was said when it came.
    #[serde(rename = "type")]
    kind: String,
    /// Why; empty where there is nothing to say.
    reason: String,
}

/// `GET /v3/paths/events/{name}`.
pub(crate) async fn events(
    control: web::Data<Control>,
    name: web::Path<String>,
) -> Result<HttpResponse, Error> {
    let name = StreamName::new(name.as_str()).map_err(|e| Error::BadRequest(e.to_string()))?;
    let mut found = Vec::new();
    let mut silent = Vec::new();
    for (node, events) in control.fabric.events(&name).await {
        match events {
            Some(events) => found.extend(events.into_iter().map(|event| (node.clone(), event))),
            None => silent.push(node.to_string()),
        }
    }
    // Of equal instants a node's own order counts.
    found.sort_by_key(|(_, event)| event.at);
    let first = found.len().saturating_sub(SHOWN);
    let items = found.into_iter().skip(first).map(|(node, event)| StreamEvent {
        time: rfc3339::from_micros(event.at),
        event: event.what,
        node: node.to_string(),
        session: event.session.to_string(),
        kind: event.kind,
        reason: event.reason,
    });
    Ok(HttpResponse::Ok().json(StreamEvents {
        items: items.collect(),
        silent,
    }))
}
