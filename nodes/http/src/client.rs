//! Who the client of a request is: its address, a trusted proxy's word included, what it shows, and which address of ours it
//! has reached. What it may do is the gate's to judge.

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::http::header::{self, HeaderMap};
use std::any::Any;
use std::net::{IpAddr, Ipv4Addr};
use weft_auth::Credentials;
use weft_config::IpRule;

/// The address of ours that a connection reached.
#[derive(Debug, Clone, Copy)]
pub struct ReachedAt(pub IpAddr);

/// Remembers which of our addresses a connection reached: answers offer it first. For `HttpServer::on_connect`.
pub fn on_connect(connection: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>()
        && let Ok(address) = stream.local_addr()
    {
        data.insert(ReachedAt(address.ip().to_canonical()));
    }
}

/// The client's address, by the word of `trusted` proxies where one is in between.
#[must_use]
pub fn address(request: &HttpRequest, trusted: &[IpRule]) -> IpAddr {
    // None only where there is no connection, as in tests.
    let peer = request
        .peer_addr()
        .map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
    weft_auth::client_ip(peer, forwarded(request.headers()).as_deref(), trusted)
}

/// Every line of `X-Forwarded-For`: proxies may add one of their own after the client's.
fn forwarded(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all("X-Forwarded-For");
    let lines: Vec<_> = lines.filter_map(|line| line.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

/// What a request shows of who it is from, and its `User-Agent`.
#[must_use]
pub fn credentials(request: &HttpRequest, query: &str) -> (Credentials, String) {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    (
        Credentials::from_http(text(header::AUTHORIZATION), query),
        text(header::USER_AGENT).unwrap_or_default().to_owned(),
    )
}
