//! Who may publish: what a request shows is read, the gate judges, before anything else is looked at or told. Sessions that
//! run are known by their secret alone; requests about those of other nodes are bounded in rate, since anybody can make them.

use super::endpoint::MOVES;
use super::{State, configured, stream};
use crate::error::Error;
use crate::remote::Target;
use actix_web::HttpRequest;
use std::net::IpAddr;
use weft_auth::{Action, Protocol, Request};
use weft_http::query;
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
    // It stands for a session: nobody is told of it who has no business with that.
    let query = query::without(request.query_string(), MOVES);
    let ip = client(request, state);
    let (credentials, user_agent) = weft_http::credentials(request, &query);
    let asked = state.config.gate.check(Request {
        action: Action::Publish,
        path: stream.to_string(),
        protocol: Protocol::WebRtc,
        session: None,
        ip,
        credentials,
        query,
        user_agent,
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
    weft_http::address(request, &state.config.settings.now().trusted_proxies.webrtc)
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
