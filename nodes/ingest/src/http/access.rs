//! Who may publish: what a request shows is read, the gate judges, before anything else is looked at or told. Sessions that
//! run are known by their secret alone; requests about those of other nodes are bounded in rate, since anybody can make them.

use super::endpoint::MOVES;
use super::{State, configured, query, stream};
use crate::error::Error;
use crate::remote::Target;
use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use std::net::{IpAddr, Ipv4Addr};
use weft_auth::{Action, Credentials, Protocol, Request};
use weft_wire::StreamName;

/// Requests about sessions of other nodes that one client address may make, per second and at once. A publisher behind the
/// wrong node makes a dozen while it connects; a school's worth of them behind one address connects within seconds.
const PASSED_ON_PER_SECOND: u32 = 100;

/// A client that may publish a stream.
pub(super) struct Publisher {
    pub(super) stream: StreamName,
    /// As whom; empty where nobody need be anybody.
    pub(super) principal: String,
    pub(super) ip: IpAddr,
}

/// Lets a client publish the stream of its URL, or not.
///
/// # Errors
/// [`Error::InvalidName`], [`Error::Denied`], and only then [`Error::NotConfigured`].
pub(super) async fn publisher(request: &HttpRequest, state: &State) -> Result<Publisher, Error> {
    let stream = stream(request)?;
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // It stands for a session: nobody is told of it who has no business with that.
    let query = query::without(request.query_string(), MOVES);
    let ip = client(request, state);
    let asked = state.config.gate.check(Request {
        action: Action::Publish,
        path: stream.to_string(),
        protocol: Protocol::WebRtc,
        session: None,
        ip,
        credentials: Credentials::from_http(text(header::AUTHORIZATION), &query),
        query,
        user_agent: text(header::USER_AGENT).unwrap_or_default().to_owned(),
    });
    let grant = asked.await.map_err(Error::Denied)?;
    configured(request, state)?;
    Ok(Publisher {
        stream,
        principal: grant.principal,
        ip,
    })
}

/// The client's address, a trusted proxy's word included.
pub(super) fn client(request: &HttpRequest, state: &State) -> IpAddr {
    // None only where there is no connection, as in tests.
    let peer = request
        .peer_addr()
        .map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
    let trusted = &state.config.settings.now().trusted_proxies.webrtc;
    weft_auth::client_ip(peer, forwarded(request.headers()).as_deref(), trusted)
}

/// Every line of `X-Forwarded-For`: proxies may add one of their own after the client's.
fn forwarded(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all("X-Forwarded-For");
    let lines: Vec<_> = lines.filter_map(|line| line.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

/// Ok: the client may ask about a session, as far as another node has to be asked for it.
///
/// # Errors
/// [`Error::TooOften`].
pub(super) fn may_pass_on(request: &HttpRequest, state: &State, target: &Target) -> Result<(), Error> {
    if target.node.is_none() {
        return Ok(());
    }
    let passed = state.passed_on.take(client(request, state), PASSED_ON_PER_SECOND);
    passed.map_err(|wait| {
        crate::counters::add(&state.counters.pass_on_refused, 1);
        Error::TooOften(wait)
    })
}
