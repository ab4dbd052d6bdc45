//! The WHIP endpoint of a stream, `/{path}/whip`: what a publisher may ask before, and its offer (RFC 9725 §4.2).
//! The session it opens has a URL of its own, see `resource`.

use super::{ReachedAt, State, body, finish, reply, stream};
use crate::counters::add;
use crate::error::Error;
use crate::live::Client;
use crate::messages::{Publish, Published};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use weft_wire::StreamName;

/// `OPTIONS` that is no preflight: which bodies are taken, which ICE servers to use.
pub(super) async fn options(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    if let Err(error) = stream(&request) {
        return reply::error(&error);
    }
    let mut response = HttpResponse::NoContent();
    response.insert_header(("Accept-Post", "application/sdp"));
    for server in &state.config.ice_servers {
        response.append_header((header::LINK, reply::ice_link(server)));
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
    if let Err(error) = &result {
        let counters = &state.counters;
        let counter = match error {
            Error::Conflict(_) => &counters.refused_conflict,
            Error::Full(_) => &counters.refused_full,
            Error::Unavailable(_) | Error::Internal(_) => &counters.refused_unavailable,
            _ => &counters.refused_offer,
        };
        add(counter, 1);
        state.refusals.log(request.path(), error);
    }
    finish(result)
}

async fn publish(request: &HttpRequest, payload: web::Payload, state: &State) -> Result<HttpResponse, Error> {
    body::is_of_type(request, "application/sdp")?;
    let stream = stream(request)?;
    let offer = body::text(request, payload).await?;
    weft_sdp::offer::check(&offer).map_err(Error::from)?;
    let user_agent = request.headers().get(header::USER_AGENT);
    let client = Client {
        principal: String::new(),
        query: request.query_string().to_owned(),
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
        moves: None,
    };
    let published = state
        .sessions
        .send(publish)
        .await
        .map_err(|_| Error::Unavailable("this node is shutting down".to_owned()))??;
    Ok(created(request, state, &stream, published))
}

fn created(request: &HttpRequest, state: &State, stream: &StreamName, published: Published) -> HttpResponse {
    let query = match request.query_string() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    // The node's name lets any other node pass on what concerns this session.
    let location = format!("/{stream}/whip/{}.{}{query}", state.node, published.secret);
    let mut response = HttpResponse::Created();
    response
        .content_type("application/sdp")
        .insert_header((header::ETAG, "*"))
        .insert_header(("ID", published.live.id.to_string()))
        .insert_header(("Accept-Patch", "application/trickle-ice-sdpfrag"))
        .insert_header((header::LOCATION, location))
        .insert_header((
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "ETag, ID, Accept-Patch, Link, Location",
        ));
    for server in &state.config.ice_servers {
        response.append_header((header::LINK, reply::ice_link(server)));
    }
    response.body(published.answer)
}
