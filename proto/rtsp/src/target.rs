//! Which stream and which of its tracks a request URI names, in every form that readers write it.
//! Whether the stream's name is allowed and exists is decided elsewhere.

/// Why a URI names nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Not `rtsp://`, `rtsps://` or `rtspu://`.
    #[error("the URI is not an absolute rtsp:// URL")]
    Scheme,
    /// `%` not followed by two hex digits, or not UTF-8.
    #[error("the URI's percent-encoding is malformed")]
    Encoding,
    /// `trackID=` not followed by a number up to 255.
    #[error("the URI's trackID is not a number up to 255")]
    Track,
}

const CONTROL: &str = "trackID=";

/// What a URI names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The path, percent-decoded, without slashes at its ends; empty for none.
    pub path: String,
    /// What followed `?`, without a track's control.
    pub query: Option<String>,
    /// The track, where one is named.
    pub track: Option<u8>,
    /// `Content-Base` for this target: no user, no query, one slash at the end.
    ///
    /// Without the query because readers that resolve `trackID=0` by RFC 3986 (GStreamer) would lose the path with it.
    pub base: String,
}

impl Target {
    /// Reads a URI. A track may follow the path (`/cam/trackID=0?q`) or the query (`/cam?q/trackID=0`): readers that
    /// append the control to the whole URL write the latter.
    ///
    /// # Errors
    /// [`TargetError`] says what is wrong with the URI.
    pub fn parse(uri: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = uri.split_once("://").ok_or(TargetError::Scheme)?;
        if !["rtsp", "rtsps", "rtspu"]
            .iter()
            .any(|s| scheme.eq_ignore_ascii_case(s))
        {
            return Err(TargetError::Scheme);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if host.is_empty() {
            return Err(TargetError::Scheme);
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let (path, mut track) = split_control(path)?;
        let mut query = query.map(str::to_owned);
        if let (None, Some(q)) = (track, &query) {
            let (rest, found) = split_control(q)?;
            track = found;
            query = Some(rest.trim_end_matches('/').to_owned());
        }
        let path = path.trim_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        Ok(Self {
            path: percent_decode(path)?,
            query: query.filter(|q| !q.is_empty()),
            track,
            base: format!("{}://{host}/{path}{slash}", scheme.to_ascii_lowercase()),
        })
    }
}

/// Cuts a last segment `trackID=N` off.
fn split_control(text: &str) -> Result<(&str, Option<u8>), TargetError> {
    let trimmed = text.trim_end_matches('/');
    let start = trimmed.rfind('/').map_or(0, |at| at + 1);
    let last = &trimmed[start..];
    // A query that begins with `trackID=` is a query; only a segment of its own names a track.
    if start == 0
        || !last
            .get(..CONTROL.len())
            .is_some_and(|c| c.eq_ignore_ascii_case(CONTROL))
    {
        return Ok((text, None));
    }
    let number = last[CONTROL.len()..].parse().map_err(|_| TargetError::Track)?;
    Ok((&trimmed[..start - 1], Some(number)))
}

fn percent_decode(text: &str) -> Result<String, TargetError> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let mut digit = || {
                bytes
                    .next()
                    .and_then(|b| char::from(b).to_digit(16))
                    .map(|d| d as u8)
            };
            let (high, low) = digit().zip(digit()).ok_or(TargetError::Encoding)?;
            out.push(high << 4 | low);
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).map_err(|_| TargetError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str) -> (String, Option<String>, Option<u8>, String) {
        let t = Target::parse(uri).unwrap();
        (t.path, t.query, t.track, t.base)
    }

    #[test]
    fn every_form_readers_write_names_the_same_track() {
        for uri in [
            "rtsp://h:8554/cam/a/trackID=1",
            "rtsp://h:8554/cam/a/trackID=1/",
            "rtsp://h:8554/cam/a//trackID=1",
            "RTSP://u:p%40ss@h:8554/cam/a/trackid=1",
            "rtsp://h:8554/c%61m/a/trackID=1",
        ] {
            let (path, query, track, _) = parts(uri);
            assert_eq!((path.as_str(), query, track), ("cam/a", None, Some(1)), "{uri}");
        }
        for uri in [
            "rtsp://h/cam?token=x/trackID=0",
            "rtsp://h/cam/?token=x/trackID=0",
            "rtsp://h/cam?token=x//trackID=0/",
            "rtsp://h/cam/trackID=0?token=x",
        ] {
            let (path, query, track, base) = parts(uri);
            assert_eq!(
                (path.as_str(), query.as_deref(), track),
                ("cam", Some("token=x"), Some(0)),
                "{uri}"
            );
            assert_eq!(base, "rtsp://h/cam/");
        }
    }

    #[test]
    fn the_base_has_neither_user_nor_query() {
        assert_eq!(
            parts("rtsps://me:secret@[::1]:8554/cam?t=1").3,
            "rtsps://[::1]:8554/cam/"
        );
        assert_eq!(parts("rtsp://h").3, "rtsp://h/");
        assert_eq!(
            parts("rtsp://h/?a=b/c"),
            (String::new(), Some("a=b/c".into()), None, "rtsp://h/".into())
        );
    }

    #[test]
    fn what_names_nothing_is_refused() {
        assert_eq!(Target::parse("*"), Err(TargetError::Scheme));
        assert_eq!(Target::parse("/cam"), Err(TargetError::Scheme));
        assert_eq!(Target::parse("http://h/cam"), Err(TargetError::Scheme));
        assert_eq!(Target::parse("rtsp:///cam"), Err(TargetError::Scheme));
        assert_eq!(Target::parse("rtsp://h/cam/trackID=256"), Err(TargetError::Track));
        assert_eq!(Target::parse("rtsp://h/cam/trackID=x"), Err(TargetError::Track));
        assert_eq!(Target::parse("rtsp://h/c%6"), Err(TargetError::Encoding));
        assert_eq!(Target::parse("rtsp://h/%ff"), Err(TargetError::Encoding));
    }
}
