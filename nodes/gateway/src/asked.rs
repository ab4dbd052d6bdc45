//! What a request to the gateway means: which face, which stream, which session.
//! Doing it is the business of the node it runs in, or of the server it stands before.

use crate::error::Error;
use crate::names::{self, Clock};
use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, header};
use weft_wire::StreamName;

/// What all URLs of the gateway begin with.
pub(crate) const PREFIX: &str = "/api/webrtc/";

/// One of the two protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// Publishers (RFC 9725).
    Whip,
    /// Readers.
    Whep,
}

impl Face {
    /// The word in URLs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Whip => "whip",
            Self::Whep => "whep",
        }
    }
}

/// A request understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A browser asks before it asks.
    Preflight,
    /// Whether the server is well.
    Health,
    /// An offer, or what is to be known before one.
    Endpoint { face: Face, stream: StreamName },
    /// Something about a session that is there: its secret, and what may follow (`/events`).
    Session {
        face: Face,
        stream: StreamName,
        rest: String,
    },
}

/// Whether a path is one of the gateway's; the rest of `/api/webrtc/` are streams like others.
pub(crate) fn is_ours(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| {
        let first = rest.split('/').next().unwrap_or_default();
        rest == "health" || matches!(first, "whip" | "whep")
    })
}

impl Asked {
    /// Understands a request; `None`: there is no such place.
    pub(crate) fn read(
        method: &Method,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        clock: &Clock,
    ) -> Result<Option<Self>, Error> {
        if !is_ours(path) {
            return Ok(None);
        }
        if method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            return Ok(Some(Self::Preflight));
        }
        let rest = path.strip_prefix(PREFIX).unwrap_or_default();
        let (first, rest) = rest.split_once('/').map_or((rest, None), |(a, b)| (a, Some(b)));
        let face = match first {
            "health" if matches!(*method, Method::GET | Method::HEAD) => return Ok(Some(Self::Health)),
            "health" => return Err(Error::Method),
            "whip" => Face::Whip,
            _ => Face::Whep,
        };
        let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
            if !matches!(*method, Method::POST | Method::OPTIONS) {
                return Err(Error::Method);
            }
            let stream = match face {
                Face::Whip => names::published(query, clock)?,
                Face::Whep => names::read(query)?,
            };
            return Ok(Some(Self::Endpoint { face, stream }));
        };
        let Some((stream, rest)) = session(rest) else {
            return Ok(None);
        };
        let stream = StreamName::new(stream)?;
        match *method {
            Method::PATCH | Method::DELETE | Method::GET | Method::OPTIONS => {
                Ok(Some(Self::Session { face, stream, rest }))
            }
            _ => Err(Error::Method),
        }
    }

    /// Where it is on the server: `/{stream}/whip` and below.
    pub(crate) fn path(&self) -> Option<String> {
        match self {
            Self::Preflight | Self::Health => None,
            Self::Endpoint { face, stream } => Some(format!("/{stream}/{}", face.word())),
            Self::Session { face, stream, rest } => Some(format!("/{stream}/{}/{rest}", face.word())),
        }
    }

    /// The stream it is about.
    pub(crate) fn stream(&self) -> Option<(&StreamName, Face)> {
        match self {
            Self::Preflight | Self::Health => None,
            Self::Endpoint { face, stream } | Self::Session { face, stream, .. } => Some((stream, *face)),
        }
    }
}

/// `{stream}/{secret}` or `{stream}/{secret}/events`; the stream may have slashes.
fn session(path: &str) -> Option<(&str, String)> {
    let (path, events) = match path.strip_suffix("/events") {
        // Otherwise `events` is the secret.
        Some(rest) if rest.contains('/') => (rest, "/events"),
        _ => (path, ""),
    };
    let (stream, secret) = path.rsplit_once('/')?;
    is_secret(secret).then(|| (stream, format!("{secret}{events}")))
}

/// One segment that means the same however it is read: nothing escaped, no dots that lead elsewhere.
pub(crate) fn is_secret(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~=:+,;@$!*".contains(c);
    !matches!(text, "" | "." | "..") && text.len() <= 512 && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, path: &str, query: &str) -> Result<Option<String>, u16> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let asked = Asked::read(&method, path, query, &HeaderMap::new(), &Clock::default());
        match asked {
            Ok(Some(Asked::Health)) => Ok(Some("health".to_owned())),
            Ok(Some(asked)) => Ok(asked.path()),
            Ok(None) => Ok(None),
            Err(error) => Err(error.status().as_u16()),
        }
    }

    #[test]
    fn urls_of_the_gateway_mean_urls_of_the_server() {
        let some = |text: &str| Ok(Some(text.to_owned()));
        for (method, path, query, meant) in [
            ("POST", "/api/webrtc/whip", "stream=a/b", some("/a/b/whip")),
            ("POST", "/api/webrtc/whip/", "stream=a", some("/a/whip")),
            ("OPTIONS", "/api/webrtc/whip", "stream=a", some("/a/whip")),
            ("POST", "/api/webrtc/whep", "stream=a", some("/a/whep")),
            (
                "PATCH",
                "/api/webrtc/whip/a/b/n.s-1",
                "x=1",
                some("/a/b/whip/n.s-1"),
            ),
            ("DELETE", "/api/webrtc/whep/a/s", "", some("/a/whep/s")),
            ("GET", "/api/webrtc/whip/a/s/events", "", some("/a/whip/s/events")),
            ("GET", "/api/webrtc/whip/a/events", "", some("/a/whip/events")),
            ("GET", "/api/webrtc/health", "", some("health")),
            ("POST", "/api/webrtc/health", "", Err(405)),
            ("GET", "/api/webrtc/whip", "stream=a", Err(405)),
            ("POST", "/api/webrtc/whip", "", Err(400)),
            ("POST", "/api/webrtc/whip/a/s", "", Err(405)),
            ("PATCH", "/api/webrtc/whip/s", "", Ok(None)),
            ("DELETE", "/api/webrtc/whip/a/..", "", Ok(None)),
            ("DELETE", "/api/webrtc/whip/a/%2e%2e", "", Ok(None)),
            ("DELETE", "/api/webrtc/whip/../v3/s", "", Err(400)),
            ("POST", "/api/webrtc/camera/whip", "", Ok(None)),
            ("POST", "/x/whip", "stream=a", Ok(None)),
        ] {
            assert_eq!(read(method, path, query), meant, "{method} {path}?{query}");
        }
    }
}
