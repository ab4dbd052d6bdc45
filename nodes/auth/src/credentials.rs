//! Reading what a client shows: `Authorization` (RFC 7617, RFC 6750) and the query of a URL, as MediaMTX reads them.
//! Digests are the RTSP server's; whether any of it is right is judged elsewhere.

use crate::Credentials;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use weft_config::Secret;

/// The parameters of a URL that are credentials.
const SECRET_PARAMETERS: [&str; 4] = ["jwt", "token", "user", "pass"];

impl Credentials {
    /// True when the client shows nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.login.is_none() && self.token.is_none() && self.digest.is_none()
    }

    /// From an `Authorization` header (Basic or Bearer; Digest is the RTSP server's business) and a URL's query: `?jwt=` or
    /// `?token=`, `?user=&pass=`. What the header says counts more.
    #[must_use]
    pub fn from_http(authorization: Option<&str>, query: &str) -> Self {
        let mut shown = authorization.map(from_header).unwrap_or_default();
        if shown.token.is_none() {
            shown.token = parameter(query, "jwt")
                .or_else(|| parameter(query, "token"))
                .map(Secret::new);
            shown.token_in_url = shown.token.is_some();
        }
        if shown.login.is_none() {
            let (user, password) = (parameter(query, "user"), parameter(query, "pass"));
            if user.is_some() || password.is_some() {
                shown.login = login(user.unwrap_or_default(), password.unwrap_or_default());
            }
        }
        shown
    }

    /// From the `user:password` before the host of a URL, percent-encoded (RFC 3986 section 3.2.1).
    #[must_use]
    pub fn from_user_info(text: &str) -> Self {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let decoded = |text| decode(text, false);
        Self {
            login: decoded(user)
                .zip(decoded(password))
                .and_then(|(user, password)| login(user, password)),
            ..Self::default()
        }
    }
}

/// A login; none where nothing stands in it.
fn login(user: String, password: String) -> Option<(String, Secret)> {
    (!user.is_empty() || !password.is_empty()).then(|| (user, Secret::new(password)))
}

fn from_header(value: &str) -> Credentials {
    let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value, ""));
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(rest).ok();
        let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let (user, password) = match text.as_deref().map(|t| t.split_once(':')) {
            Some(Some(pair)) => pair,
            // What cannot be read is a wrong login: nothing else in the request is taken for it.
            _ => (rest, ""),
        };
        Credentials {
            login: login(user.to_owned(), password.to_owned()),
            ..Credentials::default()
        }
    } else if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
        match rest.split_once(':') {
            Some((user, password)) => Credentials {
                login: login(user.to_owned(), password.to_owned()),
                ..Credentials::default()
            },
            None => Credentials {
                token: Some(Secret::new(rest)),
                ..Credentials::default()
            },
        }
    } else {
        Credentials::default()
    }
}

/// The first value of a parameter that is not empty, decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|part| part.split_once('='));
    let named = |n: &str| n == name || decode(n, true).is_some_and(|n| n == name);
    let mut values = pairs.filter(|(n, _)| named(n)).map(|(_, value)| value);
    let value = values.find(|value| !value.is_empty())?;
    // What cannot be decoded is shown all the same, and wrong.
    Some(decode(value, true).unwrap_or_else(|| value.to_owned()))
}

/// Percent-decoding; `plus`: a plus sign is a space, as in forms.
fn decode(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'%' => {
                let (hex, tail) = tail.split_at_checked(2)?;
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let [high, low] = [digit(*hex.first()?)?, digit(*hex.last()?)?];
                bytes.push(u8::try_from(high * 16 + low).ok()?);
                rest = tail;
            }
            b'+' if plus => bytes.push(b' '),
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// A URL's query without the parameters that are credentials: what may be kept and shown.
#[must_use]
pub fn without_secrets(query: &str) -> String {
    let parts = query.split('&').filter(|part| {
        let name = part.split('=').next().unwrap_or_default();
        // `%6Awt=` is `jwt=` too.
        let name = decode(name, true).unwrap_or_else(|| name.to_owned());
        !part.is_empty() && !SECRET_PARAMETERS.iter().any(|s| name.eq_ignore_ascii_case(s))
    });
    parts.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// User, password and token as one line.
    fn read(authorization: &str, query: &str) -> String {
        let shown = Credentials::from_http(Some(authorization).filter(|a| !a.is_empty()), query);
        let login = shown
            .login
            .map(|(user, password)| format!("{user}|{}", password.expose()));
        let token = shown.token.map(|token| token.expose().to_owned());
        format!("{} {}", login.unwrap_or_default(), token.unwrap_or_default())
    }

    #[test]
    fn every_way_to_show_something_is_read() {
        for (authorization, query, expected) in [
            ("", "", " "),
            ("Basic dGVhY2hlcjpwYTpzcw==", "", "teacher|pa:ss "),
            ("basic dGVhY2hlcjpwYTpzcw==", "", "teacher|pa:ss "),
            ("Basic Og==", "", " "),
            ("Basic %%%", "", "%%%| "),
            ("Basic dGVhY2hlcg==", "", "dGVhY2hlcg==| "),
            ("Bearer teacher:pass", "", "teacher|pass "),
            ("Bearer a.b.c", "", " a.b.c"),
            ("Bearer ", "", " "),
            ("Digest username=\"x\"", "", " "),
            ("", "jwt=a.b.c", " a.b.c"),
            ("", "x=1&token=t%2B1", " t+1"),
            ("", "token=&jwt=", " "),
            ("Bearer a", "token=b", " a"),
            ("", "user=teacher&pass=p%20q+r", "teacher|p q r "),
            ("", "pass=p", "|p "),
            ("", "user=%zz", "%zz| "),
            (
                "Basic dGVhY2hlcjpwYTpzcw==",
                "user=x&pass=y&jwt=t",
                "teacher|pa:ss t",
            ),
        ] {
            assert_eq!(read(authorization, query), expected, "{authorization} ?{query}");
        }
    }

    #[test]
    fn a_token_of_the_url_is_known_as_such() {
        assert!(Credentials::from_http(None, "jwt=a").token_in_url);
        assert!(!Credentials::from_http(Some("Bearer a"), "jwt=a").token_in_url);
    }

    #[test]
    fn the_user_in_a_url_is_read() {
        let login = |text: &str| Credentials::from_user_info(text).login;
        assert_eq!(login("a%40b:c%3Ad"), Some(("a@b".into(), Secret::new("c:d"))));
        assert_eq!(login("a"), Some(("a".into(), Secret::default())));
        assert_eq!(login(""), None);
    }

    #[test]
    fn what_is_kept_of_a_query_holds_no_credentials() {
        assert_eq!(without_secrets("a=1&jwt=x&token=y&user=u&pass=p&b"), "a=1&b");
        assert_eq!(without_secrets("%6Awt=x&JWT=y&tok%65n=z&tokens=1"), "tokens=1");
        assert_eq!(without_secrets("jwt"), "");
        assert_eq!(without_secrets(""), "");
    }
}
