//! URLs of sessions: what the server calls them, and what the gateway calls them. Either form holds all of the other, so
//! nothing is remembered and any gateway will do.

use crate::asked::{Face, PREFIX, is_secret};
use weft_wire::StreamName;

/// A session's URL, or one below it, as the gateway calls it; `None`: it is of another form than `/{stream}/whip/{secret}`.
/// `origin` is the server's scheme and authority, with which an absolute URL may begin.
pub(crate) fn at_gateway(url: &str, origin: &str, stream: &StreamName, face: Face) -> Option<String> {
    let path = match url.strip_prefix(origin) {
        Some(path) if !origin.is_empty() => path,
        _ => url,
    };
    let endpoint = format!("/{stream}/{}/", face.word());
    let rest = path.strip_prefix(&endpoint)?;
    let (secret, query) = rest.find('?').map_or((rest, ""), |at| rest.split_at(at));
    let plain = is_secret(secret.strip_suffix("/events").unwrap_or(secret));
    plain.then(|| format!("{PREFIX}{}/{stream}/{secret}{query}", face.word()))
}

/// The same for a `Link` value: its URL is between the angle brackets.
pub(crate) fn link_at_gateway(link: &str, origin: &str, stream: &StreamName, face: Face) -> Option<String> {
    let (url, rest) = link.strip_prefix('<')?.split_once('>')?;
    Some(format!("<{}>{rest}", at_gateway(url, origin, stream, face)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_the_stream_is_one_of_the_gateway_and_anything_else_is_not() {
        let stream = StreamName::new("a/b").unwrap();
        let at = |url| at_gateway(url, "http://h:1", &stream, Face::Whip);
        assert_eq!(
            at("/a/b/whip/n.s?jwt=x").as_deref(),
            Some("/api/webrtc/whip/a/b/n.s?jwt=x")
        );
        assert_eq!(
            at("http://h:1/a/b/whip/s/events").as_deref(),
            Some("/api/webrtc/whip/a/b/s/events")
        );
        for other in [
            "http://h:12/a/b/whip/s",
            "http://other/a/b/whip/s",
            "/a/whip/s",
            "/a/b/whep/s",
            "/a/b/whip/",
            "/a/b/whip/../../../v3",
            "/a/b/whip/%2e%2e",
        ] {
            assert_eq!(at(other), None, "{other}");
        }
        let link = |link| link_at_gateway(link, "", &stream, Face::Whip);
        assert_eq!(
            link("</a/b/whip/s/events?q>; rel=\"x\"; events=\"move\"").as_deref(),
            Some("</api/webrtc/whip/a/b/s/events?q>; rel=\"x\"; events=\"move\"")
        );
        assert_eq!(link("<stun:h:3478>; rel=\"ice-server\""), None);
    }
}
