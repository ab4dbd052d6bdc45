//! The WHIP endpoint of a stream, `/{path}/whip`: what a publisher may ask before, and its offer (RFC 9725 §4.2).
//! The session it opens has a URL of its own, see `resource`.

use super::{State, access, events, finish, reply};
use crate::error::Error;
use crate::live::Client;
use crate::messages::Publish;
use crate::placement::Placed;
use crate::remote::Target;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use std::net::SocketAddr;
use weft_http::{ReachedAt, body, query};
use weft_wire::{ResourceMethod, SessionId, StreamName};

/// The parameter by which a publisher shows the session it comes from: `{node}.{secret}`.
pub(crate) const MOVES: &str = "moves";

/// `OPTIONS` that is no preflight: which bodies are taken, which ICE servers to use.
pub(super) async fn options(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    if let Err(error) = access::publisher(&request, &state).await {
        return reply::error(&error);
    }
    let mut response = HttpResponse::NoContent();
    response.insert_header(("Accept-Post", "application/sdp"));
    for server in state.config.told_ice_servers() {
        response.append_header((header::LINK, server.link()));
    }
    response
        .insert_header((header::ACCESS_CONTROL_EXPOSE_HEADERS, "Accept-Post, Link"))
        .finish()
}

/// `POST`: an offer to publish.
pub(super) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let result = publish(&request, payload, &state).await;
    if let Err(error) = &result
        // The gate has counted and logged these.
        && !matches!(error, Error::Denied(_))
    {
        state.refusals.note(&state.counters, request.path(), error);
    }
    finish(result)
}

async fn publish(request: &HttpRequest, payload: web::Payload, state: &State) -> Result<HttpResponse, Error> {
    body::is_of_type(request, "application/sdp")?;
    let publisher = match access::publisher(request, state).await {
        Ok(publisher) => publisher,
        Err(error) => {
            // Read to its end, within its bounds, so that the client gets to see the answer; nobody looks at it.
            body::text(request, payload).await.ok();
            return Err(error);
        }
    };
    let stream = publisher.stream;
    let offer = body::text(request, payload).await?;
    weft_sdp::offer::check(&offer).map_err(Error::from)?;
    let user_agent = request.headers().get(header::USER_AGENT);
    // It stands for a session, and is of use once.
    let query = query::without(request.query_string(), MOVES);
    let client = Client {
        principal: publisher.principal,
        ip: Some(publisher.ip),
        // What is shown in lists, told to hooks and to other nodes holds no credentials.
        query: weft_auth::without_secrets(&query),
        user_agent: user_agent
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
    };
    let publish = Publish {
        stream: stream.clone(),
        offer,
        client,
        reached_at: request.conn_data::<ReachedAt>().map(|at| at.0),
        moves: moves(request, &stream, state).await,
    };
    // An IPv4 client of a port of both kinds is written as everywhere else.
    let address = request
        .peer_addr()
        .map(|address| SocketAddr::new(address.ip().to_canonical(), address.port()));
    let peer = address.map(|address| address.to_string()).unwrap_or_default();
    let placed = state.place(publish, peer.clone()).await?;
    tracing::info!(%stream, session = %placed.session, peer, at = %placed.node, "publisher offered");
    Ok(created(state, &stream, &query, placed))
}

/// The session that the client comes from, where its URL shows that session's secret and the session runs. Another
/// stream's, a wrong or an ended one is none: then this is an offer like any other.
async fn moves(request: &HttpRequest, stream: &StreamName, state: &State) -> Option<SessionId> {
    let shown = query::value(request.query_string(), MOVES)?;
    let target = Target::parse(shown, &state.node).ok()?;
    access::may_pass_on(request, state, &target).ok()?;
    let asked = state.resource(&target, ResourceMethod::Events, String::new());
    let old = asked.await.ok().filter(|reply| reply.status == 200)?;
    old.session.filter(|_| old.stream.as_ref() == Some(stream))
}

fn created(state: &State, stream: &StreamName, query: &str, placed: Placed) -> HttpResponse {
    let query = match query {
        "" => String::new(),
        query => format!("?{query}"),
    };
    // The node's name lets any other node pass on what concerns this session.
    let url = format!("/{stream}/whip/{}.{}", placed.node, placed.secret);
    let mut response = HttpResponse::Created();
    response
        .content_type("application/sdp")
        .insert_header((header::ETAG, "*"))
        .insert_header(("ID", placed.session.to_string()))
        .insert_header(("Accept-Patch", "application/trickle-ice-sdpfrag"))
        .insert_header((header::LOCATION, format!("{url}{query}")))
        .insert_header((
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "ETag, ID, Accept-Patch, Link, Location",
        ));
    for server in state.config.told_ice_servers() {
        response.append_header((header::LINK, server.link()));
    }
    response.append_header((header::LINK, events::link(&format!("{url}/events{query}"))));
    response.body(placed.answer)
}
