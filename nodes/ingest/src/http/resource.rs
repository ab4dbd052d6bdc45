//! The URL of one session, `/{path}/whip/{node}.{secret}`: trickle and restarts by PATCH, the end by DELETE, and the
//! reason of a close for a minute after it. Which node has the session is found out elsewhere.

use super::{State, access, finish};
use crate::error::Error;
use crate::remote::{FRAGMENT, Target};
use actix_web::{HttpRequest, HttpResponse, web};
use weft_http::{body, reply};
use weft_wire::ResourceMethod;

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
    let target = target(request, state)?;
    let fragment = body::text(request, payload).await?;
    let answer = state.resource(&target, ResourceMethod::Patch, fragment).await?;
    Ok(reply::passed(answer))
}

/// `DELETE`: the publisher leaves. The stream has ended when this is answered.
pub(super) async fn delete(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    finish(done(&request, &state, ResourceMethod::Delete).await)
}

/// `GET`: nothing while the session runs, the reason after its end.
pub(super) async fn get(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let answer = done(&request, &state, ResourceMethod::Get).await;
    finish(match answer {
        // As for a session that runs: there is nothing to see.
        Err(Error::InvalidSecret | Error::NotFound) => Ok(reply::not_found()),
        answer => answer,
    })
}

async fn done(request: &HttpRequest, state: &State, method: ResourceMethod) -> Result<HttpResponse, Error> {
    let target = target(request, state)?;
    let answer = state.resource(&target, method, String::new()).await?;
    Ok(reply::passed(answer))
}

fn target(request: &HttpRequest, state: &State) -> Result<Target, Error> {
    let target = Target::parse(request.match_info().query("secret"), &state.node)?;
    access::may_pass_on(request, state, &target)?;
    Ok(target)
}
