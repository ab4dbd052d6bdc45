//! The way to the server behind the gateway: one request there, one answer back, within bounds of time and size.
//! What is asked and what becomes of the answer is decided in `front`.

use crate::error::Error;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, header};
use bytes::{Bytes, BytesMut};
use std::net::IpAddr;
use std::time::Duration;

/// The time a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(3);
/// The time the server has to answer: some gather candidates for 5 s, and ask others who may publish.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);
/// The largest answer, in bytes; one of a channel of events has no end.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Connections kept open for the next request.
const IDLE_CONNECTIONS: usize = 32;

/// What a client says to the server.
const PASSED_ON: [&str; 8] = [
    "authorization",
    "content-type",
    "if-match",
    "if-none-match",
    "accept",
    "user-agent",
    "origin",
    "last-event-id",
];
/// What concerns one connection alone (RFC 9110 §7.6.1), and what is made anew.
const NOT_BACK: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "set-cookie",
];
const FORWARDED_FOR: HeaderName = header::X_FORWARDED_FOR;

/// The server, reached by one pool of connections.
#[derive(Clone)]
pub(crate) struct Client(reqwest::Client);

/// A request to the server.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: &'a Method,
    /// Scheme and authority.
    pub(crate) server: &'a str,
    /// Path and query.
    pub(crate) path: &'a str,
    /// The client's own.
    pub(crate) headers: &'a HeaderMap,
    pub(crate) peer: Option<IpAddr>,
    pub(crate) body: Bytes,
    /// The variables to name when it does not answer.
    pub(crate) variable: &'static str,
    pub(crate) limit: Duration,
}

/// What the server answered, its body not yet read.
pub(crate) struct Incoming {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Whether it is a channel of events, whose body ends when the session does.
    pub(crate) channel: bool,
    server: String,
    rest: reqwest::Response,
}

impl Client {
    /// A client; certificates of `https` servers are judged by the system's authorities.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // Whoever has chosen one already has chosen the same.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build()?;
        Ok(Self(client))
    }

    /// Asks.
    pub(crate) async fn ask(&self, out: Outgoing<'_>) -> Result<Incoming, Error> {
        let server = out.server.to_owned();
        let url = format!("{server}{}", out.path);
        let method = reqwest::Method::from_bytes(out.method.as_str().as_bytes()).unwrap_or_default();
        let mut request = self.0.request(method, url).body(out.body);
        for (name, value) in out.headers {
            if PASSED_ON.contains(&name.as_str()) {
                request = request.header(name.as_str(), value.as_bytes());
            }
        }
        if let Some(chain) = forwarded_for(out.headers, out.peer) {
            request = request.header(FORWARDED_FOR.as_str(), chain);
        }
        let unreachable = |error: &reqwest::Error| Error::Unreachable {
            server: server.clone(),
            why: innermost(error),
            variable: out.variable,
        };
        let answered = tokio::time::timeout(out.limit, request.send()).await;
        let rest = answered
            .map_err(|_| Error::Late {
                server: server.clone(),
                seconds: out.limit.as_secs(),
            })?
            .map_err(|error| unreachable(&error))?;
        let mut headers = HeaderMap::new();
        for (name, value) in rest.headers() {
            let there = NOT_BACK.contains(&name.as_str());
            let name = HeaderName::from_bytes(name.as_str().as_bytes());
            if let (false, Ok(name), Ok(value)) = (there, name, HeaderValue::from_bytes(value.as_bytes())) {
                headers.append(name, value);
            }
        }
        let status = StatusCode::from_u16(rest.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
        let declared = headers.get(header::CONTENT_TYPE);
        let channel = declared.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        Ok(Incoming {
            status,
            headers,
            channel,
            server,
            rest,
        })
    }
}

impl Incoming {
    /// The next part of the body; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Option<Bytes> {
        self.rest.chunk().await.ok().flatten()
    }

    /// The whole body.
    pub(crate) async fn body(&mut self, variable: &'static str) -> Result<Bytes, Error> {
        let broken = |why: String| Error::Unreachable {
            server: self.server.clone(),
            why,
            variable,
        };
        let mut body = BytesMut::new();
        let read = async {
            while let Some(chunk) = self.rest.chunk().await.map_err(|error| innermost(&error))? {
                if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                    return Err(format!("its answer is larger than {MAX_ANSWER_BYTES} bytes"));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(())
        };
        match tokio::time::timeout(ANSWER, read).await {
            Ok(Ok(())) => Ok(body.freeze()),
            Ok(Err(why)) => Err(broken(why)),
            Err(_) => Err(broken("its answer broke off".to_owned())),
        }
    }
}

/// Everybody the request has come through, the last one that it came from.
fn forwarded_for(headers: &HeaderMap, peer: Option<IpAddr>) -> Option<String> {
    let before = headers.get_all(FORWARDED_FOR);
    let before = before.filter_map(|value| value.to_str().ok().map(str::to_owned));
    let peer = peer.map(|ip| ip.to_canonical().to_string());
    let chain: Vec<String> = before.chain(peer).collect();
    (!chain.is_empty()).then(|| chain.join(", "))
}

/// What happened in the end: the layers above say only that something did.
fn innermost(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gateway_adds_whom_the_request_came_from() {
        let mut headers = HeaderMap::new();
        let peer = Some("::ffff:192.0.2.1".parse().unwrap());
        assert_eq!(forwarded_for(&headers, None), None);
        assert_eq!(forwarded_for(&headers, peer).unwrap(), "192.0.2.1");
        headers.append(FORWARDED_FOR, HeaderValue::from_static("198.51.100.7, 10.0.0.1"));
        assert_eq!(
            forwarded_for(&headers, peer).unwrap(),
            "198.51.100.7, 10.0.0.1, 192.0.2.1"
        );
    }
}
