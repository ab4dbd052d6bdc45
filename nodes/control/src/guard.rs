//! Who may ask and change: every request is shown to the gate, and a change is taken from no page of another site.
//! What each route does is its own business, and so is how the gate judges.

use crate::error::Error;
use crate::routes::Control;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, HOST, HeaderMap, HeaderName,
    HeaderValue, ORIGIN, USER_AGENT, VARY, X_FORWARDED_FOR,
};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering::Relaxed;
use weft_auth::{Action, Credentials, Protocol, Request, client_ip};
use weft_config::{Config, IpRule};
use weft_http::cors;

/// What a page of another site may read beside the body.
const SHOWN: &str = "Weft-View-Age, Weft-Notice";

/// What asks whether a node lives has no credentials.
pub(crate) const PROBES: [&str; 2] = ["/v3/node/live", "/v3/node/ready"];

/// Who may see something of it is judged by the streams that are on it.
pub(crate) const WALL: &str = "/v3/wall";

/// By which port a request came; each has its own list of sites and of trusted proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The API's own.
    Api,
    /// The one that publishers use, where the API is as well.
    WebRtc,
    /// The metrics'.
    Metrics,
}

impl Door {
    fn action(self) -> Action {
        match self {
            Self::Api | Self::WebRtc => Action::Api,
            Self::Metrics => Action::Metrics,
        }
    }

    fn sites(self, config: &Config) -> &[String] {
        let listed = &config.allow_origins;
        match self {
            Self::Api => &listed.api,
            Self::WebRtc => &listed.webrtc,
            Self::Metrics => &listed.metrics,
        }
    }

    fn proxies(self, config: &Config) -> &[IpRule] {
        let listed = &config.trusted_proxies;
        match self {
            Self::Api => &listed.api,
            Self::WebRtc => &listed.webrtc,
            Self::Metrics => &listed.metrics,
        }
    }
}

/// Lets through what may pass, and answers the rest and the browsers' question before a request (preflight).
pub(crate) async fn guard<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let control = request.app_data::<web::Data<Control>>().cloned();
    let (Some(control), Some(door)) = (control, request.app_data::<Door>().copied()) else {
        // Mounted without them: nobody may pass.
        let error = Error::Unavailable("this route has no guard".to_owned());
        return Ok(request
            .into_response(error.error_response())
            .map_into_right_body());
    };
    let config = control.settings.now();
    let origin = request.headers().get(ORIGIN).cloned();
    let answered = if is_preflight(request.method(), request.headers()) {
        Some(preflight())
    } else {
        let judged = judge(&control, door, &config, &request).await;
        judged.err().map(|error| error.error_response())
    };
    let mut response = match answered {
        Some(answer) => request.into_response(answer).map_into_right_body(),
        None => next.call(request).await?.map_into_left_body(),
    };
    let headers = response.headers_mut();
    match cors::allowed(origin.as_ref(), door.sites(&config)) {
        Some(site) => {
            if site != "*" {
                headers.append(VARY, HeaderValue::from_static("Origin"));
            }
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, site);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(SHOWN));
        }
        None => drop(headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN)),
    }
    Ok(response)
}

async fn judge(
    control: &Control,
    door: Door,
    config: &Config,
    request: &ServiceRequest,
) -> Result<(), Error> {
    let headers = request.headers();
    if changes(request.method())
        && let Err(error) = of_this_site(headers, door.sites(config))
    {
        control.fabric.counts.refused.fetch_add(1, Relaxed);
        return Err(error);
    }
    if PROBES.contains(&request.path()) || request.path() == WALL {
        return Ok(());
    }
    let asked = asked(request.request(), door, config, door.action());
    control.gate.check(asked).await.map(drop).map_err(Error::Denied)
}

/// What the gate is asked of whoever makes a request; about no stream.
pub(crate) fn asked(request: &HttpRequest, door: Door, config: &Config, action: Action) -> Request {
    let headers = request.headers();
    let peer = request.peer_addr().map(|peer| peer.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let forwarded = all(headers, &X_FORWARDED_FOR);
    let query = request.query_string();
    Request {
        action,
        path: String::new(),
        protocol: Protocol::Http,
        session: None,
        ip: client_ip(peer, forwarded.as_deref(), door.proxies(config)),
        query: query.to_owned(),
        user_agent: text(headers, &USER_AGENT).unwrap_or_default().to_owned(),
        credentials: Credentials::from_http(text(headers, &AUTHORIZATION), query),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A header that may stand there several times, as one list.
fn all(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<&str> = headers.get_all(name).filter_map(|v| v.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// MediaMTX's answer, whatever is asked about; who may read it is said by its `Access-Control-Allow-Origin`.
pub(crate) fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS, GET, POST, PATCH, DELETE"))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type"))
        .finish()
}

/// Whether a change comes from no page of another site, or from one that is listed by name.
fn of_this_site(headers: &HeaderMap, listed: &[String]) -> Result<(), Error> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(origin) = text(ORIGIN) {
        if cors::is_named(origin, listed) {
            return Ok(());
        }
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
