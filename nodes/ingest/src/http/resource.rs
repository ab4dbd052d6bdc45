//! The URL of one session, `/{path}/whip/{node}.{secret}`: trickle and restarts by PATCH, the end by DELETE, and the
//! reason of a close for a minute after it. The secret is the capability; nothing else is checked.

use super::{State, body, finish, reply};
use crate::error::Error;
use crate::messages::{Close, Entry, Find, Found};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use uuid::Uuid;
use weft_wire::CloseReason;

const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// `PATCH`: candidates, or an ICE restart (RFC 9725 §4.3).
pub(super) async fn patch(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    finish(steer(&request, payload, &state).await)
}

async fn steer(request: &HttpRequest, payload: web::Payload, state: &State) -> Result<HttpResponse, Error> {
    body::is_of_type(request, FRAGMENT)?;
    let secret = secret(request, state)?;
    let fragment = body::text(request, payload).await?;
    let entry = find(secret, state).await?;
    match entry.peer.patch(fragment).await? {
        None => Ok(HttpResponse::NoContent().finish()),
        Some(answer) => {
            let ufrag = answer.lines().find_map(|l| l.strip_prefix("a=ice-ufrag:"));
            let tag = format!("\"{}\"", ufrag.unwrap_or_default().trim());
            Ok(HttpResponse::Ok()
                .content_type(FRAGMENT)
                .insert_header((header::ETAG, tag))
                .body(answer))
        }
    }
}

/// `DELETE`: the publisher leaves. The stream has ended when this is answered.
pub(super) async fn delete(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    finish(leave(&request, &state).await)
}

async fn leave(request: &HttpRequest, state: &State) -> Result<HttpResponse, Error> {
    let entry = find(secret(request, state)?, state).await?;
    // Fails only when the session ended meanwhile, which is what was asked for.
    entry.actor.send(Close(CloseReason::PeerLeft)).await.ok();
    Ok(reply::ok())
}

/// `GET`: nothing while the session runs, the reason after its end.
pub(super) async fn get(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let Ok(secret) = secret(&request, &state) else {
        return reply::not_found();
    };
    match find(secret, &state).await {
        Err(error @ Error::Closed(_)) => reply::error(&error),
        _ => reply::not_found(),
    }
}

/// The secret of a session of this node: `{node}.{uuid}`, or the bare UUID of MediaMTX's URLs.
fn secret(request: &HttpRequest, state: &State) -> Result<Uuid, Error> {
    let text = request.match_info().query("secret");
    let (node, secret) = match text.rsplit_once('.') {
        Some((node, secret)) => (Some(node), secret),
        None => (None, text),
    };
    let secret = Uuid::try_parse(secret).map_err(|_| Error::InvalidSecret)?;
    if node.is_some_and(|node| node != state.node.as_str()) {
        return Err(Error::NotFound);
    }
    Ok(secret)
}

async fn find(secret: Uuid, state: &State) -> Result<Entry, Error> {
    match state.sessions.send(Find(secret)).await {
        Ok(Found::Open(entry)) => Ok(entry),
        Ok(Found::Closed(reason)) => Err(Error::Closed(reason)),
        Ok(Found::Unknown) | Err(_) => Err(Error::NotFound),
    }
}
