//! Who may change something by the API until users are configured: requests from the node's own host that no page of
//! another site has caused. What each route does is its own business.

use crate::error::Error;
use crate::routes::Control;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap, HeaderValue, ORIGIN,
};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, ResponseError, web};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;

/// Lets through what only asks, and what may change something; answers the rest and the browsers' question before a
/// request (preflight).
pub(crate) async fn guard<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let method = request.method().clone();
    if method == Method::OPTIONS
        && let Some(wanted) = request.headers().get(ACCESS_CONTROL_REQUEST_METHOD)
    {
        let response = preflight(wanted);
        return Ok(request.into_response(response).map_into_right_body());
    }
    if changes(&method)
        && let Err(error) = may_change(request.peer_addr(), request.headers())
    {
        if let Some(control) = request.app_data::<web::Data<Control>>() {
            control.fabric.counts.refused.fetch_add(1, Relaxed);
        }
        return Ok(request
            .into_response(error.error_response())
            .map_into_right_body());
    }
    let mut response = next.call(request).await?.map_into_left_body();
    if !changes(&method) {
        // Every page may look; what a change has brought none may read.
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Weft-View-Age"),
        );
    }
    Ok(response)
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// What asks may be sent by every page, what changes by none of another site.
fn preflight(wanted: &HeaderValue) -> HttpResponse {
    let wanted = Method::from_bytes(wanted.as_bytes());
    if wanted.is_ok_and(|wanted| !changes(&wanted)) {
        return HttpResponse::NoContent()
            .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
            .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS, GET"))
            .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type"))
            .finish();
    }
    Error::OtherSite("its browser asks first".to_owned()).error_response()
}

/// Whether a request for a change comes from this host and from no page of another site. What a proxy says of the client
/// is not looked at: anybody may write it.
fn may_change(peer: Option<SocketAddr>, headers: &HeaderMap) -> Result<(), Error> {
    if !peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback()) {
        return Err(Error::NotLocal);
    }
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(origin) = text(ORIGIN) {
        let other = || Error::OtherSite(origin.chars().take(80).collect());
        let site = origin.split_once("://").map(|(_, site)| site).ok_or_else(other)?;
        let host = text(HOST).ok_or_else(other)?;
        // A name that an attacker makes point here would be the request's Host as well: it must be this host's own.
        if !site.eq_ignore_ascii_case(host) || !is_own(host) {
            return Err(other());
        }
    }
    match headers.get("Sec-Fetch-Site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(Error::OtherSite("by its browser's word".to_owned())),
    }
}

/// True for `localhost` and for addresses, with or without a port: what no name server can make point elsewhere.
fn is_own(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
