//! `Authorization` and `WWW-Authenticate` of RTSP (RFC 2326 §11): digests (RFC 7616, MD5 without qop, as readers do them)
//! as they are written and read. Whether one is right is judged elsewhere; Basic and Bearer are HTTP's.

/// The realm of every challenge; MediaMTX's word.
pub const REALM: &str = "ipcam";

/// The parameters of one header line that a digest has at most.
const MAX_PARAMETERS: usize = 32;

/// A challenge for a user and a password as they are.
#[must_use]
pub fn basic_challenge() -> String {
    format!("Basic realm=\"{REALM}\"")
}

/// A challenge for a digest. Without `algorithm` it is MD5, and without `qop` what every reader knows; `stale`: the last
/// one was made of a nonce of another connection, and the login itself may well be right.
#[must_use]
pub fn digest_challenge(nonce: &str, stale: bool) -> String {
    let stale = if stale { ", stale=true" } else { "" };
    format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\"{stale}")
}

/// A digest as a client shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)] // the field names are the RFC's
pub struct Digest {
    pub username: String,
    pub realm: String,
    pub nonce: String,
    pub uri: String,
    pub response: String,
}

impl Digest {
    /// Reads a header's value; `None` where it is no digest. One by another algorithm, or with a `qop` that nobody offered,
    /// comes without a response: it is wrong.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (scheme, mut rest) = value.trim_start().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let mut digest = Self::default();
        let mut ours = true;
        for _ in 0..MAX_PARAMETERS {
            let Some((name, value, after)) = parameter(rest) else {
                break;
            };
            rest = after;
            match name.to_ascii_lowercase().as_str() {
                "username" => digest.username = value,
                "realm" => digest.realm = value,
                "nonce" => digest.nonce = value,
                "uri" => digest.uri = value,
                "response" => digest.response = value,
                "algorithm" => ours &= value.eq_ignore_ascii_case("MD5"),
                "qop" => ours &= value.is_empty(),
                _ => {}
            }
        }
        if !ours {
            digest.response.clear();
        }
        Some(digest)
    }
}

/// One `name=value` or `name="value"`, and what follows it.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start_matches([' ', '\t', ',']);
    let (name, rest) = text.split_once('=')?;
    let rest = rest.trim_start();
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find(',').unwrap_or(rest.len());
        let (value, rest) = rest.split_at(end);
        return Some((name.trim(), value.trim().to_owned(), rest));
    };
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            '"' if !escaped => return Some((name.trim(), value, quoted.get(at + 1..)?)),
            '\\' if !escaped => escaped = true,
            _ => {
                value.push(c);
                escaped = false;
            }
        }
    }
    // The closing quote is missing.
    None
}

/// The `user:password` before the host of a URI, as it is written there; `None` where there is none.
#[must_use]
pub fn user_info(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_readers_write_it() {
        let ffmpeg = "Digest username=\"cam\", realm=\"ipcam\", nonce=\"abc\", uri=\"rtsp://h/cam?a=b,c\", response=\"00ff\"";
        let expected = Digest {
            username: "cam".into(),
            realm: "ipcam".into(),
            nonce: "abc".into(),
            uri: "rtsp://h/cam?a=b,c".into(),
            response: "00ff".into(),
        };
        assert_eq!(Digest::parse(ffmpeg), Some(expected.clone()));
        let gstreamer = "digest username=\"cam\",realm=\"ipcam\",nonce=\"abc\",uri=\"rtsp://h/cam?a=b,c\",response=\"00ff\",algorithm=md5, opaque=x";
        assert_eq!(Digest::parse(gstreamer), Some(expected));
        let escaped = Digest::parse(r#"Digest username="a\"b\\c", response=1"#).unwrap();
        assert_eq!(
            (escaped.username.as_str(), escaped.response.as_str()),
            (r#"a"b\c"#, "1")
        );
    }

    #[test]
    fn what_is_no_digest_or_not_ours_is_told_apart() {
        assert_eq!(Digest::parse("Basic YTpi"), None);
        assert_eq!(Digest::parse("Digest"), None);
        for value in [
            "Digest response=\"1\", algorithm=SHA-256",
            "Digest response=\"1\", qop=auth, nc=00000001, cnonce=\"x\"",
            "Digest username=\"never closed",
            "Digest ,,, =",
        ] {
            assert_eq!(Digest::parse(value).unwrap().response, "", "{value}");
        }
    }

    #[test]
    fn challenges_are_what_every_reader_knows() {
        assert_eq!(basic_challenge(), "Basic realm=\"ipcam\"");
        assert_eq!(
            digest_challenge("n", false),
            "Digest realm=\"ipcam\", nonce=\"n\""
        );
        assert_eq!(
            digest_challenge("n", true),
            "Digest realm=\"ipcam\", nonce=\"n\", stale=true"
        );
    }

    #[test]
    fn the_user_of_a_uri_is_what_stands_before_the_last_at() {
        assert_eq!(user_info("rtsp://a:b@h/cam?x=@"), Some("a:b"));
        assert_eq!(user_info("rtsp://a:b@c@h/cam"), Some("a:b@c"));
        assert_eq!(user_info("rtsp://h/cam@1"), None);
        assert_eq!(user_info("*"), None);
    }
}
